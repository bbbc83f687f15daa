"""DnCNN: a stack of convolutions, with or without a dynamic filter in the middle.

Source: Zhang et al. 2017, "Beyond a Gaussian Denoiser", section III; malleconv.txt, sections 4.1
and 4.3, Figs. 4 and 7, Table 2.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mallenet_tf.layers.blocks import convolution, normalization_layer
from mallenet_tf.layers.dynamic import dynamic_filter, kernel_spacing, stored_options
from mallenet_tf.models.denoising_model import DenoisingModel, image_input, subtract_noise


@keras.saving.register_keras_serializable("mallenet_tf")
class DnCNN(DenoisingModel):
    """`depth` 3x3 convolutions with ReLU and one that predicts the noise, which is subtracted.

    malleconv.txt's "DnCNN architecture contains 15 layers with 64 channels" and costs 68.15 GFLOPs:
    that is 15 layers plus the output convolution. The original network has 17 convolutions in all,
    depth 16 here, and 558k parameters for color.

    Args:
        depth: Number of layers before the output convolution; 3, 6, 9 and 15 in malleconv.txt.
        width: Number of channels; 16, 32 and 64 in malleconv.txt.
        dynamic: Name of a dynamic filter of `layers.DYNAMIC_FILTERS` that replaces the middle
            layer's convolution; None for the plain network.
        dynamic_options: Arguments of the filter, for example `{"pool_size": 2}`.
        normalization: "batch" as published, after every convolution but the first and the last; or
            None.
        dynamic_normalization: Normalization after the dynamic filter, which inference cannot fold
            into the filter; "same" for the value of `normalization`.
        image_channels: 3 for color, 1 for gray.
        noise_conditioned: True for a noise level map; a number for that many maps.
        trained_sigma: Noise level of the training data, in 8-bit units; None for several.
        implementation: Implementation of MalleConv's fused op: "auto", "native" or "reference".

    Input shape:
        `[N, H, W, image_channels]`, plus one channel per noise level map; any H and W.

    Output shape:
        `[N, H, W, image_channels]`, not clipped.

    Raises:
        ValueError: If `depth` is below 3, `width` is below 1 or the filter is unknown.

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
            "dynamic_options": stored_options(dynamic, dynamic_options),
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
