"""Measures the memory of a training step of one operator (malleconv.txt, section 4.5, Fig. 10).

    python -m mallenet_tf.experiment.reproduction.memory_cost MalleConv 16

It is a process of its own because TensorFlow's memory pool must be off from its start, by the
environment variables of `benchmarking.WITHOUT_POOL`.
"""

import json
import sys
from collections.abc import Sequence

import tensorflow as tf

from mallenet_tf.layers import HyperNetwork, MalleConv
from mallenet_tf.profiling import benchmarking

SIDE, BATCH = 256, 1


def main(argv: Sequence[str]) -> None:
    """Prints the megabytes of a step as JSON."""
    operator, channels = argv[0], int(argv[1])
    layer = {
        "MalleConv": MalleConv,
        "stored kernels": lambda: MalleConv(interpolation="stored"),
        "HyperNetwork": HyperNetwork,
    }[operator]()
    features = tf.random.stateless_normal((BATCH, SIDE, SIDE, channels), (0, 0))
    layer(features)

    @tf.function
    def step(features: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(features)
            loss = tf.reduce_mean(tf.square(layer(features, **_training(operator))))
        return tape.gradient(loss, [features, *layer.trainable_variables])

    step(features)
    peak = benchmarking.peak_memory(lambda: step(features))
    print(json.dumps({"megabytes": peak / 1e6}))


def _training(operator: str) -> dict[str, bool]:
    return {} if operator == "HyperNetwork" else {"training": True}


if __name__ == "__main__":
    main(sys.argv[1:])
