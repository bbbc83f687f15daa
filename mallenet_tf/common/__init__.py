"""Errors, argument checks, atomic files and color spaces, used by every other room."""
