"""Serves a portable SavedModel over HTTP with LitServe.

    pip install 'mallenet-tf[serve]'
    python examples/serve_over_http.py exported/mallenet_s_sigma25_saved_model --port=8000

A request is JSON, {"image": base64 of an image file, "sigma": 25}; sigma, in 8-bit units, is for
networks that take one. The answer is {"image": base64 of a PNG file}. See docs/serving.md.
"""

import argparse
import base64
import tempfile
from pathlib import Path
from typing import Any

import litserve
import numpy as np
from fastapi import HTTPException

from mallenet_tf.image_io import decode_image, write_image


class DenoiseApi(litserve.LitAPI):
    """Serves a SavedModel's function for 8-bit images.

    Args:
        folder: Folder of the SavedModel.
    """

    def __init__(self, folder: str):
        super().__init__()
        self.folder = folder

    def setup(self, device: str) -> None:
        import tensorflow as tf  # In the process that runs the network.

        self.model = tf.saved_model.load(self.folder)
        self.denoise = self.model.signatures["denoise_uint8"]
        self.inputs = self.denoise.structured_input_signature[1]

    def decode_request(self, request: dict[str, Any]) -> dict[str, np.ndarray]:
        try:
            content = base64.b64decode(request["image"], validate=True)
            pixels = decode_content(content, channels=self.inputs["image"].shape[3])
            arguments = {"image": pixels[None]}
            if "sigma" in self.inputs:
                arguments["sigma"] = np.array([request["sigma"]], np.float32)
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise HTTPException(400, f"bad request: {type(error).__name__} {error}") from error
        return arguments

    def predict(self, arguments: dict[str, np.ndarray]) -> np.ndarray:
        import tensorflow as tf

        tensors = {name: tf.constant(value) for name, value in arguments.items()}
        return self.denoise(**tensors)["denoised"].numpy()[0]

    def encode_response(self, denoised: np.ndarray) -> dict[str, str]:
        return {"image": base64.b64encode(encode_png(denoised)).decode("ascii")}


def decode_content(content: bytes, channels: int) -> np.ndarray:
    """Decodes the bytes of an image file, uint8 [H, W, channels]."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return decode_image(file.name, channels)


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
    options = parser.parse_args()
    server = litserve.LitServer(DenoiseApi(options.folder), timeout=300)
    server.run(host=options.host, port=options.port, generate_client_file=False)


if __name__ == "__main__":
    main()
