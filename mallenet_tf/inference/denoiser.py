"""Takes an image through a network: the only path from noisy to denoised pixels."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mallenet_tf.common.errors import UserError
from mallenet_tf.image_io.pixels import check_image
from mallenet_tf.inference import memory
from mallenet_tf.inference.channels import from_batch, to_batch
from mallenet_tf.inference.compiled_network import compile_network
from mallenet_tf.inference.ensemble import self_ensemble
from mallenet_tf.inference.linear_light import from_network_range, to_network_range
from mallenet_tf.inference.noise_level import maps_for_network
from mallenet_tf.inference.padding import ReflectPadded
from mallenet_tf.inference.strength import Strength
from mallenet_tf.inference.tiling import (
    TileCallback,
    Window,
    check_tiles,
    smallest_tile,
    tiled_bands,
)

if TYPE_CHECKING:
    from mallenet_tf.models import DenoisingModel as Model

# Every tile starts on a multiple of this and of the network's `padding_multiple`.
TILE_GRID = 64
# For MalleNet-S larger tiles are no faster, and the overlaps of 512 pixels cost a fifth more.
DEFAULT_TILE = 1024
# Neighboring tiles share this part of the receptive field radius; pixels further away have little
# influence. MalleNet's radius is 764 pixels, and an overlap of 64 keeps tiled and whole
# results within 0.05 dB (tests/inference/test_mallenet.py).
OVERLAP_SHARE = 1 / 8
# Of a pixel in a band of finished rows: sums, a tile's output and its blend, float32 per color.
BAND_BYTES = 3 * 4 * 2
ROWS = 64  # Converted at a time, so that no whole band is copied.
PROBE = 512  # About the side of the tile whose memory is measured.


class Denoiser:
    """Denoises images of any height and width with one network.

    It owns all that is between an image and the network, so that an image gives the same result in
    the denoise command, during training, in benchmarks and in the checks of exports:

    - the noise level: given, estimated, or fixed by the network, see `noise_level.resolve_level`;
    - the reflect padding: a margin, and up to the network's multiple of pixels;
    - the tiles that large images are cut into, and the memory they take;
    - gray images in color networks and the reverse;
    - the conversion to the network's range and back to the image's type.

    The model's weights are read at each call, so the model may be trained between calls.

    Args:
        model: A network of `mallenet_tf.models`, or anything with its attributes.
        tile: Largest side in pixels given to the network at once: a multiple of 64. Larger images
            are cut into tiles that are blended into each other. None chooses the fastest that fits
            `max_memory`; 0 never cuts.
        overlap: Pixels that neighboring tiles share, a multiple of 64, at most a third of `tile`.
            None chooses an eighth of the network's receptive field radius, at least twice the
            network's margin.
        ensemble: Whether to average over the eight flips and rotations: eight times slower,
            slightly better.
        strength, luminance, color: Shares of the noise that are removed, from 0 to 1: of all of it,
            of its luminance and of its color, see `strength.Strength`.
        max_memory: Bytes that the process may take, libraries included; None for no limit. Only
            used if `tile` is None.

    Raises:
        ValueError: If tile and overlap do not fit together, or a share is out of range.

    Example:
        >>> denoise = Denoiser(mallenet_tf.load_model("mallenet_s_sigma25"))
        >>> clean = denoise(noisy)  # uint8 in, uint8 out; float in [0, 1] in, the same float out
    """

    def __init__(
        self,
        model: Model,
        tile: int | None = None,
        overlap: int | None = None,
        ensemble: bool = False,
        strength: float = 1.0,
        luminance: float = 1.0,
        color: float = 1.0,
        max_memory: int | None = None,
    ):
        self.model = model
        self.frames: int = getattr(model, "frames", 1)
        self.strength = Strength(strength, luminance, color)
        self.tile = tile
        self.max_memory = max_memory
        self._multiple = model.padding_multiple
        self._grid = math.lcm(TILE_GRID, self._multiple)
        self.overlap = self._default_overlap() if overlap is None else overlap
        if tile:
            check_tiles(tile, self.overlap, self._grid)
        # No wider than an overlap leaves room for: no tile reads rows that are finished already.
        self.margin = min(model.margin, self.overlap // 2)
        network = compile_network(model)
        self._network = self_ensemble(network) if ensemble else network
        if tile is None and max_memory is not None:
            self.bytes_per_pixel  # noqa: B018 - Measured before images take memory.

    def _default_overlap(self) -> int:
        radius = getattr(self.model, "receptive_field_radius", 0)
        room = -(-2 * self.model.margin // self._grid) * self._grid
        return max(room, int(radius * OVERLAP_SHARE) // self._grid * self._grid)

    def __call__(
        self,
        image: np.ndarray,
        sigma: float | None = None,
        noise_level_map: np.ndarray | None = None,
        on_tile: TileCallback | None = None,
        *,
        linear_light: bool = False,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Denoises one image.

        A gray image given to a color network is repeated in three channels and the result averaged;
        a color image given to a gray network is denoised channel by channel.

        Args:
            image: [H, W], [H, W, 1] or [H, W, 3]; uint8, uint16, or float in [0, 1], where noise
                may reach beyond.
            sigma: Noise level in 8-bit units, for noise-conditioned networks; None estimates it.
            noise_level_map: [H, W, P], the network's noise level maps, instead of sigma.
            on_tile: Called with (tiles done, tiles in all) after each tile.
            linear_light: Whether floats are linear light, see `inference.linear_light`.
            out: Where to write the result; `image` itself saves memory. None for a new array.

        Returns:
            The same shape and type; floats that are not linear light are clipped to [0, 1].

        Raises:
            ValueError: For another shape or type, values out of range, a sigma or map that the
                network does not take, or a network for video.
            UserError: If not even the smallest tile fits `max_memory`.
        """
        if self.frames > 1:
            raise ValueError(
                f"This network denoises videos, {self.frames} frames at once, and no images. "
                f"Received: model={self.model.name}"
            )
        return self.denoise_window(
            [image], sigma, noise_level_map, on_tile, linear_light=linear_light, out=out
        )

    def denoise_window(
        self,
        window: Sequence[np.ndarray],
        sigma: float | None = None,
        noise_level_map: np.ndarray | None = None,
        on_tile: TileCallback | None = None,
        *,
        linear_light: bool = False,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Denoises the middle one of the frames that the network takes: one, if it is for images.

        Args:
            window: The frames, the oldest first, all of one shape and type; each as `image` of a
                call.
            sigma, noise_level_map, on_tile, linear_light, out: As of a call.

        Returns:
            The middle frame, denoised.

        Raises:
            ValueError, UserError: As a call.
        """
        if len(window) != self.frames:
            raise ValueError(f"The network takes {self.frames} frames. Received: {len(window)}")
        if not linear_light:
            for frame in window:
                check_image(frame)
        middle = window[self.frames // 2]
        result = np.empty(middle.shape, middle.dtype) if out is None else out
        frames = [frame if frame.ndim == 3 else frame[..., None] for frame in window]
        noisy = frames[self.frames // 2]
        maps = maps_for_network(self.model, noisy, sigma, noise_level_map, linear_light)
        if maps is not None and not maps.any():  # No noise, no change.
            display = np.issubdtype(middle.dtype, np.floating) and not linear_light
            result[...] = np.clip(middle, 0, 1) if display else middle
            return result
        for rows, denoised in self._denoised_rows(frames, maps, linear_light, on_tile):
            pixels = from_network_range(denoised, noisy[rows], self.strength, linear_light)
            result[rows] = pixels.reshape(result[rows].shape)
        return result

    @property
    def takes_sigma(self) -> bool:
        """Whether the network is told the noise level, or was trained for a fixed one."""
        return int(self.model.noise_conditioned) > 0

    def tile_side(self, shape: Sequence[int]) -> int:
        """Returns the side in pixels of the tiles for an image [H, W, C].

        Raises:
            UserError: If not even the smallest tile fits `max_memory`.
        """
        height, width, channels = shape
        if self.tile == 0:
            longest = max(height, width) + 2 * self.margin + self._multiple
            return -(-longest // self._grid) * self._grid + 2 * self.overlap
        if self.tile is not None:
            return self.tile
        smallest = smallest_tile(self.overlap, self._grid)
        largest = max(smallest, DEFAULT_TILE // self._grid * self._grid)
        if self.max_memory is None:
            return largest
        left = self.max_memory - memory.resident()
        sides = range(max(smallest, 2 * self._grid), largest + 1, self._grid)
        batch = max(1, channels // self.model.image_channels)
        tile = memory.largest_tile(
            width, batch * self.bytes_per_pixel, BAND_BYTES * channels / 3, left, sides
        )
        if tile is None:
            raise UserError(
                f"The image of {width} x {height} pixels leaves {max(0, left) / 1e6:.0f} MB for "
                f"the network, which takes {self.bytes_per_pixel:.0f} bytes a pixel of a tile; "
                f"raise --max_memory. Received: --max_memory={self.max_memory / 1e6:.0f}MB"
            )
        return tile

    @functools.cached_property
    def bytes_per_pixel(self) -> float:
        """Bytes that the network takes for each pixel of a tile, measured once."""
        side = -(-PROBE // self._grid) * self._grid
        depth = self.frames * self.model.image_channels + int(self.model.noise_conditioned)
        self._network(np.zeros((1, self._grid, self._grid, depth), np.float32))  # Traces the graph.
        batch = np.zeros((1, side, side, depth), np.float32)
        return memory.peak_growth(lambda: self._network(batch)) / side**2

    def _denoised_rows(
        self,
        frames: Sequence[np.ndarray],
        maps: np.ndarray | None,
        linear_light: bool,
        on_tile: TileCallback | None,
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yields slices of rows, in order, with the network's output, float32 [rows, W, C]."""
        height, width, channels = frames[0].shape
        padded = [ReflectPadded(frame, self.margin, self._multiple) for frame in frames]
        padded_maps = None if maps is None else ReflectPadded(maps, self.margin, self._multiple)

        def denoise_tile(window: Window) -> np.ndarray:
            tiles = [to_network_range(frame[window], linear_light) for frame in padded]
            tile_maps = None if padded_maps is None else padded_maps[window]
            batch = to_batch(tiles, tile_maps, self.model.image_channels)
            return from_batch(self._network(batch), channels)

        tile = self.tile_side(frames[0].shape)
        top = -self.margin
        for band in tiled_bands(
            denoise_tile, padded[0].shape, tile, self.overlap, self._grid, on_tile
        ):
            bottom = top + len(band)
            for first in range(max(top, 0), min(bottom, height), ROWS):
                rows = slice(first, min(first + ROWS, bottom, height))
                inside = band[rows.start - top : rows.stop - top]
                yield rows, inside[:, self.margin : self.margin + width]
            top = bottom
