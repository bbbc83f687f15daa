"""Predicted kernels applied to the noisy pixels, the last step of kernel prediction networks.

The results of each frame or group of taps stay separate until the end, for the annealed loss
(deformable_kernels.txt, equations 10 and 11).
"""

from typing import Any

import keras
from keras import layers, ops

from mallenet_tf.common.types import Shape, Tensor
from mallenet_tf.layers.per_pixel import apply_per_pixel


@keras.saving.register_keras_serializable("mallenet_tf")
class PerFrameConv(layers.Layer):
    """Filters each frame with its own kernel at every pixel, shared by the frame's colors.

    Source: kernel prediction networks (Mildenhall et al. 2018), equation for one frame; the rigid
    kernels of deformable_kernels.txt, equation (1). Zero outside the image.

    Args:
        frames: Number of frames stacked in the channels.

    Input shape:
        Frames `[N, H, W, frames * C]` and kernels `[N, H, W, K * K * frames]`, with the taps in row
        order and the frames of a tap adjacent.

    Output shape:
        `[N, H, W, frames * C]`, the filtered frames.

    Raises:
        ValueError: If `frames` does not divide the channels of both inputs.

    Example:
        >>> PerFrameConv(2)(keras.ops.ones((1, 4, 4, 6)), keras.ops.ones((1, 4, 4, 18))).shape
        TensorShape([1, 4, 4, 6])
    """

    def __init__(self, frames: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.frames = frames

    def build(self, stack_shape: Shape, kernels_shape: Shape) -> None:
        for shape in (stack_shape, kernels_shape):
            if self.frames < 1 or shape[-1] % self.frames:
                raise ValueError(
                    "frames must divide the channels of the frames and of the kernels. "
                    f"Received: frames={self.frames}, {shape[-1]} channels"
                )

    def call(self, stack: Tensor, kernels: Tensor) -> Tensor:
        _, height, width, _ = ops.shape(stack)
        taps = kernels.shape[-1] // self.frames
        return apply_per_pixel(stack, ops.reshape(kernels, (-1, height, width, taps, self.frames)))

    def compute_output_shape(self, stack_shape: Shape, kernels_shape: Shape) -> Shape:
        return tuple(stack_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "frames": self.frames}


@keras.saving.register_keras_serializable("mallenet_tf")
class WeightedTapSum(layers.Layer):
    """Computes the weighted sum of sampled pixels for each group of taps.

    Source: deformable_kernels.txt, equation (10): a group's sum is multiplied by the number of
    groups, so that each of them, and their mean, estimates the clean pixel.

    Args:
        taps: Number of taps of the kernel.
        groups: Number of groups of adjacent taps; it divides `taps`.
        dynamic: Whether weights are an input. If False, the layer learns one weight per tap ("w/o
            dynamic weights" in the paper's Table 4).

    Input shape:
        Samples `[N, H, W, taps * C]` and, if `dynamic`, weights `[N, H, W, taps]`.

    Output shape:
        `[N, H, W, groups * C]`.

    Raises:
        ValueError: If `groups` does not divide `taps`, `taps` does not divide the samples'
            channels, or there is not one weight for each tap.

    Example:
        >>> WeightedTapSum(9, 3)(keras.ops.ones((1, 4, 4, 9)), keras.ops.ones((1, 4, 4, 9))).shape
        TensorShape([1, 4, 4, 3])
    """

    def __init__(self, taps: int, groups: int = 1, dynamic: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        if groups < 1 or taps % groups:
            raise ValueError(
                f"The groups must divide the taps. Received: taps={taps}, groups={groups}"
            )
        self.taps = taps
        self.groups = groups
        self.dynamic = dynamic

    def build(self, samples_shape: Shape, weights_shape: Shape | None = None) -> None:
        weights = None if weights_shape is None else weights_shape[-1]
        if samples_shape[-1] % self.taps or weights != (self.taps if self.dynamic else None):
            raise ValueError(
                "The samples' channels must be a multiple of taps, and the weights', if dynamic, "
                f"taps. Received: taps={self.taps}, dynamic={self.dynamic}, "
                f"{samples_shape[-1]} channels of samples, {weights} of weights"
            )
        if not self.dynamic:
            mean = keras.initializers.Constant(1.0 / self.taps)
            self.kernel = self.add_weight(shape=(self.taps,), initializer=mean, name="kernel")

    def load_own_variables(self, store: Any) -> None:
        if self.weights and not store.keys():
            # Keras stores weights under the name of their class, which was WeightTaps.
            old_path = store._h5_entry_path.replace("weighted_tap_sum", "weight_taps")
            store = store.get(old_path)
        super().load_own_variables(store)

    def call(self, samples: Tensor, weights: Tensor | None = None) -> Tensor:
        _, height, width, _ = ops.shape(samples)
        channels = samples.shape[-1] // self.taps
        if not self.dynamic:
            weights = ops.reshape(self.kernel, (1, 1, 1, self.taps))
        weighted = ops.expand_dims(weights, -1) * ops.reshape(
            samples, (-1, height, width, self.taps, channels)
        )
        size = self.taps // self.groups
        parts = ops.reshape(weighted, (-1, height, width, self.groups, size, channels))
        sums = self.groups * ops.sum(parts, axis=-2)
        return ops.reshape(sums, (-1, height, width, self.groups * channels))

    def compute_output_shape(
        self, samples_shape: Shape, weights_shape: Shape | None = None
    ) -> Shape:
        return (*samples_shape[:-1], self.groups * (samples_shape[-1] // self.taps))

    def get_config(self) -> dict[str, Any]:
        config = {"taps": self.taps, "groups": self.groups, "dynamic": self.dynamic}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("mallenet_tf")
class GroupAverage(layers.Layer):
    """Averages images stacked along the channels.

    Args:
        groups: Number of images.

    Input shape:
        `[N, H, W, groups * C]`.

    Output shape:
        `[N, H, W, C]`.

    Raises:
        ValueError: If `groups` does not divide the channels.

    Example:
        >>> GroupAverage(5)(keras.ops.ones((1, 4, 4, 15))).shape
        TensorShape([1, 4, 4, 3])
    """

    def __init__(self, groups: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.groups = groups

    def build(self, input_shape: Shape) -> None:
        if self.groups < 1 or input_shape[-1] % self.groups:
            raise ValueError(
                "groups must divide the input's channels. "
                f"Received: groups={self.groups}, {input_shape[-1]} channels"
            )

    def call(self, inputs: Tensor) -> Tensor:
        _, height, width, channels = ops.shape(inputs)
        shape = (-1, height, width, self.groups, channels // self.groups)
        return ops.mean(ops.reshape(inputs, shape), axis=-2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], input_shape[-1] // self.groups)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups}
