// Carries EXIF data from an original to its result: from JPEG, PNG and WebP to JPEG and PNG.

import piexif from "piexifjs";

const HEADER = "Exif\0\0";
const PNG_SIGNATURE = 8; // Bytes
const PNG_HEADER = 33; // Bytes of the signature and the first chunk
const ORIENTATION = 0x0112;

/** Returns EXIF data as in a JPEG file, for upright pixels; undefined if there is none. */
export async function readExif(file: Blob): Promise<string | undefined> {
  const content = binaryString(await file.arrayBuffer());
  const found = inPng(content) ?? inWebp(content) ?? inJpeg(content);
  if (!found) return undefined;
  const exif = piexif.load(found);
  if (exif["0th"]) delete exif["0th"][ORIENTATION]; // The pixels are upright now.
  exif["1st"] = {};
  delete exif.thumbnail; // It shows the noisy picture.
  return piexif.dump(exif);
}

/** Returns the result with EXIF data, a JPEG or PNG file. */
export async function withExif(result: Blob, exif: string): Promise<Blob> {
  if (result.type === "image/png") {
    const parts = [result.slice(0, PNG_HEADER), pngChunk(exif), result.slice(PNG_HEADER)];
    return new Blob(parts, { type: result.type });
  }
  const content = binaryString(await result.arrayBuffer());
  return new Blob([bytes(piexif.insert(exif, content))], { type: result.type });
}

function inJpeg(content: string): string | undefined {
  return content.startsWith("\xff\xd8") ? content : undefined;
}

function inPng(content: string): string | undefined {
  if (!content.startsWith("\x89PNG")) return undefined;
  for (let at = PNG_SIGNATURE; at + 12 <= content.length; ) {
    const length = uint32(content, at);
    if (content.slice(at + 4, at + 8) === "eXIf") return HEADER + content.slice(at + 8, at + 8 + length);
    at += 12 + length;
  }
  return "";
}

function inWebp(content: string): string | undefined {
  if (!content.startsWith("RIFF") || content.slice(8, 12) !== "WEBP") return undefined;
  for (let at = 12; at + 8 <= content.length; ) {
    const length = uint32([...content.slice(at + 4, at + 8)].reverse().join(""), 0);
    if (content.slice(at, at + 4) === "EXIF") {
      const found = content.slice(at + 8, at + 8 + length);
      return found.startsWith(HEADER) ? found : HEADER + found;
    }
    at += 8 + length + (length % 2);
  }
  return "";
}

function pngChunk(exif: string): Uint8Array<ArrayBuffer> {
  const data = exif.slice(HEADER.length);
  const chunk = `eXIf${data}`;
  return bytes(fromUint32(data.length) + chunk + fromUint32(crc32(chunk)));
}

function crc32(text: string): number {
  let remainder = ~0;
  for (let at = 0; at < text.length; at++) {
    remainder ^= text.charCodeAt(at);
    for (let bit = 0; bit < 8; bit++) {
      remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
    }
  }
  return ~remainder >>> 0;
}

function uint32(content: string, at: number): number {
  return [0, 1, 2, 3].reduce((sum, place) => 256 * sum + content.charCodeAt(at + place), 0);
}

function fromUint32(value: number): string {
  return String.fromCharCode(...[24, 16, 8, 0].map((shift) => (value >>> shift) & 255));
}

/** piexifjs takes files as text, a byte a character. */
function binaryString(buffer: ArrayBuffer): string {
  const parts: string[] = [];
  for (let at = 0; at < buffer.byteLength; at += 32_768) {
    const length = Math.min(32_768, buffer.byteLength - at);
    parts.push(String.fromCharCode(...new Uint8Array(buffer, at, length)));
  }
  return parts.join("");
}

function bytes(content: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(content, (character) => character.charCodeAt(0));
}
