"""Gives gray tiles to color networks, and color tiles to gray networks.

A gray tile is repeated in the three channels of a color network, and the result averaged. The three
channels of a color tile go through a gray network as a batch of three, or once if they are equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mallenet_tf.image_io.pixels import is_gray


def to_batch(
    frames: Sequence[np.ndarray], maps: np.ndarray | None, image_channels: int
) -> np.ndarray:
    """Makes the input of a network of `image_channels`.

    Args:
        frames: Tiles of the frames, oldest first, float32 [h, w, C] each; one tile for an image.
        maps: Noise level maps, [h, w, P]; None for networks that take none.
        image_channels: Channels of the network's images, 1 or 3.

    Returns:
        float32 [n, h, w, len(frames) * image_channels + P].
    """
    channels = frames[0].shape[2]
    if channels == image_channels:
        parts = [frame[None] for frame in frames]
    elif channels == 1:
        parts = [np.repeat(frame[None], image_channels, axis=3) for frame in frames]
    elif all(map(is_gray, frames)):
        parts = [frame[None, ..., :1] for frame in frames]
    else:
        parts = [np.moveaxis(frame, 2, 0)[..., None] for frame in frames]
    if maps is not None:
        parts.append(np.broadcast_to(maps, (len(parts[0]), *maps.shape)))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=3, dtype=np.float32)


def from_batch(output: np.ndarray, channels: int) -> np.ndarray:
    """Returns the tile [h, w, channels] from a network's output for its `to_batch`."""
    if output.shape[3] == channels:
        return output[0]
    if channels == 1:
        return output.mean(axis=3)[0, ..., None]
    by_channel = np.moveaxis(output[..., 0], 0, 2)
    return np.broadcast_to(by_channel, (*by_channel.shape[:2], channels))
