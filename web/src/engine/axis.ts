// Padding and tiles along one axis, as mallenet_tf/inference/padding.py and tiling.py have them.

export interface Span {
  start: number;
  stop: number;
}

/** A part of an axis in which the same tiles overlap. */
export interface Cell extends Span {
  tiles: number[];
}

/** Pixel of the image at each place of a reflect-padded axis; pixel 0 is at `margin`. */
export function reflectedIndices(length: number, margin: number, multiple: number): Int32Array {
  const padded = Math.ceil((length + 2 * margin) / multiple) * multiple;
  const period = Math.max(2 * length - 2, 1);
  return Int32Array.from({ length: padded }, (_, place) => {
    const phase = (((place - margin) % period) + period) % period;
    return Math.min(phase, period - phase);
  });
}

/** Covers `size` pixels evenly with the fewest tiles that start on a grid of `multiple` pixels. */
export function tileSpans(size: number, tile: number, overlap: number, multiple: number): Span[] {
  if (size <= tile) return [{ start: 0, stop: size }];
  const count = Math.ceil((size - overlap) / (tile - overlap));
  const step = Math.ceil((size - overlap) / (count * multiple)) * multiple;
  const spans: Span[] = [];
  for (let start = 0; start < size - overlap; start += step) {
    spans.push({ start, stop: Math.min(start + step + overlap, size) });
  }
  return spans;
}

/** Weight of tile `index` in each pixel of its span; those of all tiles sum to one. */
export function blendWeights(spans: Span[], index: number): Float32Array {
  const { start, stop } = spans[index];
  const weights = new Float32Array(stop - start).fill(1);
  if (index > 0) {
    weights.set(ramp(spans[index - 1].stop - start));
  }
  if (index + 1 < spans.length) {
    const shared = stop - spans[index + 1].start;
    weights.set(
      ramp(shared).map((weight) => 1 - weight),
      weights.length - shared,
    );
  }
  return weights;
}

/** Weights that rise from 0 to 1 over the middle half of `length` pixels. */
function ramp(length: number): Float32Array {
  return Float32Array.from({ length }, (_, place) => {
    const progress = Math.min(Math.max((2 * (place + 0.5)) / length - 0.5, 0), 1);
    return 0.5 - 0.5 * Math.cos(Math.PI * progress);
  });
}

/** Cuts an axis where tiles begin and end. */
export function cells(spans: Span[]): Cell[] {
  const cuts = [...new Set(spans.flatMap(({ start, stop }) => [start, stop]))].sort((a, b) => a - b);
  return cuts.slice(1).map((stop, index) => {
    const start = cuts[index];
    const tiles = spans.flatMap((span, tile) => (span.start <= start && stop <= span.stop ? [tile] : []));
    return { start, stop, tiles };
  });
}
