"""Scoring a network on video during its training: the middle frames of held-out windows.

Noise, rounding and PSNR are those of the benchmarks. A frame's noise is seeded by its own name, so
that it is the same in every window of which it is part.
"""

import dataclasses
import functools
import itertools
import os
from collections.abc import Iterator, Sequence

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
from mallenet_tf.evaluation.validation import Sample, Score, make_score, split_sample
from mallenet_tf.image_io import list_sequences
from mallenet_tf.models import DenoisingModel as Model


@dataclasses.dataclass(frozen=True)
class Window:
    """Frames around the one that is scored.

    Attributes:
        frames: uint8 [frames, height, width, channels], an odd number, the oldest first.
        names: Names of the frames, which seed their noise.
    """

    frames: np.ndarray
    names: Sequence[str]

    def middle(self, count: int) -> "Window":
        """Returns the `count` frames in the middle, `count` odd."""
        first = (len(self.frames) - count) // 2
        return Window(self.frames[first : first + count], self.names[first : first + count])

    @property
    def target(self) -> tuple[str, np.ndarray]:
        """Name and pixels of the middle frame."""
        middle = len(self.frames) // 2
        return self.names[middle], self.frames[middle]


def _check_inputs(sigmas: object, noise: object, pictures: object) -> None:
    check_sigmas(sigmas)
    if noise is not None:
        check_noise(noise)
    check_integers(0, pictures=pictures)


@dataclasses.dataclass(frozen=True)
class VideoValidation:
    """Mean PSNR over frames of videos, for networks of video and of single images.

    Attributes:
        patterns: Folders of frames and video files, as `image_io.list_sequences` takes them.
        sigmas: Levels of white Gaussian noise in 8-bit units, told to networks that take one.
        noise: Training noise model to use in place of sigmas, noise level maps included.
        each: Number of frames to score in each video, evenly spread over it.
        step: Distance between the frames of a window, in frames of the video: 2 is half its frame
            rate.
        room_for: Largest step that is compared; with the same number, all steps are scored on the
            same frames. None for `step`.
        limit: Number of videos to use, the first ones; None for all.
        size: Side of the square in the middle of the frames that is used; None for whole frames.
        pictures: Number of frames to show side by side in TensorBoard.
    """

    patterns: str | Sequence[str | os.PathLike]
    sigmas: Sequence[float] = (25.0,)
    noise: NoiseModel | None = None
    each: int = 4
    step: int = 1
    room_for: int | None = None
    limit: int | None = None
    size: int | None = None
    pictures: int = 2

    def __post_init__(self) -> None:
        check_patterns(self.patterns)
        check_limit(self.limit)
        check_integers(1, each=self.each, step=self.step)
        if self.room_for is not None:
            check_integers(self.step, room_for=self.room_for)
        if self.size is not None:
            check_integers(1, size=self.size)
        _check_inputs(self.sigmas, self.noise, self.pictures)

    def scorer(self, model: Model) -> Score:
        """See `Validator`; the labels are "sigma_25" and so on, or "noise" for a noise model.

        Raises:
            ValueError: If a video has fewer frames than the network takes.
            FileNotFoundError: If there are no such videos.
            UnreadableVideoError: If a video file is damaged.
            UnreadableImageError: If a frame is damaged.
        """
        windows = list(self.windows(model.image_channels, model.frames))
        return window_scorer(model, windows, self.sigmas, self.noise, self.pictures)

    def windows(self, channels: int, count: int) -> Iterator[Window]:
        """Yields windows of `count` frames of `channels` channels, with the frames to score."""
        radius = count // 2 * self.step
        room = count // 2 * (self.room_for or self.step)
        for sequence in itertools.islice(list_sequences(self.patterns), self.limit):
            frames = [self._middle(frame) for frame in sequence.read(channels)]
            if len(frames) < 2 * room + 1:
                raise ValueError(
                    f"A video has fewer frames than the {2 * room + 1} that the network takes. "
                    f"Received: {sequence.path} with {len(frames)}"
                )
            chosen = np.linspace(room, len(frames) - 1 - room, self.each).round().astype(int)
            for index in sorted(set(chosen.tolist())):
                numbers = range(index - radius, index + radius + 1, self.step)
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
        source: Source of the windows. They differ from those of a training run with the same
            source, but have the same distribution; held-out photographs need a source of their own.
        sigmas: See `VideoValidation`.
        noise: See `VideoValidation`.
        count: Number of windows.
        size: Side of the windows in pixels.
        frames: Number of frames of the windows; None for as many as the network takes. With the
            same number, networks that take different numbers denoise the same frames.
        pictures: See `VideoValidation`.
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

    def scorer(self, model: Model) -> Score:
        """See `VideoValidation.scorer`."""
        windows = self.windows(model.image_channels, self.frames or model.frames)
        return window_scorer(model, windows, self.sigmas, self.noise, self.pictures)

    def windows(self, channels: int, frames: int) -> list[Window]:
        """Makes the windows, the same at each call."""
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
) -> Score:
    """Makes the function that scores a model on windows.

    Raises:
        ValueError: If the windows have fewer frames than the network takes.
    """
    count = model.frames
    if any(len(window.frames) < count for window in windows):
        raise ValueError(
            f"The network takes {count} frames. Received: windows of {len(windows[0].frames)}"
        )
    own = [window.middle(count) for window in windows]
    if noise is not None:
        samples = {"noise": functools.partial(_samples_of_noise_model, own, noise)}
    else:
        told = bool(model.noise_conditioned)
        samples = {
            f"sigma_{sigma:g}": functools.partial(_gaussian_samples, own, sigma, told)
            for sigma in sigmas
        }
    return make_score(model, samples, pictures)


def _gaussian_samples(windows: Sequence[Window], sigma: float, told: bool) -> Iterator[Sample]:
    for window in windows:
        noisy = [
            add_gaussian_noise(frame, sigma, name)
            for frame, name in zip(window.frames, window.names, strict=True)
        ]
        name, clean = window.target
        yield Sample(f"{name}_sigma_{sigma:g}", noisy, clean, sigma if told else None)


def _samples_of_noise_model(windows: Sequence[Window], noise: NoiseModel) -> Iterator[Sample]:
    key = derive_key(0, "validation")
    for index, window in enumerate(windows):
        count = len(window.frames)
        stacked = np.concatenate(list(window.frames), axis=-1) / np.float32(255.0)
        noisy = window_pair(noise, stacked, count, sample_seed(key, index))[0].numpy()
        name, clean = window.target
        yield split_sample(f"{name}_noise", noisy, clean, count)
