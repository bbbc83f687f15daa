// Denoises a part of a picture with the kernels predicted at one place (Fig. 11 of the paper).

import { reflectedIndices } from "./axis.ts";
import type { Picture } from "./image.ts";
import { type Area, networkInput } from "./job.ts";
import type { Floats, Network } from "./network.ts";

/** Largest side of the part that is shown. */
export const PART = 512;

/** The same part of the picture three times. */
export interface KernelView {
  noisy: Area;
  denoised: Area;
  withKernels: Area;
}

/**
 * Denoises the part around a pixel twice: as always, and with that pixel's kernels everywhere.
 *
 * As `--show_kernels` of the denoise command, but for smaller parts.
 */
export async function showKernels(
  picture: Picture,
  network: Network,
  level: number,
  x: number,
  y: number,
): Promise<KernelView> {
  const [left, width] = part(x, picture.width);
  const [top, height] = part(y, picture.height);
  const { multiple, channels } = network.settings;
  const rows = reflectedIndices(height, 0, multiple).map((row) => row + top);
  const columns = reflectedIndices(width, 0, multiple).map((column) => column + left);
  const input = networkInput(picture, rows, columns, channels, level);
  const place = [(y - top + 0.5) / rows.length, (x - left + 0.5) / columns.length];
  const size = { left, top, width, height };
  return {
    noisy: toArea(input, size),
    denoised: toArea(await network.run(input), size),
    withKernels: toArea(await network.run(input, place), size),
  };
}

function part(center: number, length: number): [number, number] {
  const start = Math.min(Math.max(center - PART / 2, 0), Math.max(length - PART, 0));
  return [start, Math.min(PART, length)];
}

function toArea({ data, width: stride, channels }: Floats, size: Omit<Area, "pixels">): Area {
  const pixels = new Uint8ClampedArray(4 * size.width * size.height).fill(255);
  const colors = channels >= 3 ? [0, 1, 2] : [0, 0, 0];
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const to = 4 * (y * size.width + x);
      const from = channels * (y * stride + x);
      colors.forEach((color, channel) => (pixels[to + channel] = 255 * data[from + color]));
    }
  }
  return { ...size, pixels };
}
