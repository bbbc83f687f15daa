// Shows a picture before and after, with a divider, zoom and pan.

import type { Area } from "../engine/job.ts";
import { element } from "./elements.ts";
import {
  fitScale,
  nextScale,
  pixelAt,
  placed,
  type Placement,
  type Point,
  type Size,
  zoomed,
} from "./geometry.ts";

const KEY_STEP = 64;
const GRIP = 12; // Pixels around the divider that move it.

export class Viewer {
  /** Called with the pixel in the middle when another part of the picture is looked at. */
  onLook: (middle: Point) => void = () => {};
  /** Called with a pixel that was chosen while picking. */
  onPick: (pixel: Point) => void = () => {};
  readonly #canvas = element<HTMLCanvasElement>("view");
  readonly #context = this.#canvas.getContext("2d")!;
  readonly #divider = element<HTMLInputElement>("divider");
  readonly #zoomButtons = [...document.querySelectorAll<HTMLButtonElement>("[data-zoom]")];
  readonly #pick = element<HTMLButtonElement>("pick");
  #before: ImageBitmap | undefined;
  #after: HTMLCanvasElement | undefined;
  #fits = true;
  #placement: Placement = { scale: 1, x: 0, y: 0 };
  #frame = 0;

  constructor() {
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
    this.#divider.addEventListener("input", () => this.#draw());
    for (const button of this.#zoomButtons) {
      button.addEventListener("click", () => this.#zoomTo(button.dataset.zoom!));
    }
    this.#pick.addEventListener("click", () => this.#setPicking(!this.picking));
    this.#canvas.addEventListener("keydown", (event) => this.#onKey(event));
    this.#canvas.addEventListener("pointerdown", (event) => this.#onPointer(event));
    this.#canvas.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
  }

  get picking(): boolean {
    return this.#pick.getAttribute("aria-pressed") === "true";
  }

  /** Shows a picture; its result is empty until `paint` fills it, or the given one. */
  show(name: string, before: ImageBitmap, after?: ImageBitmap): void {
    this.clear();
    this.#before = before;
    this.#after = document.createElement("canvas");
    Object.assign(this.#after, { width: before.width, height: before.height });
    if (after) this.#after.getContext("2d")!.drawImage(after, 0, 0);
    this.#canvas.ariaLabel = `${name}, ${before.width} by ${before.height} pixels, before and after`;
    this.#fits = true;
    this.#place({ scale: this.#fitScale, x: 0, y: 0 });
  }

  clear(): void {
    this.#before?.close();
    this.#before = this.#after = undefined;
    this.#canvas.ariaLabel = "No picture";
    this.#draw();
  }

  /** Paints a finished part of the result. */
  paint({ left, top, width, height, pixels }: Area): void {
    if (!this.#after || !width || !height) return;
    const image = new ImageData(pixels, width, height);
    this.#after.getContext("2d")!.putImageData(image, left, top);
    this.#draw();
  }

  /** Pixel of the picture in the middle of the stage. */
  get middle(): Point {
    const { width, height } = this.#canvas;
    return pixelAt(this.#placement, { x: width / 2, y: height / 2 }, this.#size);
  }

  get #size(): Size {
    return this.#before ?? { width: 1, height: 1 };
  }

  get #fitScale(): number {
    return fitScale(this.#canvas, this.#size);
  }

  #setPicking(picking: boolean): void {
    this.#pick.ariaPressed = String(picking);
    this.#canvas.classList.toggle("picking", picking);
    if (picking) this.#canvas.focus();
  }

  #resize(): void {
    const ratio = window.devicePixelRatio;
    this.#canvas.width = Math.round(this.#canvas.clientWidth * ratio);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * ratio);
    this.#place(this.#fits ? { scale: this.#fitScale, x: 0, y: 0 } : this.#placement);
  }

  #zoomTo(zoom: string): void {
    const { width, height } = this.#canvas;
    this.#setScale(zoom === "fit" ? this.#fitScale : Number(zoom), { x: width / 2, y: height / 2 });
  }

  #setScale(scale: number, at: Point): void {
    this.#fits = scale === this.#fitScale;
    this.#place(zoomed(this.#placement, scale, at));
  }

  #place(placement: Placement): void {
    this.#placement = placed(placement, this.#canvas, this.#size);
    for (const button of this.#zoomButtons) {
      const { zoom } = button.dataset;
      const pressed = zoom === "fit" ? this.#fits : !this.#fits && Number(zoom) === placement.scale;
      button.ariaPressed = String(pressed);
    }
    this.#draw();
    if (this.#before) this.onLook(this.middle);
  }

  #move(x: number, y: number): void {
    this.#place({ ...this.#placement, x: this.#placement.x + x, y: this.#placement.y + y });
  }

  #onKey(event: KeyboardEvent): void {
    const { width, height } = this.#canvas;
    const middle = { x: width / 2, y: height / 2 };
    const { scale } = this.#placement;
    const actions: Record<string, () => void> = {
      ArrowLeft: () => this.#move(KEY_STEP, 0),
      ArrowRight: () => this.#move(-KEY_STEP, 0),
      ArrowUp: () => this.#move(0, KEY_STEP),
      ArrowDown: () => this.#move(0, -KEY_STEP),
      "+": () => this.#setScale(nextScale(scale, this.#fitScale, true), middle),
      "-": () => this.#setScale(nextScale(scale, this.#fitScale, false), middle),
      "0": () => this.#zoomTo("fit"),
      Enter: () => this.picking && this.#choose(middle),
      Escape: () => this.#setPicking(false),
    };
    const action = actions[event.key === "=" ? "+" : event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }

  #choose(point: Point): void {
    this.#setPicking(false);
    if (this.#before) this.onPick(pixelAt(this.#placement, point, this.#size));
  }

  #onWheel(event: WheelEvent): void {
    event.preventDefault();
    const scale = nextScale(this.#placement.scale, this.#fitScale, event.deltaY < 0);
    this.#setScale(scale, this.#pointOf(event));
  }

  #onPointer(event: PointerEvent): void {
    const start = this.#pointOf(event);
    if (this.picking) {
      this.#choose(start);
      return;
    }
    const atDivider = Math.abs(start.x - this.#dividerAt) < GRIP * window.devicePixelRatio;
    const { x, y } = this.#placement;
    const move = (moved: PointerEvent) => {
      const to = this.#pointOf(moved);
      if (atDivider) {
        this.#divider.valueAsNumber = (100 * to.x) / this.#canvas.width;
        this.#draw();
      } else {
        this.#place({ ...this.#placement, x: x + to.x - start.x, y: y + to.y - start.y });
      }
    };
    const stop = () => this.#canvas.removeEventListener("pointermove", move);
    this.#canvas.setPointerCapture(event.pointerId);
    this.#canvas.addEventListener("pointermove", move);
    this.#canvas.addEventListener("pointerup", stop, { once: true });
    this.#canvas.addEventListener("pointercancel", stop, { once: true });
  }

  #pointOf(event: MouseEvent): Point {
    const ratio = window.devicePixelRatio;
    return { x: event.offsetX * ratio, y: event.offsetY * ratio };
  }

  get #dividerAt(): number {
    return Math.round((this.#divider.valueAsNumber / 100) * this.#canvas.width);
  }

  /** Draws with the next frame of the screen. */
  #draw(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow(): void {
    const { width, height } = this.#canvas;
    const { scale, x, y } = this.#placement;
    const context = this.#context;
    context.clearRect(0, 0, width, height);
    if (!this.#before || !this.#after) return;
    context.imageSmoothingEnabled = scale < 1;
    context.imageSmoothingQuality = "high";
    const [pictureWidth, pictureHeight] = [this.#size.width * scale, this.#size.height * scale];
    context.drawImage(this.#before, x, y, pictureWidth, pictureHeight);
    const divider = this.#dividerAt;
    context.save();
    context.beginPath();
    context.rect(divider, 0, width - divider, height);
    context.clip();
    context.drawImage(this.#after, x, y, pictureWidth, pictureHeight);
    context.restore();
    context.fillStyle = "white";
    context.fillRect(divider - 1, 0, 3, height);
    context.fillStyle = "black";
    context.fillRect(divider, 0, 1, height);
  }
}
