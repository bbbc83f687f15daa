"""Reads and writes images of 8 bits a value by Pillow: JPEG, PNG, WebP, BMP, most TIFFs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps, PngImagePlugin, TiffImagePlugin

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.exif import (
    ORIENTATION,
    portable_exif,
    split_orientation,
    upright_exif,
)
from mallenet_tf.image_io.jpeg import segment_bytes
from mallenet_tf.image_io.picture import Limits, Metadata, Picture

# Lossless where the format can be; JPEG's error at this quality is well below a denoiser's. PNG at
# level 1 takes a fifth of the default's time and makes files a few percent larger.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 1},
    "JPEG": {"quality": 95, "subsampling": 0},
    "BMP": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}
# The mode that each mode of an opened image is converted to; a transparent color adds alpha.
MODES = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBX": "RGB",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "YCbCr": "RGB",
    "CMYK": "RGB",
}
WITH_ALPHA = {"L": "LA", "RGB": "RGBA"}
STRIP = 1 << 20  # Pixels copied at a time from Pillow to NumPy.


def bits_per_value(image: ImageFile.ImageFile) -> int:
    """Returns the bits of a value in the file, since Pillow opens 16-bit color as plain RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return 16
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        return max(bits) if isinstance(bits, tuple) else int(bits)
    raw_modes = [
        tile[3] if isinstance(tile[3], str) else (tile[3] or ("",))[0] for tile in image.tile
    ]
    return 16 if any(";16" in str(raw) for raw in raw_modes) else 8


def needs_tifffile(image: ImageFile.ImageFile) -> bool:
    """Returns whether Pillow would lose bits or channels of an opened TIFF file."""
    kinds = image.tag_v2.get(TiffImagePlugin.EXTRASAMPLES, ())  # type: ignore[attr-defined]
    channels = image.tag_v2.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)  # type: ignore[attr-defined]
    further = (*kinds, *[0] * channels)[: channels - (1 if channels < 3 else 3)]
    plain = image.mode in ("L", "LA", "RGB", "RGBA", "RGBX", "RGBa")  # No CMYK, no palette.
    return bits_per_value(image) > 8 or (plain and further not in ((), (1,), (2,)))


def read_pillow(image: ImageFile.ImageFile, limits: Limits, prefer_gray: bool = False) -> Picture:
    """Reads an opened image of 8 bits a value.

    Args:
        image: What `PIL.Image.open` returned; a TIFF at the page to read.
        limits: How much may be decoded.
        prefer_gray: Convert plain RGB to gray, faster than `pixels.to_gray` could afterwards.

    Raises:
        UserError: If it is larger than the limits, or holds several frames or an unknown kind of
            color.
        Exception: Whatever Pillow raises for damaged files.
    """
    if image.mode not in MODES:
        raise UserError(f"is in color mode {image.mode}, which is not supported; save it as RGB")
    mode = MODES[image.mode]
    if "transparency" in image.info:
        mode = WITH_ALPHA[mode]
    if prefer_gray and image.mode == mode == "RGB":
        mode = "L"
    warnings = _check_frames(image)
    # Pillow's own copy, at four bytes a pixel for color, and the array.
    limits.check(image.size, (2 if mode == "L" else 8) * image.width * image.height)
    image.load()
    metadata = read_metadata(image)
    if image.info.get("exif") and not metadata.exif:
        warnings.append("damaged EXIF is not kept")
    if image.getexif().get(ORIENTATION, 1) != 1:
        ImageOps.exif_transpose(image, in_place=True)
    upright: Image.Image = image
    if image.mode == "P":
        warnings.append("palette colors are written as RGB")
    if image.mode == "CMYK":
        upright = _cmyk_to_rgb(image, metadata.icc)
        metadata.icc = None
        warnings.append("CMYK was converted to RGB")
    return Picture(_to_array(upright, mode), metadata=metadata, warnings=warnings)


def _check_frames(image: ImageFile.ImageFile) -> list[str]:
    if image.format == "TIFF":  # The page to read is chosen already.
        return []
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # Cameras append previews: `jpeg` names them.
        raise UserError(f"holds {frames} frames; save the one to denoise as its own file")
    return []


def read_metadata(image: ImageFile.ImageFile) -> Metadata:
    """Reads what an opened file says beside its pixels."""
    info, exif = image.info, image.getexif()
    raw = info.get("exif")
    if image.format == "TIFF" or not isinstance(raw, bytes):
        raw = portable_exif(exif, image.format == "TIFF")
    dpi = info.get("dpi")
    return Metadata(
        icc=info.get("icc_profile") or None,
        exif=upright_exif(raw),
        xmp=split_orientation(info.get("xmp"))[0],
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and all(dpi) else None,
    )


def _cmyk_to_rgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Converts by the image's own profile to sRGB, or by Pillow's plain formula."""
    if not icc:
        return image.convert("RGB")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    converted = ImageCms.profileToProfile(
        image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert converted is not None
    return converted


def _to_array(image: Image.Image, mode: str) -> np.ndarray:
    """Returns uint8 [H, W, C], copied by strips: `np.asarray` would hold the image three times."""
    array = np.empty((image.height, image.width, len(mode)), np.uint8)
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        strip = image
        if rows < image.height:
            strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        if image.mode in ("P", "L", "RGB"):
            strip.info = image.info  # A crop forgets which color is transparent.
        converted = strip if strip.mode == mode else strip.convert(mode)
        part = array[top : top + rows]
        part[...] = np.asarray(converted).reshape(part.shape)
    return array


def write_pillow(file: Path | io.BytesIO, form: str, picture: Picture) -> None:
    """Writes uint8 pixels, without alpha where the format holds none.

    Args:
        file: Where the bytes go.
        form: One of `SAVE_OPTIONS`.
        picture: With metadata that the format can hold, see `formats.storable_metadata`.
    """
    samples = picture.samples if form in ("PNG", "WEBP", "AVIF") else picture.pixels
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2]]
    data = np.ascontiguousarray(samples)
    image = Image.frombuffer(mode, (data.shape[1], data.shape[0]), data, "raw", mode, 0, 1)
    image.save(file, form, **SAVE_OPTIONS[form], **_metadata_options(form, picture.metadata))


def _metadata_options(form: str, metadata: Metadata) -> dict[str, Any]:
    options: dict[str, Any] = {
        "extra": segment_bytes(metadata) if form == "JPEG" else None,
        "dpi": metadata.dpi,
        "icc_profile": metadata.icc,
        "exif": metadata.exif,
        "xmp": metadata.xmp,
    }
    if metadata.xmp and form == "PNG":  # Pillow writes it only as a text chunk.
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
        del options["xmp"]
    return {name: value for name, value in options.items() if value}
