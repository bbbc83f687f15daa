"""DnCNN, the plain stack of convolutions into which malleconv.txt plugs its dynamic filters.

Source: Zhang et al. 2017, "Beyond a Gaussian Denoiser", section III; malleconv.txt, sections 4.1
and 4.3, Figs. 4 and 7, Table 2.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mallenet_tf.layers.blocks import convolution, normalization_layer
from mallenet_tf.layers.dynamic import dynamic_filter, kernel_spacing
from mallenet_tf.models.denoising_model import DenoisingModel, image_input, subtract_noise


@keras.saving.register_keras_serializable("mallenet_tf")
class DnCNN(DenoisingModel):
    """`depth` 3x3 convolutions with ReLU, and one more to the noise, which is subtracted.

    malleconv.txt's "DnCNN architecture contains 15 layers with 64 channels" and costs 68.15 GFLOPs:
    that is 15 layers and the output convolution. The original network has 17 in all, depth 16 here,
    558k parameters for colour.

    Args:
        depth: layers in front of the output convolution; 3, 6, 9 and 15 in malleconv.txt.
        width: their channels; 16, 32 and 64 there.
        dynamic: None for the plain network, or the name of a dynamic filter, one of
            `layers.DYNAMIC_FILTERS`, that takes the place of the middle layer's convolution.
        dynamic_options: the filter's own arguments, for example `{"pool_size": 2}`.
        normalization: "batch" as published, behind every convolution but the first and the last;
            or None.
        dynamic_normalization: likewise, behind the dynamic filter; "same" for what `normalization`
            is. Apart, because it cannot be folded into the filter for inference, as the others are
            into their convolutions.
        image_channels: 3 for colour, 1 for gray.
        noise_conditioned: True for a noise level plane; a number for so many planes.
        trained_sigma: kept with the model, for a network trained at one noise level.
        implementation: of MalleConv's fused op: "auto", "native" or "reference".

    Input shape:
        `[N, H, W, image_channels]`, and as many more channels as planes; any H and W.

    Output shape:
        `[N, H, W, image_channels]`, not clipped.

    Raises:
        ValueError: for a depth below 3, a width below 1 or an unknown filter.

    Example:
        >>> DnCNN(depth=3, width=16, dynamic="malleconv")(keras.ops.ones((1, 33, 47, 3))).shape
        TensorShape([1, 33, 47, 3])
    """

    def __init__(
        self,
        depth: int = 15,
        width: int = 64,
        dynamic: str | None = None,
        dynamic_options: Mapping[str, Any] | None = None,
        normalization: str | None = "batch",
        dynamic_normalization: str | None = "same",
        image_channels: int = 3,
        noise_conditioned: bool | int = False,
        trained_sigma: float | None = None,
        implementation: str = "auto",
        name: str = "dncnn",
    ):
        if depth < 3 or width < 1:
            raise ValueError(
                "depth must be at least 3 and width at least 1. "
                f"Received: depth={depth}, width={width}"
            )
        if dynamic_normalization == "same":
            dynamic_normalization = normalization
        inputs, noisy = image_input(image_channels, noise_conditioned)
        features = inputs
        radius, grid = depth + 1, 1
        for index in range(depth):
            if dynamic and index == depth // 2:
                layer = dynamic_filter(dynamic, f"dynamic{index}", dynamic_options, implementation)
                radius, grid = radius + layer.receptive_field_radius - 1, kernel_spacing(layer)
                norm = normalization_layer(dynamic_normalization, f"dynamic{index}_norm")
                features = layer(features)
            else:
                norm = normalization_layer(normalization if index else None, f"conv{index}_norm")
                features = convolution(width, 3, f"conv{index}", use_bias=norm is None)(features)
            features = features if norm is None else norm(features)
            features = layers.ReLU(name=f"relu{index}")(features)
        noise = convolution(image_channels, 3, "noise", scale=0.01)(features)
        denoised = subtract_noise(inputs, noisy, noise, noise_conditioned)
        options = {
            "depth": depth,
            "width": width,
            "dynamic": dynamic,
            "dynamic_options": dynamic_options and dict(dynamic_options),
            "normalization": normalization,
            "dynamic_normalization": dynamic_normalization,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
            "implementation": implementation,
        }
        super().__init__(inputs, denoised, options, name)
        self.receptive_field_radius = radius
        self.kernel_spacing = grid
