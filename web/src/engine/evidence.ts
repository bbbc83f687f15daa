// Evidence against noise, as mallenet_tf/inference/noise_evidence.py has it.

import type { Picture } from "./image.ts";
import { settings } from "./settings.ts";
import { quantile } from "./statistics.ts";

const { BLOCK, EQUAL_SHARE, EQUAL_QUANTILE, QUIET_BLOCK, QUIET_SHARE, MOST_ROWS } = settings.evidence;
const [RED, GREEN, BLUE] = settings.luma;

/** Tells whether a picture cannot hold noise, since too many neighboring pixels are equal. */
export function isFreeOfNoise(picture: Picture): boolean {
  const shares: number[] = [];
  let blocks = 0;
  for (const [top, left] of corners(picture, BLOCK)) {
    blocks++;
    const share = equalShare(picture, top, left);
    if (share !== null) shares.push(share);
  }
  if (!shares.length) return blocks > 0;
  return quantile(Float64Array.from(shares).sort(), EQUAL_QUANTILE) >= EQUAL_SHARE;
}

/** Share of equal pairs of neighbors in a block; null if the block is all black or all white. */
function equalShare({ pixels, width }: Picture, top: number, left: number): number | null {
  let [equal, low, high] = [0, 255, 0];
  for (let y = 0; y < BLOCK; y++) {
    for (let x = 0; x < BLOCK; x++) {
      const at = 4 * ((top + y) * width + left + x);
      for (let channel = 0; channel < 3; channel++) {
        low = Math.min(low, pixels[at + channel]);
        high = Math.max(high, pixels[at + channel]);
      }
      if (x > 0 && same(pixels, at, at - 4)) equal++;
      if (y > 0 && same(pixels, at, at - 4 * width)) equal++;
    }
  }
  return low < 255 && high > 0 ? equal / (2 * BLOCK * (BLOCK - 1)) : null;
}

function same(pixels: Uint8ClampedArray, one: number, other: number): boolean {
  return (
    pixels[one] === pixels[other] &&
    pixels[one + 1] === pixels[other + 1] &&
    pixels[one + 2] === pixels[other + 2]
  );
}

/** Returns how strongly luma varies where it varies least, in 8-bit units. */
export function quietLevel(picture: Picture): number {
  const deviations = [...corners(picture, QUIET_BLOCK)].map(([top, left]) =>
    deviation(picture, top, left, QUIET_BLOCK, QUIET_BLOCK),
  );
  if (!deviations.length) return deviation(picture, 0, 0, picture.height, picture.width);
  return quantile(Float64Array.from(deviations).sort(), QUIET_SHARE);
}

function deviation(
  { pixels, width }: Picture,
  top: number,
  left: number,
  rows: number,
  columns: number,
): number {
  let [sum, squares] = [0, 0];
  for (let y = top; y < top + rows; y++) {
    for (let x = left; x < left + columns; x++) {
      const at = 4 * (y * width + x);
      const luma = RED * pixels[at] + GREEN * pixels[at + 1] + BLUE * pixels[at + 2];
      sum += luma;
      squares += luma * luma;
    }
  }
  const mean = sum / (rows * columns);
  return Math.sqrt(Math.max(squares / (rows * columns) - mean * mean, 0));
}

/** Yields the upper left corners of whole blocks, of at most MOST_ROWS rows in the middle. */
function* corners({ width, height }: Picture, side: number): Generator<[number, number]> {
  const first = Math.max(0, Math.floor((height - MOST_ROWS) / 2));
  const rows = Math.floor(Math.min(height, MOST_ROWS) / side);
  for (let row = 0; row < rows; row++) {
    for (let left = 0; left + side <= width; left += side) yield [first + row * side, left];
  }
}
