"""Muon: orthogonal updates of the kernels of convolutions, Adam's for everything else."""

import keras
import numpy as np
import pytest

from mallenet_tf.training import optimizers

KERNELS = {
    "convolution": ((3, 3, 4, 8), True),
    "pointwise": ((1, 1, 16, 8), True),
    "depthwise": ((3, 3, 8, 1), False),
    "bias": ((8,), False),
    "last": ((3, 3, 8, 3), False),
}


@pytest.fixture(scope="module")
def muon_step():
    """The variables, their changes in one step of muon, and Adam's at the same rate."""
    random = np.random.default_rng(0)
    gradients = [random.normal(size=shape).astype("float32") for shape, _ in KERNELS.values()]
    changes = []
    for name, options in (("muon", {"exclude_layers": ["last"]}), ("adam", {})):
        variables = [
            keras.Variable(np.zeros(shape, "float32"), name=name)
            for name, (shape, _) in KERNELS.items()
        ]
        optimizer = optimizers.optimizer(name, 0.01, ema=None, **options)
        optimizer.build(variables)
        optimizer.apply([keras.ops.convert_to_tensor(each) for each in gradients], variables)
        changes.append([np.array(keras.ops.convert_to_numpy(variable)) for variable in variables])
    return gradients, *changes


def test_muon_takes_orthogonal_steps_along_the_gradient_of_kernels(muon_step):
    for gradient, change, (shape, orthogonal) in zip(*muon_step[:2], KERNELS.values(), strict=True):
        if not orthogonal:
            continue
        step = -change.reshape(-1, shape[-1]).astype("float64")
        values = np.linalg.svd(step, compute_uv=False) / (0.01 * 0.2 * np.sqrt(max(step.shape)))
        # The iteration's polynomial is made for speed; it ends anywhere in about this range.
        assert 0.5 < values.min() <= values.max() < 1.3
        u, _, v = np.linalg.svd(gradient.reshape(step.shape), full_matrices=False)
        exact = u @ v
        cosine = np.sum(exact * step) / np.linalg.norm(exact) / np.linalg.norm(step)
        assert cosine > 0.95


def test_muon_leaves_the_rest_to_adam(muon_step):
    for ours, adams, (_, orthogonal) in zip(*muon_step[1:], KERNELS.values(), strict=True):
        assert np.allclose(ours, adams, rtol=1e-4, atol=0) != orthogonal


def test_muons_weight_decay_is_of_its_kernels_alone():
    variables = [keras.Variable(np.ones(shape, "float32")) for shape, _ in KERNELS.values()]
    optimizer = optimizers.optimizer("muon", 0.1, weight_decay=0.5, ema=None)
    optimizer.build(variables)
    optimizer.apply([keras.ops.zeros(each.shape) for each in variables], variables)
    ends = [float(np.array(keras.ops.convert_to_numpy(variable)).mean()) for variable in variables]
    np.testing.assert_allclose(ends, [0.95, 0.95, 1.0, 1.0, 0.95], rtol=1e-5)
