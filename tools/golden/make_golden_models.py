"""Writes small networks of every kind with their outputs, for tests/models/test_golden.py.

The files in tests/golden/models_2026-11 were written by commit 5eda8e5, before classes and
attributes were renamed; later versions must load them and compute the same outputs. From a checkout
of the version to record:

    python tools/golden/make_golden_models.py tests/golden/models_2026-11

Networks that came later are in folders of their own, written by their names:

    python tools/golden/make_golden_models.py tests/golden/models_2026-12 \
      sadnet_offsets rdn_mdcb later_layers

All layers are in one Keras model, layers.keras. Weights are periodic, so that the files compress.
"""

import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mallenet_tf.models import build_model

MALLENET = {"width": 2, "blocks": 0, "implementation": "reference"}
SMALL = {"noise_conditioned": True, "width": 2}
TINY = {"image_channels": 1, "width": 2}
# Network and options by file name.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "mallenet_s": ("mallenet_s", {**MALLENET, "blocks": 1, "trained_sigma": 25.0}),
    "mallenet_m": ("mallenet_m", {**MALLENET, "normalization": "batch"}),
    "mallenet_l": ("mallenet_l", {**MALLENET, "image_channels": 1}),
    "mallenet_xl": ("mallenet_xl", {**MALLENET, "noise_conditioned": True}),
    "mallenet_r": ("mallenet_r", {"width": 2, "blocks": 0, "noise_conditioned": 2}),
    "dncnn": ("dncnn", {"depth": 3, "width": 2}),
    "unet": ("unet", {"blocks": 2, "width": 2}),
    "rdn": ("rdn", {"blocks": 2, "width": 2, "block_layers": 2}),
    "adfnet": ("adfnet", {"width": 8, "dynamic_part": "all"}),
    "adfnet_l": ("adfnet_l", {"width": 8, "integration": False}),
    "sadnet": ("sadnet", {"width": 8}),
    "sadnet_offsets": ("sadnet", {"width": 8, "transfer": "offsets", "max_offset": 4.0}),
    "rdn_mdcb": (
        "rdn",
        {"blocks": 3, "width": 8, "block_layers": 1, "dynamic": "mdcb", "dynamic_blocks": 2},
    ),
    "kpn": ("kpn", {"width": 2, "kernel_size": 3, "frames": 3}),
    "deformable_kernels_2d": ("deformable_kernels_2d", {**TINY, "kernel_size": 3}),
    "deformable_kernels_3d": ("deformable_kernels_3d", {**TINY, "noise_conditioned": True}),
    "static_weights": ("deformable_kernels_2d", {**TINY, "variant": "static_weights"}),
    "unet_carafe": ("unet", {**SMALL, "blocks": 2, "upsampling": "carafe"}),
    "rdn_malleconv": ("rdn", {"blocks": 1, "width": 2, "block_layers": 1, "dynamic": "malleconv"}),
    **{
        f"dncnn_{kind}": ("dncnn", {**SMALL, "width": 8, "depth": 3, "dynamic": kind})
        for kind in (
            "malleconv",
            "hypernetwork",
            "involution",
            "context_gated",
            "carafe",
            "sekg",
            "deformable",
        )
    },
}


def layers_model() -> keras.Model:
    """Returns a model of all layers, each with options that differ from its defaults."""

    def layer(kind: str, *inputs: Any, **options: Any) -> Any:
        found = keras.saving.get_registered_object(f"mallenet_tf>{kind}")
        return found(**options)(*inputs)

    def channels(start: int, count: int) -> Any:
        return layer("TakeChannels", image, channels=count, start=start)

    image = keras.Input((None, None, 12), name="image")
    frames, few = channels(0, 4), channels(4, 2)
    kernels, bias = layer("KernelPredictor", few, kernel_size=3, pool_size=2, blocks=1, width=3)
    own_kernels = layer("SEKG", frames, channels=2)
    offsets = keras.layers.Conv2D(18 * 2, 1, activation="tanh")(image)
    volume_offsets = keras.layers.Conv2D(27 * 3, 1, activation="tanh")(image)
    outputs = [
        kernels,
        bias,
        own_kernels,
        layer("MultiDimensionAttention", frames),
        layer("InvertedBottleneck", few, channels=2, expansion=2, normalization="batch"),
        layer("ResidualBlock", few, channels=2),
        layer("Carafe", few, scale=2, kernel_size=3, compressed=3),
        layer("ContextGatedConv", few, kernel_size=3, residual=True),
        layer("DeformableConv", frames, few, filters=3, groups=2, activation="leaky_relu"),
        layer("HyperNetwork", few, kernel_size=3, width=3, residual=False),
        layer("Involution", frames, kernel_size=3, group_channels=2, normalization="batch"),
        layer("FilterFrames", frames, channels(0, 9), frames=1),
        layer("WeightTaps", image, taps=6, groups=2, dynamic=False),
        layer("WeightTaps", frames, channels(4, 4), taps=4, groups=2),
        layer("AverageGroups", frames, groups=2),
        layer("SrgbToLinear", few),
        layer("LinearToSrgb", few),
        layer("MalleConv", few, kernel_size=3, pool_size=2, blocks=1, normalization="batch"),
        layer("MalleConv", few, blocks=1, residual=False, position=(0.3, 0.9)),
        layer("SpaceToDepth", few, factor=4),
        layer("DeformableSampling", frames, offsets, kernel_size=3, frames=2, reach=2.0),
        layer(
            "DeformableSampling",
            channels(0, 3),
            volume_offsets,
            dimensions=3,
            kernel_size=3,
            frames=3,
        ),
        layer("PerPixelConv", frames, own_kernels, dilation=3),
        layer("DynamicConv", frames, kernel_size=3),
        layer("BilinearUpsample", few),
        layer("ShareOfNoise", few),
    ]
    return keras.Model(image, outputs, name="layers")


def set_weights(model: keras.Model) -> None:
    """Gives every variable different values: a sine, added to an initial constant."""
    for number, variable in enumerate(model.variables):
        if not keras.backend.is_float_dtype(variable.dtype):  # states of random generators
            continue
        start = keras.ops.convert_to_numpy(variable)
        wave = np.sin(1.7 * (np.arange(start.size) % 251) + number).reshape(start.shape)
        if np.ptp(start) == 0:
            variable.assign(start + 0.1 * wave)
        else:
            fan_in = np.prod(start.shape[:-1])
            variable.assign(np.sqrt(2 / fan_in) * wave)


def compress(path: Path) -> None:
    """Compresses the members of a .keras file, which Keras stores uncompressed."""
    with zipfile.ZipFile(path) as stored:
        members = {name: stored.read(name) for name in stored.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as deflated:
        for name, content in members.items():
            deflated.writestr(name, content)


def later_layers() -> keras.Model:
    """Returns a model of the layers that came after those of `layers_model`."""
    from mallenet_tf.layers import MDCB, OffsetUpsample

    image = keras.Input((None, None, 12), name="image")
    features = keras.layers.Conv2D(8, 1)(image)
    outputs = [MDCB(reduced=4, averages="paper")(features), OffsetUpsample()(image)]
    return keras.Model(image, outputs, name="later_layers")


def networks(names: Sequence[str]) -> Iterator[tuple[str, keras.Model]]:
    """Yields the networks of the files named, or all."""
    if not names:
        yield "layers", layers_model()
    if "later_layers" in names:
        yield "later_layers", later_layers()
    for file, (name, options) in MODELS.items():
        if file in names or not names:
            yield file, build_model(name, **options)


def main(folder: str, *names: str) -> None:
    """Writes a `.keras` file for each network named, or all, and arrays.npz with their results."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for name, model in networks(names):
        set_weights(model)
        path = Path(folder, f"{name}.keras")
        model.save(path)
        compress(path)
        shape = (1, 16, 16, model.inputs[0].shape[-1])
        inputs = np.random.default_rng(0).random(shape, np.float32)
        outputs = model(inputs)
        arrays[f"{name}/inputs"] = inputs
        for index, output in enumerate(outputs if isinstance(outputs, list) else [outputs]):
            arrays[f"{name}/{index}"] = keras.ops.convert_to_numpy(output)
        largest = max(np.abs(value).max() for key, value in arrays.items() if key.startswith(name))
        print(f"{path}: {path.stat().st_size} bytes, values to {largest:.3g}")
    np.savez_compressed(Path(folder, "arrays.npz"), **arrays)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"Give the folder to write. Received: {sys.argv[1:]}")
    main(*sys.argv[1:])
