// The settings of a file: what the sheet shows and what it is set to.

import type { Finished } from "../engine/engine.ts";
import type { Kind, MeasuredNoise, NoiseChoice } from "../engine/noise.ts";
import type { Strength } from "../engine/strength.ts";
import { element } from "./elements.ts";

export interface Settings {
  choice: NoiseChoice;
  strength: Strength;
}

export const DEFAULTS: Settings = {
  choice: { kind: null, level: null },
  strength: { strength: 1, luminance: 1, color: 1 },
};

const SHARES = ["strength", "luminance", "color"] as const;
const KINDS = { photo: "noise of a camera", white: "white noise" };

export class Controls {
  /** Called when the user changed a setting; `anew` if the network has to run again. */
  onChange: (settings: Settings, anew: boolean) => void = () => {};
  readonly #kind = element("kind");
  readonly #setLevel = element<HTMLInputElement>("set-level");
  readonly #level = element<HTMLInputElement>("level");
  readonly #measured = element("measured");

  constructor() {
    const changed = (anew: boolean) => {
      this.#print();
      this.onChange(this.settings, anew);
    };
    this.#kind.addEventListener("change", () => changed(true));
    this.#setLevel.addEventListener("change", () => changed(true));
    this.#level.addEventListener("input", () => this.#print());
    this.#level.addEventListener("change", () => changed(true));
    for (const name of SHARES) {
      element(name).addEventListener("input", () => changed(false));
    }
    this.settings = DEFAULTS;
  }

  get settings(): Settings {
    const checked = this.#kind.querySelector<HTMLInputElement>("input:checked")!;
    const share = (name: string) => element<HTMLInputElement>(name).valueAsNumber / 100;
    return {
      choice: {
        kind: (checked.value || null) as Kind | null,
        level: this.#setLevel.checked ? this.#level.valueAsNumber : null,
      },
      strength: {
        strength: share("strength"),
        luminance: share("luminance"),
        color: share("color"),
      },
    };
  }

  set settings({ choice, strength }: Settings) {
    for (const input of this.#kind.querySelectorAll("input")) {
      input.checked = input.value === (choice.kind ?? "");
    }
    this.#setLevel.checked = choice.level !== null;
    if (choice.level !== null) this.#level.valueAsNumber = choice.level;
    for (const name of SHARES) {
      element<HTMLInputElement>(name).valueAsNumber = 100 * strength[name];
    }
    this.#print();
  }

  /** Says what was measured in a picture. */
  printMeasured(noise: MeasuredNoise | undefined): void {
    if (!noise) {
      this.#measured.textContent = "";
      return;
    }
    const { isWhite, sigma, toldLevel } = noise;
    const levels = `Levels: camera ${toldLevel.toFixed(1)}, white ${sigma.toFixed(1)}.`;
    const found = `Found: ${isWhite ? KINDS.white : KINDS.photo}. ${levels}`;
    this.#measured.textContent = toldLevel ? found : "Found: no noise. Nothing changes until a level is set.";
    if (!this.#setLevel.checked) {
      const white = this.settings.choice.kind === "white" || (!this.settings.choice.kind && isWhite);
      this.#level.valueAsNumber = white ? sigma : toldLevel;
      this.#print();
    }
  }

  #print(): void {
    this.#level.disabled = !this.#setLevel.checked;
    element("level-value").textContent = this.#level.value;
    for (const name of SHARES) {
      element(`${name}-value`).textContent = `${element<HTMLInputElement>(name).value} %`;
    }
  }
}

export function describe({ kind, level, network, seconds }: Finished): string {
  if (!level) return "level 0, no change";
  return `${KINDS[kind]}, level ${level.toFixed(1)} (${network}, ${seconds.toFixed(1)} s)`;
}
