"""Networks for clips whose answer is known: sums of frames."""

import keras
import numpy as np

from mallenet_tf.image_io.video_reader import open_video
from mallenet_tf.layers import SelectChannels
from mallenet_tf.models.denoising_model import DenoisingModel as Model
from mallenet_tf.models.denoising_model import image_input


@keras.saving.register_keras_serializable("mallenet_tf_tests")
class Blend(Model):
    """Half the middle frame, and of the first and the last as much as `first` and `last` say.

    With a noise level it adds `level` times that.
    """

    def __init__(
        self,
        frames=3,
        first=0.5,
        last=0.0,
        level=1.0,
        image_channels=3,
        noise_conditioned=False,
        trained_sigma=None,
        name="blend",
    ):
        inputs, stack = image_input(image_channels, noise_conditioned, frames)

        def frame(index):
            return SelectChannels(image_channels, index * image_channels)(stack)

        outputs = frame(frames // 2)
        if frames > 1:
            outputs = 0.5 * outputs + first * frame(0) + last * frame(frames - 1)
        if noise_conditioned:
            outputs = outputs + level * SelectChannels(1, frames * image_channels)(inputs)
        options = {
            "frames": frames,
            "first": first,
            "last": last,
            "level": level,
            "image_channels": image_channels,
            "noise_conditioned": noise_conditioned,
            "trained_sigma": trained_sigma,
        }
        super().__init__(inputs, outputs, options, name)


def blended(frames: np.ndarray) -> np.ndarray:
    """What a network "three" makes of a clip; the frame before the first is the second."""
    before = np.concatenate([frames[1:2], frames[:-1]])
    return np.rint((frames / 255 * 0.5 + before / 255 * 0.5) * 255)


def frames_of(path) -> np.ndarray:
    with open_video(path) as opened:
        return np.stack([frame for _, frame in opened])
