"""Image files of more than 8 bits a value: 16-bit PNG, TIFF of any depth, OpenEXR."""

from __future__ import annotations

import io
import mmap
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.picture import (
    FOLDERS,
    ORIENTATION,
    Metadata,
    Picture,
    check_size,
    keep_text,
    portable_exif,
    upright,
    without_orientation,
)
from mallenet_tf.image_io.pillow_files import SMALLER_COPIES, pillow_metadata, write_pillow

ICC_TAG, XMP_TAG, DESCRIPTION_TAG = 34675, 700, 270
ASSOCIATED_ALPHA, SEPARATE_ALPHA = 1, 2
INCHES = {2: 1.0, 3: 2.54}  # of TIFF's units of resolution: how many make an inch
STRIP = 64  # rows compressed at a time


def read_png(image: ImageFile.ImageFile, path: Path, most_bytes: int | None) -> Picture:
    """Reads a PNG file of 16 bits a value, of which Pillow opened the header."""
    import imagecodecs

    check_size(image.size, 8 * image.width * image.height, most_bytes)
    metadata = pillow_metadata(image)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        samples = imagecodecs.png_decode(data)
    samples = samples.reshape(*samples.shape[:2], -1)
    return Picture(upright(samples, image.getexif().get(ORIENTATION, 1)), metadata=metadata)


def write_png(path: Path, picture: Picture) -> None:
    """Writes uint16 pixels as PNG, with the chunks of metadata that Pillow would write."""
    import imagecodecs

    encoded = memoryview(imagecodecs.png_encode(np.ascontiguousarray(picture.samples), level=1))
    header = _chunks_end(encoded, b"IHDR")
    with path.open("wb") as file:
        file.write(encoded[:header])
        file.write(_metadata_chunks(picture.metadata))
        file.write(encoded[header:])


def _metadata_chunks(metadata: Metadata) -> bytes:
    """Everything between the header and the pixels of a PNG file that Pillow writes."""
    buffer = io.BytesIO()
    write_pillow(buffer, "PNG", Picture(np.zeros((1, 1, 1), np.uint8), metadata=metadata))
    dot = memoryview(buffer.getvalue())
    return bytes(dot[_chunks_end(dot, b"IHDR") : _chunks_start(dot, b"IDAT")])


def _chunks_start(png: memoryview, kind: bytes) -> int:
    """Where the first chunk of a kind starts: 4 bytes of length, 4 of kind, data, 4 of checksum."""
    at = 8
    while bytes(png[at + 4 : at + 8]) != kind:
        at += 12 + struct.unpack(">I", png[at : at + 4])[0]
    return at


def _chunks_end(png: memoryview, kind: bytes) -> int:
    at = _chunks_start(png, kind)
    return at + 12 + struct.unpack(">I", png[at : at + 4])[0]


def page_number(path: Path) -> int:
    """Which page of a TIFF file to read, from 0: the only one that is no smaller copy of another.

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


def read_tiff(path: Path, most_bytes: int | None) -> Picture:
    """Reads a TIFF file of 16-bit integers or of floats.

    Raises:
        UserError: If it holds several pages, or anything but gray or RGB with at most an alpha.
        Exception: Whatever tifffile raises for damaged files.
    """
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = _full_page(tiff)
        kind = _check_page(page)
        size = (page.imagewidth, page.imagelength)
        needed = size[0] * size[1] * page.samplesperpixel * page.dtype.itemsize
        check_size(size, needed + path.stat().st_size, most_bytes)
        samples = page.asarray()
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            samples = np.moveaxis(samples, 0, 2)
        if kind == "MINISWHITE":
            samples = np.iinfo(samples.dtype).max - samples
        tags = {tag.code: tag.value for tag in page.tags.values()}
        xmp, orientation = without_orientation(tags.get(XMP_TAG))
        metadata = Metadata(tags.get(ICC_TAG), xmp=xmp, dpi=_resolution(tags))
        if not tiff.is_bigtiff:
            with path.open("rb") as file:
                exif = Image.Exif()
                exif.endian = tiff.byteorder
                exif.load_from_fp(file, page.offset)
                metadata.exif = portable_exif(exif, from_tiff=True)
        notes = ["EXIF of a BigTIFF is not kept"] if tiff.is_bigtiff else []
        notes += [SMALLER_COPIES] if len(tiff.pages) > 1 else []
        samples = samples.reshape(*samples.shape[:2], -1)
        premultiplied = tuple(page.extrasamples) == (ASSOCIATED_ALPHA,)
    samples = upright(samples, tags.get(ORIENTATION, orientation))
    return Picture(samples, premultiplied, metadata, notes)


def _check_page(page: Any) -> str:
    kind = page.photometric.name
    colours = {"MINISBLACK": 1, "MINISWHITE": 1, "RGB": 3}.get(kind)
    if colours is None:
        raise UserError(f"holds {kind} colours of {page.bitspersample} bits; save it as RGB")
    if page.samplesperpixel not in (colours, colours + 1):
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
        code: value.encode() for code, value in keep_text(exif).items() if isinstance(value, str)
    }
    description = texts.pop(DESCRIPTION_TAG, None)
    tags: list[tuple] = [(code, "s", 0, text, True) for code, text in texts.items()]
    if metadata.xmp:
        tags.append((XMP_TAG, "B", len(metadata.xmp), metadata.xmp, True))
    folders = {code: dict(exif.get_ifd(code)) for code in FOLDERS if exif.get_ifd(code)}
    # tifffile writes no folders of tags: the next free tags keep their places, see below.
    tags += [(code + 1, "I", 1, 0, True) for code in folders]
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
    if folders:
        _append_folders(path, folders)


def _append_folders(path: Path, folders: dict[int, dict[int, Any]]) -> None:
    """Puts EXIF's own folders behind the pixels, and tags that point there in their places."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[0]
        places = {code: page.tags[code + 1].offset for code in folders}
    with path.open("r+b") as file:
        for code, content in folders.items():
            folder = TiffImagePlugin.ImageFileDirectory_v2(group=code)
            folder.update(keep_text(content))
            end = file.seek(0, 2)
            offset = end + end % 2
            file.write(b"\0" * (offset - end) + folder.tobytes(offset))
            file.seek(places[code])
            file.write(struct.pack("<HHII", code, 4, 1, offset))  # one unsigned long


def read_exr(path: Path, most_bytes: int | None) -> Picture:
    """Reads an OpenEXR file with the channels R, G and B, or Y; all others are kept as they are.

    Raises:
        UserError: For other files: several parts, subsampled channels, no such channels.
        Exception: Whatever OpenEXR raises for damaged files.
    """
    import OpenEXR

    if most_bytes is not None:
        with OpenEXR.File(str(path), header_only=True) as file:
            low, high = file.header()["dataWindow"]
            size = (int(high[0] - low[0] + 1), int(high[1] - low[1] + 1))
            check_size(size, 4 * size[0] * size[1] * len(file.header()["channels"]), most_bytes)
    with OpenEXR.File(str(path), separate_channels=True) as file:
        if len(file.parts) > 1:
            raise UserError(f"holds {len(file.parts)} parts; save the one to denoise by itself")
        header, channels = dict(file.header()), dict(file.channels())
    names = ["R", "G", "B"] if {"R", "G", "B"} <= set(channels) else ["Y"]
    if not set(names) <= set(channels):
        raise UserError(f"holds the channels {' '.join(channels)}, not R, G and B or Y")
    planes = [channels.pop(name).pixels for name in names]
    if any(plane.shape != planes[0].shape or plane.dtype.kind != "f" for plane in planes):
        raise UserError("holds channels that are subsampled or no floats")
    if "A" in channels:
        planes.append(channels.pop("A").pixels)
    return Picture(np.dstack(planes), premultiplied=True, metadata=Metadata(exr=(header, channels)))


def write_exr(path: Path, picture: Picture) -> None:
    """Writes floats as OpenEXR, with the header and other channels of the file they are from."""
    import OpenEXR

    default = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    header, channels = picture.metadata.exr or (default, {})
    names = ("Y", "YA", "RGB", "RGBA")[picture.samples.shape[2] - 1]
    kind = np.float16 if picture.samples.dtype == np.float16 else np.float32
    planes = {
        name: np.ascontiguousarray(picture.samples[..., index], kind)
        for index, name in enumerate(names)
    }
    OpenEXR.File(header, {**channels, **planes}).write(str(path))
