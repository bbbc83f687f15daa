"""Types for annotations."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # of the Keras backend in use
Shape: TypeAlias = tuple[int | None, ...]  # None for a size that is not known
