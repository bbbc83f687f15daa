// Chooses the network for a picture and the level it is told, as
// mallenet_tf/inference/noise_level.py does.

import { isFreeOfNoise, quietLevel } from "./evidence.ts";
import type { Picture } from "./image.ts";
import { estimateLevel } from "./level.ts";
import type { Role } from "./settings.ts";
import { settings } from "./settings.ts";
import { estimateSigma } from "./sigma.ts";

const told = settings.told;

/** Noise of a picture, in 8-bit units. */
export interface MeasuredNoise {
  /** Standard deviation of white noise; far too low for other noise. */
  sigma: number;
  /** Root mean square of noise of any grain. */
  level: number;
  /** The level that a network for photographs is told. */
  toldLevel: number;
  isWhite: boolean;
}

export type Kind = "photo" | "white";

export function measureNoise(picture: Picture): MeasuredNoise {
  if (isFreeOfNoise(picture)) return { sigma: 0, level: 0, toldLevel: 0, isWhite: false };
  const quiet = quietLevel(picture);
  const sigma = believedSigma(Math.min(estimateSigma(picture), told.HIGHEST_SIGMA), quiet);
  const level = believedLevel(estimateLevel(picture), quiet);
  return {
    sigma,
    level,
    toldLevel: interpolated(level, told.ESTIMATED_LEVELS, told.TOLD_LEVELS),
    isWhite: sigma >= told.LEAST_WHITE && sigma >= told.WHITE_SHARE * level,
  };
}

/** Interpolates linearly between points of ascending places. */
function interpolated(place: number, places: number[], values: number[]): number {
  const above = places.findIndex((known) => known >= place);
  if (above <= 0) return above ? values[values.length - 1] : values[0];
  const share = (place - places[above - 1]) / (places[above] - places[above - 1]);
  return values[above - 1] + share * (values[above] - values[above - 1]);
}

function believedSigma(sigma: number, quiet: number): number {
  return quiet >= told.QUIET_WHITE * sigma ? sigma : quiet;
}

function believedLevel(level: number, quiet: number): number {
  return level < told.STRONG_CAMERA || quiet >= told.QUIET_CAMERA * level ? level : quiet;
}

/** What a network is asked for: null stands for what was measured. */
export interface NoiseChoice {
  kind: Kind | null;
  level: number | null;
}

export interface Chosen {
  kind: Kind;
  role: Role;
  level: number;
}

/** Decides on a network and a level. */
export function choose({ kind, level }: NoiseChoice, measured: MeasuredNoise, gray: boolean): Chosen {
  const isWhite = kind ? kind === "white" : measured.isWhite;
  const estimated = isWhite ? measured.sigma : measured.toldLevel;
  const role = isWhite ? (gray ? "gray" : "color") : "photo";
  return { kind: isWhite ? "white" : "photo", role, level: level ?? estimated };
}
