// Times a photograph in headless Chromium, on the processor:
//
//     npm --prefix web run time -- [MEGAPIXELS]

import { readdirSync, readFileSync } from "node:fs";
import { downloadedJson, start, waitFor } from "../tests/browser.js";

const megapixels = Number(process.argv[2] ?? 12);
const TICKS = 100; // A second, in /proc.

const site = await start();
const page = await site.open();
page.setDefaultTimeout(3_600_000);
const size = await page.evaluate(async (pixels) => {
  const [width, height] = [4, 3].map((side) => Math.round(side * Math.sqrt(pixels / 12)));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  for (let top = 0; top < height; top += 250) {
    const image = new ImageData(width, Math.min(250, height - top));
    for (let at = 0; at < image.data.length; at++) {
      const x = (at >> 2) % width;
      image.data[at] = at % 4 === 3 ? 255 : 60 + (120 * x) / width + 30 * (Math.random() - 0.5);
    }
    context.putImageData(image, 0, top);
  }
  const files = new DataTransfer();
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
  files.items.add(new File([blob], "photograph.jpg", { type: "image/jpeg" }));
  const input = document.getElementById("choose");
  input.files = files.files;
  input.dispatchEvent(new Event("change"));
  return [width, height];
}, megapixels * 1e6);
await waitFor(page, "in work");
const before = renderers();
await waitFor(page, "done");
const { seconds, device } = await downloadedJson(page);
const { cpu, peak } = renderers();
console.log(
  `${size.join(" x ")} pixels: ${seconds.toFixed(1)} s, ${(cpu - before.cpu).toFixed(1)} s of ` +
    `processor time with decoding and estimates, ${device.name}, threads: ${device.threads}; ` +
    `the page's process took at most ${(peak / 1e3).toFixed(0)} MB`,
);
await site.close();

/** Processor seconds and peak memory in kB of the renderer that has taken most. */
function renderers() {
  const found = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((id) => {
    try {
      const command = readFileSync(`/proc/${id}/cmdline`, "utf8");
      if (!command.includes("--type=renderer")) return [];
      const fields = readFileSync(`/proc/${id}/stat`, "utf8").split(") ")[1].split(" ");
      const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"));
      return [{ cpu: (Number(fields[11]) + Number(fields[12])) / TICKS, peak: Number(peak?.[1] ?? 0) }];
    } catch (error) {
      if (error.code === "ENOENT" || error.code === "ESRCH") return []; // It has ended meanwhile.
      throw error;
    }
  });
  return found.reduce((most, one) => (one.cpu > most.cpu ? one : most), { cpu: 0, peak: 0 });
}
