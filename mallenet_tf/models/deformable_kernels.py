"""Deformable kernels: each clean pixel is a weighted sum of pixels at predicted positions.

Source: deformable_kernels.txt, "Learning Deformable Kernels for Image and Video Denoising"
(Xu et al. 2019), section 3, Figs. 3 and 4, Tables 1 and 4.
"""

import keras

from mallenet_tf.layers import DeformableSampling, LinearToSrgb, WeightedTapSum
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

    All colors share a kernel; the paper processes them one by one (appendix B). The groups of taps
    of the annealed loss are the frames in two dimensions and the K slices in time of the rigid grid
    in three (the paper does not give their number).

    Args:
        dimensions: 2 for K x K taps in each frame (5 x 5 for images, 3 x 3 for video), 3 for
            K x K x K taps that move in time as well.
        kernel_size: K, side of the kernels.
        frames: 1 for images; 2 * tau + 1 for video, 5 in the paper.
        width: Number of channels of the first convolutions.
        variant: "full", or an ablation of Table 4: "direct" (the U-Net's output),
            "static_weights" (the same weights everywhere) or "rigid" (taps stay on their grid).
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
        image_channels: int = 3,
        noise_conditioned: bool | int = False,
        trained_sigma: float | None = None,
        name: str = "deformable_kernels",
    ):
        if variant not in VARIANTS:
            raise ValueError(f"variant must be one of {VARIANTS}. Received: variant={variant!r}")
        if dimensions == 3 and frames == 1:
            raise ValueError(f"Three dimensions need several frames. Received: frames={frames}")
        sampling = DeformableSampling(
            dimensions, kernel_size, frames, MAX_OFFSET, dtype="float32", name="samples"
        )
        inputs, linear, seen = linear_input(image_channels, noise_conditioned, frames)
        features = unet_features(seen, width)
        group_results = None
        if variant == "direct":
            output = convolution(image_channels, "c27", activation=None)(features)
            denoised = LinearToSrgb(dtype="float32", name="denoised")(output)
        else:
            taps = sampling.taps
            offsets = []
            if variant != "rigid":
                offsets.append(prediction(taps * dimensions, "c27", "tanh")(features))
            samples = sampling(linear, *offsets)
            weights = []
            if variant != "static_weights":
                weights.append(predicted_weights([samples, seen, features], width, taps, taps))
            groups = kernel_size if dimensions == 3 else frames
            weighting = WeightedTapSum(
                taps, groups, dynamic=bool(weights), dtype="float32", name="groups"
            )
            denoised, group_results = srgb_outputs(weighting(samples, *weights), groups)
        options = {
            "dimensions": dimensions,
            "kernel_size": kernel_size,
            "frames": frames,
            "width": width,
            "variant": variant,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, denoised, options, name)
        self.group_results = group_results
        # The bounded offsets add little to the receptive field of the U-Net that predicts them.
        self.receptive_field_radius = 4 + max(unet_radius(), int(MAX_OFFSET) + kernel_size // 2 + 1)
