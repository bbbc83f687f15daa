// The kernel of one instruction set, written with the compilers' vector extension. Read Run first,
// at the end. The including source includes one common/isa_*.h before. No include guard.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "custom_ops/inverted_bottleneck/cpu/kernels.h"

// Only always-inlined functions pass vectors, so the calling convention does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace mallenet {
namespace MALLENET_ISA {
namespace {

constexpr int kLanes = MALLENET_VECTOR_BYTES / static_cast<int>(sizeof(float));
constexpr int kAccumulators = MALLENET_VECTOR_REGISTERS / 4 * 3;  // Registers that hold sums.
typedef float Floats __attribute__((vector_size(MALLENET_VECTOR_BYTES)));

MALLENET_INLINE Floats Load(const float* address) {
  Floats value;
  std::memcpy(&value, address, sizeof(value));
  return value;
}
MALLENET_INLINE void Store(float* address, Floats value) {
  std::memcpy(address, &value, sizeof(value));
}
MALLENET_INLINE Floats Prelu(Floats value, Floats alpha) {
  return value > 0.0f ? value : value * alpha;
}

// kPixels rows of `inputs`, `stride` floats apart, times a panel of kVectors vectors of columns, plus
// bias. The sums stay in registers.
template <int kPixels, int kVectors>
MALLENET_INLINE void MultiplyPanel(const float* inputs, int64_t stride, int64_t depth,
                                   const float* panel, const float* bias,
                                   Floats (&sums)[kPixels][kVectors]) {
  for (int vector = 0; vector < kVectors; ++vector) {
    const Floats start = Load(bias + vector * kLanes);
    for (int pixel = 0; pixel < kPixels; ++pixel) sums[pixel][vector] = start;
  }
  for (int64_t row = 0; row < depth; ++row, panel += kVectors * kLanes) {
    Floats factors[kVectors];
    for (int vector = 0; vector < kVectors; ++vector) factors[vector] = Load(panel + vector * kLanes);
    for (int pixel = 0; pixel < kPixels; ++pixel) {
      const float input = inputs[pixel * stride + row];
      for (int vector = 0; vector < kVectors; ++vector) {
        sums[pixel][vector] += input * factors[vector];
      }
    }
  }
}

// What follows the matrix product of the 1x1 convolutions. Expand applies the PReLU and writes whole
// vectors, padding included. Project adds the features and writes the C channels.
struct Expand {
  const float* alpha;
  float* output;  // [pixels, stride].
  int64_t stride;

  MALLENET_INLINE void Finish(int64_t pixel, int64_t column, Floats sum) const {
    Store(output + pixel * stride + column, Prelu(sum, Load(alpha + column)));
  }
};
struct Project {
  const float* features;  // [pixels, channels].
  float* output;
  int64_t channels;

  MALLENET_INLINE void Finish(int64_t pixel, int64_t column, Floats sum) const {
    const int64_t at = pixel * channels + column;
    if (column + kLanes <= channels) {
      Store(output + at, sum + Load(features + at));
      return;
    }
    for (int64_t lane = 0; column + lane < channels; ++lane) {
      output[at + lane] = sum[lane] + features[at + lane];
    }
  }
};

template <int kPixels, int kVectors, typename Finisher>
MALLENET_INLINE void Block(const float* inputs, int64_t stride, int64_t depth, const float* panel,
                           const float* bias, int64_t pixel, int64_t column,
                           const Finisher& finisher) {
  Floats sums[kPixels][kVectors];
  MultiplyPanel<kPixels, kVectors>(inputs + pixel * stride, stride, depth, panel, bias + column,
                                   sums);
  for (int offset = 0; offset < kPixels; ++offset) {
    for (int vector = 0; vector < kVectors; ++vector) {
      finisher.Finish(pixel + offset, column + vector * kLanes, sums[offset][vector]);
    }
  }
}

template <int kVectors, typename Finisher>
MALLENET_INLINE void Panel(const float* inputs, int64_t stride, int64_t pixels, int64_t depth,
                           const float* panel, const float* bias, int64_t column,
                           const Finisher& finisher) {
  constexpr int kPixels = kAccumulators / kVectors;
  if (pixels < kPixels) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      Block<1, kVectors>(inputs, stride, depth, panel, bias, pixel, column, finisher);
    }
    return;
  }
  // The last block moves back to be a whole one; a few pixels are computed twice.
  for (int64_t pixel = 0; pixel < pixels; pixel += kPixels) {
    Block<kPixels, kVectors>(inputs, stride, depth, panel, bias,
                             std::min(pixel, pixels - kPixels), column, finisher);
  }
}

template <typename Finisher>
MALLENET_INLINE void Pointwise(const float* inputs, int64_t stride, int64_t pixels,
                               const PackedMatrix& matrix, const float* bias,
                               const Finisher& finisher) {
  const float* panel = matrix.values.data();
  for (int64_t first = 0; first < matrix.vectors;) {
    const int64_t vectors = PanelVectors(matrix.vectors - first), column = first * kLanes;
    if (vectors == 3) {
      Panel<3>(inputs, stride, pixels, matrix.rows, panel, bias, column, finisher);
    } else if (vectors == 2) {
      Panel<2>(inputs, stride, pixels, matrix.rows, panel, bias, column, finisher);
    } else {
      Panel<1>(inputs, stride, pixels, matrix.rows, panel, bias, column, finisher);
    }
    panel += vectors * kLanes * matrix.rows;
    first += vectors;
  }
}

// kPixels neighbors, which share the values that their 3x3 windows have in common.
template <int kPixels>
MALLENET_INLINE void DepthwiseBlock(const float* const (&rows)[3], int64_t offset, int64_t stride,
                                    const Floats (&taps)[9], Floats bias, Floats alpha,
                                    float* output) {
  Floats sums[kPixels];
  for (int pixel = 0; pixel < kPixels; ++pixel) sums[pixel] = bias;
  for (int y = 0; y < 3; ++y) {
    Floats values[kPixels + 2];
    for (int x = 0; x < kPixels + 2; ++x) values[x] = Load(rows[y] + offset + x * stride);
    for (int pixel = 0; pixel < kPixels; ++pixel) {
      for (int x = 0; x < 3; ++x) sums[pixel] += values[pixel + x] * taps[3 * y + x];
    }
  }
  for (int pixel = 0; pixel < kPixels; ++pixel) {
    Store(output + offset + pixel * stride, Prelu(sums[pixel], alpha));
  }
}

// The depthwise convolution and its PReLU: from three rows [pixels + 2, E] to one [pixels, E].
MALLENET_INLINE void Depthwise(const BottleneckPlan& plan, const float* const (&rows)[3],
                               int64_t pixels, float* output) {
  const int64_t stride = plan.padded_inner;
  for (int64_t channel = 0; channel < stride; channel += kLanes) {
    Floats taps[9];
    for (int tap = 0; tap < 9; ++tap) taps[tap] = Load(&plan.depthwise[tap * stride + channel]);
    const Floats bias = Load(&plan.depthwise_bias[channel]);
    const Floats alpha = Load(&plan.depthwise_alpha[channel]);
    int64_t pixel = 0;
    for (; pixel + 4 <= pixels; pixel += 4) {
      DepthwiseBlock<4>(rows, pixel * stride + channel, stride, taps, bias, alpha, output);
    }
    for (; pixel < pixels; ++pixel) {
      DepthwiseBlock<1>(rows, pixel * stride + channel, stride, taps, bias, alpha, output);
    }
  }
}

// Expands row y of a strip and one more pixel on either side; zeros outside the image.
MALLENET_INLINE void ExpandRow(const BottleneckPlan& plan, const float* image, int64_t y,
                               int64_t left, int64_t pixels, float* row) {
  const BottleneckShape& shape = plan.shape;
  const int64_t stride = plan.padded_inner;
  if (y < 0 || y >= shape.height) {
    std::memset(row, 0, (pixels + 2) * stride * sizeof(float));
    return;
  }
  const int64_t first = std::max<int64_t>(left - 1, 0);
  const int64_t last = std::min(left + pixels + 1, shape.width);
  if (first == left) std::memset(row, 0, stride * sizeof(float));
  if (last == left + pixels) {
    std::memset(row + (pixels + 1) * stride, 0, stride * sizeof(float));
  }
  const Expand finisher{plan.expand_alpha.data(), row + (first - (left - 1)) * stride, stride};
  Pointwise(image + (y * shape.width + first) * shape.channels, shape.channels, last - first,
            plan.expand, plan.expand_bias.data(), finisher);
}

MALLENET_TARGET void Run(const BottleneckPlan& plan, const float* features, float* output,
                         int64_t begin, int64_t end) {
  const BottleneckShape& shape = plan.shape;
  const int64_t row_floats = (plan.strip + 2) * plan.padded_inner;
  std::vector<float> scratch(4 * row_floats);
  float* const depthwise = scratch.data() + 3 * row_floats;
  int64_t expanded = -2;  // The last expanded row of this strip, in a ring of three.
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t y = unit % shape.height;
    const int64_t left = unit / shape.height % plan.strips * plan.strip;
    const int64_t pixels = std::min(plan.strip, shape.width - left);
    const int64_t image = unit / shape.height / plan.strips * shape.height * shape.width;
    if (unit == begin || y == 0) expanded = y - 2;
    for (; expanded <= y; ++expanded) {
      const int64_t next = expanded + 1;
      ExpandRow(plan, features + image * shape.channels, next, left, pixels,
                scratch.data() + (next + 3) % 3 * row_floats);
    }
    const float* const rows[3] = {scratch.data() + (y + 2) % 3 * row_floats,
                                  scratch.data() + y % 3 * row_floats,
                                  scratch.data() + (y + 1) % 3 * row_floats};
    Depthwise(plan, rows, pixels, depthwise);
    const int64_t at = (image + y * shape.width + left) * shape.channels;
    const Project finisher{features + at, output + at, shape.channels};
    Pointwise(depthwise, plan.padded_inner, pixels, plan.project, plan.project_bias.data(),
              finisher);
  }
}

}  // namespace

extern const BottleneckKernel kBottleneckKernel;
const BottleneckKernel kBottleneckKernel{kLanes, &Run};

}  // namespace MALLENET_ISA
}  // namespace mallenet
