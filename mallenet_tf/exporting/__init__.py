"""From a trained network to files that run without this package: SavedModel, TFLite, ONNX."""
