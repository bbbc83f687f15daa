// Shows what the kernels predicted at a place do when they are used everywhere.

import type { Area } from "../engine/job.ts";
import type { KernelView } from "../engine/kernels.ts";
import { element } from "./elements.ts";

export function showKernelView({ noisy, denoised, withKernels }: KernelView, x: number, y: number): void {
  const title = `Denoised with the kernels of ${x}, ${y} everywhere`;
  element("kernels-pictures").replaceChildren(
    figure("Before", noisy),
    figure("Denoised, each place with its own kernels", denoised),
    figure(title, withKernels),
  );
  element("kernels-text").textContent =
    "MalleNet predicts for each place the kernels that denoise it. " +
    "Where the third picture differs from the second, other kernels were needed.";
  element<HTMLDialogElement>("kernels").showModal();
}

function figure(title: string, { width, height, pixels }: Area): HTMLElement {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height, role: "img", ariaLabel: title });
  canvas.getContext("2d")!.putImageData(new ImageData(pixels, width, height), 0, 0);
  const caption = document.createElement("figcaption");
  caption.textContent = title;
  const created = document.createElement("figure");
  created.append(canvas, caption);
  return created;
}
