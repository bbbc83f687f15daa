"""Chooses the benchmark that `python -m mallenet_tf.evaluate` asks for."""

from collections.abc import Sequence
from pathlib import Path

from mallenet_tf.common.checks import parse_sigma
from mallenet_tf.common.errors import UserError
from mallenet_tf.common.startup import start_keras

SIGMAS = ("15", "25", "50")
NOISES = ("gaussian", "poisson_gaussian")


def run(
    weights: str | None,
    data: Sequence[str],
    pairs: Sequence[str],
    sidd: str | None,
    rename: Sequence[str],
    sigmas: Sequence[str] | None,
    output: str | None,
    clipped: bool,
    ensemble: bool,
    save_images: str | None,
    tile: int,
    noise: str = "gaussian",
    sigma_s: Sequence[str] | None = None,
    sigma_r: Sequence[str] | None = None,
    video: Sequence[str] = (),
    steps: Sequence[str] = ("1",),
    baseline: str | None = None,
) -> None:
    """Scores weights on data sets with added noise, on pairs, or on SIDD's validation blocks.

    Args:
        weights: Weights, as `models.load_model` takes them; None for the default, on pairs only.
        data: Data sets, as `gaussian_benchmark.name_datasets` takes them.
        pairs: Noisy images, as `image_io.list_pairs` takes them.
        sidd: Folder with SIDD's validation blocks.
        rename: For pairs: what to replace in a noisy image's name, and by what.
        sigmas: For data: noise levels in 8-bit units; None for `SIGMAS`.
        output: CSV file to write; None for none.
        clipped: For data: whether to clip the noisy images, see `evaluation.protocol`.
        ensemble: Whether to average over flips and rotations.
        save_images: For data: folder for the denoised images; None for none.
        tile: Largest side denoised at once; 0 for no limit.
        noise: "gaussian", or "poisson_gaussian" for the noise of a sensor.
        sigma_s: For a sensor's noise: variances of the shot noise; None for the paper's two.
        sigma_r: For a sensor's noise: standard deviations of the read noise, as many.
        video: For a sensor's noise: subsets of videos.
        steps: For videos: distances between frames.
        baseline: For a sensor's noise: method to score instead of weights.

    Raises:
        UserError: If the arguments do not go together, weights or images are missing or damaged,
            or the output cannot be written.
    """
    if noise not in NOISES:
        raise UserError(f"--noise is one of {', '.join(NOISES)}. Received: --noise={noise}")
    if noise == "poisson_gaussian":
        chosen = [weights, baseline].count(None) == 1 and (data or video)
        if not chosen or pairs or sidd or sigmas or clipped or ensemble or save_images:
            raise UserError(
                "--noise=poisson_gaussian takes --weights or --baseline, --data or --video, "
                "--sigma_s, --sigma_r, --steps, --output and --tile."
            )
        return _score_sensor_noise(
            weights, baseline, data, video, sigma_s, sigma_r, steps, output, tile
        )
    if sigma_s or sigma_r or video or baseline:
        raise UserError(
            "--sigma_s, --sigma_r, --video and --baseline go with --noise=poisson_gaussian."
        )
    if sum(map(bool, (data, pairs, sidd))) != 1 or not (weights or pairs):
        raise UserError(
            "Give --weights and one of --data, --pairs and --sidd; --helpfull lists every flag. "
            "Without --weights, --pairs scores what denoise does by default."
        )
    for flag, value in (("sigma", sigmas), ("clipped", clipped), ("save_images", save_images)):
        if value and not data:
            raise UserError(f"--{flag} goes with --data: real noise is scored as it is.")
    if len(rename) != 2:
        raise UserError(f"Give --rename=OLD,NEW. Received: --rename={','.join(rename)}")
    levels = [parse_sigma(text) for text in sigmas or SIGMAS]
    start_keras()  # here, so that the mistakes above need no TensorFlow
    from mallenet_tf.evaluation import gaussian_benchmark, real_noise_benchmark

    table = Path(output) if output else None
    if pairs:
        names = (rename[0], rename[1])
        real_noise_benchmark.score_pairs(weights, pairs, names, table, ensemble, tile)
        return
    assert weights
    if sidd:
        real_noise_benchmark.score_sidd(weights, Path(sidd), table, ensemble)
    else:
        datasets = gaussian_benchmark.name_datasets(data)
        folder = Path(save_images) if save_images else None
        gaussian_benchmark.run(weights, datasets, levels, table, clipped, ensemble, folder, tile)


def _score_sensor_noise(
    weights: str | None,
    baseline: str | None,
    data: Sequence[str],
    video: Sequence[str],
    sigma_s: Sequence[str] | None,
    sigma_r: Sequence[str] | None,
    steps: Sequence[str],
    output: str | None,
    tile: int,
) -> None:
    if not all(step.isdecimal() and int(step) > 0 for step in steps):
        raise UserError(f"--steps are numbers of frames from 1. Received: {','.join(steps)}")
    start_keras()
    from mallenet_tf.evaluation import sensor_noise_benchmark
    from mallenet_tf.evaluation.gaussian_benchmark import name_datasets

    sensor_noise_benchmark.run(
        weights,
        baseline,
        name_datasets(data),
        name_datasets(video),
        sensor_noise_benchmark.parse_noises(sigma_s, sigma_r),
        sorted(map(int, steps)),
        Path(output) if output else None,
        tile,
    )
