"""Kernel prediction networks, the baseline of deformable kernels.

Source: "Burst Denoising with Kernel Prediction Networks" (Mildenhall et al., CVPR 2018), as used in
deformable_kernels.txt, section 4, Tables 2, 3 and 4.
"""

import keras

from mallenet_tf.layers import PerFrameConv
from mallenet_tf.models.denoising_model import DenoisingModel
from mallenet_tf.models.kernel_unet import (
    SIZE_MULTIPLE,
    linear_input,
    predicted_weights,
    srgb_outputs,
    unet_features,
    unet_radius,
)


@keras.saving.register_keras_serializable("mallenet_tf")
class KPN(DenoisingModel):
    """Averages frames filtered with a predicted K x K kernel per pixel and frame.

    The network is `DeformableKernels` without offsets and samples, for images and video. The paper
    does not describe its KPN, but the KPN of its Table 3 has the PSNR and SSIM of the "fixed kernel
    5x5x5" of its Table 4, which is its network without offsets. "Fixed kernel 3x3x3" is
    `KPN(kernel_size=3, frames=3)`.

    The groups of the annealed loss are the frames, as in Mildenhall et al.

    Args:
        kernel_size: K, side of the kernels: 5 or 7.
        frames: 1 for images; 2 * tau + 1 for video, 5 in the paper.
        width: Number of channels of the first convolutions.
        kernels_per_color: Whether each color has kernels of its own; else they share one.
        image_channels: 1 for gray, as in the paper's tables, or 3 for color.
        noise_conditioned: True for the non-blind network, which takes a noise level map; a number
            for that many maps.
        trained_sigma: Noise level of the training data, in 8-bit units; None for several.

    Input shape:
        sRGB values `[N, H, W, frames * image_channels]`, the oldest frame first, plus one channel
        per noise level map; H and W multiples of `size_multiple`, 16.

    Output shape:
        `[N, H, W, image_channels]`, the middle frame, not clipped.

    Raises:
        ValueError: If `kernel_size` or `frames` is even.

    Example:
        >>> KPN(width=4)(keras.ops.ones((1, 32, 48, 3))).shape
        TensorShape([1, 32, 48, 3])
    """

    size_multiple = SIZE_MULTIPLE

    def __init__(
        self,
        kernel_size: int = 5,
        frames: int = 1,
        width: int = 64,
        kernels_per_color: bool = False,
        image_channels: int = 3,
        noise_conditioned: bool | int = False,
        trained_sigma: float | None = None,
        name: str = "kpn",
    ):
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd. Received: kernel_size={kernel_size}")
        inputs, linear, seen = linear_input(image_channels, noise_conditioned, frames)
        taps = kernel_size**2
        features = unet_features(seen, width)
        planes = frames * (image_channels if kernels_per_color else 1)
        kernels = predicted_weights([seen, features], width, taps * planes, taps)
        filtered = PerFrameConv(planes, dtype="float32", name="filtered")(linear, kernels)
        denoised, group_results = srgb_outputs(filtered, frames)
        options = {
            "kernel_size": kernel_size,
            "frames": frames,
            "width": width,
            "kernels_per_color": kernels_per_color,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, denoised, options, name)
        self.group_results = group_results
        self.receptive_field_radius = 3 + max(unet_radius(), kernel_size // 2)
