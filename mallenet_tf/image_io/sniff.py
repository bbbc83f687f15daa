"""Tells formats by the first bytes of a file."""

from __future__ import annotations

from pathlib import Path

_MAGICS = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"8BPS": ".psd",
    b"BM": ".bmp",
    b"v/1\x01": ".exr",
    b"\xff\x0a": ".jxl",
    b"\0\0\0\x0cJXL \r\n\x87\n": ".jxl",
    b"FUJIFILM": ".raf",
    b"IIRO": ".orf",
    b"IIRS": ".orf",
    b"MMOR": ".orf",
    b"IIU\0": ".rw2",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"II+\0": ".tif",
    b"MM\0+": ".tif",
}
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_BRANDS = {b"avif": ".avif", b"avis": ".avif", b"crx ": ".cr3", **dict.fromkeys(_HEIF, ".heic")}
_VIDEO_MAGICS = (b"\x1aE\xdf\xa3", b"FLV\1", b"\0\0\1\xba", b"\0\0\1\xb3")
HEAD_BYTES = 64


def content_suffix(path: Path) -> str | None:
    """Returns the suffix of the image format that a file's first bytes say; None for none.

    Camera raw files whose first bytes are TIFF's are told apart by `raw_format.is_raw`.
    """
    head = _head(path)
    if head[4:8] == b"ftyp":
        brands = [head[8:12], *(head[place : place + 4] for place in range(16, len(head), 4))]
        found = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
        return ".avif" if ".avif" in found else next(iter(found), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    if head[8:10] == b"CR" and head[:4] == b"II*\0":
        return ".cr2"
    return next((suffix for magic, suffix in _MAGICS.items() if head.startswith(magic)), None)


def is_video_content(path: Path) -> bool:
    """Returns whether first bytes that are no image's are those of MP4, Matroska, AVI or MPEG."""
    head = _head(path)
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    return head[4:8] == b"ftyp" or head.startswith(_VIDEO_MAGICS)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
