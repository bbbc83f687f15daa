"""A trained network as a function from image to image: any size, any of the usual types."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mallenet_tf.evaluation.metrics import quantise
from mallenet_tf.inference.ensemble import self_ensemble
from mallenet_tf.inference.noise_estimation import estimate_sigma
from mallenet_tf.inference.padding import crop, pad_to_multiple
from mallenet_tf.inference.tiling import apply_tiled, check_tiles

if TYPE_CHECKING:
    from mallenet_tf.models import Denoiser as Model

# Every tile starts on this grid, a multiple of the coarsest stride of any network in the package.
TILE_GRID = 64
DEFAULT_TILE = 1024
DEFAULT_OVERLAP = 64
# A float image whose values go beyond this is scaled to 0..255 (or 0..65535), not to [0, 1]: noise
# of sigma 75 on white goes as far less than once in 10^11 values.
LARGEST_FLOAT = 3.0


class Denoiser:
    """Denoises images of any height and width of at least 1, in tiles where they are large.

    Example:
        >>> denoise = Denoiser(mallenet_tf.load_model("mallenet_s_sigma25"))
        >>> clean = denoise(noisy)  # uint8 in, uint8 out; float in [0, 1] in, the same float out

    Args:
        model: A network of `mallenet_tf.models`, or anything with its attributes.
        tile: Largest side, in pixels, that the network is given at once: a multiple of 64, at
            least 3 * overlap. Larger images are cut into tiles that are blended into each other.
            0 never cuts.
        overlap: Pixels that neighbouring tiles share: a multiple of 64. A network's receptive
            field is much larger than what matters of it; the default keeps tiled and whole
            results within 0.05 dB (tests/inference/test_inference_mallenet.py).
        ensemble: Average over the eight flips and rotations: slower by eight, slightly better.

    Raises:
        ValueError: If tile and overlap do not fit together.
    """

    def __init__(
        self,
        model: Model,
        tile: int = DEFAULT_TILE,
        overlap: int = DEFAULT_OVERLAP,
        ensemble: bool = False,
    ):
        if tile:
            check_tiles(tile, overlap, TILE_GRID)
        self.model = model
        self.tile = tile
        self.overlap = overlap
        # Twice what the network asks for. Its kernel grids may be coarser than its features by
        # two; on a whole number of grid cells they fall on the same pixels in every tile.
        self._multiple = 2 * model.size_multiple
        network = compile_network(model)
        self._network = self_ensemble(network) if ensemble else network

    def __call__(
        self,
        image: np.ndarray,
        sigma: float | None = None,
        on_tile: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Denoises one image.

        A gray image given to a colour network is repeated in three channels and the answer
        averaged; a colour image given to a gray network is denoised channel by channel.

        Args:
            image: [H, W], [H, W, 1] or [H, W, 3]; uint8, or float in [0, 1], where noise may
                reach beyond.
            sigma: Standard deviation of the noise in 8-bit units, for noise-conditioned
                networks; None estimates it from the image.
            on_tile: Called with (tiles done, tiles in all) after each tile.

        Returns:
            The same shape and type; floats are clipped to [0, 1].

        Raises:
            ValueError: For another shape or type, values out of range, a negative sigma, or a
                sigma given to a network that was trained for a fixed one.
        """
        check_image(image)
        if sigma is not None:
            self.check_sigma(sigma)
        elif self.takes_sigma:
            sigma = estimate_sigma(image)
        pixels = image if image.ndim == 3 else image[..., None]

        def denoise_tile(part: np.ndarray) -> np.ndarray:
            return self._denoise_tile(as_float(part), sigma)

        if self.tile:
            result = apply_tiled(denoise_tile, pixels, self.tile, self.overlap, TILE_GRID, on_tile)
        else:
            result = denoise_tile(pixels)
        result = np.clip(result, 0.0, 1.0).reshape(image.shape)
        return quantise(result) if image.dtype == np.uint8 else result.astype(image.dtype)

    @property
    def takes_sigma(self) -> bool:
        """Whether the network is told the noise level, or was trained for a fixed one."""
        return bool(self.model.noise_conditioned)

    def check_sigma(self, sigma: float) -> None:
        """Raises ValueError unless this network can be told this sigma."""
        if not self.takes_sigma:
            trained = self.model.trained_sigma
            which = "one noise level" if trained is None else f"sigma {trained:g}"
            raise ValueError(
                f"This network was trained for {which} and takes no sigma. Leave sigma out "
                "(--sigma=auto), or use the weights of a noise-conditioned network. "
                f"Received: sigma={sigma}"
            )
        if not 0 <= sigma <= 255:
            raise ValueError(f"sigma is in 8-bit units, 0 to 255. Received: sigma={sigma}")

    def _denoise_tile(self, part: np.ndarray, sigma: float | None) -> np.ndarray:
        """One [h, w, C] float32 tile to [h, w, C]: channels to batch, pad, network, crop."""
        height, width, channels = part.shape
        wanted = self.model.image_channels
        batch = pad_to_multiple(part, self._multiple)[None]
        if channels == 1 and wanted == 3:
            batch = np.repeat(batch, 3, axis=3)
        elif channels == 3 and wanted == 1:
            batch = np.moveaxis(batch, 3, 0)[:, 0, :, :, None]
        if sigma is not None:
            plane = np.full((*batch.shape[:3], 1), sigma / 255.0, np.float32)
            batch = np.concatenate([batch, plane], axis=3)
        answer = self._network(batch)
        if channels == 1 and wanted == 3:
            answer = answer.mean(axis=3, keepdims=True)
        elif channels == 3 and wanted == 1:
            answer = np.moveaxis(answer[..., 0], 0, 2)[None]
        return crop(answer[0], height, width)


def compile_network(model: Model) -> Callable[[np.ndarray], np.ndarray]:
    """The network's inference pass on NumPy batches, traced once for all sizes.

    On TensorFlow that is a graph with dynamic height and width; Keras's other backends are called
    directly.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return lambda batch: keras.ops.convert_to_numpy(model(batch, training=False))
    import tensorflow as tf

    channels = model.image_channels + int(model.noise_conditioned)
    signature = [tf.TensorSpec([None, None, None, channels], tf.float32)]
    graph = tf.function(lambda batch: model(batch, training=False), input_signature=signature)
    return lambda batch: graph(tf.constant(batch, tf.float32)).numpy()


def check_image(image: np.ndarray) -> None:
    """Raises ValueError unless `image` is one that a `Denoiser` takes; see its `__call__`."""
    if not isinstance(image, np.ndarray):
        raise ValueError(f"An image is a NumPy array. Received: {type(image).__name__}")
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(
            "An image is [H, W], [H, W, 1] or [H, W, 3]: gray or colour, one at a time. "
            f"Received: shape={image.shape}"
        )
    if image.size == 0:
        raise ValueError(f"The image holds no pixels. Received: shape={image.shape}")
    if image.dtype == np.uint8:
        return
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"An image is uint8, or float in [0, 1]. Received: dtype={image.dtype}")
    if not np.isfinite(image).all():
        raise ValueError("An image must be finite. Received: NaN or infinite values")
    low, high = float(image.min()), float(image.max())
    if high > LARGEST_FLOAT or low < 1.0 - LARGEST_FLOAT:
        raise ValueError(
            "A float image is in [0, 1], apart from noise; divide 8-bit values by 255. "
            f"Received: values from {low:g} to {high:g}"
        )


def as_float(image: np.ndarray) -> np.ndarray:
    """uint8 0..255 or float in [0, 1] to float32 in [0, 1]."""
    if image.dtype == np.uint8:
        return image.astype(np.float32) / np.float32(255.0)
    return image.astype(np.float32)
