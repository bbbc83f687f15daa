"""Measures the noise level estimate on benchmark photographs.

    python tools/check_sigma_estimate.py DATA/cbsd68 DATA/kodak24

TABLE
"""

import argparse
import time

import numpy as np

from mallenet_tf.data import add_gaussian_noise, list_images, load_images
from mallenet_tf.inference import estimate_sigma

SIGMAS = (5, 10, 15, 25, 35, 50, 75)


def relative_errors(folder: str, channels: int, clipped: bool, every: int) -> np.ndarray:
    """Relative errors in percent, [sigmas, images]."""
    images = list(load_images(list_images(folder)[::every], channels))
    return 100.0 * np.array(
        [
            [
                estimate_sigma(add_gaussian_noise(image, sigma, name, clipped)) / sigma - 1.0
                for name, image in images
            ]
            for sigma in SIGMAS
        ]
    )


def main() -> None:
    """Prints a line per folder, kind and track."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--every", type=int, default=1, help="use every so many-th image")
    options = parser.parse_args()
    print("mean absolute error and the error farthest from 0, in percent of sigma")
    print(" " * 28 + "".join(f"{sigma:>14}" for sigma in SIGMAS))
    for folder in options.folders:
        for channels, clipped in ((3, False), (3, True), (1, False), (1, True)):
            start = time.perf_counter()
            errors = relative_errors(folder, channels, clipped, options.every)
            seconds = (time.perf_counter() - start) / errors.size
            kind = (
                f"{'colour' if channels == 3 else 'gray'} {'clipped' if clipped else 'unclipped'}"
            )
            worst = [row[np.abs(row).argmax()] for row in errors]
            cells = [
                f"{np.abs(row).mean():6.1f} {far:+6.1f}"
                for row, far in zip(errors, worst, strict=True)
            ]
            print(
                f"{folder.rstrip('/').split('/')[-1]:<10}{kind:<18}" + " ".join(cells), flush=True
            )
            print(
                f"{'':10}{seconds:.2f} s each; "
                f"within 10 %: {100 * (np.abs(errors) <= 10).mean():.1f} %"
            )


if __name__ == "__main__":
    main()
