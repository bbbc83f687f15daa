"""Files denoised as the command does it, and networks for the files of a test."""

from collections.abc import Sequence

import numpy as np

from mallenet_tf.inference import Denoiser
from mallenet_tf.inference.batch import denoise_files
from mallenet_tf.inference.batch_plan import plan_jobs
from mallenet_tf.inference.networks import Networks
from mallenet_tf.inference.options import Options
from mallenet_tf.inference.outcome import Outcome
from mallenet_tf.inference.video_file import denoise_video_file


class OneNetwork(Networks):
    """Gives every file the same network."""

    def __init__(self, denoiser: Denoiser, max_memory: int | None = None):
        self.denoiser, self.max_memory = denoiser, max_memory

    def choose(self, images: Sequence[np.ndarray]) -> Denoiser:
        return self.denoiser


def run(inputs, output, weights=None, sigma=None, **options) -> int:
    """The exit status of the command, once its flags are parsed."""
    return denoise_files(inputs, output, Options(weights, sigma, **options))


def run_video(inputs, output, weights, sigma=None, **options) -> Outcome:
    """Denoises one video; raises what the command would report."""
    chosen = Options(weights, sigma, video=True, **options)
    (job,) = plan_jobs(inputs, output, chosen)
    return denoise_video_file(job, Networks(chosen, video=True), chosen)
