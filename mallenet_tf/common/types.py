"""Types for annotations."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # of the Keras backend in use
Shape: TypeAlias = tuple[Any, ...]  # integers, and None for an unknown size
