"""Exports a network and checks the files: what `python -m mallenet_tf.export` does."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from mallenet_tf.common.errors import UserError, user_input, user_output
from mallenet_tf.common.files import atomic_folder, atomic_path
from mallenet_tf.exporting.agreement import compare
from mallenet_tf.exporting.formats import FORMATS, Network, parse_formats
from mallenet_tf.exporting.samples import make_samples
from mallenet_tf.inference import Denoiser
from mallenet_tf.models import DEFAULT_WEIGHTS, DenoisingModel, load_model


def run(
    weights: str | Path | None,
    output: Path,
    formats: Sequence[str],
    images: Sequence[str | Path] = (),
    overwrite: bool = False,
) -> list[Path]:
    """Exports weights to files, and prints for each how well it agrees with the Keras model.

    Args:
        weights: Weights, as `models.load_model` takes them; None for the shipped default.
        output: Folder for the files.
        formats: Names of `FORMATS`, or ["all"].
        images: Clean photographs for calibration and PSNRs; none for synthetic images.
        overwrite: Whether to replace files that exist.

    Returns:
        The files and folders written.

    Raises:
        UserError: If a format is unknown, an output exists, a package, weights or images are
            missing, the network cannot be exported, or a file does not agree with the Keras model;
            that one is then not kept.
    """
    formats = parse_formats(formats)
    for name in formats:  # before minutes are spent on converting
        for import_package in FORMATS[name].packages:
            import_package()
    weights = weights or DEFAULT_WEIGHTS
    targets = {name: output / FORMATS[name].name.format(_label(weights)) for name in formats}
    _check_absent(targets.values(), overwrite)
    with user_input():
        model = load_model(weights)
        _check_network(model, weights)
        samples = make_samples(model, images)
    denoise = Denoiser(model, tile=0)
    with user_output(output), tempfile.TemporaryDirectory() as scratch:
        network = Network(model, samples, Path(scratch))
        for name, target in targets.items():
            print(f"{target}: converting and checking", flush=True)
            kind = FORMATS[name]
            with (atomic_folder if kind.is_folder else atomic_path)(target) as temporary:
                kind.write(network, temporary)
                agreement = compare(denoise, kind.load(temporary), samples)
                kind.check(agreement)
            print(f"  {agreement}", flush=True)
    return list(targets.values())


def _label(weights: str | Path) -> str:
    path = Path(weights)
    return path.stem if path.suffix == ".keras" else path.resolve().name


def _check_absent(targets: Iterable[Path], overwrite: bool) -> None:
    present = [str(path) for path in targets if path.exists()]
    if present and not overwrite:
        raise UserError(f"An output exists; --overwrite replaces it. Received: {present[0]}")


def _check_network(model: DenoisingModel, weights: str | Path) -> None:
    if model.frames > 1:
        raise UserError(
            "Exports take networks for single images. "
            f"Received: {weights}, which denoises from {model.frames} frames"
        )
    if int(model.noise_conditioned) > 1:
        raise UserError(
            "Exports take networks with one noise level map at most. "
            f"Received: {weights} with {model.noise_conditioned}"
        )
