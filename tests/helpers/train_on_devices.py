"""Run by test_training_devices.py: every case on one and on two logical CPU devices."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from mallenet_tf.evaluation.validation import Validation
from mallenet_tf.training import AnnealedGroups
from tests.helpers.training_cases import TinyDenoiser, TinyGroups, adam, experiment

STEPS = 4
CASES = {
    "plain": {},
    "clipped_adamw": {"clip_norm": 0.02, "optimizer": adam(name="adamw", weight_decay=0.1)},
    "batch_normalization": {"model": lambda: TinyDenoiser(normalization="batch")},
    "mixed_float16": {"precision": "mixed_float16", "clip_norm": 0.02},
    "annealed_groups": {"model": TinyGroups, "loss": AnnealedGroups(eta=1.0, gamma=0.5)},
}
DEVICES = {"one": ["CPU:0"], "two": ["CPU:0", "CPU:1"]}


def main(folder: Path) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    photograph = np.random.RandomState(0).randint(0, 256, (24, 40, 3)).astype(np.uint8)
    Image.fromarray(photograph).save(folder / "photograph.png")
    for case, changes in CASES.items():
        for name, devices in DEVICES.items():
            validation = Validation(str(folder / "photograph.png"))
            experiment(
                folder / case / name, STEPS, devices=devices, validation=validation, **changes
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
