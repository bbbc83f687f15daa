"""Exports networks to files that run without this package: SavedModel, TFLite, ONNX."""
