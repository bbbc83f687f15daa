"""A network as TensorFlow functions of images of any size, and of sigma."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from mallenet_tf.models import DenoisingModel


def image_functions(model: DenoisingModel, network: keras.Model) -> dict[str, Any]:
    """Makes two TensorFlow functions from noisy images to denoised ones.

    Their arguments are `image`, [N, H, W, image_channels], and for a noise-conditioned network
    `sigma`, float32 [N] or [1] in 8-bit units (0..255). They return a dictionary with `denoised`,
    of the image's shape and type. N, H and W are at least 1: images get the reflect-padded margin
    of `inference.Denoiser`, widened to the network's multiple of pixels, and are cropped.

    Args:
        model: Original network, which says what the inputs are.
        network: Network that is called: `model` itself, or a copy for a certain runtime.

    Returns:
        Two `tf.function`s with their signatures: "denoise", from and to float32 images in [0, 1],
        and "denoise_uint8".

    Raises:
        ValueError: If the network takes more than one noise level map.
    """
    if int(model.noise_conditioned) > 1:
        raise ValueError(
            "Only networks with one noise level map can be exported. "
            f"Received: noise_conditioned={model.noise_conditioned}"
        )
    margin, multiple = model.margin, model.padding_multiple

    def denoise(image: tf.Tensor, sigma: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return {"denoised": _denoise(network, margin, multiple, image, sigma)}

    def denoise_uint8(image: tf.Tensor, sigma: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        scaled = tf.cast(image, tf.float32) / 255.0
        denoised = _denoise(network, margin, multiple, scaled, sigma)
        return {"denoised": tf.cast(tf.round(denoised * 255.0), tf.uint8)}

    def traced(function: Callable, dtype: tf.DType) -> Any:
        image = tf.TensorSpec([None, None, None, model.image_channels], dtype, name="image")
        sigma = tf.TensorSpec([None], tf.float32, name="sigma")
        arguments = [image, sigma] if model.noise_conditioned else [image]
        return tf.function(function, input_signature=arguments)

    return {
        "denoise": traced(denoise, tf.float32),
        "denoise_uint8": traced(denoise_uint8, tf.uint8),
    }


def _denoise(
    network: keras.Model, margin: int, multiple: int, images: tf.Tensor, sigma: tf.Tensor | None
) -> tf.Tensor:
    """Denoises float32 [N, H, W, C] to the same, in [0, 1]."""
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    padded = _reflect(_reflect(images, 1, margin, multiple), 2, margin, multiple)
    if sigma is not None:
        level = tf.reshape(sigma / 255.0, [-1, 1, 1, 1])
        padded = tf.concat([padded, tf.zeros_like(padded[..., :1]) + level], axis=-1)
    denoised = network(padded, training=False)
    denoised = denoised[:, margin : margin + height, margin : margin + width]
    return tf.clip_by_value(denoised, 0.0, 1.0)


def _reflect(images: tf.Tensor, axis: int, margin: int, multiple: int) -> tf.Tensor:
    """Reflect-pads both ends of one axis as `inference.padding` does, whatever its length."""
    length = tf.shape(images)[axis]
    # No negative numbers: ONNX rounds their quotients the other way.
    padded = (length + 2 * margin + multiple - 1) // multiple * multiple
    period = tf.maximum(2 * length - 2, 1)  # to the last pixel and back
    phase = (tf.range(padded) + period - margin % period) % period
    return tf.gather(images, tf.minimum(phase, period - phase), axis=axis)
