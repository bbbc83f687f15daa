"""What every denoising network of this package has in common."""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from mallenet_tf.layers import NoiseGain, SelectChannels

MARGIN = 32


class DenoisingModel(keras.Model):
    """A functional Keras model from a noisy image to the denoised one.

    Input `[N, H, W, image_channels]`, float in [0, 1] plus noise; one more channel, the last, holds
    sigma / 255 when `noise_conditioned`. Output `[N, H, W, image_channels]`, not clipped.

    A video network takes its `frames` stacked along the channels, the oldest first, and the planes
    of all of them together behind: `[N, H, W, frames * image_channels + planes]`. Its output is the
    middle frame, denoised.

    Args:
        inputs, outputs: the symbolic tensors between which the network lies.
        options: the arguments of the subclass's own `__init__`, from which `from_config` builds it
            again; the attributes of the same names are set from them.
        name: the network's name.

    Attributes:
        image_channels: 3 for colour, 1 for gray.
        noise_conditioned: how many planes of noise parameters the input carries; True is one, the
            noise level, at whose 0 the networks that subtract noise return the image as it is.
        frames: how many frames the input holds, an odd number; 1 for a network for single images.
        size_multiple: height and width must be multiples of it.
        kernel_spacing: pixels between the coarsest predicted kernels. On other sizes than its
            multiples the kernels of a MalleConv are stretched over the image, and do not stand
            where they were trained to: an image of 321 x 481 lost 0.4 dB.
        receptive_field_radius: pixels to one side that can influence an output pixel.
        trained_sigma: the noise level, in 8-bit units, of a network trained for one; else None.
        group_results: of a network that filters pixels with several groups of taps, what each group
            alone makes of them: a symbolic tensor, `[N, H, W, groups * image_channels]`, for
            `training.AnnealedGroups`; else None.
    """

    image_channels = 3
    noise_conditioned: bool | int = False
    frames = 1
    size_multiple = 1
    kernel_spacing = 1
    receptive_field_radius = 0
    trained_sigma: float | None = None
    group_results: Any = None

    def __init__(
        self,
        inputs,
        outputs,
        options: Mapping[str, Any] | None = None,
        name: str | None = None,
    ):
        super().__init__(inputs, outputs, name=name)
        self._options = dict(options or {})
        for attribute in ("image_channels", "noise_conditioned", "frames", "trained_sigma"):
            if attribute in self._options:
                setattr(self, attribute, self._options[attribute])

    @property
    def padding_multiple(self) -> int:
        """What height and width are best padded to a multiple of."""
        return math.lcm(self.size_multiple, self.kernel_spacing)

    @property
    def margin(self) -> int:
        """Pixels to mirror around an image, a multiple of `padding_multiple`.

        Networks pad with zeros inside, and where an image ends in a flat area they ring: errors of
        up to 20/255 at sigma 15. Within the margin that fades to a tenth.
        """
        return -(-MARGIN // self.padding_multiple) * self.padding_multiple

    def get_config(self):
        # The experiment sets the noise level on the network that it trains.
        return {**self._options, "trained_sigma": self.trained_sigma, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


def image_input(image_channels: int, noise_conditioned: bool | int, frames: int = 1):
    """The symbolic input of a denoiser and the noisy frames in it, without the planes behind them.

    With the default of one frame the second is the noisy image, `[N, H, W, image_channels]`.

    Raises:
        ValueError: if `image_channels` is not 1 or 3, or `frames` is not odd.
    """
    if image_channels not in (1, 3):
        raise ValueError(
            "image_channels must be 1 (gray) or 3 (colour). "
            f"Received: image_channels={image_channels}"
        )
    if frames < 1 or frames % 2 == 0:
        raise ValueError(
            f"frames must be odd, or there is no middle one to denoise. Received: frames={frames}"
        )
    channels = frames * image_channels
    inputs = keras.Input((None, None, channels + noise_conditioned), name="noisy")
    if not noise_conditioned:
        return inputs, inputs
    return inputs, SelectChannels(channels, dtype="float32", name="image")(inputs)


def subtract_noise(inputs, noisy, noise, noise_conditioned: bool | int):
    """The last step of a network that predicts the noise: `noisy` without `noise`, in float32.

    Where the plane behind the image says a noise level below one 8-bit unit, the noise fades in
    proportion, so that an image that is said to have none comes back as it is, whatever is in it.

    Args:
        inputs, noisy: what `image_input` returned.
        noise: `[N, H, W, C]`, as `noisy`.
        noise_conditioned: the network's; only True says that there is such a plane.
    """
    if noise_conditioned is True:
        level = SelectChannels(1, noisy.shape[-1], dtype="float32", name="level")(inputs)
        gain = NoiseGain(dtype="float32", name="noise_gain")(level)
        noise = layers.Multiply(dtype="float32", name="faded_noise")([noise, gain])
    return layers.Subtract(dtype="float32", name="denoised")([noisy, noise])
