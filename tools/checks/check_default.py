"""Measures what `denoise` does by default, on real, white and no noise.

    python tools/checks/check_default.py --pairs='data/polyu/*_real*' --rename=_real,_mean \
        --photographs='data/kodak24/*.png' --every=4

Prints the mean PSNR in 8 bits before and after, and the least gain of an image:

- real pairs, and the same with their noise at half and twice its strength, each beside the network
  told the one level that is best for all pairs;
- photographs with white noise of sigma 15, 25 and 50, stored in 8 bits, beside the network told
  sigma;
- clean photographs as they are and as JPEG of quality 92, where the result should be the input.
"""

import argparse
import io
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from PIL import Image

import mallenet_tf
from mallenet_tf.common.progress import progress
from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.evaluation import psnr
from mallenet_tf.image_io import load_images, load_pairs, quantize

LEVELS = (1.5, 2.0, 3.0, 4.5, 6.0)  # That a network is told for all pairs.
STRENGTHS = (1.0, 0.5, 2.0)  # The first decides which level is best for all.
UNCHANGED = 99.0  # dB, instead of infinity.
SIGMAS = (15.0, 25.0, 50.0)
PHOTO, WHITE = mallenet_tf.models.DEFAULT_PHOTO_WEIGHTS, mallenet_tf.models.DEFAULT_WEIGHTS

Pair = tuple[np.ndarray, np.ndarray]
Denoise = Callable[[np.ndarray], np.ndarray]


def scores(pairs: Sequence[Pair], denoise: Denoise = mallenet_tf.denoise_image) -> np.ndarray:
    """Returns PSNRs before and after, [images, 2], of (noisy, clean) in uint8."""
    rows = [
        [min(psnr(clean, image, peak=255), UNCHANGED) for image in (noisy, denoise(noisy))]
        for noisy, clean in progress(pairs, len(pairs), "Images", "image", keep=False)
    ]
    return np.array(rows)


def report(name: str, rows: np.ndarray) -> None:
    """Prints means and the least gain."""
    before, after = rows.mean(0)
    gains = rows[:, 1] - rows[:, 0]
    print(f"{name:44s} {before:6.2f} -> {after:6.2f} dB, least gain {gains.min():5.2f}", flush=True)


def check_pairs(pairs: Sequence[Pair]) -> None:
    """Scores real pairs at several strengths of their noise."""
    levels: Sequence[float] = LEVELS
    for strength in STRENGTHS:
        blended = [
            (quantize((clean + strength * (noisy.astype(np.float32) - clean)) / 255.0), clean)
            for noisy, clean in pairs
        ]
        report(f"real noise x {strength:g}", scores(blended))
        told = {
            level: scores(blended, partial(mallenet_tf.denoise_image, sigma=level, weights=PHOTO))
            for level in levels
        }
        best = max(levels, key=lambda level: told[level][:, 1].mean())
        report(f"real noise x {strength:g}, all told {best:g}", told[best])
        levels = (best,)


def check_white(photographs: Sequence[tuple[str, np.ndarray]]) -> None:
    """Scores white noise, by default and told sigma."""
    for sigma in SIGMAS:
        noisy = [
            (quantize(add_gaussian_noise(clean, sigma, name, clipped=True)), clean)
            for name, clean in photographs
        ]
        report(f"white noise, sigma {sigma:g}", scores(noisy))
        told = scores(noisy, partial(mallenet_tf.denoise_image, sigma=sigma, weights=WHITE))
        report(f"white noise, sigma {sigma:g}, told", told)


def as_jpeg(image: np.ndarray) -> np.ndarray:
    """Returns an image after JPEG of quality 92."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=92)
    return np.array(Image.open(file))


def check_clean(photographs: Sequence[tuple[str, np.ndarray]]) -> None:
    """Prints how far results of clean photographs are from them."""
    for name, store in (("as they are", lambda image: image), ("as JPEG 92", as_jpeg)):
        inputs = [store(image) for _, image in photographs]
        rows = scores([(image, image) for image in inputs])[:, 1]
        print(f"clean photographs {name:26s} {rows.mean():6.2f} dB, least {rows.min():6.2f}")


def main() -> None:
    """Prints all scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", nargs="*", default=[], help="noisy images of real pairs")
    parser.add_argument("--rename", default="_real,_mean", help="OLD,NEW in a clean image's name")
    parser.add_argument("--photographs", nargs="*", default=[], help="clean photographs")
    parser.add_argument("--every", type=int, default=1, help="use every Nth pair and photograph")
    options = parser.parse_args()
    old, new = options.rename.split(",")
    if options.pairs:
        pairs = [pair for _, *pair in load_pairs(options.pairs, (old, new), 3)]
        check_pairs(pairs[:: options.every])
    if options.photographs:
        photographs = list(load_images(options.photographs, 3))[:: options.every]
        check_white(photographs)
        check_clean(photographs)


if __name__ == "__main__":
    main()
