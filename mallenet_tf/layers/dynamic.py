"""The dynamic filters by name: what a network's middle layer can be replaced with."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from mallenet_tf.layers.carafe import Carafe
from mallenet_tf.layers.context_gated import ContextGatedConv
from mallenet_tf.layers.deformable_convolution import DeformableConv
from mallenet_tf.layers.hypernetwork import HyperNetwork
from mallenet_tf.layers.involution import Involution
from mallenet_tf.layers.malleconv import MalleConv
from mallenet_tf.layers.sekg import DynamicConv

# Each takes [N, H, W, C] to the same shape, and its `reach` says how far, in pixels to one side, an
# input can reach: what sees the whole image through a global average, a context gate, counts with
# what it does around a pixel, because averages over tiles differ little from those over the image.
# Options that a name implies stand behind its layer.
DYNAMIC_FILTERS: Mapping[str, tuple[Callable[..., keras.layers.Layer], dict[str, Any]]] = {
    "malleconv": (MalleConv, {}),
    "hypernetwork": (HyperNetwork, {}),
    "involution": (Involution, {}),
    "context_gated": (ContextGatedConv, {}),
    "carafe": (Carafe, {"scale": 1}),
    "sekg": (DynamicConv, {}),
    "deformable": (DeformableConv, {}),
}


def kernel_spacing(layer: keras.layers.Layer) -> int:
    """Pixels between the kernels that a layer predicts: 1 if it has one for each pixel, or none."""
    return layer.kernel_spacing if isinstance(layer, MalleConv) else 1


def dynamic_filter(
    kind: str,
    name: str,
    options: Mapping[str, Any] | None = None,
    implementation: str = "auto",
) -> keras.layers.Layer:
    """Makes a dynamic filter that keeps its input's shape.

    Args:
        kind: one of `DYNAMIC_FILTERS`.
        name: the layer's name.
        options: the layer's own arguments, for example `{"pool_size": 2}` for "malleconv".
        implementation: of MalleConv's fused op; the other filters have only one.

    Raises:
        ValueError: for an unknown kind, or an option that its layer does not have.
    """
    if kind not in DYNAMIC_FILTERS:
        raise ValueError(
            f"Unknown dynamic filter; choose one of {', '.join(DYNAMIC_FILTERS)}. "
            f"Received: dynamic={kind!r}"
        )
    layer, implied = DYNAMIC_FILTERS[kind]
    if layer is MalleConv:
        implied = {"implementation": implementation}
    return layer(**{**implied, **(options or {}), "name": name})
