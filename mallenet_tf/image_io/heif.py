"""Reads and writes HEIC and HEIF files by pillow-heif, with 8, 10 or 12 bits a value."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mallenet_tf.common.errors import optional_module
from mallenet_tf.image_io.exif import upright_exif
from mallenet_tf.image_io.picture import Limits, Metadata, Picture, scale_bits
from mallenet_tf.image_io.xmp import GAIN_MAP

_QUALITY = 95  # HEVC's error at this quality is well below a denoiser's.
_WRITTEN_BITS = 10  # Of more than 8; what phones and browsers show.
_GAIN_MAP_TYPES = ("hdrgainmap", "21496")


def _library() -> ModuleType:
    return optional_module("pillow_heif", "pillow-heif>=1", "formats")


def read_heif(path: Path, limits: Limits) -> Picture:
    """Reads the main picture of a HEIC or HEIF file.

    Args:
        path: The file.
        limits: How much may be decoded.

    Raises:
        UserError: If it is larger than the limits, or pillow-heif is not installed.
        Exception: Whatever libheif raises for damaged files.
    """
    file = _library().open_heif(path, convert_hdr_to_8bit=False)
    limits.check(file.size, 16 * file.size[0] * file.size[1])
    image = file[file.primary_index]
    bits, info = image.info["bit_depth"], image.info
    samples = np.asarray(image)
    samples = samples.reshape(*samples.shape[:2], -1)
    if bits > 8:
        samples = scale_bits(samples >> (16 - bits), bits, 16)
    nclx = info.get("nclx_profile")
    metadata = Metadata(
        icc=info.get("icc_profile") or None,
        exif=upright_exif(info.get("exif")),
        xmp=info.get("xmp") or None,
        cicp=nclx and (nclx["color_primaries"], nclx["transfer_characteristics"], 0, 1),
    )
    warnings = [f"{name} is not kept" for name in _further_images(file, path)]
    premultiplied = bool(image.premultiplied_alpha)
    return Picture(samples.copy(), premultiplied, metadata, warnings, bits=bits)


def _further_images(file: Any, path: Path) -> list[str]:
    """Names what a file holds beside its main picture."""
    info = file[file.primary_index].info
    types = [kind for kind in info.get("aux", {}) if "alpha" not in kind]
    maps = [kind for kind in types if any(name in kind for name in _GAIN_MAP_TYPES)]
    names = [GAIN_MAP] * bool(maps)
    names += [f"the auxiliary image {kind}" for kind in types if kind not in maps]
    names += ["the depth map"] * bool(info["depth_images"])
    if len(file) > 1:
        names.append(f"all but the main of its {len(file)} pictures")
    if b"mpvd" in path.read_bytes():  # The box of a motion photo's video.
        names.append("the video of the motion photo")
    return names


def write_heif(path: Path, picture: Picture) -> None:
    """Writes pixels of 8 bits a value, or 10 of 16."""
    library = _library()
    samples, metadata = picture.samples, picture.metadata
    deep = samples.dtype == np.uint16
    if deep:
        samples = scale_bits(samples, 16, _WRITTEN_BITS) << (16 - _WRITTEN_BITS)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2]] + ";16" * deep
    options: dict[str, Any] = {}
    if metadata.cicp:
        options["color_primaries"], options["transfer_characteristics"] = metadata.cicp[:2]
    file = library.from_bytes(
        mode,
        (samples.shape[1], samples.shape[0]),
        np.ascontiguousarray(samples).tobytes(),
    )
    file.info.update(
        {
            key: value
            for key, value in {
                "exif": metadata.exif,
                "xmp": metadata.xmp,
                "icc_profile": metadata.icc,
                "icc_profile_type": metadata.icc and "prof",
            }.items()
            if value
        }
    )
    file.save(path, quality=_QUALITY, format="HEIF", **options)
