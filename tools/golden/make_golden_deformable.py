r"""Records torchvision's modulated deformable convolution and its gradients, for tests/layers.

PyTorch is not a dependency of this package. In a separate environment:

    python3.11 -m venv torchvision
    torchvision/bin/pip install torch torchvision numpy
    torchvision/bin/python tools/golden/make_golden_deformable.py \
      tests/golden/deformable_torchvision.npz

The file holds the arguments, the result, the incoming gradient ("upstream") and the gradients of
the arguments, all float64 and in torchvision's layout. Some offsets point outside the image.
"""

import sys
from typing import Any

import numpy as np
import torch
import torchvision

BATCH, CHANNELS, HEIGHT, WIDTH, GROUPS, FILTERS, SIZE = 2, 6, 5, 4, 3, 2, 3


def main(path: str) -> None:
    """Writes the arrays to a .npz file."""
    random = np.random.default_rng(11)
    taps = GROUPS * SIZE * SIZE
    arguments = {
        "features": random.standard_normal((BATCH, CHANNELS, HEIGHT, WIDTH)),
        "offsets": random.normal(0.0, 2.0, (BATCH, 2 * taps, HEIGHT, WIDTH)),
        "modulation": random.random((BATCH, taps, HEIGHT, WIDTH)),
        "kernel": random.standard_normal((FILTERS, CHANNELS, SIZE, SIZE)),
    }
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in arguments.items()}
    result = torchvision.ops.deform_conv2d(
        tensors["features"],
        tensors["offsets"],
        tensors["kernel"],
        padding=SIZE // 2,
        mask=tensors["modulation"],
    )
    upstream = random.standard_normal(tuple(result.shape))
    (result * torch.tensor(upstream)).sum().backward()
    record: dict[str, Any] = {
        **arguments,
        "groups": GROUPS,
        "upstream": upstream,
        "result": result.detach().numpy(),
        "versions": f"torch {torch.__version__}, torchvision {torchvision.__version__}",
    }
    for name, tensor in tensors.items():
        assert tensor.grad is not None
        record[f"{name}_gradient"] = tensor.grad.numpy()
    np.savez_compressed(path, **record)
    print(f"{path}: {', '.join(record)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"Give the file to write. Received: {sys.argv[1:]}")
    main(sys.argv[1])
