"""An exported SavedModel behind an HTTP server that is not ours."""

import base64
import collections
import concurrent.futures
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


@pytest.fixture(scope="module")
def server(weights, tmp_path_factory, repository):
    tmp_path = tmp_path_factory.mktemp("server")
    (folder,) = exporter.run(weights["conditioned"], tmp_path, ["portable"])
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, repository / "examples/serve_over_http.py", folder),
                *(f"--port={port}", "--max_megabytes=2", "--at_once=1", "--waiting=2"),
            ],
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

    large = base64.b64encode(encoded(Image.new("1", (8000, 7000)))).decode()
    text = base64.b64encode(b"hello").decode()
    cut = base64.b64encode(file.getvalue()[:900]).decode()
    for bad, status, said in (
        ({"image": "no image", "sigma": 30}, 400, "no base64"),
        ({"image": posted}, 400, "a number from 0 to 255. Received: None"),
        ({"image": posted, "sigma": 999}, 400, "a number from 0 to 255. Received: 999"),
        ({"sigma": 30}, 400, "a JSON object with"),
        ({"image": text, "sigma": 30}, 415, "its format is not known"),
        ({"image": cut, "sigma": 30}, 415, "Not a readable image"),
        ({"image": large, "sigma": 30}, 413, "The image has 8000 x 7000 pixels"),
        ({"image": "A" * 3_000_000, "sigma": 30}, 413, "at most 2000000 are taken"),
    ):
        assert refusal(server, json.dumps(bad).encode(), said) == (status, said)
    assert refusal(server, b"\xff\xd8", "is no JSON") == (400, "is no JSON")


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def refusal(url: str, data: bytes, said: str) -> tuple[int, str]:
    """Returns the status of an answer, and the sentence if it holds what it should."""
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    detail = json.loads(caught.value.read())["detail"]
    caught.value.close()
    assert "/tmp" not in detail
    return caught.value.code, said if said in detail else detail


def test_more_requests_than_may_wait_are_told_to_come_back(server):
    """Eight at once where one is served and two wait; the server stays healthy meanwhile."""
    image = np.random.default_rng(0).integers(0, 256, (500, 600, 3), np.uint8)
    posted = base64.b64encode(encoded(Image.fromarray(image))).decode()
    body = json.dumps({"image": posted, "sigma": 30}).encode()

    def status(_: int) -> int:
        request = urllib.request.Request(server, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return response.status
        except urllib.error.HTTPError as error:
            with error:
                assert error.headers["Retry-After"] == "5"
                return error.code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = pool.map(status, range(8))
        assert ask(server.replace("predict", "health"))["text"] == "ok"
        found = collections.Counter(answers)
    assert found[200] + found[503] == 8 and found[200] >= 3 and found[503] >= 1
