"""One training run from its parts, and the gin files that configure it."""
