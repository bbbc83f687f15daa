"""Scores images and videos with the noise of a sensor, Poisson-Gaussian in linear light.

The protocol of deformable_kernels.txt, section 4 and Tables 2 to 4: the clean frame is converted to
linear light, gets Gaussian noise of variance sigma_s q + sigma_r^2 at intensity q, and is converted
back to sRGB, where PSNR and SSIM are measured after rounding to 8 bits. A frame's noise is a
function of its name alone.
"""

import dataclasses
import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from mallenet_tf.common import srgb
from mallenet_tf.evaluation.protocol import Row, mean_row, measures
from mallenet_tf.image_io import quantize


@dataclasses.dataclass(frozen=True)
class SensorNoise:
    """Shot and read noise, as `data.PoissonGaussianNoise` trains with.

    Attributes:
        sigma_s: Variance of the shot noise at intensity 1, of linear light in [0, 1].
        sigma_r: Standard deviation of the read noise.
    """

    sigma_s: float
    sigma_r: float

    def add(self, clean: np.ndarray, name: str) -> np.ndarray:
        """Returns a clean uint8 frame with noise, float32 in sRGB, neither clipped nor rounded."""
        linear = srgb.to_linear(clean.astype(np.float64) / 255.0, np)
        digest = hashlib.sha256(name.encode("utf-8")).digest()
        random = np.random.RandomState(np.frombuffer(digest, dtype="<u4"))
        deviation = np.sqrt(self.sigma_s * linear + self.sigma_r**2)
        noisy = linear + deviation * random.standard_normal(clean.shape)
        return srgb.to_srgb(noisy, np).astype(np.float32)

    def level_map(self, noisy: np.ndarray) -> np.ndarray:
        """Returns the map that a conditioned network was trained with, [H, W, 1]."""
        intensity = np.maximum(srgb.to_linear(noisy, np), 0.0).mean(-1, keepdims=True)
        return np.sqrt(self.sigma_r**2 + self.sigma_s * intensity).astype(np.float32)

    def deviation(self, noisy: np.ndarray) -> float:
        """Returns the root mean square of the noise in sRGB, for methods that take one number.

        The slope of the transfer function at each pixel scales the deviation in linear light.
        """
        linear = np.maximum(srgb.to_linear(noisy, np), 0.0)
        variance = self.sigma_s * linear + self.sigma_r**2
        return float(np.sqrt(np.mean(srgb.slope(linear, np) ** 2 * variance)))


# From noisy frames, the oldest first, float in [0, 1], and their noise to the middle one denoised.
DenoiseFrames = Callable[[Sequence[np.ndarray], SensorNoise], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Clip:
    """Frames whose middle one is scored; one frame for an image.

    Attributes:
        dataset: Name of the test set, or of a subset.
        names: Names of the frames, which seed their noise.
        frames: uint8 [H, W, C] each.
        step: Frames of the video from one to the next.
    """

    dataset: str
    names: Sequence[str]
    frames: Sequence[np.ndarray]
    step: int = 1


def evaluate_clips(
    denoise: DenoiseFrames, clips: Iterable[Clip], noises: Sequence[SensorNoise]
) -> list[Row]:
    """Scores a denoiser on clips with sensor noise.

    Returns:
        For each test set, step and noise: a row for each clip, then their mean. Keys: dataset,
        image, height, width, channels, step, sigma_s, sigma_r, track, psnr_noisy, ssim_noisy, psnr,
        ssim, seconds.

    Raises:
        ValueError: If there is no clip, or the denoiser returns another shape.
    """
    groups: dict[tuple[str, int, int], list[Row]] = {}
    for clip in clips:
        for number, noise in enumerate(noises):
            row = _score(denoise, clip, noise)
            groups.setdefault((clip.dataset, clip.step, number), []).append(row)
    if not groups:
        raise ValueError("There are no images to evaluate on. Received: clips=[]")
    return [row for rows in groups.values() for row in (*rows, _mean(rows))]


def _score(denoise: DenoiseFrames, clip: Clip, noise: SensorNoise) -> Row:
    noisy = [noise.add(frame, name) for frame, name in zip(clip.frames, clip.names, strict=True)]
    middle = len(noisy) // 2
    clean = clip.frames[middle]
    start = time.perf_counter()
    answer = denoise(noisy, noise)
    seconds = time.perf_counter() - start
    if answer.shape != clean.shape:
        raise ValueError(
            f"The denoiser must keep the frame's shape. Received: {answer.shape} for {clean.shape}"
        )
    height, width, channels = clean.shape
    row: Row = {
        "dataset": clip.dataset,
        "image": clip.names[middle],
        **{"height": height, "width": width, "channels": channels, "step": clip.step},
        **{"sigma": math.nan, "sigma_s": noise.sigma_s, "sigma_r": noise.sigma_r},
        "track": "sensor",
        "seconds": seconds,
    }
    for suffix, image in (("_noisy", noisy[middle]), ("", answer)):
        row |= measures(clean, quantize(image), suffix)
    return row


def _mean(rows: Sequence[Row]) -> Row:
    keep = {key: rows[0][key] for key in ("step", "sigma_s", "sigma_r")}
    return {**mean_row(rows), **keep}


def image_clips(dataset: str, images: Iterable[tuple[str, np.ndarray]]) -> Iterator[Clip]:
    """Makes clips of single images from pairs of a name and an image."""
    for name, image in images:
        yield Clip(dataset, [name], [image])
