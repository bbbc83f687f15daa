"""Trains as one of several workers, which TF_CONFIG describes; test_workers.py runs it.

Prints what it writes into the run's folder.
"""

import json
import os
import sys
from pathlib import Path

written = []


def note_writing(event: str, arguments: tuple) -> None:
    """Notes files opened for writing or renamed, and folders made; an audit hook."""
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        written.append(str(arguments[0]))
    elif event in ("os.rename", "os.mkdir"):
        written.extend(str(argument) for argument in arguments[:2])


def main(argv) -> None:
    from tests.helpers.training_cases import Notes, experiment

    folder, steps, stop_at = Path(argv[0]), int(argv[1]), int(argv[2])
    experiment(
        folder,
        steps,
        clip_norm=0.02,
        validate_every=3,
        validation=Notes(stop_at=stop_at or None),
    )


if __name__ == "__main__":
    from mallenet_tf.common.errors import run_main

    sys.addaudithook(note_writing)
    try:
        run_main(main)(sys.argv[1:])
    finally:
        print(json.dumps([path for path in written if path.startswith(sys.argv[1])]))
