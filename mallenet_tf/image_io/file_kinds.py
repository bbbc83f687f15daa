"""Tells videos from other files, and counts by kind the files that nothing reads."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from mallenet_tf.image_io.sniff import content_suffix, is_video_content

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".y4m"),
    *(".mts", ".m2ts", ".m2t", ".m2v", ".vob", ".mod", ".tod", ".wmv", ".asf", ".flv", ".f4v"),
    *(".3gp", ".3g2", ".mxf", ".ogv", ".ogm", ".qt", ".dv", ".divx", ".nut", ".wtv"),
)
# PNG and WebP files may be animations, GIF files are taken for such.
ANIMATION_SUFFIXES = (".gif", ".webp", ".png", ".apng")
# Camera raw that LibRaw knows and that is not read, by its suffix.
_RAW_SUFFIXES = tuple(
    ".3fr .ari .bay .cap .crw .dcr .dcs .drf .eip .erf .fff .gpr .iiq .k25 .kdc .mdc .mef .mos "
    ".mrw .nrw .pef .ptx .pxn .r3d .rwl .rwz .sr2 .srf .srw .x3f".split()
)
_SINGULAR = {
    "videos": "video",
    "animations": "animation",
    "raw files": "raw file",
    "images with other suffixes": "image with another suffix",
    "unreadable files": "unreadable file",
    "subfolders": "subfolder",
    "linked folders": "linked folder",
    "pipes, devices and broken links": "pipe, device or broken link",
}


def is_video_file(path: str | os.PathLike) -> bool:
    """Returns whether a path has the suffix of a video file."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def count_kinds(paths: Iterable[Path]) -> dict[str, int]:
    """Counts files and folders by kind, as {"videos": 3, "unknown": 1}."""
    return dict(collections.Counter(map(_kind, paths)))


def describe_kinds(counts: Mapping[str, int]) -> str:
    """Returns counts in words, as "3 videos, 1 unknown"."""
    return ", ".join(
        f"{n} {_SINGULAR.get(kind, kind) if n == 1 else kind}" for kind, n in counts.items()
    )


def _kind(path: Path) -> str:
    if path.is_dir():
        return "linked folders" if path.is_symlink() else "subfolders"
    if not path.is_file():
        return "pipes, devices and broken links"
    if kind := suffix_kind(path):
        return kind
    try:
        if content_suffix(path):
            return "images with other suffixes"
        return "videos" if is_video_content(path) else "unknown"
    except OSError:
        return "unreadable files"


def suffix_kind(path: Path) -> str | None:
    """Returns the kind that a suffix names of files that are no single images; None for none."""
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "videos"
    if suffix in (".gif", ".apng"):
        return "animations"
    return "raw files" if suffix in _RAW_SUFFIXES else None
