// Hands results to the user.

import { readExif, withExif } from "./exif.ts";

const SUFFIXES: Record<string, string> = { "image/jpeg": "jpg", "image/png": "png" };

/** Encodes a stored result anew. */
export async function recode(stored: Blob, type: string, quality: number): Promise<Blob> {
  if (stored.type === type) return stored;
  const bitmap = await createImageBitmap(stored);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d")!.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type, quality });
}

/**
 * Saves a result under the name of its original, with the original's EXIF data.
 *
 * @returns What could not be kept, "" if nothing.
 */
export async function save(original: File, result: Blob): Promise<string> {
  const name = `${stem(original)}_denoised.${SUFFIXES[result.type]}`;
  try {
    const exif = await readExif(original);
    offer(exif ? await withExif(result, exif) : result, name);
    return "";
  } catch (error) {
    offer(result, name);
    return `${name} has no EXIF data: that of the original cannot be carried over (${error}).`;
  }
}

export function saveText(original: File, text: string): void {
  offer(new Blob([text], { type: "application/json" }), `${stem(original)}_settings.json`);
}

function stem({ name }: File): string {
  return name.replace(/\.[^.]*$/, "") || "picture";
}

function offer(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
