"""Serves a portable SavedModel over HTTP with LitServe.

    pip install 'mallenet-tf[serve]'
    python examples/serve_over_http.py exported/mallenet_s_sigma25_saved_model --port=8000

A request is JSON, {"image": base64 of an image file, "sigma": 25}; sigma, in 8-bit units, is for
networks that take one. The answer is {"image": base64 of a PNG file}. What cannot be denoised gets
a status of 4xx and a sentence. See docs/serving.md.
"""

import argparse
import asyncio
import base64
import binascii
import json
import tempfile
from pathlib import Path
from typing import Any

import litserve
import numpy as np
from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mallenet_tf.image_io import UnreadableImageError, decode_image, write_image
from mallenet_tf.image_io.image_reader import image_size
from mallenet_tf.inference.tiling import Window, tiled_bands

# Larger images are cut into tiles, which bounds memory by their size, and by the image's width.
TILE, OVERLAP, GRID = 1024, 192, 64


class Admission:
    """Lets a few requests at a time into the server; others wait without their bodies in memory.

    Args:
        app: The server.
        max_bytes: Longest body; a longer one gets status 413.
        at_once: Requests whose bodies are in memory.
        waiting: Requests that wait for that; one more gets status 503.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, at_once: int, waiting: int):
        self.app, self.max_bytes, self.most = app, max_bytes, at_once + waiting
        self.slots = asyncio.Semaphore(at_once)
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":  # As a health check.
            await self.app(scope, receive, send)
            return
        if self.requests >= self.most:
            headers = {"Retry-After": "5"}
            detail = f"{self.most} images are being denoised or wait for it; try again later."
            await JSONResponse({"detail": detail}, 503, headers)(scope, receive, send)
            return
        self.requests += 1
        try:
            async with self.slots:
                await self._admit(scope, receive, send)
        finally:
            self.requests -= 1

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._read(receive)
            check_body(body)
        except HTTPException as error:
            answer = JSONResponse({"detail": error.detail}, error.status_code)
            await answer(scope, receive, send)
            return
        whole: Message = {"type": "http.request", "body": body, "more_body": False}
        messages = iter([whole])

        async def replay() -> Message:
            return next(messages, None) or await receive()

        await self.app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes:
        """Reads a body; of one that is too long, to its end without keeping it."""
        chunks, length, more = [], 0, True
        while more:
            message = await receive()
            chunk = message.get("body", b"")
            length += len(chunk)
            if length <= self.max_bytes:
                chunks.append(chunk)
            more = message.get("more_body", False)  # Not there if the client left.
        if length > self.max_bytes:
            raise HTTPException(
                413, f"The request has {length} bytes; at most {self.max_bytes} are taken."
            )
        return b"".join(chunks)


def check_body(body: bytes) -> None:
    """Raises HTTPException with status 400 unless a body is a JSON object with an image."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise HTTPException(400, f"The request is no JSON: {error}.") from error
    if not isinstance(request, dict) or not isinstance(request.get("image"), str):
        raise HTTPException(
            400, 'The request must be a JSON object with "image", an image file in base64.'
        )


class DenoiseApi(litserve.LitAPI):
    """Serves a SavedModel's function for 8-bit images.

    Args:
        folder: Folder of the SavedModel.
        max_pixels: Most pixels of an image; a larger one gets status 413.
    """

    def __init__(self, folder: str, max_pixels: int):
        super().__init__()
        self.folder, self.max_pixels = folder, max_pixels

    def setup(self, device: str) -> None:
        import tensorflow as tf  # In the process that runs the network.

        self.model = tf.saved_model.load(self.folder)
        self.denoise = self.model.signatures["denoise_uint8"]
        self.inputs = self.denoise.structured_input_signature[1]

    def decode_request(self, request: dict[str, Any]) -> dict[str, np.ndarray]:
        try:
            content = base64.b64decode(request["image"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise HTTPException(400, f'"image" is no base64: {error}.') from error
        sigma = {"sigma": check_level(request.get("sigma"))} if "sigma" in self.inputs else {}
        channels = self.inputs["image"].shape[3]
        return {"image": decode_content(content, channels, self.max_pixels), **sigma}

    def predict(self, arguments: dict[str, np.ndarray]) -> np.ndarray:
        import tensorflow as tf

        image = arguments.pop("image")
        others = {name: tf.constant(value) for name, value in arguments.items()}

        def denoise_tile(window: Window) -> np.ndarray:
            return self.denoise(image=tf.constant(image[window][None]), **others)["denoised"][0]

        bands = tiled_bands(denoise_tile, image.shape, TILE, OVERLAP, GRID)
        return np.concatenate([np.rint(band).astype(np.uint8) for band in bands])

    def encode_response(self, denoised: np.ndarray) -> dict[str, str]:
        return {"image": base64.b64encode(encode_png(denoised)).decode("ascii")}


def check_level(sigma: object) -> np.ndarray:
    """Returns a noise level as the network takes it; raises HTTPException if it is none."""
    if not isinstance(sigma, int | float) or not 0 <= sigma <= 255:
        raise HTTPException(
            400, f'This network needs "sigma", a number from 0 to 255. Received: {sigma!r}'
        )
    return np.array([sigma], np.float32)


def decode_content(content: bytes, channels: int, max_pixels: int) -> np.ndarray:
    """Decodes the bytes of an image file, uint8 [H, W, channels]; raises HTTPException."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            height, width = image_size(file.name)
            if height * width > max_pixels:
                size = f"{width} x {height}"
                raise HTTPException(
                    413, f"The image has {size} pixels; at most {max_pixels} are taken."
                )
            return decode_image(file.name, channels)
        except UnreadableImageError as error:
            reason, _, _ = str(error).partition(" Received: ")  # A name that says nothing here.
            raise HTTPException(415, reason) from error


def encode_png(pixels: np.ndarray) -> bytes:
    """Encodes uint8 [H, W, 1 or 3] as the bytes of a PNG file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image.png")
        write_image(path, pixels)
        return path.read_bytes()


def main() -> None:
    """Runs the server until it is stopped."""
    parser = argparse.ArgumentParser(description="Serves a portable SavedModel over HTTP.")
    parser.add_argument("folder", help="folder of the SavedModel")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max_megabytes", type=int, default=64, help="of a request")
    parser.add_argument("--max_megapixels", type=int, default=50, help="of an image")
    parser.add_argument("--at_once", type=int, default=4, help="requests held in memory")
    parser.add_argument("--waiting", type=int, default=64, help="requests that wait; then 503")
    options = parser.parse_args()
    limits = {
        "max_bytes": options.max_megabytes * 10**6,
        "at_once": options.at_once,
        "waiting": options.waiting,
    }
    server = litserve.LitServer(
        DenoiseApi(options.folder, options.max_megapixels * 10**6),
        timeout=False,  # Clients set their own; the number of requests is bounded.
        middlewares=[(Admission, limits)],
    )
    server.run(host=options.host, port=options.port, num_api_servers=1, generate_client_file=False)


if __name__ == "__main__":
    main()
