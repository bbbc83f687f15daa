"""Kills runs of `denoise` and checks that there are only whole files, and that the next run ends.

    python tools/checks/kill_denoise.py --kills=200
    python tools/checks/kill_denoise.py --kills=5 --weights=mallenet_s_sigma25

Each run denoises a folder of images, a video file and a folder of frames, and is killed by SIGKILL
at a random moment. Every file that is there must hold what an undisturbed run writes; a second run,
and two at once, must complete the rest and leave nothing else. Without --weights an identity stands
in for the network, in a forked process, which makes many kills affordable; with it the command
itself runs. The exit status is 1 if one did not hold.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from fuzz_seeds import write_seeds, write_video
from identity_network import IdentityNetworks

from mallenet_tf.image_io.file_kinds import is_video_file
from mallenet_tf.image_io.video_reader import VideoFileReader
from mallenet_tf.inference.batch import denoise_file
from mallenet_tf.inference.batch_plan import plan_jobs
from mallenet_tf.inference.options import Options

Start = Callable[[Sequence[Path], Path, bool], Any]  # To a process, of one of two types.
_LONGEST = 600.0
# Its processes start fast, and without the threads that decoders have here, which no fork keeps.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["mallenet_tf.inference.batch", "av", "PIL.Image"])


def write_inputs(folder: Path) -> list[tuple[list[Path], str, bool]]:
    """Writes inputs; returns (inputs, name of the output, whether a folder is a video)."""
    for index, path in enumerate(write_seeds(folder / "images")):
        if index % 3:
            path.unlink()  # A third has all formats.
    noise = np.random.default_rng(0).integers(0, 256, (15, 60, 80, 3), np.uint8)
    frames = [Image.fromarray(frame) for frame in noise]
    (folder / "frames").mkdir()
    for index, frame in enumerate(frames):
        frame.save(folder / "frames" / f"{index}.png")
    write_video(folder / "clip.mkv", "ffv1", "bgr0", frames)
    return [
        ([folder / "images", folder / "clip.mkv"], "out", False),
        ([folder / "frames"], "frames_out", True),
    ]


def start_identity(inputs: Sequence[Path], output: Path, video: bool) -> Any:
    """Starts a run with an identity for the network."""
    process = _CONTEXT.Process(target=_denoise, args=(inputs, output, video))
    process.start()
    return process


def _denoise(inputs: Sequence[Path], output: Path, video: bool) -> None:
    options = Options(video=video, json=True)
    sys.stderr = sys.stdout = open("/dev/null", "w")  # noqa: SIM115 - Until the process ends.
    for job in plan_jobs([str(path) for path in inputs], str(output), options):
        denoise_file(job, IdentityNetworks(), options)


def command(weights: str) -> Start:
    """Returns what starts the command with a network."""

    def start(inputs: Sequence[Path], output: Path, video: bool) -> subprocess.Popen:
        given = [*map(str, inputs), f"--output={output}", f"--weights={weights}"]
        line = [sys.executable, "-m", "mallenet_tf.denoise", *given, *["--video"] * video]
        return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return start


def contents(folder: Path) -> dict[str, str]:
    """Returns a hash of each file of a folder, the temporary files left out."""
    return {
        str(path.relative_to(folder)): _hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def _hash(path: Path) -> str:
    """Returns a hash of a file, or of a video's frames, since each Matroska file has its own ID."""
    if not is_video_file(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    reader = VideoFileReader(path)
    frames = hashlib.sha256(b"".join(frame.tobytes() for frame in reader.frames()))
    return f"{frames.hexdigest()} {reader.damage}"


def wait(process: Any) -> None:
    """Waits for a run that is not disturbed."""
    if isinstance(process, subprocess.Popen):
        process.wait(_LONGEST)
    else:
        process.join(_LONGEST)


def kill_runs(start: Start, folder: Path, kills: int, seed: int) -> list[str]:
    """Kills runs at random moments; returns what did not hold."""
    random = np.random.default_rng(seed)
    faults: list[str] = []
    for inputs, name, video in write_inputs(folder / "in"):
        begin = time.monotonic()
        wait(start(inputs, folder / name, video))
        length = time.monotonic() - begin
        whole = contents(folder / name)
        print(f"{name}: {len(whole)} files in {length:.1f} s undisturbed", flush=True)
        for number in range(kills):
            output = folder / f"{name}_{number}"
            process = start(inputs, output, video)
            time.sleep(float(random.uniform(length / 3, length)))  # It starts before that.
            process.kill()
            wait(process)
            before = contents(output)
            faults += [f"{output}: {key}" for key in before if before[key] != whole.get(key)]
            others = [start(inputs, output, video) for _ in range(1 + number % 2)]
            for process in others:
                wait(process)
            if contents(output) != whole:
                faults.append(f"{output}: the second run did not complete it")
            left = [path for path in output.rglob(".*") if path.is_file()]
            faults += [f"{output}: {path.name} was left" for path in left]
            print(f"kill {number + 1}: {len(before)} of {len(whole)} files whole", flush=True)
    return faults


def main(arguments: list[str] | None = None) -> int:
    """Kills runs and prints what did not hold; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="of each kind of input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", help="run the command with this network")
    options = parser.parse_args(arguments)
    start = command(options.weights) if options.weights else start_identity
    with tempfile.TemporaryDirectory() as folder:
        faults = kill_runs(start, Path(folder), options.kills, options.seed)
    for fault in faults:
        print(fault)
    print(f"{2 * options.kills} kills, {len(faults)} faults")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
