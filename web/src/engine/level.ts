// Estimates the level of noise of any grain, as mallenet_tf/inference/level_estimation.py does.

import type { Picture } from "./image.ts";
import { settings } from "./settings.ts";
import { median, quantile } from "./statistics.ts";

const { TILE, MOST_TILES, SCALES, QUANTILES, network } = settings.level;
const [RED, GREEN, BLUE] = settings.luma;

/** Returns the level in 8-bit units: the median over tiles. */
export function estimateLevel(picture: Picture): number {
  return median(corners(picture).map(([top, left]) => predict(levelFeatures(picture, top, left))));
}

/** Returns the upper left corners of tiles on a grid over the picture. */
function corners({ width, height }: Picture): [number, number][] {
  const [rows, columns] = [Math.ceil(height / TILE), Math.ceil(width / TILE)];
  const stride = Math.max(1, Math.ceil(Math.sqrt((rows * columns) / MOST_TILES)));
  const tops = spread(Math.max(height - TILE, 0), Math.ceil(rows / stride));
  const lefts = spread(Math.max(width - TILE, 0), Math.ceil(columns / stride));
  return tops.flatMap((top) => lefts.map((left): [number, number] => [top, left]));
}

function spread(last: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    count > 1 ? Math.trunc((index * last) / (count - 1)) : 0,
  );
}

/** Returns logarithms of how strongly the flatter parts of a tile vary, in several bands. */
export function levelFeatures(picture: Picture, top: number, left: number): number[] {
  const planes = [0, 1, 2].map(() => new Float32Array(TILE * TILE));
  const [luma, blue, red] = planes;
  for (let y = 0; y < TILE; y++) {
    const row = symmetric(top + y, picture.height) * picture.width;
    for (let x = 0; x < TILE; x++) {
      const from = 4 * (row + symmetric(left + x, picture.width));
      const [r, g, b] = [0, 1, 2].map((channel) => picture.pixels[from + channel] / 255);
      const to = y * TILE + x;
      luma[to] = RED * r + GREEN * g + BLUE * b;
      blue[to] = b - luma[to];
      red[to] = r - luma[to];
    }
  }
  const features = planes.flatMap(bandQuantiles).map((value) => Math.log(value + 1e-4));
  return [...features, luma.reduce((sum, value) => sum + value, 0) / luma.length];
}

/** Mirrors places beyond the end, the last pixel included. */
function symmetric(place: number, length: number): number {
  const phase = place % (2 * length);
  return Math.min(phase, 2 * length - 1 - phase);
}

/** Decomposes a square by Haar wavelets; returns quantiles of the bands' strength in blocks. */
function bandQuantiles(square: Float32Array): number[] {
  const found: number[] = [];
  let [plane, side] = [square, TILE];
  for (let scale = 0; scale < SCALES; scale++) {
    const half = side / 2;
    const [straight, diagonal, coarse] = [0, 1, 2].map(() => new Float32Array(half * half));
    for (let y = 0; y < half; y++) {
      for (let x = 0; x < half; x++) {
        const at = 2 * y * side + 2 * x;
        const [a, b, c, d] = [plane[at], plane[at + 1], plane[at + side], plane[at + side + 1]];
        const to = y * half + x;
        straight[to] = ((a + b - c - d) ** 2 + (a - b + c - d) ** 2) / 8;
        diagonal[to] = (a - b - c + d) ** 2 / 4;
        coarse[to] = (a + b + c + d) / 4;
      }
    }
    for (const band of [straight, diagonal]) {
      const strengths = blockMeans(band, half, scale < 2 ? 8 : 4).map(Math.sqrt).sort();
      found.push(...QUANTILES.map((share) => quantile(strengths, share)));
    }
    [plane, side] = [coarse, half];
  }
  return found;
}

function blockMeans(band: Float32Array, side: number, block: number): Float64Array {
  const across = side / block;
  const means = new Float64Array(across * across);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      means[Math.floor(y / block) * across + Math.floor(x / block)] += band[y * side + x];
    }
  }
  return means.map((sum) => sum / block ** 2);
}

/** Returns the level that a small network reads from features. */
function predict(features: number[]): number {
  const { mean, deviation } = network;
  let values = features.map((value, index) => (value - mean[index]) / deviation[index]);
  const layers = [
    [network.kernel0, network.bias0],
    [network.kernel1, network.bias1],
    [network.kernel2, network.bias2],
  ] as [number[][], number[]][];
  layers.forEach(([kernel, bias], index) => {
    values = bias.map((offset, unit) =>
      values.reduce((sum, value, input) => sum + value * kernel[input][unit], offset),
    );
    if (index < 2) values = values.map((value) => value / (1 + Math.exp(-value))); // SiLU
  });
  return Math.exp(values[0]);
}
