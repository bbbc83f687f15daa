// Denoises one picture tile by tile, those that are looked at first.

import { blendWeights, type Cell, cells, reflectedIndices, type Span, tileSpans } from "./axis.ts";
import type { Picture } from "./image.ts";
import type { Floats, Network } from "./network.ts";
import { settings } from "./settings.ts";
import { blendRow, STEPS, type Strength } from "./strength.ts";

// Larger tiles are no faster on a processor, and this one takes about 250 MB there.
export const TILE = 512;

/** A part of a picture with its pixels, RGBA. */
export interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
  pixels: Uint8ClampedArray<ArrayBuffer>;
}

export interface Progress {
  done: number;
  total: number;
  secondsLeft: number;
}

interface Tile {
  row: number;
  column: number;
  done: boolean;
}

export class Job {
  strength: Strength;
  /** Pixel that is looked at; the nearest tiles are denoised first. */
  focus: { x: number; y: number };
  finished = false;
  readonly picture: Picture;
  readonly network: Network;
  readonly level: number;
  readonly #denoised: Int16Array;
  readonly #rows: Int32Array;
  readonly #columns: Int32Array;
  readonly #rowSpans: Span[];
  readonly #columnSpans: Span[];
  readonly #tiles: Tile[];
  readonly #cells: { row: Cell; column: Cell; shown: boolean }[];

  constructor(
    picture: Picture,
    network: Network,
    level: number,
    strength: Strength,
    focus = { x: picture.width / 2, y: picture.height / 2 },
  ) {
    this.picture = picture;
    this.network = network;
    this.level = level;
    this.strength = strength;
    this.focus = focus;
    const { margin, multiple, overlap } = network.settings;
    this.#denoised = new Int16Array(picture.width * picture.height * this.#channels);
    this.#rows = reflectedIndices(picture.height, margin, multiple);
    this.#columns = reflectedIndices(picture.width, margin, multiple);
    this.#rowSpans = tileSpans(this.#rows.length, TILE, overlap, settings.grid);
    this.#columnSpans = tileSpans(this.#columns.length, TILE, overlap, settings.grid);
    this.#tiles = this.#rowSpans.flatMap((_, row) =>
      this.#columnSpans.map((_, column) => ({ row, column, done: false })),
    );
    const columnCells = cells(this.#columnSpans);
    this.#cells = cells(this.#rowSpans).flatMap((row) =>
      columnCells.map((column) => ({ row, column, shown: false })),
    );
  }

  /** Gray pictures stay gray whatever the network. */
  get #channels(): number {
    return this.picture.gray ? 1 : 3;
  }

  /**
   * Denoises all tiles.
   *
   * @param show Called with parts of the result as they are finished.
   * @param canceled Asked between tiles.
   * @returns Whether it was finished.
   */
  async run(
    show: (area: Area) => void,
    report: (progress: Progress) => void,
    canceled: () => boolean,
  ): Promise<boolean> {
    const total = this.#tiles.length;
    report({ done: 0, total, secondsLeft: NaN });
    const began = performance.now();
    for (let done = 1; done <= total; done++) {
      const tile = this.#nearestTile();
      const input = this.#input(tile);
      // No noise, no change.
      this.#add(tile, this.level > 0 ? await this.network.run(input) : withoutMap(input));
      tile.done = true;
      await messages();
      if (canceled()) return false;
      this.#showFinished(show);
      const seconds = (performance.now() - began) / 1000;
      report({ done, total, secondsLeft: (seconds / done) * (total - done) });
    }
    this.finished = true;
    return true;
  }

  /** Blends an area of the result at the strength of now. */
  area(left: number, top: number, width: number, height: number): Area {
    const { picture } = this;
    const pixels = new Uint8ClampedArray(4 * width * height);
    for (let row = 0; row < height; row++) {
      const at = (top + row) * picture.width + left;
      blendRow(
        picture.pixels.subarray(4 * at, 4 * (at + width)),
        this.#denoised.subarray(this.#channels * at, this.#channels * (at + width)),
        this.strength,
        pixels.subarray(4 * row * width, 4 * (row + 1) * width),
      );
    }
    return { left, top, width, height, pixels };
  }

  /** Blends, part by part, what is finished. */
  *shown(): Generator<Area> {
    for (const cell of this.#cells) if (cell.shown) yield this.#cellArea(cell);
  }

  #cellArea({ row, column }: { row: Cell; column: Cell }): Area {
    const { margin } = this.network.settings;
    const [top, bottom] = inside(row, margin, this.picture.height);
    const [left, right] = inside(column, margin, this.picture.width);
    return this.area(left, top, Math.max(right - left, 0), Math.max(bottom - top, 0));
  }

  #nearestTile(): Tile {
    const { margin } = this.network.settings;
    const distance = ({ row, column }: Tile) => {
      const [vertical, horizontal] = [this.#rowSpans[row], this.#columnSpans[column]];
      const y = (vertical.start + vertical.stop) / 2 - margin - this.focus.y;
      const x = (horizontal.start + horizontal.stop) / 2 - margin - this.focus.x;
      return Math.hypot(x, y);
    };
    const waiting = this.#tiles.filter((tile) => !tile.done);
    return waiting.reduce((best, tile) => (distance(tile) < distance(best) ? tile : best));
  }

  #input({ row, column }: Tile): Floats {
    const rows = this.#rowSpans[row];
    const columns = this.#columnSpans[column];
    return networkInput(
      this.picture,
      this.#rows.subarray(rows.start, rows.stop),
      this.#columns.subarray(columns.start, columns.stop),
      this.network.settings.channels,
      this.level,
    );
  }

  /** Adds a tile's result, weighted, to the pixels of the picture below it. */
  #add(tile: Tile, { data, width: tileWidth, channels }: Floats): void {
    const { picture } = this;
    const { margin } = this.network.settings;
    const rows = this.#rowSpans[tile.row];
    const columns = this.#columnSpans[tile.column];
    const rowWeights = blendWeights(this.#rowSpans, tile.row);
    const columnWeights = blendWeights(this.#columnSpans, tile.column);
    const [top, bottom] = inside(rows, margin, picture.height);
    const [left, right] = inside(columns, margin, picture.width);
    const kept = this.#channels;
    for (let y = top; y < bottom; y++) {
      const row = y + margin - rows.start;
      for (let x = left; x < right; x++) {
        const column = x + margin - columns.start;
        const weight = 255 * STEPS * rowWeights[row] * columnWeights[column];
        const from = (row * tileWidth + column) * channels;
        const to = (y * picture.width + x) * kept;
        if (kept === channels) {
          for (let channel = 0; channel < kept; channel++) {
            this.#denoised[to + channel] += Math.round(weight * limited(data[from + channel]));
          }
        } else {
          const mean = (data[from] + data[from + 1] + data[from + 2]) / 3;
          this.#denoised[to] += Math.round(weight * limited(mean));
        }
      }
    }
  }

  #showFinished(show: (area: Area) => void): void {
    const done = ({ tiles: rows }: Cell, { tiles: columns }: Cell) =>
      rows.every((row) =>
        columns.every((column) => this.#tiles[row * this.#columnSpans.length + column].done),
      );
    for (const cell of this.#cells) {
      if (cell.shown || !done(cell.row, cell.column)) continue;
      cell.shown = true;
      show(this.#cellArea(cell));
    }
  }
}

/** Makes a network's input of chosen rows and columns of a picture. */
export function networkInput(
  { pixels, width }: Picture,
  rows: Int32Array,
  columns: Int32Array,
  channels: number,
  level: number,
): Floats {
  const data = new Float32Array(rows.length * columns.length * (channels + 1));
  let to = 0;
  for (const y of rows) {
    for (const x of columns) {
      const from = 4 * (y * width + x);
      for (let channel = 0; channel < channels; channel++) data[to++] = pixels[from + channel] / 255;
      data[to++] = level / 255;
    }
  }
  return { height: rows.length, width: columns.length, channels: channels + 1, data };
}

/** Returns the colors of a network's input. */
function withoutMap({ height, width, channels, data }: Floats): Floats {
  const colors = data.filter((_, index) => index % channels < channels - 1);
  return { height, width, channels: channels - 1, data: colors };
}

/** First and last + 1 pixel of the picture in a part of its padded axis. */
function inside({ start, stop }: Span, margin: number, length: number): [number, number] {
  return [Math.max(start - margin, 0), Math.min(stop - margin, length)];
}

/** Keeps values that the blended result cannot show within the 16 bits that they are stored in. */
function limited(value: number): number {
  return Math.min(Math.max(value, -0.5), 1.5);
}

/** Lets messages in, such as that to cancel. */
function messages(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
