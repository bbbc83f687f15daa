"""Clips whose frames are known: written by hand, or losslessly."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image


def moving_frames(count: int, height: int, width: int, motion=(1, 2), seed=0) -> np.ndarray:
    """uint8 [count, height, width, 3]: a blurred random picture that moves by whole pixels."""
    down, right = motion
    random = np.random.default_rng(seed)
    size = (height + count * abs(down), width + count * abs(right))
    # Mostly of one color, since the video files halve the resolution of color.
    scene = random.random((*size, 1)) + 0.15 * random.random((*size, 3))
    for axis in (0, 1, 0, 1):
        scene = sum(np.roll(scene, shift, axis) for shift in range(-2, 3)) / 5
    scene = np.rint(255 * (scene - scene.min()) / np.ptp(scene)).astype(np.uint8)
    corners = [
        (index * down + max(0, -down * count), index * right + max(0, -right * count))
        for index in range(count)
    ]
    return np.stack([scene[top : top + height, left : left + width] for top, left in corners])


def write_y4m(path: Path, luma: np.ndarray, rate: Fraction = Fraction(25)) -> None:
    """Writes gray frames as YUV4MPEG2 with full color resolution, byte by byte.

    Args:
        path: the file.
        luma: uint8 [frames, height, width], of the limited range, 16 to 235.
        rate: frames per second.
    """
    count, height, width = luma.shape
    gray = np.full((2, height, width), 128, np.uint8).tobytes()
    head = f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} Ip A1:1 C444\n"
    with path.open("wb") as file:
        file.write(head.encode())
        for frame in luma:
            file.write(b"FRAME\n" + frame.tobytes() + gray)


def encode(path, frames, codec="libx264", pix_fmt="yuv444p", **tags) -> None:
    """Encodes frames by PyAV alone, with tags of the codec context as given."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "0"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def write_folder(folder: Path, frames: np.ndarray) -> list[Path]:
    """Writes frames as PNG files whose names are in natural, not in alphabetical order."""
    folder.mkdir(parents=True)
    paths = [folder / f"frame{number}.png" for number in range(8, 8 + len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        Image.fromarray(frame).save(path)
    return paths


def everything_below(folder: Path) -> list[str]:
    """All files and folders, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def encode_with_companions(
    path: Path, frames: np.ndarray, subtitles: str
) -> dict[str, list[bytes]]:
    """Encodes frames with sound, subtitles, two chapters, a title and a time; 25 frames a second.

    Returns:
        The packets of sound and of subtitles.
    """
    thousandth = Fraction(1, 1000)
    said: dict[str, list[bytes]] = {"audio": [], "subtitle": [b"Hello"]}
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": "Ferien", "creation_time": "2020-05-06T07:08:09Z"})
        video = container.add_stream("libx264", rate=25, options={"crf": "0"})
        video.height, video.width = frames.shape[1:3]
        sound = container.add_stream("aac", rate=48000, layout="mono")
        sound.metadata["language"] = "deu"
        words = container.add_mux_stream(subtitles)
        halves = [{"id": n, "start": 40 * n, "end": 40 * n + 40} for n in range(2)]
        container.set_chapters(
            [{**half, "time_base": thousandth, "metadata": {"title": "Tag"}} for half in halves]
        )
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode(None))
        samples = np.random.default_rng(0).normal(0, 0.1, (1, 1920 * len(frames)))
        picked = av.AudioFrame.from_ndarray(samples.astype(np.float32), "fltp", "mono")
        picked.rate, picked.pts = 48000, 0
        for packet in [*sound.encode(picked), *sound.encode(None)]:
            said["audio"].append(bytes(packet))
            container.mux(packet)
        packet = av.Packet(b"Hello")
        packet.stream, packet.time_base = words, thousandth
        packet.pts, packet.dts, packet.duration = 10, 10, 30
        container.mux(packet)
    return said
