"""Lets griffe, which reads docstrings for the API pages, know "Example:" as well as "Examples:"."""

from typing import Any

import griffe


class SingularExample(griffe.Extension):
    """Shows `>>>` below "Example:" as code; griffe's Google style knows the plural only."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Renames the section of every docstring, before it is parsed."""
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
