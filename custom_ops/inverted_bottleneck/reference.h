// inverted_bottleneck as plain loops, summed in float64: read this to see what the op computes. The
// tests compare the kernels with it.

#ifndef MALLENET_INVERTED_BOTTLENECK_REFERENCE_H_
#define MALLENET_INVERTED_BOTTLENECK_REFERENCE_H_

#include <cstdint>
#include <vector>

#include "custom_ops/inverted_bottleneck/inverted_bottleneck.h"

namespace mallenet {

inline double Prelu(double value, double alpha) { return value > 0 ? value : alpha * value; }

inline void BottleneckReference(const BottleneckShape& shape, const BottleneckWeights& weights,
                                const float* features, double* output) {
  const auto [batch, height, width, channels, inner] = shape;
  const int64_t pixels = batch * height * width;

  std::vector<double> expanded(pixels * inner);
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t e = 0; e < inner; ++e) {
      double sum = weights.expand_bias[e];
      for (int64_t c = 0; c < channels; ++c) {
        sum += double{features[pixel * channels + c]} * weights.expand[c * inner + e];
      }
      expanded[pixel * inner + e] = Prelu(sum, weights.expand_alpha[e]);
    }

  std::vector<double> filtered(pixels * inner);
  for (int64_t n = 0; n < batch; ++n)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        for (int64_t e = 0; e < inner; ++e) {
          double sum = weights.depthwise_bias[e];
          for (int64_t ky = 0; ky < 3; ++ky)
            for (int64_t kx = 0; kx < 3; ++kx) {
              const int64_t source_y = y + ky - 1, source_x = x + kx - 1;
              if (source_y < 0 || source_y >= height) continue;
              if (source_x < 0 || source_x >= width) continue;
              const int64_t source = (n * height + source_y) * width + source_x;
              sum += expanded[source * inner + e] * weights.depthwise[(ky * 3 + kx) * inner + e];
            }
          const int64_t pixel = (n * height + y) * width + x;
          filtered[pixel * inner + e] = Prelu(sum, weights.depthwise_alpha[e]);
        }

  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t c = 0; c < channels; ++c) {
      double sum = double{features[pixel * channels + c]} + weights.project_bias[c];
      for (int64_t e = 0; e < inner; ++e) {
        sum += filtered[pixel * inner + e] * weights.project[e * channels + c];
      }
      output[pixel * channels + c] = sum;
    }
}

}  // namespace mallenet

#endif  // MALLENET_INVERTED_BOTTLENECK_REFERENCE_H_
