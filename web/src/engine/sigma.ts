// Estimates the standard deviation of white noise, as mallenet_tf/inference/noise_estimation.py does
// for images of 8 bits, whose noise is clipped at black and white. That file explains the method.

import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { undoClipping } from "./clipping.ts";
import type { Picture } from "./image.ts";
import { HIGH, patchesOf, type Patches, patchSubset } from "./patches.ts";
import { settings } from "./settings.ts";
import { median } from "./statistics.ts";

const { CLIPPED_FADE, FLAT_LEAST, FLAT_MARGIN, FLAT_SHARE, MEDIAN_DEVIATION } = settings.sigma;
const { SHARED_NOISE, SMALLEST_SIDE, WHITE } = settings.sigma;

/** Returns sigma in 8-bit units, not below 0. */
export function estimateSigma(picture: Picture): number {
  if (Math.min(picture.width, picture.height) < SMALLEST_SIDE) return fromDifferences(picture);
  const patches = patchesOf(picture);
  const flat = solve(patches, true);
  if (patches.channels === 1 || flat >= CLIPPED_FADE[1]) return flat;
  const color = solve(patches, false);
  const fine = color < SHARED_NOISE * flat ? flat : color; // Channels share the noise.
  const [low, high] = CLIPPED_FADE;
  const share = Math.max(0, (flat - low) / (high - low));
  return share * flat + (1 - share) * fine;
}

function solve(patches: Patches, fromFlat: boolean): number {
  let sigma = 32; // A first guess, to choose patches by.
  for (let turn = 0; turn < 3; turn++) {
    let chosen = patchSubset(patches, farFromLimits(patches, sigma));
    let variance: number;
    if (fromFlat) {
      let flat: number[];
      [variance, flat] = flatVariance(chosen);
      chosen = patchSubset(chosen, flat);
    } else {
      variance = colorVariance(chosen);
    }
    sigma = undoClipping(variance, chosen.means);
  }
  return sigma;
}

/** Returns patches whose means are far from black and white, at least the tenth that is farthest. */
function farFromLimits({ count, channels, means }: Patches, sigma: number): number[] {
  const distance = Float64Array.from({ length: count }, (_, patch) => {
    let largest = 0;
    for (let channel = 0; channel < channels; channel++) {
      largest = Math.max(largest, Math.abs(means[patch * channels + channel] - WHITE / 2));
    }
    return largest;
  });
  const least = Math.min(count, Math.max(FLAT_LEAST, Math.floor(count / 10)));
  const nearest = distance.slice().sort()[least - 1];
  const limit = Math.max(nearest, WHITE / 2 - Math.min(Math.max(2 * sigma, 2), 90));
  return indicesBelow(distance, limit);
}

/** Returns the median over frequencies of the variance in flat patches, and these patches. */
function flatVariance({ count, channels, energy, high }: Patches): [number, number[]] {
  const least = Math.min(count, Math.max(FLAT_LEAST, Math.floor(FLAT_SHARE * count)));
  const flattest = energy.slice().sort()[least - 1];
  let [limit, variance, flat] = [flattest, 0, [] as number[]];
  for (let turn = 0; turn < 4; turn++) {
    flat = indicesBelow(energy, limit);
    const squares = new Float64Array(HIGH);
    for (const patch of flat) {
      for (let at = 0; at < channels * HIGH; at++) {
        squares[at % HIGH] += high[patch * channels * HIGH + at] ** 2;
      }
    }
    variance = median(squares) / (flat.length * channels);
    limit = Math.max(flattest, FLAT_MARGIN * variance);
  }
  return [variance, flat];
}

/** Returns the variance by Chen et al. 2015, algorithm 1. */
function colorVariance({ count, channels, high }: Patches): number {
  const size = channels * HIGH;
  const covariance = Matrix.zeros(size, size);
  for (let row = 0; row < size; row++) {
    for (let column = row; column < size; column++) {
      let sum = 0;
      for (let at = 0; at < count * size; at += size) sum += high[at + row] * high[at + column];
      covariance.set(row, column, sum / count);
      covariance.set(column, row, sum / count);
    }
  }
  const { realEigenvalues } = new EigenvalueDecomposition(covariance, { assumeSymmetric: true });
  let smallest = Float64Array.from(realEigenvalues).sort();
  while (smallest.length > 1 && mean(smallest) > median(smallest)) smallest = smallest.slice(0, -1);
  return Math.max(0, mean(smallest));
}

/** Estimates sigma of a tiny picture from the median absolute difference of neighbors. */
function fromDifferences({ width, height, pixels, gray }: Picture): number {
  const [down, right] = [height > 1 ? 1 : 0, width > 1 ? 1 : 0];
  if (!down && !right) return 0;
  const found: number[] = [];
  for (let y = 0; y < height - down; y++) {
    for (let x = 0; x < width - right; x++) {
      for (let channel = 0; channel < (gray ? 1 : 3); channel++) {
        const value = (row: number, column: number) => pixels[4 * (row * width + column) + channel];
        const change = (row: number) => value(row, x + right) - (right ? value(row, x) : 0);
        found.push(Math.abs(change(y + down) - (down ? change(y) : 0)));
      }
    }
  }
  return median(found) / MEDIAN_DEVIATION / Math.SQRT2 ** (down + right);
}

function indicesBelow(values: Float64Array, limit: number): number[] {
  const found: number[] = [];
  values.forEach((value, index) => value <= limit && found.push(index));
  return found;
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
