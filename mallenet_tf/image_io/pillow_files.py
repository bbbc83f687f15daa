"""Image files of 8 bits a value, through Pillow: JPEG, PNG, WebP, BMP and the usual TIFFs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps, PngImagePlugin

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.picture import (
    ORIENTATION,
    Metadata,
    Picture,
    check_size,
    portable_exif,
    without_orientation,
)

# How each format is saved: without loss where it can be, and JPEG at a quality whose own error
# stays well below what a denoiser leaves. PNG at level 1 takes a fifth of the default's time for
# files a few percent larger.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 1},
    "JPEG": {"quality": 95, "subsampling": 0},
    "BMP": {},
    "WEBP": {"lossless": True},
}
# What an opened image's mode becomes; with transparency declared beside the pixels, an alpha.
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
# A JPEG file holds EXIF and XMP in one segment each, of less than 64 KB.
MOST_JPEG_EXIF, MOST_JPEG_XMP = 65533, 65504
EXIF_PREFIX = b"Exif\0\0"
SMALLER_COPIES = "smaller copies of the picture in the file are not kept"
STRIP = 256  # rows copied at a time from Pillow's memory to NumPy's


def read_pillow(image: ImageFile.ImageFile, most_bytes: int | None) -> Picture:
    """Reads an opened image of 8 bits a value.

    Args:
        image: What `PIL.Image.open` returned; a TIFF at the page to read.
        most_bytes: Memory that may be taken; None for no limit.

    Raises:
        UserError: If that is not enough, or it holds several frames or an unknown kind of colour.
        Exception: Whatever Pillow raises for damaged files.
    """
    if image.mode not in MODES:
        raise UserError(f"is in colour mode {image.mode}, which is not supported; save it as RGB")
    mode = MODES[image.mode]
    if "transparency" in image.info:
        mode = WITH_ALPHA[mode]
    notes = _check_frames(image)
    # Pillow's own copy, at four bytes a pixel for colour, and the array.
    check_size(image.size, (2 if mode == "L" else 8) * image.width * image.height, most_bytes)
    image.load()
    exif = image.getexif()
    metadata = _metadata(image, exif)
    if exif.get(ORIENTATION, 1) != 1:
        ImageOps.exif_transpose(image, in_place=True)
    upright: Image.Image = image
    if image.mode == "P":
        notes.append("palette colours are written as RGB")
    if image.mode == "CMYK":
        upright = _cmyk_to_rgb(image, metadata.icc)
        metadata.icc = None
        notes.append("CMYK was converted to RGB")
    return Picture(_to_array(upright, mode), metadata=metadata, notes=notes)


def pillow_metadata(image: ImageFile.ImageFile) -> Metadata:
    """What an opened file says beside its pixels."""
    return _metadata(image, image.getexif())


def write_pillow(file: Path | io.BytesIO, form: str, picture: Picture) -> None:
    """Writes uint8 pixels; what the format cannot hold is left out.

    Args:
        file: Where to.
        form: One of `SAVE_OPTIONS`.
        picture: What to write.
    """
    samples = picture.samples if form in ("PNG", "WEBP") else picture.pixels
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2]]
    data = np.ascontiguousarray(samples)
    image = Image.frombuffer(mode, (data.shape[1], data.shape[0]), data, "raw", mode, 0, 1)
    image.save(file, form, **SAVE_OPTIONS[form], **_metadata_options(form, picture.metadata))


def _metadata_options(form: str, metadata: Metadata) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if metadata.dpi and form != "WEBP":
        options["dpi"] = metadata.dpi
    if form == "BMP":
        return options
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if metadata.exif and not exif_is_too_long(form, metadata):
        options["exif"] = metadata.exif
    if metadata.xmp and form == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    elif metadata.xmp and not xmp_is_too_long(form, metadata):
        options["xmp"] = metadata.xmp
    return options


def exif_is_too_long(form: str, metadata: Metadata) -> bool:
    """Whether a format has a place for EXIF, but not for as much."""
    return form == "JPEG" and len(metadata.exif or b"") > MOST_JPEG_EXIF


def xmp_is_too_long(form: str, metadata: Metadata) -> bool:
    """Whether a format has a place for XMP, but not for as much."""
    return form == "JPEG" and len(metadata.xmp or b"") > MOST_JPEG_XMP


def _check_frames(image: ImageFile.ImageFile) -> list[str]:
    if image.format == "TIFF":  # its pages were looked at when one was chosen
        return [SMALLER_COPIES] if getattr(image, "is_animated", False) else []
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format == "MPO":  # cameras put previews behind their photographs
        return [f"only the first of its {frames} pictures is denoised and kept"]
    if frames > 1:
        raise UserError(f"holds {frames} frames; save the one to denoise as its own file")
    return []


def _metadata(image: ImageFile.ImageFile, exif: Image.Exif) -> Metadata:
    info = image.info
    raw = info.get("exif")
    if image.format == "TIFF" or exif.get(ORIENTATION, 1) != 1 or not isinstance(raw, bytes):
        raw = portable_exif(exif, image.format == "TIFF")
    if raw and not raw.startswith(EXIF_PREFIX):  # as in WebP
        raw = EXIF_PREFIX + raw
    dpi = info.get("dpi")
    return Metadata(
        icc=info.get("icc_profile") or None,
        exif=raw or None,
        xmp=without_orientation(info.get("xmp"))[0],
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and all(dpi) else None,
    )


def _cmyk_to_rgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """By the image's own profile to sRGB, or by Pillow's plain formula."""
    if not icc:
        return image.convert("RGB")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    converted = ImageCms.profileToProfile(
        image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert converted is not None
    return converted


def _to_array(image: Image.Image, mode: str) -> np.ndarray:
    """uint8 [H, W, C], strip by strip: `np.asarray` would hold the image three times."""
    array = np.empty((image.height, image.width, len(mode)), np.uint8)
    for top in range(0, image.height, STRIP):
        bottom = min(top + STRIP, image.height)
        strip = image.crop((0, top, image.width, bottom))
        if image.mode in ("P", "L", "RGB"):
            strip.info = image.info  # a crop forgets which colour is transparent
        converted = strip if strip.mode == mode else strip.convert(mode)
        array[top:bottom] = np.asarray(converted).reshape(array[top:bottom].shape)
    return array
