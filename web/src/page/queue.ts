// Works through the files, the one that is shown first.

import { proxy, type Remote } from "comlink";
import type { Engine, Opened } from "../engine/engine.ts";
import type { Area, Progress } from "../engine/job.ts";
import type { Item } from "./item.ts";

export interface QueueEvents {
  /** The engine has opened a file. */
  opened(item: Item, opened: Opened): void;
  painted(item: Item, area: Area): void;
  progressed(item: Item, progress: Progress): void;
  /** The state of a file changed. */
  changed(item: Item): void;
}

export class Queue {
  readonly items: Item[] = [];
  /** The file that is shown, which comes first. */
  shown: Item | undefined;
  readonly #engine: Remote<Engine>;
  readonly #events: QueueEvents;
  #open: Item | undefined; // What the engine has open.
  #working = false;

  constructor(engine: Remote<Engine>, events: QueueEvents) {
    this.#engine = engine;
    this.#events = events;
  }

  isOpen(item: Item): boolean {
    return item === this.#open;
  }

  /** Denoises a file, anew if it was finished; what else is in work waits. */
  async restart(item: Item): Promise<void> {
    this.#set(item, "waiting");
    item.stored = item.finished = undefined;
    await this.interrupt();
    void this.work();
  }

  /** Puts the file in work back among those that wait. */
  async interrupt(): Promise<void> {
    const item = this.items.find(({ state }) => state === "working");
    if (item) this.#set(item, "waiting");
    await this.#engine.cancel();
  }

  /** Stops everything that waits or is in work. */
  async cancel(): Promise<void> {
    for (const item of this.items) {
      if (item.state === "waiting" || item.state === "working") this.#set(item, "canceled");
    }
    await this.#engine.cancel();
  }

  /** Works until nothing waits. */
  async work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (let item = this.#next(); item; item = this.#next()) {
      try {
        await this.#denoise(item);
      } catch (error) {
        this.fail(item, error);
      }
    }
    this.#working = false;
  }

  /** Marks a file as one that cannot be denoised. */
  fail(item: Item, error: unknown): void {
    item.message = error instanceof Error ? error.message : String(error);
    this.#set(item, "failed");
  }

  /** Returns a finished result; PNG without loss if it had to be stored. */
  async result(item: Item, type: string, quality: number): Promise<Blob> {
    return item.stored ?? (await this.#engine.encode(type, quality));
  }

  #next(): Item | undefined {
    if (this.shown?.state === "waiting") return this.shown;
    return this.items.find(({ state }) => state === "waiting");
  }

  async #denoise(item: Item): Promise<void> {
    this.#set(item, "working");
    await this.#openFile(item);
    if (item.state !== "working") return;
    const { choice, strength } = item.settings;
    const show = (area: Area) => item === this.#open && this.#events.painted(item, area);
    const report = (progress: Progress) =>
      item.state === "working" && this.#events.progressed(item, progress);
    const finished = await this.#engine.denoise(
      choice,
      strength,
      item.focus,
      proxy(show),
      proxy(report),
    );
    if (!finished || item.state !== "working") return;
    item.finished = finished;
    this.#set(item, "done");
  }

  async #openFile(item: Item): Promise<void> {
    if (item === this.#open) return;
    if (this.#open?.state === "done" && !this.#open.stored) {
      this.#open.stored = await this.#engine.encode("image/png", 1);
    }
    this.#open = undefined;
    const opened = await this.#engine.open(item.file);
    this.#open = item;
    item.noise = opened.noise;
    this.#events.opened(item, opened);
  }

  #set(item: Item, state: Item["state"]): void {
    item.state = state;
    this.#events.changed(item);
  }
}
