"""MultiWorkerMirroredStrategy: two processes equal one, and stop and resume together."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from tests.helpers.training_cases import assert_close_state, experiment, state

STEPS = 6
LIMIT = 600  # seconds; a hang must end


def free_addresses(count):
    """Returns loopback addresses with free ports."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{listener.getsockname()[1]}" for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


def start(environment, folders, tasks, stop_at):
    """Runs one process per task; returns the exit status, output and errors of each."""
    addresses = free_addresses(len(tasks))
    cluster = {}
    for (kind, _), address in zip(tasks, addresses, strict=True):
        cluster.setdefault(kind, []).append(address)
    script = Path(__file__).parents[1] / "helpers" / "train_as_worker.py"
    processes = []
    for (kind, index), folder, stop in zip(tasks, folders, stop_at, strict=True):
        config = {"cluster": cluster, "task": {"type": kind, "index": index}}
        processes.append(
            subprocess.Popen(
                [sys.executable, str(script), str(folder), str(STEPS), str(stop)],
                env={**environment, "TF_CONFIG": json.dumps(config)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        outputs = [process.communicate(timeout=LIMIT) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *texts) for process, texts in zip(processes, outputs, strict=True)]


WORKERS = [("worker", 0), ("worker", 1)]
CHIEF_AND_WORKER = [("chief", 0), ("worker", 0)]


def test_two_processes_equal_one_and_stop_and_resume_together(tmp_path, environment):
    run, elsewhere = tmp_path / "workers", tmp_path / "elsewhere"
    experiment(tmp_path / "alone", STEPS, clip_norm=0.02, validate_every=3)

    # Only the second worker is asked to stop, at its first validation.
    chief, other = start(environment, [run, run], WORKERS, [0, 1])
    for status, _, errors in (chief, other):
        assert status == 0, errors[-4000:]
    assert state(run)["step"] == 3
    assert json.loads(other[1].splitlines()[-1]) == []
    assert any(path.endswith("state.npz") for path in json.loads(chief[1].splitlines()[-1]))

    for status, _, errors in start(environment, [run, elsewhere], WORKERS, [0, 0]):
        assert status == 1, errors[-4000:]
        assert "error: The workers found different states" in errors
        assert "Traceback" not in errors

    chief, other = start(environment, [run, run], CHIEF_AND_WORKER, [0, 0])
    for status, _, errors in (chief, other):
        assert status == 0, errors[-4000:]
    assert json.loads(other[1].splitlines()[-1]) == []
    assert_close_state(state(run), state(tmp_path / "alone"), 2e-6)
    assert state(run)["step"] == STEPS

    starts = json.loads((run / "run.json").read_text())["starts"]
    assert [(part["first_step"], part["last_step"]) for part in starts] == [(0, 3), (3, STEPS)]
    assert all(part["replicas"] == 2 for part in starts)
    assert sorted(path.name for path in run.glob("*.*") if "events" not in path.name) == [
        "best.keras",
        "last.keras",
        "run.json",
        "state.npz",
    ]
