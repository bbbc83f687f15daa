// The CPU kernels of inverted_bottleneck. The contract is in inverted_bottleneck.h.

#ifndef MALLENET_INVERTED_BOTTLENECK_CPU_KERNELS_H_
#define MALLENET_INVERTED_BOTTLENECK_CPU_KERNELS_H_

#include <cstdint>
#include <vector>

#include "custom_ops/inverted_bottleneck/inverted_bottleneck.h"

namespace mallenet {

// A matrix [rows, columns], cut into panels of one to three vectors of columns. Each panel is
// stored row by row. Zeros pad the columns to whole vectors.
struct PackedMatrix {
  int64_t rows = 0;
  int64_t vectors = 0;
  std::vector<float> values;
};

// Vectors of columns in the next panel when `left` remain.
constexpr int64_t PanelVectors(int64_t left) {
  return left == 2 || left == 4 ? 2 : (left < 3 ? left : 3);
}

// The parameters, laid out for one instruction set, and the strips of columns that the image is cut
// into. Built once per call.
struct BottleneckPlan {
  BottleneckShape shape;
  int64_t padded_channels;  // C and E, rounded up to whole vectors.
  int64_t padded_inner;
  int64_t strip;   // Width of a strip in pixels.
  int64_t strips;  // Number of strips.
  PackedMatrix expand;
  PackedMatrix project;
  std::vector<float> expand_bias, expand_alpha, depthwise, depthwise_bias, depthwise_alpha;
  std::vector<float> project_bias;
};

// The kernel of one instruction set.
struct BottleneckKernel {
  int64_t lanes;  // Floats in a vector.
  // Computes units [begin, end) of the plan's batch * strips * height rows of a strip. Callers may
  // split the units over threads in any way: the values do not depend on the split. `output` is not
  // `features`.
  void (*run)(const BottleneckPlan& plan, const float* features, float* output, int64_t begin,
              int64_t end);
};

BottleneckPlan MakePlan(const BottleneckShape& shape, const BottleneckWeights& weights,
                        int64_t lanes);

// The kernel of CurrentInstructionSet().
const BottleneckKernel& BottleneckKernelForThisCpu();

}  // namespace mallenet

#endif  // MALLENET_INVERTED_BOTTLENECK_CPU_KERNELS_H_
