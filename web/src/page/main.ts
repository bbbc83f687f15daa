// The page: files in, results out.

import { proxy, wrap } from "comlink";
import type { Engine } from "../engine/engine.ts";
import { toBitmap } from "../engine/image.ts";
import type { Area } from "../engine/job.ts";
import type { Device } from "../engine/network.ts";
import { version } from "../../networks/settings.json";
import { Controls, DEFAULTS, describe } from "./controls.ts";
import { recode, save, saveText } from "./download.ts";
import { element } from "./elements.ts";
import { onFiles } from "./files.ts";
import { type Item, listItems } from "./item.ts";
import { showKernelView } from "./kernels.ts";
import { Queue } from "./queue.ts";
import { Viewer } from "./viewer.ts";

const worker = new Worker(new URL("../engine/worker.ts", import.meta.url), { type: "module" });
const engine = wrap<Engine>(worker);
const viewer = new Viewer();
const controls = new Controls();
const progress = element<HTMLProgressElement>("progress");
const progressText = element("progress-text"); // Not announced at every step.
const status = element("status");
const queue = new Queue(engine, {
  opened(item, { bitmap, width, height }) {
    if (item !== queue.shown) return bitmap.close();
    viewer.show(item.file.name, bitmap);
    controls.printMeasured(item.noise);
    status.textContent = `${item.file.name}: ${width} × ${height} pixels, fetching the network`;
  },
  painted(item, area) {
    if (item === queue.shown) viewer.paint(area);
  },
  progressed(_item, { done, total, secondsLeft }) {
    progress.value = done / total;
    const left = Number.isFinite(secondsLeft) ? `, ${duration(secondsLeft)} left` : "";
    progressText.textContent = `${Math.floor((100 * done) / total)} %${left}`;
  },
  changed(item) {
    if (item.state !== "working") {
      progress.value = item.state === "done" ? 1 : 0;
      progressText.textContent = "";
    }
    print();
    if (item === queue.shown || item.state === "failed") printState(item);
  },
});

onFiles((files) => {
  const added = files.map((file): Item => {
    const item: Item = { file, state: "waiting", settings: queue.shown?.settings ?? DEFAULTS };
    queue.items.push(item);
    return item;
  });
  if (added.length) void select(added[0]);
});

/** Shows a file, and denoises it first if it waits. */
async function select(item: Item): Promise<void> {
  if (item === queue.shown) return;
  queue.shown = item;
  controls.settings = item.settings;
  controls.printMeasured(item.noise);
  viewer.clear();
  print();
  printState(item);
  if (queue.isOpen(item) || item.state === "done" || item.state === "canceled") await showAgain(item);
  if (item.state === "waiting") {
    await queue.interrupt();
    void queue.work();
  }
}

/** Shows a file that was opened before, with what there is of its result. */
async function showAgain(item: Item): Promise<void> {
  let before: ImageBitmap;
  try {
    before = await toBitmap(item.file);
  } catch (error) {
    queue.fail(item, error);
    return;
  }
  const after = item.stored && (await createImageBitmap(item.stored));
  if (item === queue.shown) {
    viewer.show(item.file.name, before, after);
    if (queue.isOpen(item)) blendAgain(item);
  }
  after?.close();
}

/** Shows what is finished at the strength of now. */
function blendAgain(item: Item): void {
  const paint = (area: Area) => item === queue.shown && viewer.paint(area);
  void engine.setStrength(item.settings.strength, proxy(paint));
}

controls.onChange = (settings, anew) => {
  const item = queue.shown;
  if (!item) return;
  item.settings = settings;
  if (item.state === "failed") return;
  if (anew || !queue.isOpen(item)) void queue.restart(item);
  else blendAgain(item);
};

viewer.onLook = (middle) => {
  if (!queue.shown) return;
  queue.shown.focus = middle;
  if (queue.isOpen(queue.shown)) void engine.lookAt(middle.x, middle.y);
};

viewer.onPick = async ({ x, y }) => {
  const item = queue.shown;
  if (!item || !queue.isOpen(item)) {
    element("warning").textContent = "Kernels are shown of the file that was in work last.";
    return;
  }
  status.textContent = `Denoising with the kernels of ${x}, ${y}`;
  showKernelView(await engine.showKernels(item.settings.choice, x, y), x, y);
  printState(item);
};

element("cancel").addEventListener("click", () => void queue.cancel());

element("to-all").addEventListener("click", () => {
  const { shown, items } = queue;
  if (!shown) return;
  for (const item of items) {
    if (item === shown || item.state === "failed") continue;
    item.settings = shown.settings;
    void queue.restart(item);
  }
});

element("download").addEventListener("click", () => void download(queue.shown ? [queue.shown] : []));
element("download-all").addEventListener("click", () => void download(queue.items));
element("download-settings").addEventListener("click", () => {
  const item = queue.shown;
  if (!item?.finished) return;
  const { finished, noise, settings, file } = item;
  const content = { version, file: file.name, ...finished, noise, settings };
  saveText(file, JSON.stringify(content, null, 2));
});

async function download(items: Item[]): Promise<void> {
  const type = document.querySelector<HTMLInputElement>("input[name=format]:checked")!.value;
  const quality = element<HTMLInputElement>("quality").valueAsNumber / 100;
  const warnings: string[] = [];
  for (const item of items.filter(({ state }) => state === "done")) {
    const result = await queue.result(item, type, quality);
    warnings.push(await save(item.file, await recode(result, type, quality)));
  }
  element("warning").textContent = warnings.filter(Boolean).join(" ");
}

const quality = element<HTMLInputElement>("quality");
const printQuality = () => (element("quality-value").textContent = quality.value);
quality.addEventListener("input", printQuality);
printQuality();

function print(): void {
  const { items, shown } = queue;
  listItems(element("files"), items, shown, (item) => void select(item));
  element("empty").hidden = items.length > 0;
  const busy = items.some(({ state }) => state === "waiting" || state === "working");
  element<HTMLButtonElement>("cancel").disabled = !busy;
  const isDone = shown?.state === "done";
  element<HTMLButtonElement>("download").disabled = !isDone;
  element<HTMLButtonElement>("download-settings").disabled = !isDone;
  const done = items.filter(({ state }) => state === "done").length;
  element<HTMLButtonElement>("download-all").disabled = done < 2;
}

function printState(item: Item): void {
  const { file, state, message, finished } = item;
  const texts = {
    waiting: "waiting",
    working: "measuring the noise",
    done: finished ? describe(finished) : "done",
    canceled: "canceled; change a setting to denoise it",
    failed: message ?? "failed",
  };
  status.textContent = `${file.name}: ${texts[state]}`;
  if (finished) element("device").textContent = deviceText(finished.device);
}

function deviceText({ name, threads, failure }: Device): string {
  if (name === "WebGPU") return "Runs on the graphics processor (WebGPU).";
  const isolated = window.crossOriginIsolated
    ? ""
    : " Its host does not allow more threads, see the page on hosting.";
  return `Runs on the processor (WebAssembly, threads: ${threads}).${isolated} ${failure ?? ""}`;
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 90 ? `${whole} s` : `${Math.ceil(whole / 60)} min`;
}
