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
  const absent = isFreeOfNoise(picture);
  const sigma = absent ? 0 : whiteLevel(picture);
  const level = absent ? 0 : cameraLevel(picture);
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

function whiteLevel(picture: Picture): number {
  const sigma = Math.min(estimateSigma(picture), told.HIGHEST_SIGMA);
  const quiet = quietLevel(picture);
  return quiet >= told.QUIET_WHITE * sigma ? sigma : quiet;
}

function cameraLevel(picture: Picture): number {
  const level = estimateLevel(picture);
  const quiet = quietLevel(picture);
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
