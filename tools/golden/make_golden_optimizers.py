"""Records weight updates of tensorflow-addons' optimizers, for tests/training.

tensorflow-addons does not work with the TensorFlow of this package. In a separate environment:

    python3.11 -m venv addons
    addons/bin/pip install tensorflow-cpu==2.15.1 tensorflow-addons==0.23.0
    addons/bin/python tools/golden/make_golden_optimizers.py tests/golden/optimizers_addons.npz

The file holds the problem (initial weights and one gradient per step) and, for each case, the
weights after every step; for the moving averages also the average after every step.
"""

import sys
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

STEPS = 12
SIZE = 6
LEARNING_RATE = 0.02
WEIGHT_DECAY = 0.05  # ours; tensorflow-addons takes it times the learning rate
DECAY = 0.8  # of the moving average, small enough to show in twelve steps


def schedule() -> Any:
    """Returns a learning rate that halves twice."""
    return tf.keras.optimizers.schedules.PiecewiseConstantDecay([4, 8], [0.02, 0.01, 0.005])


def weight_decay_schedule() -> Any:
    """Returns the weight decay for tensorflow-addons that follows `schedule`."""
    values = [rate * WEIGHT_DECAY for rate in (0.02, 0.01, 0.005)]
    return tf.keras.optimizers.schedules.PiecewiseConstantDecay([4, 8], values)


def adam() -> Any:
    """Returns the Adam that tensorflow-addons can wrap."""
    return tf.keras.optimizers.legacy.Adam(LEARNING_RATE)


def cases() -> dict[str, Any]:
    """Returns optimizers by name."""
    constant = LEARNING_RATE * WEIGHT_DECAY
    average = tfa.optimizers.MovingAverage
    return {
        "adamw": tfa.optimizers.AdamW(weight_decay=constant, learning_rate=LEARNING_RATE),
        "adamw_schedule": tfa.optimizers.AdamW(
            weight_decay=weight_decay_schedule(), learning_rate=schedule()
        ),
        "average": average(adam(), average_decay=DECAY),
        "average_from_first_step": average(adam(), average_decay=DECAY, start_step=1),
    }


def main(path: str) -> None:
    """Writes the arrays to a .npz file."""
    random = np.random.RandomState(7)
    initial = random.standard_normal(SIZE).astype(np.float32)
    gradients = random.standard_normal((STEPS, SIZE)).astype(np.float32)
    record: dict[str, Any] = {
        "initial": initial,
        "gradients": gradients,
        "learning_rate": LEARNING_RATE,
        "weight_decay": WEIGHT_DECAY,
        "decay": DECAY,
        "versions": f"tensorflow {tf.__version__}, tensorflow-addons {tfa.__version__}",
    }
    for name, optimizer in cases().items():
        weights = tf.Variable(initial)
        path_of_weights, path_of_average = [], []
        for gradient in gradients:
            optimizer.apply_gradients([(tf.constant(gradient), weights)])
            path_of_weights.append(weights.numpy())
            if name.startswith("average"):
                path_of_average.append(optimizer.get_slot(weights, "average").numpy())
        record[f"{name}/weights"] = np.stack(path_of_weights)
        if path_of_average:
            record[f"{name}/average"] = np.stack(path_of_average)
    np.savez_compressed(path, **record)
    print(f"{path}: {', '.join(record)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"Give the file to write. Received: {sys.argv[1:]}")
    main(sys.argv[1])
