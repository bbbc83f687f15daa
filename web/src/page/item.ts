// A file of the list, and what became of it.

import type { Finished } from "../engine/engine.ts";
import type { MeasuredNoise } from "../engine/noise.ts";
import type { Settings } from "./controls.ts";

export type State = "waiting" | "working" | "done" | "canceled" | "failed";

export interface Item {
  file: File;
  state: State;
  settings: Settings;
  /** Pixel that is looked at. */
  focus?: { x: number; y: number };
  /** Why it failed. */
  message?: string;
  noise?: MeasuredNoise;
  finished?: Finished;
  /** The result as PNG without metadata, once the engine has moved on to another file. */
  stored?: Blob;
}

const WORDS: Record<State, string> = {
  waiting: "waiting",
  working: "in work",
  done: "done",
  canceled: "canceled",
  failed: "failed",
};

/** Fills a list with the files; calls `select` with the one that is clicked. */
export function listItems(
  list: HTMLElement,
  items: Item[],
  shown: Item | undefined,
  select: (item: Item) => void,
): void {
  const focused = [...list.querySelectorAll("button")].indexOf(document.activeElement as never);
  list.replaceChildren(
    ...items.map((item) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-current", String(item === shown));
      button.append(
        span("name", item.file.name),
        span(item.state === "failed" ? "state failed" : "state", WORDS[item.state]),
      );
      button.addEventListener("click", () => select(item));
      const entry = document.createElement("li");
      entry.append(button);
      return entry;
    }),
  );
  list.querySelectorAll("button")[focused]?.focus();
}

function span(className: string, text: string): HTMLSpanElement {
  const created = document.createElement("span");
  created.className = className;
  created.textContent = text;
  return created;
}
