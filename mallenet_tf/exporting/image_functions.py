"""A network as TensorFlow functions that take images as users have them: any size, sigma beside."""

from typing import Any

import keras
import tensorflow as tf

from mallenet_tf.models import DenoisingModel


def image_functions(model: DenoisingModel, network: keras.Model) -> dict[str, Any]:
    """Two TensorFlow functions from noisy images to denoised ones.

    Their arguments are `image`, [N, H, W, image_channels], and for a noise-conditioned network
    `sigma`, float32 [N] or [1] in 8-bit units (0..255). They return a dictionary with `denoised`,
    of the image's shape and type. N, H and W are any numbers of at least 1: images get a mirrored
    margin, as wide as `inference.Denoiser`'s and so that the network takes them, and are cropped.

    Args:
        model: says what the network takes.
        network: computes it: `model` itself, or a copy for a certain runtime.

    Returns:
        Two `tf.function`s with their signatures: "denoise", for float32 images in [0, 1], which
        answers in [0, 1], and "denoise_uint8".

    Raises:
        ValueError: if the network wants more than one plane beside the image.
    """
    if int(model.noise_conditioned) > 1:
        raise ValueError(
            "Only networks with one noise level plane can be exported. "
            f"Received: noise_conditioned={model.noise_conditioned}"
        )
    margin, multiple = model.margin, model.padding_multiple

    def floats(image, sigma=None):
        return {"denoised": _denoise(network, margin, multiple, image, sigma)}

    def eight_bits(image, sigma=None):
        answer = _denoise(network, margin, multiple, tf.cast(image, tf.float32) / 255.0, sigma)
        return {"denoised": tf.cast(tf.round(answer * 255.0), tf.uint8)}

    def traced(function, dtype):
        image = tf.TensorSpec([None, None, None, model.image_channels], dtype, name="image")
        sigma = tf.TensorSpec([None], tf.float32, name="sigma")
        arguments = [image, sigma] if model.noise_conditioned else [image]
        return tf.function(function, input_signature=arguments)

    return {"denoise": traced(floats, tf.float32), "denoise_uint8": traced(eight_bits, tf.uint8)}


def _denoise(
    network: keras.Model, margin: int, multiple: int, images: tf.Tensor, sigma: tf.Tensor | None
) -> tf.Tensor:
    """[N, H, W, C] float32 to the same, in [0, 1]."""
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    padded = _mirror(_mirror(images, 1, margin, multiple), 2, margin, multiple)
    if sigma is not None:
        level = tf.reshape(sigma / 255.0, [-1, 1, 1, 1])
        padded = tf.concat([padded, tf.zeros_like(padded[..., :1]) + level], axis=-1)
    denoised = network(padded, training=False)
    denoised = denoised[:, margin : margin + height, margin : margin + width]
    return tf.clip_by_value(denoised, 0.0, 1.0)


def _mirror(images: tf.Tensor, axis: int, margin: int, multiple: int) -> tf.Tensor:
    """Mirrors one axis at both ends as `inference.padding.Mirrored` does, whatever its length."""
    length = tf.shape(images)[axis]
    # No negative numbers: ONNX rounds their quotients the other way.
    padded = (length + 2 * margin + multiple - 1) // multiple * multiple
    period = tf.maximum(2 * length - 2, 1)  # to the last pixel and back
    phase = (tf.range(padded) + period - margin % period) % period
    return tf.gather(images, tf.minimum(phase, period - phase), axis=axis)
