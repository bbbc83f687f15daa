"""Builds the native library, with the standard library alone and without importing TensorFlow.

`mallenet_tf/ops/build.py` is the command. What cannot import `mallenet_tf`, which needs Keras, puts
`mallenet_tf/ops` on the search path and imports this package as `native_build`: setup.py, Bazel's
`third_party/tensorflow/find.py`, and the build command where it is run by its path.
"""
