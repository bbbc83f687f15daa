"""A trained network as a function from image to image: any size, any of the usual types."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mallenet_tf.image_io.pixels import as_float, check_image, is_gray, to_type
from mallenet_tf.inference import linear_light, memory
from mallenet_tf.inference.compiled_network import compile_network
from mallenet_tf.inference.ensemble import self_ensemble
from mallenet_tf.inference.noise_estimation import estimate_sigma
from mallenet_tf.inference.padding import Mirrored, crop, pad_to_multiple
from mallenet_tf.inference.tiling import check_tiles, tiled_bands

if TYPE_CHECKING:
    from mallenet_tf.models import DenoisingModel as Model

# Every tile starts on this grid, a multiple of the `padding_multiple` of most networks: of all but
# a UNet of four scales with a MalleConv at its bottom, and odd pooling sizes.
TILE_GRID = 64
# Larger tiles of MalleNet-S are no faster, and at 512 pixels the overlaps cost a fifth more.
DEFAULT_TILE = 1024
# Neighbouring tiles share this part of how far a pixel can reach: hardly any of the influence
# comes from further. MalleNets reach 764 pixels, and 64 keep tiled and whole results within 0.05 dB
# (tests/inference/test_mallenet.py).
OVERLAP_SHARE = 1 / 8
# A band of finished rows: sums, a tile's answer and its blend, in float32 for each colour.
BAND_BYTES = 3 * 4 * 2
ROWS = 64  # converted at a time, so that no copy of a whole band is made
# The noise level is estimated from at most about so many pixels in the middle of a float file.
MOST_ESTIMATED = 16_000_000
MOST_SIGMA = 255.0  # black and white dots, as scanners make them, are estimated higher
PROBE = 512  # side of the tile whose memory is measured


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
        overlap: Pixels that neighbouring tiles share: a multiple of 64. By default an eighth of
            the network's receptive field, and at least 64 and room for its margin twice.
        ensemble: Average over the eight flips and rotations: slower by eight, slightly better.
        strength: Share of the denoised image in the result, from 0 to 1; the rest is the noisy one.

    Raises:
        ValueError: If tile and overlap do not fit together, strength is out of range, or the
            network wants more planes than the noise level.
    """

    def __init__(
        self,
        model: Model,
        tile: int = DEFAULT_TILE,
        overlap: int | None = None,
        ensemble: bool = False,
        strength: float = 1.0,
    ):
        if overlap is None:
            reach = getattr(model, "receptive_field", 0)
            room = -(-2 * model.margin // TILE_GRID) * TILE_GRID
            overlap = max(room, int(reach * OVERLAP_SHARE) // TILE_GRID * TILE_GRID)
        if tile:
            check_tiles(tile, overlap, TILE_GRID)
        if not 0 <= strength <= 1:
            raise ValueError(f"strength is from 0 to 1. Received: strength={strength}")
        if int(model.noise_conditioned) > 1:
            raise ValueError(
                "Only the noise level can be told here; call a network with more planes itself. "
                f"Received: noise_conditioned={model.noise_conditioned}"
            )
        self.model = model
        self.frames = getattr(model, "frames", 1)
        self.tile = tile
        self.overlap = overlap
        self.strength = strength
        self._multiple = model.padding_multiple
        # No wider than an overlap leaves room for: no tile reads rows that are finished already.
        self.margin = min(model.margin, overlap // 2)
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
            image: [H, W], [H, W, 1] or [H, W, 3]; uint8, uint16, or float in [0, 1], where noise
                may reach beyond.
            sigma: Standard deviation of the noise in 8-bit units, for noise-conditioned
                networks; None estimates it from the image.
            on_tile: Called with (tiles done, tiles in all) after each tile.

        Returns:
            The same shape and type; floats are clipped to [0, 1].

        Raises:
            ValueError: For another shape or type, values out of range, a negative sigma, or a
                sigma given to a network that was trained for a fixed one; or if the network is
                one for video.
        """
        check_image(image)
        if self.frames > 1:
            raise ValueError(
                f"This network denoises videos, {self.frames} frames at once, and no images. "
                f"Received: model={self.model.name}"
            )
        result = np.empty(image.shape if image.ndim == 3 else (*image.shape, 1), image.dtype)
        pixels = image.reshape(result.shape)
        self.denoise_into(result, pixels, sigma, on_tile=on_tile)
        return result.reshape(image.shape)

    def denoise_into(
        self,
        result: np.ndarray,
        pixels: np.ndarray,
        sigma: float | None = None,
        *,
        light: bool = False,
        tile: int | None = None,
        on_tile: Callable[[int, int], None] | None = None,
    ) -> None:
        """Denoises [H, W, 1 or 3] into an array of the same shape and type, or into itself.

        A network for video takes its frames stacked along the channels, the oldest first, and
        denoises the middle one, which gives the shape of the result.

        Args:
            result: Where to; `pixels` itself saves memory, since no tile reads finished rows.
            pixels: As in a call, or linear light.
            sigma: As in a call.
            light: Whether floats are linear light: not clipped, see `inference.linear`.
            tile: Another side than the denoiser's.
            on_tile: As in a call.

        Raises:
            ValueError: As a call, for a wrong sigma.
        """
        by_channel = self.frames == 1 and pixels.shape[2] > self.model.image_channels
        if by_channel and is_gray(pixels):
            gray = result[..., :1]  # once for all three, where a gray network would work thrice
            self.denoise_into(gray, pixels[..., :1], sigma, light=light, tile=tile, on_tile=on_tile)
            result[..., 1:] = gray
            return
        if sigma is not None:
            self.check_sigma(sigma)
        elif self.takes_sigma:
            sigma = self.estimate(pixels[..., self._middle(pixels)], light)

        def denoise_tile(part: np.ndarray) -> np.ndarray:
            return self._denoise_tile(linear_light.to_network_range(part, light), sigma)

        height, width = pixels.shape[:2]
        middle = self._middle(pixels)
        given = Mirrored(pixels, self.margin, self._multiple)
        tile = self.tile if tile is None else tile
        tile = tile or -(-max(given.shape[:2]) // TILE_GRID) * TILE_GRID + 2 * self.overlap
        top = -self.margin
        for band in tiled_bands(denoise_tile, given, tile, self.overlap, TILE_GRID, on_tile):
            for first in range(max(top, 0), min(top + len(band), height), ROWS):
                rows = slice(first, min(first + ROWS, top + len(band), height))
                answer = band[rows.start - top : rows.stop - top]
                answer = answer[:, self.margin : self.margin + width]
                result[rows] = self._finish(answer, pixels[rows, :, middle], light)
            top += len(band)

    def _middle(self, pixels: np.ndarray) -> slice:
        """The channels of the frame that is denoised."""
        channels = pixels.shape[2] // self.frames
        return slice(self.frames // 2 * channels, (self.frames // 2 + 1) * channels)

    def _finish(self, answer: np.ndarray, noisy: np.ndarray, light: bool) -> np.ndarray:
        """Finished rows of the network's to the image's type: blended, limited, rounded."""
        if light:
            display = linear_light.to_display(noisy)
            change = answer - np.clip(display, linear_light.LOWEST, linear_light.HIGHEST)
            denoised = linear_light.to_light(display + self.strength * change).astype(noisy.dtype)
            return np.where(np.isfinite(noisy), denoised, noisy)
        if self.strength < 1:
            before = as_float(noisy)
            answer = before + np.float32(self.strength) * (answer - before)
        return to_type(np.clip(answer, 0.0, 1.0), noisy.dtype)

    def tile_for(self, shape: tuple[int, ...], budget: int) -> int | None:
        """The side of the fastest tile for an image [H, W, C] that works in `budget` bytes.

        Returns:
            A multiple of 64, at most `DEFAULT_TILE`; None if none fits.
        """
        sides = range(max(3 * self.overlap, 2 * TILE_GRID), DEFAULT_TILE + 1, TILE_GRID)
        band = BAND_BYTES * shape[2] / 3
        batch = max(1, shape[2] // (self.frames * self.model.image_channels))
        return memory.largest_tile(shape[1], batch * self.bytes_per_pixel, band, budget, sides)

    @functools.cached_property
    def bytes_per_pixel(self) -> float:
        """Memory that the network takes for each pixel of a tile, measured once."""
        channels = self.frames * self.model.image_channels
        sigma = 25.0 if self.takes_sigma else None
        probe = np.zeros((PROBE, PROBE, channels), np.float32)
        self._denoise_tile(probe[: PROBE // 4, : PROBE // 4], sigma)  # traces the graph
        return memory.peak_growth(lambda: self._denoise_tile(probe, sigma)) / PROBE**2

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
        if not 0 <= sigma <= MOST_SIGMA:
            raise ValueError(f"sigma is in 8-bit units, 0 to 255. Received: sigma={sigma}")

    @staticmethod
    def estimate(pixels: np.ndarray, light: bool = False) -> float:
        """The noise level of [H, W, C], 0 to 255 in 8-bit units; of linear light, as displayed."""
        if light:
            height, width = pixels.shape[:2]
            rows = max(1, MOST_ESTIMATED // width)
            first = max(0, (height - rows) // 2)
            pixels = linear_light.to_display(pixels[first : first + rows])
        return min(estimate_sigma(pixels), MOST_SIGMA)

    def _denoise_tile(self, part: np.ndarray, sigma: float | None) -> np.ndarray:
        """One [h, w, frames * C] float32 tile to [h, w, C]."""
        return self.from_batch(self._network(self.to_batch(part, sigma)), part.shape)

    def to_batch(self, part: np.ndarray, sigma: float | None) -> np.ndarray:
        """What the network is given for a float32 tile [h, w, frames * C]: padded, with sigma."""
        wanted, channels = self.model.image_channels, part.shape[2] // self.frames
        batch = pad_to_multiple(part, self._multiple)[None]
        if channels == 1 and wanted == 3:
            batch = np.repeat(batch, 3, axis=3)
        elif channels == 3 and wanted == 1:
            batch = np.moveaxis(batch[0].reshape(*batch.shape[1:3], self.frames, 3), 3, 0)
        if sigma is not None:
            plane = np.full((*batch.shape[:3], 1), sigma / 255.0, np.float32)
            batch = np.concatenate([batch, plane], axis=3)
        return batch

    def from_batch(self, answer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """[h, w, C] from the network's answer to the batch of a tile of this shape."""
        wanted, channels = self.model.image_channels, shape[2] // self.frames
        if channels == 1 and wanted == 3:
            answer = answer.mean(axis=3, keepdims=True)
        elif channels == 3 and wanted == 1:
            answer = np.moveaxis(answer[..., 0], 0, 2)[None]
        return crop(answer[0], *shape[:2])
