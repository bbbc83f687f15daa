"""Random noisy patches of photographs that lie on the device, made there."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import random

from mallenet_tf.data import GaussianNoise
from mallenet_tf.data.sources.image_bank import ImageBank


class Photographs(NamedTuple):
    """Decoded images of any sizes, one behind the other, as arrays on the device.

    Attributes:
        pixels: uint8 [pixels, channels].
        starts, heights, widths: int32 [images]; `starts` counts pixels.
    """

    pixels: jax.Array
    starts: jax.Array
    heights: jax.Array
    widths: jax.Array


def on_device(bank: ImageBank) -> Photographs:
    """Moves decoded images to the device.

    Raises:
        ValueError: if there are more pixels than 32-bit indices reach.
    """
    pixels = bank.pixels.reshape(-1, bank.channels)
    if len(pixels) >= 2**31:
        raise ValueError(
            "Patches are found by 32-bit indices: use fewer photographs, or smaller ones. "
            f"Received: {len(pixels)} pixels"
        )
    starts, heights, widths = bank.layout.T
    columns = (starts // bank.channels, heights, widths)
    return Photographs(jnp.asarray(pixels), *(jnp.asarray(column, "int32") for column in columns))


def batch_maker(
    noise: GaussianNoise, batch_size: int, patch_size: int, seed: int
) -> Callable[[Photographs, jax.Array], tuple[jax.Array, jax.Array]]:
    """Returns the function that makes the batch of a step, a pure function of seed and step.

    Every photograph is as likely as any other, every place in it, and every symmetry of the square.

    Args:
        noise: added to each patch with a level of its own.
        batch_size: patches in a batch.
        patch_size: their side; no photograph has a shorter one.
        seed: of all batches.

    Returns:
        A function from photographs and a step's number to float32 batches, clean in [0, 1]:
        noisy [batch, side, side, channels + planes], clean [batch, side, side, channels].
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
            plane = jnp.broadcast_to(sigma, (*clean.shape[:3], 1))
            noisy = jnp.concatenate([noisy, plane], axis=-1)
        return noisy, clean

    return make_batch


def symmetric_grid(symmetry: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Where the pixels of patches come from that are turned by one of eight symmetries.

    Args:
        symmetry: int [batch], from 0 to 7; bits as in `data.augment.apply_symmetry`: 1 transposes,
            2 then flips the rows, 4 then the columns.
        size: side of the patches.

    Returns:
        The source's rows and columns, int32 [batch, size, size] each.
    """
    bits = symmetry[:, None, None]
    rows, columns = jnp.arange(size)[None, :, None], jnp.arange(size)[None, None, :]
    rows = jnp.where(bits & 2, size - 1 - rows, rows)
    columns = jnp.where(bits & 4, size - 1 - columns, columns)
    return jnp.where(bits & 1, columns, rows), jnp.where(bits & 1, rows, columns)
