// Patches of a picture after an orthonormal discrete cosine transform.

import type { Picture } from "./image.ts";
import { settings } from "./settings.ts";

const { PATCH, LOW_FREQUENCIES, HIGH_FREQUENCIES, MOST_PATCHES } = settings.sigma;
const FREQUENCIES = Array.from({ length: PATCH ** 2 }, (_, at) => Math.floor(at / PATCH) + (at % PATCH));
const LOW_AT = places((sum) => sum >= 1 && sum <= LOW_FREQUENCIES);
const HIGH_AT = places((sum) => sum >= HIGH_FREQUENCIES);

/** Number of high frequencies. */
export const HIGH = HIGH_AT.length;

export interface Patches {
  count: number;
  channels: number;
  /** Mean energy of low frequencies of each patch. */
  energy: Float64Array;
  /** High coefficients: [count, channels, HIGH]. */
  high: Float32Array;
  /** Mean values: [count, channels]. */
  means: Float32Array;
}

/** Transforms patches on a grid so coarse that their number stays bounded. */
export function patchesOf({ width, height, pixels, gray }: Picture): Patches {
  const channels = gray ? 1 : 3;
  const [rows, columns] = [height - PATCH + 1, width - PATCH + 1];
  const step = Math.ceil(Math.sqrt(Math.max(1, (rows * columns * channels) / MOST_PATCHES)));
  const count = Math.ceil(rows / step) * Math.ceil(columns / step);
  const energy = new Float64Array(count);
  const high = new Float32Array(count * channels * HIGH);
  const means = new Float32Array(count * channels);
  const values = new Float64Array(PATCH ** 2);
  let patch = 0;
  for (let top = 0; top < rows; top += step) {
    for (let left = 0; left < columns; left += step, patch++) {
      for (let channel = 0; channel < channels; channel++) {
        for (let at = 0; at < PATCH ** 2; at++) {
          const [y, x] = [top + Math.floor(at / PATCH), left + (at % PATCH)];
          values[at] = pixels[4 * (y * width + x) + channel];
        }
        const coefficients = transform(values);
        const to = patch * channels + channel;
        means[to] = coefficients[0] / PATCH;
        HIGH_AT.forEach((at, index) => (high[to * HIGH + index] = coefficients[at]));
        for (const at of LOW_AT) {
          energy[patch] += coefficients[at] ** 2 / (LOW_AT.length * channels);
        }
      }
    }
  }
  return { count, channels, energy, high, means };
}

export function patchSubset({ channels, energy, high, means }: Patches, chosen: number[]): Patches {
  const part: Patches = {
    count: chosen.length,
    channels,
    energy: new Float64Array(chosen.length),
    high: new Float32Array(chosen.length * channels * HIGH),
    means: new Float32Array(chosen.length * channels),
  };
  chosen.forEach((patch, to) => {
    part.energy[to] = energy[patch];
    const size = channels * HIGH;
    part.high.set(high.subarray(patch * size, (patch + 1) * size), to * size);
    part.means.set(means.subarray(patch * channels, (patch + 1) * channels), to * channels);
  });
  return part;
}

function places(chosen: (sum: number) => boolean): number[] {
  return FREQUENCIES.flatMap((sum, at) => (chosen(sum) ? [at] : []));
}

const COSINES = Float64Array.from({ length: PATCH ** 2 }, (_, at) => {
  const [frequency, place] = [Math.floor(at / PATCH), at % PATCH];
  const scale = Math.sqrt((frequency ? 2 : 1) / PATCH);
  return scale * Math.cos((Math.PI * (place + 0.5) * frequency) / PATCH);
});
const halfway = new Float64Array(PATCH ** 2);
const transformed = new Float64Array(PATCH ** 2);

/** Returns the two-dimensional transform of a patch, in memory that the next call overwrites. */
function transform(values: Float64Array): Float64Array {
  multiply(values, halfway);
  multiply(halfway, transformed);
  return transformed;
}

/** Transforms rows, and transposes. */
function multiply(from: Float64Array, to: Float64Array): void {
  for (let row = 0; row < PATCH; row++) {
    for (let frequency = 0; frequency < PATCH; frequency++) {
      let sum = 0;
      for (let place = 0; place < PATCH; place++) {
        sum += COSINES[frequency * PATCH + place] * from[row * PATCH + place];
      }
      to[frequency * PATCH + row] = sum;
    }
  }
}
