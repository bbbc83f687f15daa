"""Reads TIFF files of 16-bit integers or floats, and writes any, by tifffile."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.exif import (
    ORIENTATION,
    SUB_DIRECTORIES,
    apply_orientation,
    portable_exif,
    preserve_text,
    split_orientation,
)
from mallenet_tf.image_io.picture import Metadata, Picture, check_size
from mallenet_tf.image_io.pillow_formats import SMALLER_COPIES_WARNING

MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # The first bytes of a file.
ICC_TAG, XMP_TAG, DESCRIPTION_TAG = 34675, 700, 270
ASSOCIATED_ALPHA, SEPARATE_ALPHA = 1, 2
INCHES = {2: 1.0, 3: 2.54}  # How many of a unit of resolution, by TIFF's number, make an inch.
STRIP = 64  # Rows compressed at a time.


def page_number(path: Path) -> int:
    """Returns the page to read, from 0: the only one that is no smaller copy of another.

    Raises:
        UserError: If there are several.
        Exception: Whatever tifffile raises for damaged files.
    """
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        return _full_page(tiff).index


def _full_page(tiff: Any) -> Any:
    pages = [page for page in tiff.pages if not page.is_reduced] or list(tiff.pages)
    if len(pages) > 1:
        raise UserError(f"holds {len(pages)} frames; save the one to denoise as its own file")
    return pages[0]


def read_tiff(path: Path, max_bytes: int | None) -> Picture:
    """Reads a TIFF file of 16-bit integers or of floats.

    Args:
        path: The file.
        max_bytes: Memory that may be taken; None for no limit.

    Raises:
        UserError: If that is not enough, or the file holds several pages, or anything but gray or
            RGB with at most an alpha.
        Exception: Whatever tifffile raises for damaged files.
    """
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = _full_page(tiff)
        kind = _check_page(page)
        size = (page.imagewidth, page.imagelength)
        needed = size[0] * size[1] * page.samplesperpixel * page.dtype.itemsize
        check_size(size, needed + path.stat().st_size, max_bytes)
        samples = page.asarray()
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            samples = np.moveaxis(samples, 0, 2)
        if kind == "MINISWHITE":
            samples = np.iinfo(samples.dtype).max - samples
        tags = {tag.code: tag.value for tag in page.tags.values()}
        xmp, orientation = split_orientation(tags.get(XMP_TAG))
        metadata = Metadata(tags.get(ICC_TAG), xmp=xmp, dpi=_resolution(tags))
        if not tiff.is_bigtiff:
            with path.open("rb") as file:
                exif = Image.Exif()
                exif.endian = tiff.byteorder
                exif.load_from_fp(file, page.offset)
                metadata.exif = portable_exif(exif, from_tiff=True)
        warnings = ["EXIF of a BigTIFF is not kept"] if tiff.is_bigtiff else []
        warnings += [SMALLER_COPIES_WARNING] if len(tiff.pages) > 1 else []
        samples = samples.reshape(*samples.shape[:2], -1)
        premultiplied = tuple(page.extrasamples) == (ASSOCIATED_ALPHA,)
    samples = apply_orientation(samples, tags.get(ORIENTATION, orientation))
    return Picture(samples, premultiplied, metadata, warnings)


def _check_page(page: Any) -> str:
    kind = page.photometric.name
    colors = {"MINISBLACK": 1, "MINISWHITE": 1, "RGB": 3}.get(kind)
    if colors is None:
        raise UserError(f"holds {kind} colors of {page.bitspersample} bits; save it as RGB")
    if page.samplesperpixel not in (colors, colors + 1):
        raise UserError(f"holds {page.samplesperpixel} values a pixel; save it as RGB")
    if page.dtype not in (np.uint16, np.float16, np.float32, np.float64) or (
        page.bitspersample != 8 * page.dtype.itemsize
    ):
        raise UserError(
            f"holds values of {page.bitspersample} bits ({page.dtype}); save it with 8 or 16 bits "
            "or as floats"
        )
    return kind


def _resolution(tags: dict[int, Any]) -> tuple[float, float] | None:
    unit = INCHES.get(tags.get(296, 2))
    values = [tags.get(code) for code in (282, 283)]
    if unit is None or not all(value and value[0] and value[1] for value in values):
        return None
    horizontal, vertical = (value[0] / value[1] * unit for value in values if value)
    return horizontal, vertical


def write_tiff(path: Path, picture: Picture) -> None:
    """Writes pixels of any type as TIFF, compressed without loss."""
    import tifffile

    metadata, samples = picture.metadata, picture.samples
    samples = samples[..., 0] if samples.shape[2] == 1 else samples
    exif = Image.Exif()
    if metadata.exif:
        exif.load(metadata.exif)
    texts = {
        code: value.encode()
        for code, value in preserve_text(exif).items()
        if isinstance(value, str)
    }
    description = texts.pop(DESCRIPTION_TAG, None)
    tags: list[tuple] = [(code, "s", 0, text, True) for code, text in texts.items()]
    if metadata.xmp:
        tags.append((XMP_TAG, "B", len(metadata.xmp), metadata.xmp, True))
    directories = {code: dict(exif.get_ifd(code)) for code in SUB_DIRECTORIES if exif.get_ifd(code)}
    # tifffile writes no directories: the next free tags reserve their places.
    tags += [(code + 1, "I", 1, 0, True) for code in directories]
    with_alpha = [ASSOCIATED_ALPHA if picture.premultiplied else SEPARATE_ALPHA]
    tifffile.imwrite(
        path,
        samples,
        byteorder="<",
        photometric="rgb" if samples.shape[2:] in ((3,), (4,)) else "minisblack",
        planarconfig="contig" if samples.ndim == 3 else None,
        extrasamples=with_alpha if picture.has_alpha else None,
        compression="zlib",
        compressionargs={"level": 1},
        predictor=True,
        rowsperstrip=STRIP,
        resolution=metadata.dpi,
        resolutionunit="INCH" if metadata.dpi else None,
        iccprofile=metadata.icc,
        description=description,
        extratags=tags,
        software=False,
        metadata=None,
    )
    if directories:
        _append_directories(path, directories)


def _append_directories(path: Path, directories: dict[int, dict[int, Any]]) -> None:
    """Appends EXIF's own directories and points the reserved tags at them."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[0]
        places = {code: page.tags[code + 1].offset for code in directories}
    with path.open("r+b") as file:
        for code, content in directories.items():
            directory = TiffImagePlugin.ImageFileDirectory_v2(group=code)
            directory.update(preserve_text(content))
            end = file.seek(0, 2)
            offset = end + end % 2
            file.write(b"\0" * (offset - end) + directory.tobytes(offset))
            file.seek(places[code])
            file.write(struct.pack("<HHII", code, 4, 1, offset))  # An unsigned long.
