"""Pictures with random pixels of any type, and the metadata that files are to keep."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageCms

from mallenet_tf.image_io.picture import Metadata

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Tags of EXIF and TIFF; CAMERA and PLACE are EXIF's own directories.
ORIENTATION, MAKE, DESCRIPTION, ARTIST = 0x0112, 0x010F, 0x010E, 0x013B
CAMERA, PLACE, XMP = 0x8769, 0x8825, 700


def samples(channels: int = 3, kind: type = np.uint8, size: tuple[int, int] = (13, 17)):
    """Random samples [*size, channels]: integers of the whole range, or floats from 0 to 3."""
    random = np.random.default_rng(0)
    if np.issubdtype(kind, np.floating):
        return (3 * random.random((*size, channels))).astype(kind)
    return random.integers(0, np.iinfo(kind).max + 1, (*size, channels)).astype(kind)


def exif(orientation: int | None = None) -> Image.Exif:
    """EXIF of a camera, with an orientation if one is given."""
    data = Image.Exif()
    data[MAKE], data[DESCRIPTION] = "Maker", "a picture"
    data.get_ifd(CAMERA)[0x829A] = 0.01  # exposure time
    data.get_ifd(CAMERA)[0x9286] = b"ASCII\0\0\0hello"  # user comment
    data.get_ifd(PLACE)[1] = "N"
    if orientation:
        data[ORIENTATION] = orientation
    return data


def metadata() -> Metadata:
    """A color profile, EXIF, XMP and a resolution."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    return Metadata(ICC, exif().tobytes(), xmp, (300.0, 300.0))
