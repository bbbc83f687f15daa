"""What every denoising network of this package has in common."""

import keras
from keras import layers


class Denoiser(keras.Model):
    """A functional Keras model from a noisy image to the denoised one.

    Input `[N, H, W, image_channels]`, float in [0, 1] plus noise; one more channel, the last, holds
    sigma / 255 when `noise_conditioned`. Output `[N, H, W, image_channels]`, not clipped.

    Attributes:
        image_channels: 3 for colour, 1 for gray.
        noise_conditioned: how many planes of noise parameters the input carries; True is one, the
            noise level.
        size_multiple: height and width must be multiples of it.
        receptive_field: how far, in pixels to one side, an input pixel can reach into the output.
        trained_sigma: the noise level, in 8-bit units, of a network trained for one; else None.
    """

    image_channels = 3
    noise_conditioned: bool | int = False
    size_multiple = 1
    receptive_field = 0
    trained_sigma: float | None = None


def image_input(image_channels: int, noise_conditioned: bool | int):
    """The symbolic input of a denoiser and the noisy image in it, without the planes behind it.

    Raises:
        ValueError: if `image_channels` is not 1 or 3.
    """
    if image_channels not in (1, 3):
        raise ValueError(
            "image_channels must be 1 (gray) or 3 (colour). "
            f"Received: image_channels={image_channels}"
        )
    inputs = keras.Input((None, None, image_channels + noise_conditioned), name="noisy")
    if not noise_conditioned:
        return inputs, inputs
    return inputs, TakeChannels(image_channels, dtype="float32", name="image")(inputs)


@keras.saving.register_keras_serializable("mallenet_tf")
class TakeChannels(layers.Layer):
    """Keeps the first `channels` channels of `[N, H, W, C]`."""

    def __init__(self, channels: int, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def call(self, inputs):
        return inputs[..., : self.channels]

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.channels)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}
