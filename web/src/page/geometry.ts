// Where a picture is on the stage. Lengths are in pixels of the screen.

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** Scale, and the place of the picture's upper left corner on the stage. */
export interface Placement extends Point {
  scale: number;
}

const LARGEST_SCALE = 4;

export function fitScale(stage: Size, picture: Size): number {
  return Math.min(stage.width / picture.width, stage.height / picture.height, 1);
}

/** Keeps a picture on the stage: in the middle if it fits, else without empty borders. */
export function placed({ scale, x, y }: Placement, stage: Size, picture: Size): Placement {
  const axis = (offset: number, room: number, length: number) =>
    length <= room ? (room - length) / 2 : Math.min(Math.max(offset, room - length), 0);
  return {
    scale,
    x: Math.round(axis(x, stage.width, picture.width * scale)),
    y: Math.round(axis(y, stage.height, picture.height * scale)),
  };
}

/** Changes the scale so that what is at a point of the stage stays there. */
export function zoomed(placement: Placement, scale: number, { x, y }: Point): Placement {
  const ratio = scale / placement.scale;
  return { scale, x: x - (x - placement.x) * ratio, y: y - (y - placement.y) * ratio };
}

/** Next of fit, 100, 200 and 400 %, in or out. */
export function nextScale(scale: number, smallest: number, inward: boolean): number {
  const scales = [smallest, 1, 2, LARGEST_SCALE].filter((value) => value >= smallest);
  return inward
    ? (scales.find((value) => value > scale) ?? LARGEST_SCALE)
    : (scales.findLast((value) => value < scale) ?? smallest);
}

/** Pixel of the picture at a point of the stage, within the picture. */
export function pixelAt({ scale, x, y }: Placement, point: Point, picture: Size): Point {
  const axis = (place: number, length: number) =>
    Math.min(Math.max(Math.floor(place / scale), 0), length - 1);
  return { x: axis(point.x - x, picture.width), y: axis(point.y - y, picture.height) };
}
