// What the page asks the worker for. One picture is open at a time, so that memory stays bounded.

import { transfer } from "comlink";
import { decode, type Picture } from "./image.ts";
import { type Area, Job, type Progress } from "./job.ts";
import { type KernelView, showKernels } from "./kernels.ts";
import { type Device, network } from "./network.ts";
import { choose, type Chosen, type MeasuredNoise, measureNoise, type NoiseChoice } from "./noise.ts";
import type { Strength } from "./strength.ts";

const BAND = 1_000_000; // Pixels blended at a time.

export interface Opened {
  width: number;
  height: number;
  gray: boolean;
  noise: MeasuredNoise;
  /** The noisy picture, to be shown. */
  bitmap: ImageBitmap;
}

export interface Finished extends Chosen {
  network: string;
  device: Device;
  seconds: number;
}

export class Engine {
  #picture: Picture | undefined;
  #noise: MeasuredNoise | undefined;
  #job: Job | undefined;
  #run = 0; // Counts up when a run is canceled or replaced.

  /** Decodes a file and measures its noise; the picture before is closed. */
  async open(file: Blob): Promise<Opened> {
    this.cancel();
    this.#picture = this.#noise = this.#job = undefined;
    const { picture, bitmap } = await decode(file);
    const { width, height, gray } = picture;
    const noise = measureNoise(picture);
    this.#picture = picture;
    this.#noise = noise;
    return transfer({ width, height, gray, noise, bitmap }, [bitmap]);
  }

  /**
   * Denoises the open picture.
   *
   * @returns What was done; undefined if it was canceled.
   */
  async denoise(
    choice: NoiseChoice,
    strength: Strength,
    focus: { x: number; y: number } | undefined,
    show: (area: Area) => void,
    report: (progress: Progress) => void,
  ): Promise<Finished | undefined> {
    this.cancel();
    this.#job = undefined; // Its memory is free before the next takes as much.
    const run = this.#run;
    const [picture, chosen] = [this.#open, this.#choose(choice)];
    const loaded = await network(chosen.role);
    if (run !== this.#run) return undefined;
    const began = performance.now();
    const job = new Job(picture, loaded, chosen.level, strength, focus);
    this.#job = job;
    if (!(await job.run((area) => show(handedOver(area)), report, () => run !== this.#run))) return undefined;
    const seconds = (performance.now() - began) / 1000;
    return { ...chosen, network: loaded.settings.name, device: loaded.device, seconds };
  }

  /** Stops the run after its tile. */
  cancel(): void {
    this.#run++;
  }

  /** Denoises what is near a pixel first. */
  lookAt(x: number, y: number): void {
    if (this.#job) this.#job.focus = { x, y };
  }

  /** Changes the strength, and shows what is finished again, until it changes once more. */
  async setStrength(strength: Strength, show: (area: Area) => void): Promise<void> {
    const job = this.#job;
    if (!job) return;
    job.strength = strength;
    for (const area of job.shown()) {
      show(handedOver(area));
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (job.strength !== strength || job !== this.#job) return;
    }
  }

  /** Encodes the finished result, without metadata. */
  async encode(type: string, quality: number): Promise<Blob> {
    const job = this.#job;
    if (!job?.finished) throw new Error("no result is finished");
    const { width, height } = job.picture;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true })!;
    const rows = Math.max(1, Math.floor(BAND / width));
    for (let top = 0; top < height; top += rows) {
      const area = job.area(0, top, width, Math.min(rows, height - top));
      context.putImageData(new ImageData(area.pixels, width, area.height), 0, top);
    }
    return canvas.convertToBlob({ type, quality });
  }

  /** Denoises the part around a pixel with its kernels. */
  async showKernels(choice: NoiseChoice, x: number, y: number): Promise<KernelView> {
    const { role, level } = this.#choose(choice);
    return showKernels(this.#open, await network(role), level, x, y);
  }

  #choose(choice: NoiseChoice): Chosen {
    if (!this.#noise) throw new Error("no picture is open");
    return choose(choice, this.#noise, this.#open.gray);
  }

  get #open(): Picture {
    if (!this.#picture) throw new Error("no picture is open");
    return this.#picture;
  }
}

/** Moves an area's pixels to the page instead of copying them. */
function handedOver(area: Area): Area {
  return transfer(area, [area.pixels.buffer]);
}
