"""Scores images and videos with sensor noise: `mallenet_tf.evaluate --noise=poisson_gaussian`."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mallenet_tf.common.errors import UserError, user_files, user_input
from mallenet_tf.common.files import fingerprint
from mallenet_tf.evaluation.baselines import find_baseline
from mallenet_tf.evaluation.benchmark import label_rows, report_rows
from mallenet_tf.evaluation.protocol import Row
from mallenet_tf.evaluation.report import format_clips
from mallenet_tf.evaluation.sensor_noise import (
    Clip,
    DenoiseFrames,
    SensorNoise,
    evaluate_clips,
    image_clips,
)
from mallenet_tf.evaluation.video_validation import VideoValidation
from mallenet_tf.image_io import list_images, list_sequences, load_images
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import load_model

BASELINE_FRAMES = 5  # of a video, as the paper's networks take
# What the paper calls "Low" and "High".
SIGMA_S, SIGMA_R = ("2.5e-3", "6.4e-3"), ("1e-2", "2e-2")


def parse_noises(shot: Sequence[str] | None, read: Sequence[str] | None) -> list[SensorNoise]:
    """Parses `--sigma_s` and `--sigma_r`, pair by pair.

    Raises:
        UserError: If they are not as many numbers from 0 to 1.
    """
    shot, read = shot or SIGMA_S, read or SIGMA_R
    try:
        pairs = [(float(s), float(r)) for s, r in zip(shot, read, strict=True)]
        if not all(0 <= value <= 1 for pair in pairs for value in pair):
            raise ValueError
    except ValueError as error:
        raise UserError(
            "--sigma_s and --sigma_r are as many numbers from 0 to 1, of linear light. "
            f"Received: --sigma_s={','.join(shot)} --sigma_r={','.join(read)}"
        ) from error
    return [SensorNoise(*pair) for pair in pairs]


def network_method(denoiser: Denoiser) -> DenoiseFrames:
    """Returns a network as a method; it is told the noise in the way it was trained with."""
    model = denoiser.model

    def denoise(noisy: Sequence[np.ndarray], noise: SensorNoise) -> np.ndarray:
        first = (len(noisy) - denoiser.frames) // 2
        window = noisy[first : first + denoiser.frames]
        middle = noisy[len(noisy) // 2]
        if not model.noise_conditioned:
            return denoiser.denoise_window(window)
        if model.level_map == "poisson_gaussian":
            return denoiser.denoise_window(window, None, noise.level_map(middle))
        return denoiser.denoise_window(window, 255.0 * noise.deviation(middle))

    return denoise


def baseline_method(name: str) -> DenoiseFrames:
    """Returns a baseline as a method; it is told the root mean square of the noise."""
    baseline = find_baseline(name)
    return lambda noisy, noise: baseline(noisy, noise.deviation(noisy[len(noisy) // 2]))


def video_clips(
    videos: Mapping[str, str],
    channels: int,
    frames: int,
    steps: Sequence[int] = (1,),
    each: int = 4,
    size: int | None = None,
) -> Iterator[Clip]:
    """Yields the clips of videos; all steps have the same middle frames.

    Args:
        videos: From the name of a subset to its videos, as `image_io.list_sequences` takes them.
        channels: 3 for color, 1 for gray.
        frames: Number of frames of a clip, odd.
        steps: Distances between the frames of a clip.
        each: Number of clips of each video and step.
        size: Side of the square in the middle that is used; None for whole frames.
    """
    for (name, patterns), step in itertools.product(videos.items(), steps):
        taken = VideoValidation(patterns, each=each, step=step, room_for=max(steps), size=size)
        for window in taken.windows(channels, frames):
            yield Clip(name, window.names, list(window.frames), step)


def run(
    weights: str | None,
    baseline: str | None,
    images: Mapping[str, str],
    videos: Mapping[str, str],
    noises: Sequence[SensorNoise],
    steps: Sequence[int] = (1,),
    output: Path | None = None,
    tile: int | None = None,
) -> list[Row]:
    """Scores weights or a baseline, prints the table and writes the CSV file.

    Args:
        weights: Weights, as `models.load_model` takes them; None for a baseline.
        baseline: Name of one of `baselines.BASELINES`, scored on gray images; None for weights.
        images: From the name of a subset to its clean images.
        videos: From the name of a subset to its clean videos.
        noises: Noises.
        steps: For videos: distances between frames, all scored on the same frames.
        output: CSV file to write; None for none.
        tile: Largest side denoised at once; 0 for no limit.

    Returns:
        The rows of `evaluate_clips`, labeled.

    Raises:
        UserError: If weights, images or videos are missing or damaged, or do not go together.
    """
    if baseline is None:
        with user_input():
            denoiser = Denoiser(load_model(weights or ""), tile=tile)
        method, frames = network_method(denoiser), denoiser.frames
        channels = denoiser.model.image_channels
    else:
        method, frames, channels = baseline_method(baseline), BASELINE_FRAMES, 1
    if images and frames > 1 and baseline is None:
        raise UserError(f"This network takes videos; give --video. Received: {weights}")
    with user_input():
        files = [path for each in images.values() for path in list_images(each)]
        for each in videos.values():
            for video in list_sequences(each):
                files += video.images or (video.path,)
    of_images = itertools.chain.from_iterable(
        image_clips(name, load_images(each, channels)) for name, each in images.items()
    )
    of_videos = video_clips(videos, channels, frames, steps)
    rows = [
        row
        for clips, given in ((of_images, images), (of_videos, videos))
        if given
        for row in evaluate_clips(method, user_files(clips), noises)
    ]
    labeled = label_rows(rows, weights, fingerprint(files), False, baseline)
    report_rows(labeled, format_clips(labeled), output)
    return labeled
