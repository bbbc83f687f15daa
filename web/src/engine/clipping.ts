// Puts back what clipping at black and white took away from the variance of noise.

import { errorFunction } from "simple-statistics";
import { settings } from "./settings.ts";

const { WHITE } = settings.sigma;
const BINS = 256;
const TRUE_MEANS = 257;

/** Returns the sigma whose clipped noise has this variance, on average over patch means. */
export function undoClipping(variance: number, means: Float32Array): number {
  const histogram = new Float64Array(BINS);
  for (const mean of means) {
    if (mean < 0 || mean > WHITE) continue;
    histogram[Math.min(Math.floor((mean / WHITE) * BINS), BINS - 1)]++;
  }
  let [low, high] = [Math.sqrt(variance), 4 * Math.sqrt(variance) + 1];
  for (let turn = 0; turn < 30; turn++) {
    const sigma = (low + high) / 2;
    if (averageVariance(sigma, histogram) < variance) low = sigma;
    else high = sigma;
  }
  return (low + high) / 2;
}

/** Returns the variance of clipped noise, averaged over means in a histogram. */
function averageVariance(sigma: number, histogram: Float64Array): number {
  const means: number[] = [];
  const variances: number[] = [];
  for (let index = 0; index < TRUE_MEANS; index++) {
    const share = index / (TRUE_MEANS - 1);
    const [mean, variance] = clippedNormal(-4 * sigma + share * (WHITE + 8 * sigma), sigma);
    means.push(mean);
    variances.push(variance);
  }
  let [sum, weights, above] = [0, 0, 1];
  histogram.forEach((weight, bin) => {
    const center = ((bin + 0.5) / BINS) * WHITE;
    while (above < TRUE_MEANS - 1 && means[above] < center) above++;
    const share = (center - means[above - 1]) / (means[above] - means[above - 1]);
    const within = Math.min(Math.max(share, 0), 1);
    sum += weight * (variances[above - 1] + within * (variances[above] - variances[above - 1]));
    weights += weight;
  });
  return sum / weights;
}

/** Returns mean and variance of a normal variable that is clipped to black and white. */
function clippedNormal(mean: number, sigma: number): [number, number] {
  const [lower, upper] = [-mean / sigma, (WHITE - mean) / sigma];
  const [below, above] = [normalBelow(lower), normalBelow(-upper)];
  const [atLower, atUpper] = [lower, upper].map(
    (z) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI),
  );
  const inside = 1 - below - above;
  // Integrals of z and z^2 over the part of the standard normal that is not clipped.
  const first = atLower - atUpper;
  const second = inside + lower * atLower - upper * atUpper;
  const clipped = mean * inside + sigma * first + WHITE * above;
  const square = mean ** 2 * inside + 2 * mean * sigma * first + sigma ** 2 * second;
  return [clipped, square + WHITE ** 2 * above - clipped ** 2];
}

function normalBelow(z: number): number {
  return (1 + errorFunction(z / Math.SQRT2)) / 2;
}
