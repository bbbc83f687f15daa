"""The reference loops that every kernel is compared with, against the formulas in NumPy."""

import numpy as np
import pytest

from mallenet_tf.ops import inverted_bottleneck_reference


def _mixed_cells(pixel, size, cells):
    """The cells that a pixel mixes, with their weights, by the formula in floating point."""
    position = min(max((pixel + 0.5) * cells / size - 0.5, 0.0), cells - 1.0)
    lower = min(int(position), cells - 1)
    upper = min(lower + 1, cells - 1)
    return [(lower, 1 - (position - lower)), (upper, position - lower)]


def slice_in_numpy(features, kernels, bias):
    """The equations as loops over single numbers."""
    batch, height, width, channels = features.shape
    _, grid_height, grid_width, taps, _ = kernels.shape
    size = round(taps**0.5)
    output = np.zeros(features.shape)
    for n, y, x, c in np.ndindex(batch, height, width, channels):
        for v, row_weight in _mixed_cells(y, height, grid_height):
            for u, column_weight in _mixed_cells(x, width, grid_width):
                total = bias[n, v, u, c]
                for ky, kx in np.ndindex(size, size):
                    source_y, source_x = y + ky - size // 2, x + kx - size // 2
                    if 0 <= source_y < height and 0 <= source_x < width:
                        tap = kernels[n, v, u, ky * size + kx, c]
                        total += tap * features[n, source_y, source_x, c]
                output[n, y, x, c] += row_weight * column_weight * total
    return output


@pytest.mark.parametrize(
    "sizes", [(1, 5, 4, 2, 2, 3, 1), (2, 4, 3, 1, 6, 2, 3), (1, 3, 7, 2, 2, 2, 5)]
)
def test_slice_is_the_op_and_its_adjoint(make_case, slice_by_loops, sizes):
    case, other = make_case(*sizes), make_case(*sizes, seed=1)
    inputs = (case.features, case.kernels, case.bias)
    output, *gradients = slice_by_loops(*inputs, case.output_grad)
    np.testing.assert_allclose(output, slice_in_numpy(*inputs), atol=1e-12)
    np.testing.assert_array_equal(slice_by_loops(*inputs), output)
    # The op is linear in each input: moved along a direction, it changes by the gradient's share.
    for i, name in enumerate(("features", "kernels", "bias")):
        direction = getattr(other, name)
        moved = [*inputs[:i], inputs[i] + direction, *inputs[i + 1 :]]
        change = np.sum((slice_in_numpy(*moved) - output) * case.output_grad)
        assert np.sum(gradients[i] * direction) == pytest.approx(change)


def test_bottleneck_is_what_keras_computes(bottleneck_by_loops):
    random = np.random.default_rng(0)
    shapes = [(2, 5, 6, 3), (1, 1, 3, 7), (7,), (1, 1, 7), (3, 3, 7, 1), (7,), (1, 1, 7)]
    shapes += [(1, 1, 7, 3), (3,)]
    arguments = [random.standard_normal(shape).astype(np.float32) for shape in shapes]
    np.testing.assert_allclose(
        bottleneck_by_loops(*arguments),
        inverted_bottleneck_reference(*arguments),
        rtol=1e-4,
        atol=1e-4,
    )
