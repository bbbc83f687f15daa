"""What a file says about its transfer function: in an ICC profile, in PNG's chunks, as CICP.

A `Picture` holds integers as a display shows them, and floats in linear light. Where a file says
that its values are something else, they are converted to linear light when they are read, and back
when they are written.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import replace

import numpy as np

from mallenet_tf.common import transfer
from mallenet_tf.common.transfer import HLG, LINEAR, PQ, SRGB, Transfer
from mallenet_tf.image_io.picture import Limits, Metadata, Picture, convert_alpha
from mallenet_tf.image_io.pixels import white_of

# Transfer functions by their codes in ITU-T H.273. Others are those of video, shown as sRGB is.
_TRANSFERS = {
    4: transfer.gamma(2.2),
    5: transfer.gamma(2.8),
    8: LINEAR,
    16: PQ,
    17: transfer.gamma(2.6),
    18: HLG,
}
UNSPECIFIED = 2
_SPACES = {b"GRAY": "gray", b"RGB ": "rgb"}  # imagecodecs's names for those of profiles.
_BT709, _D65 = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06), (0.3127, 0.329)
# Chromaticities by their codes there: x and y of white, red, green and blue.
_CHROMATICITIES = {
    1: (*_D65, *_BT709),
    9: (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    12: (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_LINEAR_TOLERANCE = 0.01
_KNOTS = 4096  # Of the curve in a profile.
_HDR_NAMES = {b"PQ": PQ, b"2084": PQ, b"HLG": HLG}  # In the names of profiles without CICP.


def declared_transfer(metadata: Metadata) -> Transfer | None:
    """Returns what a file says of its transfer function, None if it says nothing.

    CICP counts before an ICC profile, and that before a gamma, as in PNG.

    Raises:
        Exception: Whatever LittleCMS raises for a damaged profile.
    """
    if metadata.cicp is not None and metadata.cicp[1] != UNSPECIFIED:
        return _TRANSFERS.get(metadata.cicp[1], SRGB)
    if metadata.icc:
        return _profile_transfer(metadata.icc)
    return transfer.gamma(1.0 / metadata.gamma) if metadata.gamma else None


def is_hdr(metadata: Metadata) -> bool:
    """Returns whether a file says that its values are PQ or HLG."""
    function = declared_transfer(metadata)
    return function is not None and function.hdr


@functools.lru_cache(maxsize=8)
def _profile_transfer(icc: bytes) -> Transfer | None:
    """Returns the transfer function of an ICC profile; None if it is not for gray or RGB."""
    import imagecodecs

    space = _SPACES.get(icc[16:20])
    if space is None:
        return None
    if (hdr := _hdr_transfer(icc)) is not None:
        return hdr
    ramp = np.linspace(0.0, 1.0, _KNOTS, dtype=np.float32)[None]
    linear = imagecodecs.cms_transform(
        np.repeat(ramp[..., None], 3, axis=2) if space == "rgb" else ramp,
        icc,
        make_profile(LINEAR),
        colorspace=space,
        outcolorspace="rgb",
        outdtype="float32",
    )
    return transfer.table("its profile's curve", linear[0, :, 1])


def _hdr_transfer(icc: bytes) -> Transfer | None:
    """Returns the transfer function of an HDR profile, from its CICP tag or its name."""
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = [struct.unpack_from(">4sII", icc, 132 + 12 * index) for index in range(count)]
    for kind, offset, size in entries:
        if kind == b"cicp":
            return _TRANSFERS.get(icc[offset + 9], SRGB)
        if kind == b"desc":
            name = icc[offset : offset + size].replace(b"\0", b"")
            for text, function in _HDR_NAMES.items():
                if text in name:
                    return function
    return None


def make_profile(
    function: Transfer,
    chromaticities: tuple[float, ...] = _CHROMATICITIES[1],
    channels: int = 3,
) -> bytes:
    """Makes an ICC profile.

    Args:
        function: The transfer function.
        chromaticities: x and y of white, red, green and blue.
        channels: 1 for gray, 3 for color.
    """
    import imagecodecs

    values = list(chromaticities)
    xyy = [[*values[first : first + 2], 1.0] for first in range(0, len(values), 2)]
    curve = 65535 * np.clip(function.decode(np.linspace(0.0, 1.0, _KNOTS)), 0.0, 1.0)
    return imagecodecs.cms_profile(
        "rgb" if channels == 3 else "gray",
        whitepoint=xyy[0],
        primaries=xyy[1] + xyy[2] + xyy[3] if channels == 3 else None,
        transferfunction=np.rint(curve).astype(np.uint16),
    )


def chunks_as_profile(metadata: Metadata, channels: int) -> Metadata:
    """Returns metadata whose gamma, chromaticities and CICP are said by an ICC profile.

    None is made where they say sRGB, or HDR, which a profile's curve does not hold.
    """
    function = declared_transfer(metadata) or SRGB
    colors = metadata.chromaticities or _CHROMATICITIES[1]
    if metadata.cicp is not None:
        colors = _CHROMATICITIES.get(metadata.cicp[0], colors)
    plain = replace(metadata, cicp=None, gamma=None, chromaticities=None)
    is_srgb = np.allclose(colors, _CHROMATICITIES[1], atol=2e-3) and function.is_near(SRGB)
    if metadata.icc or function.hdr or is_srgb:
        return plain
    return replace(plain, icc=make_profile(function, colors, channels))


def is_srgb(metadata: Metadata, channels: int) -> bool:
    """Returns whether a file of this metadata holds sRGB, as one does that says nothing."""
    icc = chunks_as_profile(metadata, channels).icc
    if icc is None:
        return True
    low, high = 0.25, 0.5  # So that no color leaves sRGB's gamut, where it would be clipped.
    colors = np.array(
        [[[high, low, low], [low, high, low], [low, low, high], [high] * 3]], np.float32
    )
    colors = colors[..., :channels]
    converted = _convert_to_srgb(colors, icc)
    return converted is None or bool(np.allclose(converted, colors, atol=1 / 128))


def _convert_to_srgb(pixels: np.ndarray, icc: bytes) -> np.ndarray | None:
    """Converts [H, W, 1 or 3] from a profile to sRGB; None if it is not for such pixels."""
    import imagecodecs

    space = "rgb" if pixels.shape[2] == 3 else "gray"
    if _SPACES.get(icc[16:20]) != space:
        return None
    return imagecodecs.cms_transform(
        pixels if space == "rgb" else pixels[..., 0],
        icc,
        make_profile(SRGB, channels=pixels.shape[2]),
        colorspace=space,
        outcolorspace=space,
        outdtype=pixels.dtype,
    ).reshape(pixels.shape)


def to_srgb(picture: Picture) -> Picture:
    """Converts the colors of a picture of integers, as its file stores them, to sRGB."""
    metadata = chunks_as_profile(picture.metadata, picture.pixels.shape[2])
    stored = from_linear(picture, metadata)
    if metadata.icc is None or is_srgb(metadata, stored.pixels.shape[2]):
        return stored
    converted = _convert_to_srgb(np.ascontiguousarray(stored.pixels), metadata.icc)
    if converted is None:
        return stored
    samples = np.concatenate([converted, stored.samples[..., converted.shape[2] :]], axis=2)
    return replace(stored, samples=samples)


def to_linear(picture: Picture, limits: Limits) -> Picture:
    """Converts pixels that the file stores otherwise than a `Picture` holds them.

    Args:
        picture: As the file stores it.
        limits: How much memory may be taken.

    Returns:
        The picture; if it was converted, in linear light and with `stored_type`.
    """
    dtype = picture.samples.dtype
    try:
        function = declared_transfer(picture.metadata)
    except Exception as error:  # imagecodecs raises its own types for damaged profiles.
        reason = str(error) or type(error).__name__
        picture.warnings.append(f"the color profile cannot be read and is not kept: {reason}")
        picture.metadata.icc, function = None, None
    if function is None:
        return picture
    if function.is_near(LINEAR, _LINEAR_TOLERANCE) and dtype.kind == "f":
        return picture
    if function.is_near(SRGB) and not function.hdr and dtype.kind == "u":
        return picture
    height, width, _ = picture.samples.shape
    limits.check((width, height), 5 * picture.samples.size)
    picture = convert_alpha(picture, premultiplied=False)
    samples = function.to_linear(picture.pixels)
    if picture.has_alpha:
        alpha = picture.samples[..., -1:] / white_of(dtype)
        samples = np.concatenate([samples, alpha.astype(samples.dtype)], axis=2)
    warnings = list(picture.warnings)
    if function.hdr:
        warnings.append(f"{function.name}: highlights beyond 500 cd/m2 are kept as they are")
    return replace(picture, samples=samples, stored_type=dtype, warnings=warnings)


def from_linear(picture: Picture, metadata: Metadata) -> Picture:
    """Converts pixels back to the type that their file stored, the inverse of `to_linear`.

    Args:
        picture: One that was not converted is returned as it is.
        metadata: What the file to write will say. If that is nothing, integers become sRGB.
    """
    dtype = picture.stored_type
    if dtype is None:
        return picture
    function = declared_transfer(metadata)
    if function is None:
        function = SRGB if dtype.kind == "u" else LINEAR
    samples = function.from_linear(picture.pixels, dtype)
    if picture.has_alpha:
        alpha = picture.samples[..., -1:] * white_of(dtype)
        alpha = np.rint(alpha) if dtype.kind == "u" else alpha
        samples = np.concatenate([samples, alpha.astype(dtype)], axis=2)
    return replace(picture, samples=samples, stored_type=None)
