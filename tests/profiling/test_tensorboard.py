"""A trace opens in TensorBoard's Profile tab."""

import gzip
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import tensorflow as tf

from mallenet_tf.profiling.trace import capture

pytest.importorskip("xprof")
pytestmark = pytest.mark.slow


def get(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=120) as response:
        content = response.read()
        zipped = response.headers.get("Content-Encoding") == "gzip"
    return gzip.decompress(content) if zipped else content


@pytest.fixture
def tensorboard(tmp_path):
    """A running TensorBoard with one trace in the folder "run"; its address."""
    product = tf.function(lambda x: tf.linalg.matmul(x, x, name="my_product"))
    square = tf.ones((64, 64))
    capture(lambda: product(square).numpy(), 2, tmp_path / "run")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    options = ["--logdir", tmp_path, "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", *options], stdout=log, stderr=log
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address, process, tmp_path / "log")
        yield address
    finally:
        process.terminate()
        process.wait()


def wait_for(address, process, log, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            get(address)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)  # it is not up yet
    raise AssertionError(log.read_text())


def test_the_profile_tab_shows_the_run_and_its_operations(tensorboard):
    plugins = json.loads(get(f"{tensorboard}/data/plugins_listing"))
    assert plugins["profile"]["enabled"]
    profile = f"{tensorboard}/data/plugin/profile"
    assert b"<html" in get(f"{profile}/index.html").lower()
    (run,) = json.loads(get(f"{profile}/runs"))
    assert run.startswith("run/")
    tools = json.loads(get(f"{profile}/run_tools?run={run}"))
    assert {"overview_page", "framework_op_stats", "trace_viewer"} & {
        tool.rstrip("@^") for tool in tools
    }
    hosts = json.loads(get(f"{profile}/hosts?run={run}&tag=framework_op_stats"))
    host = hosts[0]["hostname"]
    table = get(f"{profile}/data?run={run}&tag=framework_op_stats&host={host}")
    assert b"my_product" in table
