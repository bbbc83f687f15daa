"""The base class of all denoising networks."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
from keras import layers

from mallenet_tf.common.types import Tensor
from mallenet_tf.layers import NoiseGain, SelectChannels
from mallenet_tf.layers.dynamic import older_options

MARGIN = 32


class DenoisingModel(keras.Model):
    """A functional Keras model that maps a noisy image to the denoised one.

    The input is `[N, H, W, image_channels]`, float in [0, 1] plus noise. If `noise_conditioned`,
    one more channel, the last, holds the noise level map, sigma / 255. The output is
    `[N, H, W, image_channels]`, not clipped.

    A video network takes `frames` frames stacked along the channels, the oldest first, followed by
    the noise level maps: `[N, H, W, frames * image_channels + maps]`. It denoises the middle frame.

    Args:
        inputs, outputs: Symbolic tensors of the network.
        options: Arguments of the subclass's `__init__`, from which `from_config` rebuilds the
            network. They also set the attributes of the same names.
        name: Name of the network.

    Attributes:
        image_channels: 3 for color, 1 for gray.
        noise_conditioned: Number of noise level maps in the input. True means one map of sigma,
            where networks that subtract noise return the image unchanged if the map is 0.
        level_map: What a noise level map holds, see `data.NoiseModel.level_map`.
        frames: Number of frames in the input, odd; 1 for networks for single images.
        size_multiple: Height and width must be multiples of it.
        kernel_spacing: Pixels between the coarsest predicted kernels. For sizes that are not
            multiples of it, the kernels of a MalleConv are stretched over the image and leave the
            positions they were trained at: an image of 321 x 481 lost 0.4 dB.
        receptive_field_radius: Pixels to one side that can influence an output pixel.
        trained_sigma: Noise level of the training data, in 8-bit units; None for several.
        group_results: Results of each group of taps alone, for networks that filter pixels with
            several groups: a symbolic tensor, `[N, H, W, groups * image_channels]`, for
            `training.AnnealedGroups`; else None.
    """

    image_channels = 3
    noise_conditioned: bool | int = False
    level_map = "sigma"
    frames = 1
    size_multiple = 1
    kernel_spacing = 1
    receptive_field_radius = 0
    trained_sigma: float | None = None
    group_results: Any = None
    # Options that a file was written with which does not have them.
    options_before: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        inputs: Tensor,
        outputs: Tensor,
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
        """Multiple that height and width are best padded to."""
        return math.lcm(self.size_multiple, self.kernel_spacing)

    @property
    def margin(self) -> int:
        """Width of the reflect padding around an image, a multiple of `padding_multiple`.

        Convolutions pad with zeros, so that networks ring where an image ends in a flat area, with
        errors of up to 20/255 at sigma 15. The margin reduces them to a tenth.
        """
        return -(-MARGIN // self.padding_multiple) * self.padding_multiple

    def get_config(self) -> dict[str, Any]:
        # The experiment sets the noise level and the map's meaning on the network that it trains.
        return {
            **self._options,
            "trained_sigma": self.trained_sigma,
            "level_map": self.level_map,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> "DenoisingModel":
        options = older_options({**cls.options_before, **config})
        level_map = options.pop("level_map", cls.level_map)  # Older files have none.
        model = cls(**options)
        model.level_map = level_map
        return model


def image_input(
    image_channels: int, noise_conditioned: bool | int, frames: int = 1
) -> tuple[Tensor, Tensor]:
    """Returns the symbolic input of a network and the noisy frames in it, without level maps.

    With the default of one frame the second is the noisy image, `[N, H, W, image_channels]`.

    Raises:
        ValueError: If `image_channels` is not 1 or 3, or `frames` is not odd.
    """
    if image_channels not in (1, 3):
        raise ValueError(
            "image_channels must be 1 (gray) or 3 (color). "
            f"Received: image_channels={image_channels}"
        )
    if frames < 1 or frames % 2 == 0:
        raise ValueError(
            f"frames must be odd, since the middle one is denoised. Received: frames={frames}"
        )
    channels = frames * image_channels
    inputs = keras.Input((None, None, channels + noise_conditioned), name="noisy")
    if not noise_conditioned:
        return inputs, inputs
    return inputs, SelectChannels(channels, dtype="float32", name="image")(inputs)


def subtract_noise(
    inputs: Tensor, noisy: Tensor, noise: Tensor, noise_conditioned: bool | int
) -> Tensor:
    """Subtracts the predicted noise from the noisy image, in float32.

    Where the noise level map is below one 8-bit unit, the predicted noise is scaled down in
    proportion, so that a network told that there is no noise returns the image unchanged.

    Args:
        inputs: Input of the network, from `image_input`.
        noisy: Noisy image, from `image_input`.
        noise: Predicted noise, of the shape of `noisy`.
        noise_conditioned: As for the network; only True means a noise level map.

    Returns:
        The denoised image.
    """
    if noise_conditioned is True:
        level = SelectChannels(1, noisy.shape[-1], dtype="float32", name="level")(inputs)
        gain = NoiseGain(dtype="float32", name="noise_gain")(level)
        noise = layers.Multiply(dtype="float32", name="faded_noise")([noise, gain])
    return layers.Subtract(dtype="float32", name="denoised")([noisy, noise])
