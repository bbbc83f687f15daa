"""Deformable kernels: predicted positions and weights of the pixels that make a clean one.

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
# How far a tap can leave its place in the rigid grid, in pixels. The paper says that its kernels
# "typically" reach 4 to 15 pixels, and gives no bound.
MAX_OFFSET = 16.0


@keras.saving.register_keras_serializable("mallenet_tf")
class DeformableKernels(DenoisingModel):
    """The paper's network, for images and for video.

    A U-Net sees the noisy frames and predicts, through tanh, where each tap of each pixel's kernel
    samples them. Three convolutions see the sampled pixels, the frames and the U-Net's features and
    predict the taps' weights. The result is the weighted sum, in linear light.

    One kernel for all colours: the paper treats them one by one (appendix B). Groups of taps, for
    the annealed loss: in three dimensions the K slices in time of the rigid grid (the paper does
    not say how many groups it has), in two dimensions the frames.

    Args:
        dimensions: 2 for K x K taps in each frame (5 x 5 for images, 3 x 3 for video), 3 for
            K x K x K taps that move in time as well.
        kernel_size: K.
        frames: 1 for images; 2 * tau + 1 for video, 5 in the paper.
        width: channels of the first convolutions.
        variant: "full", or an ablation of Table 4: "direct", the U-Net's own output;
            "static_weights", the same weights everywhere; "rigid", taps that stay on their grid.
        image_channels: 1 for gray, as in the paper's tables, or 3 for colour.
        noise_conditioned: True for the paper's non-blind network, which gets a plane with the noise
            level; a number for so many planes.
        trained_sigma: kept with the model, for a network trained at one noise level.

    Input shape:
        sRGB values `[N, H, W, frames * image_channels]`, the oldest frame first, and as many more
        channels as planes; H and W multiples of `size_multiple`, 16.

    Output shape:
        `[N, H, W, image_channels]`: the middle frame, not clipped.

    Raises:
        ValueError: for another variant or number of dimensions, an even kernel or number of frames,
            or three dimensions of a single frame.

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
        # Offsets are bounded, and what the U-Net sees to predict them reaches much further.
        self.receptive_field_radius = 4 + max(unet_radius(), int(MAX_OFFSET) + kernel_size // 2 + 1)
