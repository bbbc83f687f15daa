"""Removes from XMP what it announces and a result does not hold."""

from __future__ import annotations

import re
from dataclasses import replace

from mallenet_tf.image_io.picture import Picture

GAIN_MAP = "the gain map, which makes HDR of the picture,"
VIDEO = "the video of the motion photo"
CREDENTIALS = "the content credentials (C2PA), which new pixels make invalid,"
_ANY = rb"[\w.-]+"
# Namespaces, names in them, and what they announce; None if that is said by others.
_ANNOUNCEMENTS = (
    (b"http://ns.adobe.com/hdr-gain-map/1.0/", _ANY, GAIN_MAP),
    (b"http://ns.apple.com/HDRGainMap/1.0/", _ANY, GAIN_MAP),
    (b"http://ns.google.com/photos/1.0/camera/", rb"(?:MotionPhoto|MicroVideo)\w*", VIDEO),
    (b"http://ns.google.com/photos/1.0/container/", rb"Directory", None),
    (b"http://purl.org/dc/terms/", rb"provenance", CREDENTIALS),
)


def remove_announcements(packet: bytes) -> tuple[bytes, list[str]]:
    """Returns an XMP packet without announcements, and the names of what they announce."""
    found = []
    for space, names, what in _ANNOUNCEMENTS:
        for prefix in set(re.findall(rb"xmlns:([\w.-]+)\s*=\s*[\"']" + re.escape(space), packet)):
            name = re.escape(prefix) + b":" + names
            patterns = (
                rb"\s+" + name + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')",
                rb"<(" + name + rb")(?:\s[^>]*)?(?:/>|(?<!/)>.*?</\1\s*>)",
            )
            count = 0
            for pattern in patterns:
                packet, times = re.subn(pattern, b"", packet, flags=re.DOTALL)
                count += times
            if count and what:
                found.append(what)
    return packet, list(dict.fromkeys(found))


def drop_announced(picture: Picture) -> Picture:
    """Removes announcements from a picture's XMP, and names what they announce in its warnings."""
    if not picture.metadata.xmp:
        return picture
    packet, names = remove_announcements(picture.metadata.xmp)
    warnings = [*picture.warnings, *(f"{name} is not kept" for name in names)]
    metadata = replace(picture.metadata, xmp=packet)
    return replace(picture, metadata=metadata, warnings=list(dict.fromkeys(warnings)))
