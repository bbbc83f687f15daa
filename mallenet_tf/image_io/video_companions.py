"""What a video file holds beside its frames: sound, subtitles, fonts, chapters, titles, times.

It is copied from file to file as it is, by PyAV. What the output's format cannot hold is a
conversion warning, which is known before the first frame is written.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mallenet_tf.image_io.video_reader import av_module, open_container

# Of the file that was, not of what it shows.
_OF_THE_FILE = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration", "bps"}
_NAMES = {"audio": "sound", "subtitle": "subtitles", "attachment": "attachments"}


class CompanionCopier:
    """Copies the companions of a video file into an open output; see `open_companions`.

    Attributes:
        warnings: Conversion warnings: what the output cannot hold.
    """

    def __init__(self, source: Any, output: Any):
        self._output = output
        self._streams: dict[int, Any] = {}
        form = output.format.name
        lost = [_described(stream) for stream in _companions(source) if not self._add(stream)]
        self.warnings = [f"{form} cannot hold {what}" for what in dict.fromkeys(lost)]
        metadata, chapters = portable_metadata(source.metadata), source.chapters()
        self.warnings += [f"{form} cannot hold {key}" for key in _keys_lost(form, metadata)]
        output.metadata.update(metadata)
        if chapters:
            output.set_chapters(chapters)
        streams = [source.streams[index] for index in self._streams]
        self._packets = source.demux(*streams) if streams else iter(())
        self._next = self._read()

    def copy_until(self, seconds: Fraction | None) -> None:
        """Writes the packets up to a time, so that the output is interleaved; None for all."""
        while self._next is not None:
            packet = self._next
            if packet.dts is not None:  # The last packet of each stream is empty.
                if seconds is not None and packet.dts * packet.time_base > seconds:
                    return
                packet.stream = self._streams[packet.stream.index]
                self._output.mux(packet)
            self._next = self._read()

    def _read(self) -> Any:
        try:
            return next(self._packets, None)
        except av_module().error.FFmpegError:  # The reader of the frames says where the file ends.
            return None

    def _add(self, stream: Any) -> bool:
        """Adds a stream to the output; returns whether the output can hold it."""
        if stream.type == "attachment":
            if self._output.format.name != "matroska":
                return False
            name = stream.metadata.get("filename", "attachment")
            self._output.add_attachment(name, stream.mimetype or "", stream.data)
            return True
        try:
            copied = self._output.add_stream_from_template(stream)
        except ValueError:  # PyAV asks FFmpeg whether the format holds the codec.
            return False
        copied.metadata.update(portable_metadata(stream.metadata))
        copied.disposition = stream.disposition
        self._streams[stream.index] = copied
        return True


@contextlib.contextmanager
def open_companions(source: Path | None, output: Any) -> Iterator[CompanionCopier | None]:
    """Opens the companions of a video file for copying; None for frames that have none.

    Args:
        source: The video file that the frames come from; None for a folder of images.
        output: PyAV's container to write to, whose header is not yet written.
    """
    if source is None:
        yield None
        return
    with open_container(source) as container:
        yield CompanionCopier(container, output)


def companion_warnings(source: Path | None, output: str) -> list[str]:
    """Returns the conversion warnings of an output that holds nothing but frames, by its name."""
    if source is None:
        return []
    with open_container(source) as container:
        held = [_described(stream) for stream in _companions(container)]
        held += ["chapters"] * bool(container.chapters())
        held += sorted(portable_metadata(container.metadata))
    return [f"{output} cannot hold {what}" for what in dict.fromkeys(held)]


def _companions(container: Any) -> list[Any]:
    return [stream for stream in container.streams if stream.type in _NAMES]


def _described(stream: Any) -> str:
    """Returns a name for what a stream holds, as "sound (aac)"."""
    codec = stream.codec_context
    return _NAMES[stream.type] + (f" ({codec.name})" if codec else "")


def portable_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Returns metadata without what was true of the old file alone."""
    return {
        key: text
        for key, text in metadata.items()
        if key.lower() not in _OF_THE_FILE and not key.startswith(("_STATISTICS", "NUMBER_OF_"))
    }


def _keys_lost(form: str, metadata: Mapping[str, str]) -> Sequence[str]:
    """Returns the keys that do not come back from a file of one frame in memory."""
    av, file = av_module(), io.BytesIO()
    with av.open(file, "w", format=form) as probe:
        probe.metadata.update(metadata)
        stream = probe.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        probe.mux(stream.encode(frame))
        probe.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, metadata_errors="replace") as probe:
        kept = {key.lower() for key in probe.metadata}
    return [key for key in metadata if key.lower() not in kept]
