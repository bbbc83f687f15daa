// malleable_slice and its gradients as plain loops in float64: read this to see what the op
// computes. The tests compare every implementation with it.

#ifndef MALLENET_MALLEABLE_SLICE_REFERENCE_H_
#define MALLENET_MALLEABLE_SLICE_REFERENCE_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "custom_ops/malleable_slice/malleable_slice.h"

namespace mallenet {

// Arrays as in malleable_slice.h; bias and bias_grad may be null.
template <typename Number>
struct SliceInputs {
  const Number *features, *kernels, *bias, *output_grad;
};
template <typename Number>
struct SliceResults {
  Number *output, *features_grad, *kernels_grad, *bias_grad;
};

// a(y, v) of the contract: 1 at the center of the cell, falling linearly to 0 at its neighbors'.
inline double CellWeight(int64_t position, int64_t size, int64_t cell, int64_t cells) {
  // In units of 1 / (2 * size), in which the grid coordinate is an integer.
  const int64_t coordinate = (2 * position + 1) * cells - size;
  const int64_t clamped = std::clamp<int64_t>(coordinate, 0, 2 * size * (cells - 1));
  const int64_t distance = std::abs(clamped - 2 * size * cell);
  return distance < 2 * size ? 1 - static_cast<double>(distance) / (2 * size) : 0;
}

// The output is a sum of weight * kernel * feature over cells and taps. The gradient of each factor
// is the sum, over the same terms, of the other two times output_grad. `results` start at zero.
inline void SliceReference(const SliceShape& shape, const SliceInputs<double>& in,
                           const SliceResults<double>& results,
                           double (*weight_of)(int64_t, int64_t, int64_t, int64_t) = CellWeight) {
  const auto [batch, height, width, channels, grid_height, grid_width, size] = shape;
  const int64_t radius = size / 2;
  for (int64_t n = 0; n < batch; ++n)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        for (int64_t v = 0; v < grid_height; ++v) {
          const double row_weight = weight_of(y, height, v, grid_height);
          if (row_weight == 0) continue;
          for (int64_t u = 0; u < grid_width; ++u) {
            const double weight = row_weight * weight_of(x, width, u, grid_width);
            if (weight == 0) continue;
            for (int64_t c = 0; c < channels; ++c) {
              const int64_t pixel = ((n * height + y) * width + x) * channels + c;
              const int64_t cell = (n * grid_height + v) * grid_width + u;
              if (in.bias != nullptr) {
                results.output[pixel] += weight * in.bias[cell * channels + c];
                results.bias_grad[cell * channels + c] += weight * in.output_grad[pixel];
              }
              for (int64_t ky = 0; ky < size; ++ky)
                for (int64_t kx = 0; kx < size; ++kx) {
                  const int64_t source_y = y + ky - radius, source_x = x + kx - radius;
                  if (source_y < 0 || source_y >= height) continue;
                  if (source_x < 0 || source_x >= width) continue;
                  const int64_t source =
                      ((n * height + source_y) * width + source_x) * channels + c;
                  const int64_t tap = ((cell * size + ky) * size + kx) * channels + c;
                  const double kernel = in.kernels[tap], feature = in.features[source];
                  const double output_grad = in.output_grad[pixel];
                  results.output[pixel] += weight * kernel * feature;
                  results.features_grad[source] += weight * kernel * output_grad;
                  results.kernels_grad[tap] += weight * feature * output_grad;
                }
            }
          }
        }
}

}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_REFERENCE_H_
