"""MalleNet: a four-level pyramid of inverted bottlenecks around malleable convolutions.

Source: malleconv.txt, "Fast and High Quality Image Denoising via Malleable Convolution"
(Jiang et al., ECCV 2022), section 3.4, Fig. 3 and Table 1; MalleNet-R: section 4.6, Table 3.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import layers

from mallenet_tf.common.types import Tensor
from mallenet_tf.layers import (
    BilinearUpsample,
    InvertedBottleneck,
    MalleConv,
    ResidualBlock,
    SpaceToDepth,
)
from mallenet_tf.layers.blocks import convolution
from mallenet_tf.models.denoising_model import DenoisingModel, image_input, subtract_noise

LEVELS = 4
WIDTH_FACTORS = (1, 1, 2, 4)  # of the four levels, from the full resolution down
POOL_SIZES = (4, 4, 2, 1)  # of each level's kernel predictor; the paper says 4
BLOCKS = {"inverted_bottleneck": InvertedBottleneck, "residual": ResidualBlock}


@keras.saving.register_keras_serializable("mallenet_tf")
class MalleNet(DenoisingModel):
    """The paper's network; S, M, L and XL differ only in `width` (16, 32, 64, 144).

    Repeated 2x space-to-depth makes a pyramid of the image. Each level has a 3x3 convolution and
    one block. From the bottom up, a level is refined by blocks around a MalleConv, upsampled and
    merged with the level above. At the full resolution, a MalleConv, one block and a convolution
    predict the noise, which is subtracted from the input.

    Args:
        width: Number of channels at the full resolution.
        kernel_size: K of the malleable convolutions: 1 for additive noise, 3 for real noise.
        block: "inverted_bottleneck", or "residual" as in MalleNet-R.
        blocks: Number of blocks before, and again after, each MalleConv below the full resolution.
        pool_sizes: Side of the average pooling of each level's predictor, from the full resolution
            down.
        malleconv_options: Further arguments of each `MalleConv`, for example
            `{"blocks": (2, 4), "tap_limit": None}`.
        image_channels: 3 for color, 1 for gray.
        noise_conditioned: True for a noise level map, sigma / 255, as the last input channel;
            a number for that many maps of the noise model's parameters.
        normalization: None, or "batch" as in the paper's code.
        trained_sigma: Noise level of the training data, in 8-bit units; None for several.
        implementation: Implementation of the fused ops: "auto", "native" or "reference".

    Input shape:
        `[N, H, W, image_channels]`, plus one channel per noise level map; H and W multiples of
        `size_multiple`, 8.

    Output shape:
        `[N, H, W, image_channels]`, not clipped.

    Raises:
        ValueError: If `block` is unknown, `width` is below 1, `pool_sizes` are not four or
            `image_channels` is not 1 or 3.

    Example:
        >>> MalleNet(width=16)(keras.ops.ones((1, 64, 48, 3))).shape
        TensorShape([1, 64, 48, 3])
    """

    size_multiple = 2 ** (LEVELS - 1)

    def __init__(
        self,
        width: int = 16,
        kernel_size: int = 1,
        block: str = "inverted_bottleneck",
        blocks: int = 2,
        pool_sizes: Sequence[int] = POOL_SIZES,
        malleconv_options: Mapping[str, Any] | None = None,
        image_channels: int = 3,
        noise_conditioned: bool | int = False,
        normalization: str | None = None,
        trained_sigma: float | None = None,
        implementation: str = "auto",
        name: str = "mallenet",
    ):
        if width < 1:
            raise ValueError(f"width must be at least 1. Received: width={width}")
        if block not in BLOCKS:
            raise ValueError(f"block must be one of {sorted(BLOCKS)}. Received: block={block!r}")
        if len(pool_sizes) != LEVELS:
            raise ValueError(
                f"pool_sizes has one for each of {LEVELS} levels. Received: pool_sizes={pool_sizes}"
            )

        block_options = {"normalization": normalization}
        if block == "inverted_bottleneck":
            block_options["implementation"] = implementation

        def refine(features: Tensor, count: int, stage: str) -> Tensor:
            for index in range(count):
                name = f"{stage}_block{index}"
                features = BLOCKS[block](features.shape[-1], name=name, **block_options)(features)
            return features

        def malleconv(features: Tensor, level: int) -> Tensor:
            options = {"width": width, "normalization": normalization, **(malleconv_options or {})}
            layer = MalleConv(
                kernel_size,
                pool_sizes[level],
                implementation=implementation,
                name=f"level{level}_malleconv",
                **options,
            )
            predictors[level] = layer.receptive_field_radius
            return layer(features)

        predictors: dict[int, int] = {}
        inputs, noisy = image_input(image_channels, noise_conditioned)
        levels = []
        pyramid = inputs
        for level, factor in enumerate(WIDTH_FACTORS):
            pyramid = SpaceToDepth(2, name=f"level{level}_input")(pyramid) if level else pyramid
            stem = convolution(factor * width, 3, f"level{level}_stem")
            levels.append(refine(stem(pyramid), 1, f"level{level}_encoder"))

        features = levels[-1]
        for level in range(LEVELS - 1, 0, -1):
            features = refine(features, blocks, f"level{level}_before")
            features = malleconv(features, level)
            features = refine(features, blocks, f"level{level}_after")
            above = level - 1
            upsample = BilinearUpsample(name=f"level{level}_up")
            features = layers.Concatenate(name=f"level{above}_concat")(
                [upsample(features), levels[above]]
            )
            size = 3 if above else 1
            merge = convolution(levels[above].shape[-1], size, f"level{above}_merge")
            features = merge(features)
        features = refine(malleconv(features, 0), 1, "level0_after")
        noise = convolution(image_channels, 3, "noise", scale=0.01)(features)
        denoised = subtract_noise(inputs, noisy, noise, noise_conditioned)
        options = {
            "width": width,
            "kernel_size": kernel_size,
            "block": block,
            "blocks": blocks,
            "pool_sizes": list(pool_sizes),
            "malleconv_options": malleconv_options and dict(malleconv_options),
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "normalization": normalization,
            "trained_sigma": trained_sigma,
            "implementation": implementation,
        }
        super().__init__(inputs, denoised, options, name)
        # A level's kernels are 2 * pool_size of its pixels apart.
        self.kernel_spacing = max(2**level * 2 * size for level, size in enumerate(pool_sizes))
        self.receptive_field_radius = receptive_field_radius(block, blocks, predictors)


def receptive_field_radius(block: str, blocks: int, predictors: Mapping[int, int]) -> int:
    """Returns the pixels to one side that can influence an output pixel of a MalleNet.

    Args:
        block: Kind of the blocks.
        blocks: Number of blocks before and after each MalleConv.
        predictors: Receptive field radius of each level's MalleConv, in its pixels.
    """
    block_radius = 1 if block == "inverted_bottleneck" else 2  # one per 3x3 convolution
    radius = 0
    for level in range(LEVELS):
        convolutions = 2 + block_radius * (1 + 2 * blocks)  # stem, merge, encoder and other blocks
        radius += 2**level * (convolutions + 1 + predictors[level])
    return radius
