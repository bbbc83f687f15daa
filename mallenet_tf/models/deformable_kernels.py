"""Deformable kernels: each clean pixel is a weighted sum of pixels at predicted positions.

Source: deformable_kernels.txt, "Learning Deformable Kernels for Image and Video Denoising"
(Xu et al. 2019), section 3, Figs. 3 and 4, Tables 1 and 4.
"""

import math
from collections.abc import Callable

import keras
from keras import layers

from mallenet_tf.common.types import Tensor
from mallenet_tf.layers import DeformableSampling, LinearToSrgb, SelectChannels, WeightedTapSum
from mallenet_tf.models.denoising_model import DenoisingModel
from mallenet_tf.models.kernel_unet import (
    SIZE_MULTIPLE,
    convolution,
    linear_input,
    predicted_weights,
    prediction,
    srgb_outputs,
    unet_features,
    unet_radius,
)

VARIANTS = ("full", "direct", "static_weights", "rigid")
# Largest offset of a tap from the rigid grid, in pixels. The paper gives no bound; it says that
# offsets are "typically" 4 to 15 pixels.
MAX_OFFSET = 16.0


@keras.saving.register_keras_serializable("mallenet_tf")
class DeformableKernels(DenoisingModel):
    """The paper's network, for images and for video.

    From the noisy frames, a U-Net predicts, through tanh, the positions of the taps of each pixel's
    kernel. From the sampled pixels, the frames and the U-Net's features, three convolutions predict
    the taps' weights. The result is the weighted sum, in linear light.

    All colors share a kernel unless `kernels_per_color`; the paper processes them one by one with a
    network for gray images (appendix B), which `Denoiser` does with `image_channels=1`. The groups
    of taps of the annealed loss are the frames in two dimensions and the K slices in time of the
    rigid grid in three (the paper does not give their number).

    Args:
        dimensions: 2 for K x K taps in each frame (5 x 5 for images, 3 x 3 for video), 3 for
            K x K x K taps that move in time as well.
        kernel_size: K, side of the kernels.
        frames: 1 for images; 2 * tau + 1 for video, 5 in the paper.
        width: Number of channels of the first convolutions.
        variant: "full", or an ablation of Table 4: "direct" (the U-Net's output),
            "static_weights" (the same weights everywhere) or "rigid" (taps stay on their grid).
        max_offset: Largest offset of a tap from the rigid grid, in pixels.
        kernels_per_color: Whether each color has positions and weights of its own.
        image_channels: 1 for gray, as in the paper's tables, or 3 for color.
        noise_conditioned: True for the paper's non-blind network, which takes a noise level map; a
            number for that many maps.
        trained_sigma: Noise level of the training data, in 8-bit units; None for several.

    Input shape:
        sRGB values `[N, H, W, frames * image_channels]`, the oldest frame first, plus one channel
        per noise level map; H and W multiples of `size_multiple`, 16.

    Output shape:
        `[N, H, W, image_channels]`, the middle frame, not clipped.

    Raises:
        ValueError: If `variant` or `dimensions` is unknown, `kernel_size` or `frames` is even, or a
            single frame has three dimensions.

    Example:
        >>> network = DeformableKernels(3, kernel_size=3, frames=5, width=4, image_channels=1)
        >>> network(keras.ops.ones((1, 32, 48, 5))).shape
        TensorShape([1, 32, 48, 1])
    """

    size_multiple = SIZE_MULTIPLE

    def __init__(
        self,
        dimensions: int = 2,
        kernel_size: int = 5,
        frames: int = 1,
        width: int = 64,
        variant: str = "full",
        max_offset: float = MAX_OFFSET,
        kernels_per_color: bool = False,
        image_channels: int = 3,
        noise_conditioned: bool | int = False,
        trained_sigma: float | None = None,
        name: str = "deformable_kernels",
    ):
        if variant not in VARIANTS:
            raise ValueError(f"variant must be one of {VARIANTS}. Received: variant={variant!r}")
        if dimensions == 3 and frames == 1:
            raise ValueError(f"Three dimensions need several frames. Received: frames={frames}")
        inputs, linear, seen = linear_input(image_channels, noise_conditioned, frames)
        features = unet_features(seen, width)
        group_results = None
        if variant == "direct":
            output = convolution(image_channels, "c27", activation=None)(features)
            denoised = LinearToSrgb(dtype="float32", name="denoised")(output)
        else:
            groups = kernel_size if dimensions == 3 else frames

            def average(stack: Tensor, suffix: str = "") -> Tensor:
                """Returns the groups' weighted sums of the pixels of a stack of frames."""
                sampling = DeformableSampling(
                    dimensions,
                    kernel_size,
                    frames,
                    max_offset,
                    dtype="float32",
                    name=f"samples{suffix}",
                )
                taps = sampling.taps
                offsets, weights = [], []
                if variant != "rigid":
                    predict = prediction(taps * dimensions, f"c27{suffix}", "tanh")
                    offsets.append(predict(features))
                samples = sampling(stack, *offsets)
                if variant != "static_weights":
                    parts = [samples, seen, features]
                    weights.append(predicted_weights(parts, width, taps, taps, suffix))
                weighting = WeightedTapSum(
                    taps,
                    groups,
                    dynamic=bool(weights),
                    dtype="float32",
                    name=f"groups{suffix}",
                )
                return weighting(samples, *weights)

            results = (
                _color_by_color(average, linear, image_channels, frames, groups)
                if kernels_per_color
                else average(linear)
            )
            denoised, group_results = srgb_outputs(results, groups)
        options = {
            "dimensions": dimensions,
            "kernel_size": kernel_size,
            "frames": frames,
            "width": width,
            "variant": variant,
            "max_offset": max_offset,
            "kernels_per_color": kernels_per_color,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, denoised, options, name)
        self.group_results = group_results
        # The bounded offsets add little to the receptive field of the U-Net that predicts them.
        sampled = math.ceil(max_offset) + kernel_size // 2 + 1
        self.receptive_field_radius = 4 + max(unet_radius(), sampled)


def _color_by_color(
    average: Callable[[Tensor, str], Tensor], linear: Tensor, colors: int, frames: int, groups: int
) -> Tensor:
    """Applies a filter with its own weights to each color: `[N, H, W, groups * colors]`."""

    def select(features: Tensor, count: int, start: int, step: int) -> Tensor:
        return SelectChannels(count, start, step, dtype="float32")(features)

    results = [
        average(select(linear, frames, color, colors), f"_color{color}") for color in range(colors)
    ]
    parts = [select(result, 1, group, 1) for group in range(groups) for result in results]
    return layers.Concatenate(dtype="float32", name="colors")(parts) if len(parts) > 1 else parts[0]
