"""Dynamic filters by name, which can replace a network's middle layer."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from mallenet_tf.layers.carafe import Carafe
from mallenet_tf.layers.context_gated import ContextGatedConv
from mallenet_tf.layers.deformable_convolution import DeformableConv
from mallenet_tf.layers.hypernetwork import HyperNetwork
from mallenet_tf.layers.involution import Involution
from mallenet_tf.layers.kernel_predictor import TAP_LIMIT
from mallenet_tf.layers.malleconv import MalleConv
from mallenet_tf.layers.multi_scale import MDCB
from mallenet_tf.layers.sekg import DynamicConv

# Each keeps the shape [N, H, W, C] and has a `receptive_field_radius`. The radius ignores averages
# over the whole image, such as context gates, because averages over tiles differ little from them.
# The second element of a pair holds the options that the name implies.
DYNAMIC_FILTERS: Mapping[str, tuple[Callable[..., keras.layers.Layer], dict[str, Any]]] = {
    "malleconv": (MalleConv, {}),
    "hypernetwork": (HyperNetwork, {"blocks": 6, "tap_limit": TAP_LIMIT}),
    "involution": (Involution, {}),
    "context_gated": (ContextGatedConv, {}),
    "carafe": (Carafe, {"scale": 1}),
    "sekg": (DynamicConv, {}),
    "mdcb": (MDCB, {}),
    "deformable": (DeformableConv, {}),
}


def kernel_spacing(layer: keras.layers.Layer) -> int:
    """Returns the pixels between predicted kernels; 1 for layers without a coarse kernel grid."""
    return layer.kernel_spacing if isinstance(layer, MalleConv) else 1


def stored_options(kind: str | None, options: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Returns the options of a filter that a file holds: with those that its name implies."""
    implied = DYNAMIC_FILTERS[kind][1] if kind else {}
    return {**implied, **(options or {})} or None


def older_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in what a network's file holds since December 2026, when `HyperNetwork` grew."""
    if config.get("dynamic") != "hypernetwork":
        return dict(config)
    before = {"blocks": 1, "tap_limit": None}
    return {**config, "dynamic_options": {**before, **(config.get("dynamic_options") or {})}}


def dynamic_filter(
    kind: str,
    name: str,
    options: Mapping[str, Any] | None = None,
    implementation: str = "auto",
) -> keras.layers.Layer:
    """Makes a dynamic filter that keeps its input's shape.

    Args:
        kind: One of `DYNAMIC_FILTERS`.
        name: Name of the layer.
        options: Arguments of the layer, for example `{"pool_size": 2}` for "malleconv".
        implementation: Implementation of MalleConv's fused op; other filters ignore it.

    Raises:
        ValueError: If `kind` is unknown.
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
