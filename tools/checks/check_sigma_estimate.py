"""Measures the noise level estimate on benchmark photographs.

    python tools/checks/check_sigma_estimate.py DATA/cbsd68 DATA/kodak24

Mean absolute error and largest error, in percent of sigma, at sigma 5 to 75, over all images of
both sets, November 2026:

                                    5       10       15       25       35       50       75
    cbsd68  color  unclipped 0.5 +1.9 0.3 -1.5 0.4 -1.6 0.4 -1.4 0.4 -1.4 0.3 -1.3 0.3 -0.8
    cbsd68  color  clipped   0.5 -2.8 0.7 -5.5 0.7 +5.9 1.1 +9.2 1.0 +6.1 1.1 +7.3 0.9 +4.0
    cbsd68  gray unclipped   1.8+13.5 1.2 +6.4 1.0 +6.2 0.7 +4.6 0.6 +3.8 0.5 +2.7 0.4 +1.8
    cbsd68  gray clipped     2.3+14.0 1.6+12.0 1.5 +7.9 1.1 +6.6 1.2 +5.3 1.3 +5.4 1.8 +4.0
    kodak24 color  unclipped 1.0 +3.7 0.4 +2.1 0.3 +1.0 0.3 -1.1 0.3 -0.8 0.3 -0.6 0.3 -0.8
    kodak24 color  clipped   0.9 +3.3 0.4 +1.4 0.4 +1.2 0.6 +1.9 0.5 +1.9 0.4 +1.2 0.6 +1.3
    kodak24 gray unclipped   3.5 +8.2 1.4 +3.4 1.0 +4.0 0.7 +2.5 0.5 +2.0 0.3 +1.4 0.3 +0.8
    kodak24 gray clipped     3.6 +8.3 1.5 +3.3 1.0 +5.4 0.8 +3.1 0.7 +2.7 0.9 +2.5 1.6 +2.5
"""

import argparse
import time

import numpy as np

from mallenet_tf.data import add_gaussian_noise
from mallenet_tf.image_io import list_images, load_images
from mallenet_tf.inference import estimate_sigma

SIGMAS = (5, 10, 15, 25, 35, 50, 75)


def relative_errors(folder: str, channels: int, clipped: bool, every: int) -> np.ndarray:
    """Returns relative errors in percent, [sigmas, images]."""
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
    """Prints the errors for each folder, kind of image and track."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--every", type=int, default=1, help="use every Nth image")
    options = parser.parse_args()
    print("mean absolute error and largest error, in percent of sigma")
    print(" " * 28 + "".join(f"{sigma:>14}" for sigma in SIGMAS))
    for folder in options.folders:
        for channels, clipped in ((3, False), (3, True), (1, False), (1, True)):
            start = time.perf_counter()
            errors = relative_errors(folder, channels, clipped, options.every)
            seconds = (time.perf_counter() - start) / errors.size
            kind = f"{'color' if channels == 3 else 'gray'} {'clipped' if clipped else 'unclipped'}"
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
