// Decodes what the browser decodes, with bounded memory.

/** An image: RGBA of 8 bits, upright, in sRGB. */
export interface Picture {
  width: number;
  height: number;
  pixels: Uint8ClampedArray;
  gray: boolean;
}

const STRIP = 512; // Rows converted at a time.

/** Decodes a file; throws if the browser cannot. */
export async function decode(file: Blob): Promise<{ picture: Picture; bitmap: ImageBitmap }> {
  const bitmap = await toBitmap(file);
  return { picture: readPixels(bitmap), bitmap };
}

/** Decodes a file for the screen; throws if the browser cannot. */
export async function toBitmap(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(
      "this browser cannot read the file. It reads JPEG, PNG, WebP and mostly AVIF; " +
        "camera raw, TIFF and damaged files are for the mallenet_tf.denoise command",
    );
  }
}

function readPixels(bitmap: ImageBitmap): Picture {
  const { width, height } = bitmap;
  const pixels = new Uint8ClampedArray(4 * width * height);
  const canvas = new OffscreenCanvas(width, Math.min(STRIP, height));
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  for (let top = 0; top < height; top += STRIP) {
    const rows = Math.min(STRIP, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    pixels.set(context.getImageData(0, 0, width, rows).data, 4 * width * top);
  }
  return { width, height, pixels, gray: isGray(pixels) };
}

function isGray(pixels: Uint8ClampedArray): boolean {
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at] !== pixels[at + 1] || pixels[at] !== pixels[at + 2]) return false;
  }
  return true;
}
