// How much of the noise found is removed, as mallenet_tf/inference/strength.py has it.

import { settings } from "./settings.ts";

/** Shares from 0 to 1: of all of the noise, of its luminance, and of its color. */
export interface Strength {
  strength: number;
  luminance: number;
  color: number;
}

/** Networks' results are kept as whole steps of 1/64 of an 8-bit level, beyond black and white too. */
export const STEPS = 64;
const [RED, GREEN, BLUE] = settings.luma;

/**
 * Blends a row of noisy and denoised pixels.
 *
 * @param noisy RGBA, 8 bits.
 * @param denoised RGB, or gray, in steps of 1/64 of a level.
 * @param result RGBA, 8 bits; rounded and clipped when it is stored.
 */
export function blendRow(
  noisy: Uint8ClampedArray,
  denoised: Int16Array,
  { strength, luminance, color }: Strength,
  result: Uint8ClampedArray,
): void {
  const pixels = noisy.length / 4;
  const gray = denoised.length === pixels;
  const ofLuma = strength * luminance;
  const ofColor = strength * color;
  for (let pixel = 0; pixel < pixels; pixel++) {
    const at = 4 * pixel;
    const from = gray ? pixel : 3 * pixel;
    if (gray) {
      const value = noisy[at] + ofLuma * (denoised[from] / STEPS - noisy[at]);
      result[at] = result[at + 1] = result[at + 2] = value;
    } else {
      const red = denoised[from] / STEPS - noisy[at];
      const green = denoised[from + 1] / STEPS - noisy[at + 1];
      const blue = denoised[from + 2] / STEPS - noisy[at + 2];
      const luma = (ofLuma - ofColor) * (RED * red + GREEN * green + BLUE * blue);
      result[at] = noisy[at] + ofColor * red + luma;
      result[at + 1] = noisy[at + 1] + ofColor * green + luma;
      result[at + 2] = noisy[at + 2] + ofColor * blue + luma;
    }
    result[at + 3] = noisy[at + 3];
  }
}
