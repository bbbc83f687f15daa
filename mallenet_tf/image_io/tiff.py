"""Reads TIFF files of 16-bit integers or floats, and writes any, by tifffile."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.exif import (
    DESCRIPTIVE_TAGS,
    ORIENTATION,
    SUB_DIRECTORIES,
    apply_orientation,
    portable_exif,
    preserve_text,
    split_orientation,
)
from mallenet_tf.image_io.jpeg import without_thumbnails
from mallenet_tf.image_io.picture import Limits, Metadata, Picture
from mallenet_tf.image_io.tiff_pages import only_page, smaller_copies

ICC_TAG, XMP_TAG, DESCRIPTION_TAG, PHOTOSHOP_TAG, IPTC_TAG = 34675, 700, 270, 34377, 33723
# Tags that say how a file stores pixels, or that are kept in another way.
_STRUCTURE = {
    *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281),
    *(282, 283, 284, 288, 289, 290, 291, 292, 293, 296, 317, 318, 319, 320, 321, 322, 323, 324),
    *(325, 326, 327, 328, 330, 332, 334, 336, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515),
    *(517, 518, 519, 520, 521, 529, 530, 531, 532, ICC_TAG, XMP_TAG, PHOTOSHOP_TAG),
    *DESCRIPTIVE_TAGS,
    *SUB_DIRECTORIES,
}
_PLACES = (13, 16, 17, 18)  # Types of places in the file, and of BigTIFF.
_LOST = {37724: "what Photoshop's layers hold"}
UNSPECIFIED, ASSOCIATED_ALPHA, SEPARATE_ALPHA = 0, 1, 2  # What a further channel is.
_COLORS = {"MINISBLACK": 1, "MINISWHITE": 1, "RGB": 3}
INCHES = {2: 1.0, 3: 2.54}  # How many of a unit of resolution, by TIFF's number, make an inch.
STRIP = 64  # Rows compressed at a time.


def read_tiff(path: Path, limits: Limits, number: int | None = None) -> Picture:
    """Reads a TIFF file of 16-bit integers or of floats.

    Args:
        path: The file.
        limits: How much may be decoded.
        number: Of the page, see `page_numbers`; None for the only one.

    Raises:
        UserError: If it is larger than the limits, or holds anything but gray or RGB with further
            channels, or several pages and none is named.
        Exception: Whatever tifffile raises for damaged files.
    """
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[only_page(path) if number is None else number]
        kind = _check_page(page)
        size = (page.imagewidth, page.imagelength)
        needed = size[0] * size[1] * page.samplesperpixel * page.dtype.itemsize
        limits.check(size, needed + path.stat().st_size)
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
        metadata.tiff, metadata.photoshop, warnings = _read_tags(page)
        warnings += ["EXIF of a BigTIFF is not kept"] if tiff.is_bigtiff else []
        warnings += smaller_copies(tiff, page)
        samples = samples.reshape(*samples.shape[:2], -1)
        kinds = extra_kinds(page.samplesperpixel, page.photometric.name, page.extrasamples)
    samples = apply_orientation(samples, tags.get(ORIENTATION, orientation))
    with_alpha = bool(kinds) and kinds[0] in (ASSOCIATED_ALPHA, SEPARATE_ALPHA)
    kept = samples.shape[2] - len(kinds) + with_alpha
    return Picture(
        samples[..., :kept],
        premultiplied=with_alpha and kinds[0] == ASSOCIATED_ALPHA,
        metadata=metadata,
        warnings=warnings,
        extra=samples[..., kept:] if len(kinds) > with_alpha else None,
        extra_kinds=kinds[with_alpha:],
    )


def extra_kinds(samples_per_pixel: int, photometric: str, said: Sequence[int]) -> tuple[int, ...]:
    """Returns what TIFF's tag says of each channel beyond gray or RGB; 0 if it says nothing."""
    count = samples_per_pixel - _COLORS[photometric]
    return (*map(int, said), *[UNSPECIFIED] * count)[:count]


def _check_page(page: Any) -> str:
    kind = page.photometric.name
    if kind not in _COLORS:
        raise UserError(f"holds {kind} colors of {page.bitspersample} bits; save it as RGB")
    if page.samplesperpixel < _COLORS[kind]:
        raise UserError(f"holds {page.samplesperpixel} values a pixel; save it as RGB")
    if page.dtype not in (np.uint8, np.uint16, np.float16, np.float32, np.float64) or (
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


def add_tags(picture: Picture, path: Path, number: int | None) -> Picture:
    """Adds the tags of a page that Pillow read, and names what is not kept."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[only_page(path) if number is None else number]
        tags, photoshop, warnings = _read_tags(page)
        warnings += smaller_copies(tiff, page)
    metadata = replace(picture.metadata, tiff=tags, photoshop=photoshop)
    return replace(picture, metadata=metadata, warnings=picture.warnings + warnings)


def _read_tags(
    page: Any,
) -> tuple[tuple[tuple[int, int, int, Any], ...], bytes | None, list[str]]:
    """Returns a page's further tags, Photoshop's image resources, and conversion warnings."""
    kept, lost = _further_tags(page)
    tag = page.tags.get(PHOTOSHOP_TAG)
    photoshop = None if tag is None else without_thumbnails(bytes(tag.value)) or None
    return tuple(kept), photoshop, [f"{what} is not kept" for what in lost]


def _further_tags(page: Any) -> tuple[list[tuple[int, int, int, Any]], list[str]]:
    """Returns the tags that are kept as they are, and the names of those that are not."""
    kept, lost = [], []
    for tag in page.tags.values():
        if tag.code in _LOST:
            lost.append(_LOST[tag.code])
        elif tag.code in _STRUCTURE:
            continue
        elif tag.dtype in _PLACES or not isinstance(tag.value, bytes | str | int | float | tuple):
            lost.append(f"TIFF's tag {tag.name}")
        else:
            value = tag.value.encode() if isinstance(tag.value, str) else tag.value
            kept.append((tag.code, int(tag.dtype), tag.count, value))
    return kept, lost


def tag_names(tags: Sequence[tuple[int, int, int, Any]]) -> str:
    """Names further tags in a conversion warning."""
    import tifffile

    codes = tifffile.TIFF.TAGS
    return f"TIFF's tags {', '.join(codes.get(code, str(code)) for code, *_ in tags)}"


def write_tiff(path: Path, pictures: Iterable[Picture]) -> None:
    """Writes pixels of any type as TIFF, compressed without loss, a page for each picture."""
    import tifffile

    directories = []
    with tifffile.TiffWriter(path, byteorder="<") as tiff:
        for picture in pictures:
            directories.append(_write_page(tiff, picture))
    if any(directories):
        _append_directories(path, directories)


def _write_page(tiff: Any, picture: Picture) -> dict[int, dict[int, Any]]:
    """Writes a page and returns EXIF's own directories, which belong to it."""
    metadata, samples = picture.metadata, picture.samples
    color = 1 if samples.shape[2] <= 2 else 3
    kinds = [*picture.extra_kinds]
    if picture.has_alpha:
        kinds.insert(0, ASSOCIATED_ALPHA if picture.premultiplied else SEPARATE_ALPHA)
    if picture.extra is not None:
        samples = np.concatenate([samples, picture.extra], axis=2)
    samples = samples[..., 0] if samples.shape[2] == 1 else samples
    exif = Image.Exif()
    if metadata.exif:
        exif.load(metadata.exif)
    tags, description = _tags(metadata, exif)
    directories = {code: dict(exif.get_ifd(code)) for code in SUB_DIRECTORIES if exif.get_ifd(code)}
    # tifffile writes no directories: the next free tags reserve their places.
    tags += [(code + 1, "I", 1, 0, True) for code in directories]
    tiff.write(
        samples,
        photometric="rgb" if color == 3 else "minisblack",
        planarconfig="contig" if samples.ndim == 3 else None,
        extrasamples=kinds or None,
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
    return directories


def _tags(metadata: Metadata, exif: Image.Exif) -> tuple[list[tuple], bytes | None]:
    """Returns tags as tifffile takes them, and the description."""
    texts = {
        code: value.encode()
        for code, value in preserve_text(exif).items()
        if isinstance(value, str)
    }
    description = texts.pop(DESCRIPTION_TAG, None)
    tags: list[tuple] = [(code, "s", 0, text, True) for code, text in texts.items()]
    tags += [(*tag, True) for tag in metadata.tiff]
    for code, content in ((PHOTOSHOP_TAG, metadata.photoshop), (XMP_TAG, metadata.xmp)):
        if content:
            tags.append((code, "B", len(content), content, True))
    return tags, description


def _append_directories(path: Path, directories: Sequence[dict[int, dict[int, Any]]]) -> None:
    """Appends EXIF's own directories of each page and points the reserved tags at them."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        pages: Any = tiff.pages
        places = [
            (page.tags[code + 1].offset, code, content)
            for page, of_page in zip(pages, directories, strict=True)
            for code, content in of_page.items()
        ]
    with path.open("r+b") as file:
        for place, code, content in places:
            directory = TiffImagePlugin.ImageFileDirectory_v2(group=code)
            directory.update(preserve_text(content))
            end = file.seek(0, 2)
            offset = end + end % 2
            file.write(b"\0" * (offset - end) + directory.tobytes(offset))
            file.seek(place)
            file.write(struct.pack("<HHII", code, 4, 1, offset))  # An unsigned long.
