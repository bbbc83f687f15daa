// The plan of a call, and the kernel of the instruction set in use.

#include "custom_ops/inverted_bottleneck/cpu/kernels.h"

#include <algorithm>

#include "custom_ops/common/instruction_set.h"

namespace mallenet {

namespace isa_base {
extern const BottleneckKernel kBottleneckKernel;
}  // namespace isa_base
#if defined(__x86_64__)
namespace isa_avx2 {
extern const BottleneckKernel kBottleneckKernel;
}  // namespace isa_avx2
namespace isa_avx512 {
extern const BottleneckKernel kBottleneckKernel;
}  // namespace isa_avx512
#endif

namespace {

// Size of three rows of a strip of inner channels and the row computed from them: half of a common
// second-level cache of 256 KiB.
constexpr int64_t kStripFloats = 32 * 1024;

PackedMatrix Pack(const float* matrix, int64_t rows, int64_t columns, int64_t lanes) {
  PackedMatrix packed;
  packed.rows = rows;
  packed.vectors = (columns + lanes - 1) / lanes;
  packed.values.assign(rows * packed.vectors * lanes, 0.0f);
  float* to = packed.values.data();
  for (int64_t first = 0; first < packed.vectors;) {
    const int64_t panel = PanelVectors(packed.vectors - first);
    const int64_t begin = first * lanes, end = std::min(columns, begin + panel * lanes);
    for (int64_t row = 0; row < rows; ++row, to += panel * lanes) {
      std::copy(matrix + row * columns + begin, matrix + row * columns + end, to);
    }
    first += panel;
  }
  return packed;
}

// Rows of `columns` values, each padded with zeros to `padded`.
std::vector<float> Pad(const float* values, int64_t rows, int64_t columns, int64_t padded) {
  std::vector<float> result(rows * padded, 0.0f);
  for (int64_t row = 0; row < rows; ++row) {
    std::copy(values + row * columns, values + (row + 1) * columns, result.data() + row * padded);
  }
  return result;
}

}  // namespace

BottleneckPlan MakePlan(const BottleneckShape& shape, const BottleneckWeights& weights,
                        int64_t lanes) {
  const int64_t channels = shape.channels, inner = shape.inner;
  BottleneckPlan plan;
  plan.shape = shape;
  plan.padded_channels = (channels + lanes - 1) / lanes * lanes;
  plan.padded_inner = (inner + lanes - 1) / lanes * lanes;
  const int64_t widest = std::max<int64_t>(16, kStripFloats / (4 * plan.padded_inner) / 16 * 16);
  plan.strips = (shape.width + widest - 1) / widest;
  plan.strip = (shape.width + plan.strips - 1) / plan.strips;
  plan.strips = (shape.width + plan.strip - 1) / plan.strip;
  plan.expand = Pack(weights.expand, channels, inner, lanes);
  plan.project = Pack(weights.project, inner, channels, lanes);
  plan.expand_bias = Pad(weights.expand_bias, 1, inner, plan.padded_inner);
  plan.expand_alpha = Pad(weights.expand_alpha, 1, inner, plan.padded_inner);
  plan.depthwise = Pad(weights.depthwise, 9, inner, plan.padded_inner);
  plan.depthwise_bias = Pad(weights.depthwise_bias, 1, inner, plan.padded_inner);
  plan.depthwise_alpha = Pad(weights.depthwise_alpha, 1, inner, plan.padded_inner);
  plan.project_bias = Pad(weights.project_bias, 1, channels, plan.padded_channels);
  return plan;
}

const BottleneckKernel& BottleneckKernelForThisCpu() {
#if defined(__x86_64__)
  switch (CurrentInstructionSet()) {
    case InstructionSet::kAvx512:
      return isa_avx512::kBottleneckKernel;
    case InstructionSet::kAvx2:
      return isa_avx2::kBottleneckKernel;
    default:
      break;
  }
#endif
  return isa_base::kBottleneckKernel;
}

}  // namespace mallenet
