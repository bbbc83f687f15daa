"""Scoring a network on video during its training: the middle frames of held-out windows.

Noise, rounding and PSNR are those of the evaluation; a frame's noise is seeded by its own name, so
that it is the same in every window that it is part of.
"""

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mallenet_tf.common.checks import (
    check_integers,
    check_limit,
    check_noise,
    check_patterns,
    check_sigmas,
)
from mallenet_tf.data import (
    NoiseModel,
    SampleShape,
    VideoSource,
    add_gaussian_noise,
    window_pair,
)
from mallenet_tf.data.random_numbers import derive_key, sample_seed
from mallenet_tf.evaluation import psnr, side_by_side
from mallenet_tf.evaluation.validation import mean_psnr
from mallenet_tf.image_io import list_sequences, quantize
from mallenet_tf.inference.compiled_network import compile_network
from mallenet_tf.inference.padding import crop, pad_to_multiple
from mallenet_tf.models import DenoisingModel as Model


@dataclasses.dataclass(frozen=True)
class Window:
    """Frames around the one that is scored.

    Attributes:
        frames: uint8 [frames, height, width, channels], an odd number, the oldest first.
        names: of the frames, from which their noise follows.
    """

    frames: np.ndarray
    names: Sequence[str]

    def middle(self, count: int) -> "Window":
        """The `count` frames in the middle, `count` odd."""
        first = (len(self.frames) - count) // 2
        return Window(self.frames[first : first + count], self.names[first : first + count])


def _check_inputs(sigmas: object, noise: object, pictures: object) -> None:
    check_sigmas(sigmas)
    if noise is not None:
        check_noise(noise)
    check_integers(0, pictures=pictures)


@dataclasses.dataclass(frozen=True)
class VideoValidation:
    """Mean PSNR over frames of videos, for networks of video and of single images.

    Attributes:
        patterns: folders of frames and video files, as `image_io.list_sequences` takes them.
        sigmas: levels of white Gaussian noise in 8-bit units, told to networks that ask.
        noise: a training noise model instead, noise level maps included.
        each: frames of each video that are scored, evenly spread over it.
        limit: use the first so many videos; None for all.
        size: side of the square in the middle of the frames that is used; None for whole frames,
            which the network gets at once.
        pictures: how many frames to show side by side in TensorBoard.
    """

    patterns: str | Sequence[str | os.PathLike]
    sigmas: Sequence[float] = (25.0,)
    noise: NoiseModel | None = None
    each: int = 4
    limit: int | None = None
    size: int | None = None
    pictures: int = 2

    def __post_init__(self) -> None:
        check_patterns(self.patterns)
        check_limit(self.limit)
        check_integers(1, each=self.each)
        if self.size is not None:
            check_integers(1, size=self.size)
        _check_inputs(self.sigmas, self.noise, self.pictures)

    def scorer(self, model: Model):
        """As `Validation.scorer`; with a noise model the one label is "noise".

        Raises:
            ValueError: if a video has fewer frames than the network takes.
            FileNotFoundError, UnreadableVideoError, UnreadableImageError: as
                `image_io.list_sequences` and `FrameSequence.read`.
        """
        windows = list(self._windows(model))
        return window_scorer(model, windows, self.sigmas, self.noise, self.pictures)

    def _windows(self, model: Model) -> Iterator[Window]:
        reach = model.frames // 2
        for sequence in itertools.islice(list_sequences(self.patterns), self.limit):
            frames = [self._middle(frame) for frame in sequence.read(model.image_channels)]
            if len(frames) < model.frames:
                raise ValueError(
                    f"A video has fewer frames than the {model.frames} that the network takes. "
                    f"Received: {sequence.path} with {len(frames)}"
                )
            chosen = np.linspace(reach, len(frames) - 1 - reach, self.each).round().astype(int)
            for index in sorted(set(chosen.tolist())):
                numbers = range(index - reach, index + reach + 1)
                names = [f"{sequence.path.name}/{number}" for number in numbers]
                yield Window(np.stack([frames[number] for number in numbers]), names)

    def _middle(self, frame: np.ndarray) -> np.ndarray:
        if self.size is None:
            return frame
        top, left = (max(0, (side - self.size) // 2) for side in frame.shape[:2])
        return frame[top : top + self.size, left : left + self.size]


@dataclasses.dataclass(frozen=True)
class SceneValidation:
    """Mean PSNR over windows of a source of video, such as `data.MovingScenes`: no files needed.

    Attributes:
        source: where the windows come from. They are not those of a training with the same source,
            but generated alike; held-out photographs need a source of their own.
        sigmas, noise, pictures: as of `VideoValidation`.
        count: windows.
        size: their side, in pixels.
        frames: how many frames the windows have; None for as many as the network takes. The same
            number gives networks that take different ones the same frames to denoise.
    """

    source: VideoSource
    sigmas: Sequence[float] = (25.0,)
    noise: NoiseModel | None = None
    count: int = 16
    size: int = 96
    frames: int | None = None
    pictures: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.source, VideoSource):
            raise ValueError(
                "source is a source of video, in gin @MovingScenes() with (). "
                f"Received: source={self.source!r}"
            )
        check_integers(1, count=self.count, size=self.size)
        if self.frames is not None:
            check_integers(1, frames=self.frames)
        _check_inputs(self.sigmas, self.noise, self.pictures)

    def scorer(self, model: Model):
        """As `VideoValidation.scorer`."""
        windows = self.windows(model.image_channels, self.frames or model.frames)
        return window_scorer(model, windows, self.sigmas, self.noise, self.pictures)

    def windows(self, channels: int, frames: int) -> list[Window]:
        """The windows, the same at each call."""
        shape = SampleShape(self.size, channels, frames)
        drawn = self.source.samples(shape, derive_key(0, "validation"))
        made = []
        for number, stacked in enumerate(drawn.take(self.count).as_numpy_iterator()):
            offsets = range(-(frames // 2), frames // 2 + 1)
            names = [f"scene {number}/{offset}" for offset in offsets]
            made.append(Window(np.stack(np.split(stacked, frames, axis=-1)), names))
        return made


def window_scorer(
    model: Model,
    windows: Sequence[Window],
    sigmas: Sequence[float],
    noise: NoiseModel | None,
    pictures: int,
) -> Callable:
    """The function that scores `model`'s current weights on windows; see `Validation.scorer`.

    Raises:
        ValueError: if the windows have fewer frames than the network takes.
    """
    network = compile_network(model)  # sees the weights as they are when it is called
    channels, count = model.image_channels, model.frames
    if any(len(window.frames) < count for window in windows):
        raise ValueError(
            f"The network takes {count} frames. Received: windows of {len(windows[0].frames)}"
        )
    own = [window.middle(count) for window in windows]
    shown = slice(count // 2 * channels, (count // 2 + 1) * channels)
    inputs: dict[str, Callable[[int], np.ndarray]] = {
        f"sigma_{sigma:g}": functools.partial(_gaussian, own, model, sigma) for sigma in sigmas
    }
    if noise is not None:
        inputs = {"noise": functools.partial(_modelled, own, noise)}

    def score(model: Model):
        scores, shots = {}, {}
        for label, make in inputs.items():
            values = []
            for index, window in enumerate(own):
                clean, given = window.frames[count // 2], make(index)
                batch = pad_to_multiple(given, model.padding_multiple)[None]
                denoised = quantize(crop(network(batch)[0], *clean.shape[:2]))
                values.append(psnr(clean, denoised, 255))
                if index < pictures:
                    name = f"{window.names[count // 2]}_{label}"
                    shots[name] = side_by_side(given[..., shown], denoised, clean)
            scores[label] = mean_psnr(values)
        return scores, shots

    return score


def _gaussian(windows: Sequence[Window], model: Model, sigma: float, index: int) -> np.ndarray:
    """The network's input: noisy frames, and their level for a network that asks for it."""
    window = windows[index]
    noisy = [
        add_gaussian_noise(frame, sigma, name)
        for frame, name in zip(window.frames, window.names, strict=True)
    ]
    if model.noise_conditioned:
        noisy.append(np.full((*noisy[0].shape[:2], 1), sigma / 255.0, np.float32))
    return np.concatenate(noisy, axis=-1)


def _modelled(windows: Sequence[Window], noise: NoiseModel, index: int) -> np.ndarray:
    window = windows[index]
    stacked = np.concatenate(list(window.frames), axis=-1) / np.float32(255.0)
    seed = sample_seed(derive_key(0, "validation"), index)
    given, _ = window_pair(noise, stacked, len(window.frames), seed)
    return given.numpy()
