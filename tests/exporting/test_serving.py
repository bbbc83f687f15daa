"""An exported SavedModel behind an HTTP server that is not ours."""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.exporting import exporter
from mallenet_tf.inference import Denoiser

pytest.importorskip("litserve")
pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def ask(url: str, payload: dict | None = None) -> dict:
    data = None if payload is None else json.dumps(payload).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        content = response.read()
    return json.loads(content) if payload is not None else {"text": content.decode()}


@pytest.fixture
def server(weights, tmp_path, repository):
    (folder,) = exporter.run(weights["conditioned"], tmp_path, ["portable"])
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, repository / "examples/serve_over_http.py", folder, f"--port={port}"],
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            start_new_session=True,  # the server starts processes, which are to end with it
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, tmp_path / "log")
        yield f"http://127.0.0.1:{port}/predict"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(url, process, log, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            if ask(url)["text"] == "ok":
                return
        except (urllib.error.URLError, OSError):
            pass  # it is not up yet
        time.sleep(0.5)
    raise AssertionError(log.read_text())


def test_a_posted_image_comes_back_denoised(server, conditioned):
    image = np.random.default_rng(0).integers(0, 256, (37, 50, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side, as cameras do
    file = io.BytesIO()
    Image.fromarray(np.rot90(image)).save(file, "PNG", exif=exif)
    posted = base64.b64encode(file.getvalue()).decode()
    answer = ask(server, {"image": posted, "sigma": 30})
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["image"]))))
    wanted = Denoiser(conditioned, tile=0)(image, 30.0)
    np.testing.assert_allclose(found.astype(int), wanted.astype(int), rtol=0, atol=1)

    for bad in ({"image": "no image", "sigma": 30}, {"image": posted}, {"sigma": 30}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask(server, bad)
        assert caught.value.code == 400
        caught.value.close()
