"""Noise models, one per file: what makes a network's input from a clean image."""
