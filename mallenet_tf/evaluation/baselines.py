"""Methods without training that the papers compare with.

Each takes noisy frames, float32 [H, W, C] in [0, 1] plus noise, the oldest first, and the standard
deviation of their noise in the same units, and returns the middle frame denoised. VBM4D, of
deformable_kernels.txt's Table 3, has no free library for Python and is left out.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mallenet_tf.common.errors import UserError, optional_module

Baseline = Callable[[Sequence[np.ndarray], float], np.ndarray]


def noisy(frames: Sequence[np.ndarray], sigma: float) -> np.ndarray:
    """Returns the noisy frame itself."""
    return frames[len(frames) // 2]


def average(frames: Sequence[np.ndarray], sigma: float) -> np.ndarray:
    """Averages the frames, whatever moves in them: "direct average" in the paper's Table 3."""
    return np.mean(frames, axis=0)


def nlm(frames: Sequence[np.ndarray], sigma: float) -> np.ndarray:
    """Averages similar patches of the frame: non-local means (Buades et al. 2005), scikit-image's.

    Patches of 5 x 5 are searched 6 pixels around, with a filter of 0.8 sigma, as its documentation
    advises where sigma is known.
    """
    restoration = optional_module("skimage.restoration", "scikit-image", "quickstart")
    frame = noisy(frames, sigma)
    denoised = restoration.denoise_nl_means(
        frame,
        patch_size=5,
        patch_distance=6,
        h=0.8 * sigma,
        sigma=sigma,
        fast_mode=True,
        channel_axis=-1,
    )
    return denoised.reshape(frame.shape)


def bm3d(frames: Sequence[np.ndarray], sigma: float) -> np.ndarray:
    """Filters groups of similar patches (Dabov et al. 2007), by the authors' library.

    The library, `bm3d`, is free for research only, so that this package does not depend on it.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import bm3d as library
    except ImportError as error:
        raise UserError(
            f"BM3D needs its authors' library: pip install bm3d. Received: {error}"
        ) from error
    frame = noisy(frames, sigma)
    filtered = library.bm3d_rgb if frame.shape[2] == 3 else library.bm3d
    return filtered(frame, sigma).reshape(frame.shape)


BASELINES: Mapping[str, Baseline] = {"noisy": noisy, "average": average, "NLM": nlm, "BM3D": bm3d}


def find_baseline(name: str) -> Baseline:
    """Returns a baseline by its name.

    Raises:
        UserError: If there is none.
    """
    if name not in BASELINES:
        raise UserError(f"Baselines are {', '.join(BASELINES)}. Received: --baseline={name}")
    return BASELINES[name]
