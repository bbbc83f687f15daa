"""Keeps hidden colors out of the work: those that no viewer shows, since alpha is 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mallenet_tf.image_io.picture import Picture, convert_alpha

_REFLECTIONS = 3  # Each doubles what is known; what lies further away than that hardly matters.


def fill_hidden(picture: Picture) -> Picture:
    """Returns a picture whose hidden colors continue the visible ones, reflected at their edge.

    Where a network sees another color beyond the edge, it leaves a fringe in the visible pixels.

    Args:
        picture: Is not changed. Colors that are multiplied by alpha are divided by it.
    """
    if not picture.has_alpha:
        return picture
    visible = _visible(picture)
    if visible.all() and not picture.premultiplied:
        return picture
    straight = convert_alpha(picture, premultiplied=False)
    filled = replace(straight, samples=straight.samples.copy())
    if visible.any():
        _reflect(filled.pixels, visible)
    return filled


def restore_hidden(denoised: Picture, original: Picture) -> Picture:
    """Returns the denoised picture with the hidden colors and the kind of alpha of the original.

    Args:
        denoised: What `fill_hidden` returned, denoised.
        original: What it was given, as it was.
    """
    if denoised is original:
        return denoised
    result = convert_alpha(denoised, original.premultiplied)
    result.pixels[...] = np.where(_visible(original)[..., None], result.pixels, original.pixels)
    return result


def visible_part(picture: Picture) -> tuple[slice, slice]:
    """Returns the rows and columns that hold all visible pixels."""
    if not picture.has_alpha or not (visible := _visible(picture)).any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(visible.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _visible(picture: Picture) -> np.ndarray:
    """Returns a mask [H, W]; pixels brighter than their alpha, which only light up, are not."""
    visible = picture.samples[..., -1] > 0
    if picture.premultiplied and not picture.linear:
        visible &= (picture.pixels <= picture.samples[..., -1:]).all(axis=2)
    return visible


def _reflect(pixels: np.ndarray, visible: np.ndarray) -> None:
    """Fills [H, W, C] where it is not visible, in place."""
    from scipy import ndimage

    known = visible
    limits = np.array(known.shape)[:, None] - 1
    for last in (False,) * _REFLECTIONS + (True,):
        hidden = np.nonzero(~known)
        if not len(hidden[0]):
            return
        nearest = ndimage.distance_transform_edt(
            ~known, return_distances=False, return_indices=True
        )[:, hidden[0], hidden[1]]
        places = 2 * nearest - np.array(hidden)
        usable = ((places >= 0) & (places <= limits)).all(axis=0)
        places = np.clip(places, 0, limits)
        usable &= known[tuple(places)]
        if last:
            places, usable = np.where(usable, places, nearest), np.ones_like(usable)
        targets = tuple(axis[usable] for axis in hidden)
        pixels[targets] = pixels[tuple(axis[usable] for axis in places)]
        known = known.copy()
        known[targets] = True
