"""Random noisy patches of photographs that are on the device, made there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
from jax import random

if TYPE_CHECKING:
    from mallenet_tf.data import GaussianNoise
    from mallenet_tf.data.sources.image_bank import ImageBank


class Photographs(NamedTuple):
    """Decoded images of any sizes, one after the other, as arrays on the device.

    Attributes:
        pixels: Pixels of all images, uint8 [pixels, channels].
        starts: Index of each image's first pixel, int32 [images].
        heights: Height of each image, int32 [images].
        widths: Width of each image, int32 [images].
    """

    pixels: jax.Array
    starts: jax.Array
    heights: jax.Array
    widths: jax.Array


def on_device(bank: ImageBank) -> Photographs:
    """Copies decoded images to the device.

    Raises:
        ValueError: If there are more pixels than 32-bit integers can index.
    """
    pixels = bank.pixels.reshape(-1, bank.channels)
    if len(pixels) >= 2**31:
        raise ValueError(
            "Pixels are indexed by 32-bit integers: use fewer photographs, or smaller ones. "
            f"Received: {len(pixels)} pixels"
        )
    starts, heights, widths = bank.layout.T
    columns = (starts // bank.channels, heights, widths)
    return Photographs(jnp.asarray(pixels), *(jnp.asarray(column, "int32") for column in columns))


def batch_maker(
    noise: GaussianNoise, batch_size: int, patch_size: int, seed: int
) -> Callable[[Photographs, jax.Array], tuple[jax.Array, jax.Array]]:
    """Returns the function that makes the batch of a step, a pure function of seed and step.

    Photographs, places in them and symmetries of the square are uniformly distributed.

    Args:
        noise: Noise that is added to each patch, with a level drawn for each.
        batch_size: Patches in a batch.
        patch_size: Side of a patch; no photograph has a shorter side.
        seed: Seed of all batches.

    Returns:
        A function from photographs and the number of a step, counted from 0, to float32 batches,
        clean in [0, 1]: noisy [batch, side, side, channels], with a noise level map as one channel
        more if the noise is `conditioned`, and clean [batch, side, side, channels].
    """
    low, high = (limit / 255.0 for limit in noise.limits)
    one_each = (batch_size, 1, 1, 1)

    def make_batch(photographs: Photographs, step: jax.Array) -> tuple[jax.Array, jax.Array]:
        keys = random.split(random.fold_in(random.key(seed), step), 6)
        chosen = random.randint(keys[0], (batch_size,), 0, len(photographs.starts))
        heights, widths = photographs.heights[chosen], photographs.widths[chosen]
        top = random.randint(keys[1], (batch_size,), 0, heights - patch_size + 1)
        left = random.randint(keys[2], (batch_size,), 0, widths - patch_size + 1)
        rows, columns = symmetric_grid(random.randint(keys[3], (batch_size,), 0, 8), patch_size)
        rows = rows + top[:, None, None]
        columns = columns + left[:, None, None]
        starts = photographs.starts[chosen][:, None, None]
        index = starts + rows * widths[:, None, None] + columns
        clean = photographs.pixels[index].astype("float32") / 255.0
        sigma = random.uniform(keys[4], one_each, minval=low, maxval=high)
        noisy = clean + sigma * random.normal(keys[5], clean.shape)
        if noise.conditioned:
            level_map = jnp.broadcast_to(sigma, (*clean.shape[:3], 1))
            noisy = jnp.concatenate([noisy, level_map], axis=-1)
        return noisy, clean

    return make_batch


def symmetric_grid(symmetry: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Returns where each pixel of a flipped or rotated patch comes from.

    Args:
        symmetry: One of eight symmetries for each patch, int [batch], from 0 to 7. Bits are those
            of `data.augment.apply_symmetry`: 1 transposes, 2 then flips the rows, 4 the columns.
        size: Side of the patches.

    Returns:
        Row and column in the unchanged patch, int32 [batch, size, size] each.
    """
    bits = symmetry[:, None, None]
    rows, columns = jnp.arange(size)[None, :, None], jnp.arange(size)[None, None, :]
    rows = jnp.where(bits & 2, size - 1 - rows, rows)
    columns = jnp.where(bits & 4, size - 1 - columns, columns)
    return jnp.where(bits & 1, columns, rows), jnp.where(bits & 1, rows, columns)
