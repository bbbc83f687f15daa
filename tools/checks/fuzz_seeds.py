"""Small whole files of every format that is read, to be damaged."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.formats import FORMATS
from mallenet_tf.image_io.image_writer import write_picture
from mallenet_tf.image_io.picture import Metadata, Picture

_VIDEOS = {
    "h264.mp4": ("libx264", "yuv420p"),
    "h264.mkv": ("libx264", "yuv420p10le"),
    "ffv1.mkv": ("ffv1", "bgr0"),
    "mpeg2.ts": ("mpeg2video", "yuv420p"),
    "mjpeg.avi": ("mjpeg", "yuvj420p"),
    "vp9.webm": ("libvpx-vp9", "yuv420p"),
    "raw.y4m": ("wrapped_avframe", "yuv420p"),
}


def write_seeds(folder: Path, videos: bool = False) -> list[Path]:
    """Writes images of every depth and format, or videos and animations."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    noise = random.normal(128, 20, (24, 40, 4)).clip(0, 255)
    frames = [Image.fromarray(noise[..., :3].astype(np.uint8) // n) for n in (1, 2, 3)]
    if videos:
        for name in ("animated.gif", "animated.webp", "animated.png"):
            frames[0].save(folder / name, save_all=True, append_images=frames[1:], duration=50)
        for name, (codec, pix_fmt) in _VIDEOS.items():
            write_video(folder / name, codec, pix_fmt, frames)
        return sorted(folder.iterdir())
    for suffix in FORMATS:
        for kind, scale in ((np.uint8, 1), (np.uint16, 257), (np.float32, 1 / 255)):
            for channels in (1, 3, 4):
                samples = (noise[..., :channels] * scale).astype(kind)
                path = folder / f"{np.dtype(kind).name}_{channels}{suffix}"
                metadata = Metadata(exif=_exif(), dpi=(72.0, 72.0))
                try:
                    write_picture(path, Picture(samples, metadata=metadata))
                except UserError:
                    continue  # The format holds no such pixels.
    frames[0].quantize(16).save(folder / "palette.png")
    frames[0].convert("1").save(folder / "one_bit.tif", compression="group4")
    frames[0].convert("CMYK").save(folder / "cmyk.jpg")
    frames[0].save(folder / "progressive.jpg", progressive=True, optimize=True)
    return sorted(folder.iterdir())


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    return exif.tobytes()


def write_video(path: Path, codec: str, pix_fmt: str, frames: list[Image.Image]) -> None:
    """Writes a video, with sound where the format has it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = frames[0].height, frames[0].width, pix_fmt
        sound = None
        if path.suffix in (".mp4", ".mkv", ".ts"):
            container.metadata["title"] = "Title"
            sound = container.add_stream("aac", rate=48000, layout="mono")
        for image in frames * 3:
            frame = av.VideoFrame.from_image(image).reformat(format=pix_fmt)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.float32), "fltp", "mono")
            silence.rate, silence.pts = 48000, 0
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
