"""The networks of a batch of files."""

from __future__ import annotations

from pathlib import Path

from mallenet_tf.common.errors import UserError, user_input
from mallenet_tf.inference import memory
from mallenet_tf.inference.denoiser import Denoiser
from mallenet_tf.inference.noise_level import MeasuredNoise, check_sigma, default_weights
from mallenet_tf.inference.options import Options


class Networks:
    """Chooses a network for each file and loads each network once.

    Weights that are given are loaded at the start, so that mistakes show before the first file.

    Args:
        options: Of the batch.
        video: Whether the networks denoise videos.

    Raises:
        UserError: If there are no such weights, they do not take the options, they are for video
            and the files are not, or the process has taken more memory than it may.
    """

    def __init__(self, options: Options, video: bool):
        self._options, self._video = options, video
        self._loaded: dict[str | Path, Denoiser] = {}
        text = options.max_memory
        self.max_memory = None if text is None else memory.parse_limit(text)
        if options.weights is not None:
            self._load(options.weights)

    def choose(self, noise: MeasuredNoise) -> Denoiser:
        """Returns the network for an image or a video with this noise."""
        options = self._options
        return self._load(options.weights or default_weights(noise, options.sigma))

    def memory_left(self) -> int | None:
        """Returns the bytes that the process may still take; None for no limit."""
        return None if self.max_memory is None else self.max_memory - memory.resident()

    def _load(self, weights: str | Path) -> Denoiser:
        from mallenet_tf.models import load_model  # Imports Keras, which takes seconds.

        if weights in self._loaded:
            return self._loaded[weights]
        options = self._options
        with user_input():
            model = load_model(weights)
            check_sigma(model, options.sigma)
        if model.frames > 1 and not self._video:
            raise UserError(
                f"These weights denoise a frame of a video from the {model.frames} around it; "
                f"--video takes a folder for one. Received: --weights={weights}"
            )
        with user_input():
            denoiser = Denoiser(
                model,
                options.tile,
                ensemble=options.ensemble,
                strength=options.strength,
                luminance=options.luminance,
                color=options.color,
                max_memory=self.max_memory,
            )
        self._loaded[weights] = denoiser
        return denoiser
