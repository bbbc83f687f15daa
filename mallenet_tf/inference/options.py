"""What the denoise command can be asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from PIL import ImageColor

from mallenet_tf.common.checks import parse_sigma as parse_level
from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.picture import MAX_PIXELS, WHITE


@dataclass(frozen=True)
class Options:
    """Options of a batch; each has the name of its flag.

    Attributes:
        weights: Shipped name, `.keras` file or run folder; None for the shipped ones, see
            `noise_level.default_weights`.
        sigma: Noise level in 8-bit units; None estimates it from each image, once for a video.
        strength: Share of the noise that is removed, from 0 to 1.
        luminance: Share of the noise's luminance that is removed, grain, from 0 to 1.
        color: Share of the noise's color that is removed, blotches, from 0 to 1.
        max_memory: Memory of the process, see `memory.parse_memory`; None for no limit.
        tile: Side of the tiles in pixels; None for the fastest that fits the memory, 0 for none.
        ensemble: Whether to average over the eight flips and rotations.
        overwrite: Whether to replace outputs that exist; otherwise they are skipped.
        json: Whether to print a JSON summary to stdout, and all else to stderr.
        recursive: For images: whether to search subfolders.
        compare: For images: whether to write a picture of before and after beside each result.
        show_kernels: For images: pixels (x, y) for a picture of the predicted kernels beside each
            result; None for no such picture.
        linear: For camera raw: whether to write linear light, as floats.
        video: Whether the input is a folder that holds the frames of one video.
        frame_rate: For videos: frames per second of a folder that becomes a video file.
        background: Red, green and blue behind transparent images in formats without transparency.
        keep_times: Whether a result gets the times of its file.
        max_pixels: An image of more is taken for a decompression bomb.
        temporal_profile: For videos: row of which a picture over time is written beside the output.
    """

    weights: str | Path | None = None
    sigma: float | None = None
    strength: float = 1.0
    luminance: float = 1.0
    color: float = 1.0
    max_memory: str | None = None
    tile: int | None = None
    ensemble: bool = False
    overwrite: bool = False
    json: bool = False
    recursive: bool = False
    compare: bool = False
    show_kernels: Sequence[tuple[int, int]] | None = None
    linear: bool = False
    background: tuple[int, int, int] = WHITE
    keep_times: bool = False
    max_pixels: int = MAX_PIXELS
    video: bool = False
    frame_rate: float | None = None
    temporal_profile: int | None = None

    @classmethod
    def parse(
        cls, sigma: str, show_kernels: Sequence[str] | None, background: str, **others: Any
    ) -> Options:
        """Makes options from the values of flags.

        Raises:
            UserError: If the text of a flag is not what the flag takes.
        """
        return cls(
            sigma=parse_sigma(sigma),
            show_kernels=parse_pixels(show_kernels),
            background=parse_color(background),
            **others,
        )

    @property
    def stream(self) -> TextIO:
        """Where lines for the user go."""
        return sys.stderr if self.json else sys.stdout

    def refuse(self, what: str, *names: str) -> None:
        """Raises UserError if one of the named options is given, which are not for `what`."""
        for name in names:
            value = getattr(self, name)
            if value is not None and value is not False:
                raise UserError(f"--{name} is not for {what}. Received: --{name}={value}")


def parse_sigma(text: str) -> float | None:
    """Parses `--sigma`; returns None for "auto".

    Raises:
        UserError: If it is neither "auto" nor a number from 0 to 255.
    """
    return None if text == "auto" else parse_level(text)


def parse_pixels(texts: Sequence[str] | None) -> tuple[tuple[int, int], ...] | None:
    """Parses each `--show_kernels`, as "X,Y"; returns None if there are none.

    Raises:
        UserError: If one is no pair of whole numbers.
    """
    pixels = []
    for text in texts or []:
        try:
            x, y = map(int, text.split(","))
        except ValueError as error:
            raise UserError(f"A pixel is given as X,Y. Received: --show_kernels={text}") from error
        pixels.append((x, y))
    return tuple(pixels) or None


def parse_color(text: str) -> tuple[int, int, int]:
    """Parses `--background`, a color's name or #RRGGBB.

    Raises:
        UserError: If it is neither.
    """
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise UserError(
            f"A color is given by its name or as #RRGGBB. Received: --background={text}"
        ) from error
