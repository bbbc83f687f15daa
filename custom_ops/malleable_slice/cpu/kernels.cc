// The plan of a row, and the kernels of the instruction set in use.

#include "custom_ops/malleable_slice/cpu/kernels.h"

#include "custom_ops/common/instruction_set.h"

namespace mallenet {

SlicePlan::SlicePlan(const SliceShape& slice_shape) : shape(slice_shape) {
  lower.reserve(shape.width);
  upper.reserve(shape.width);
  weight_float.reserve(shape.width);
  weight_double.reserve(shape.width);
  for (int64_t x = 0; x < shape.width; ++x) {
    const GridTap tap = GridTapAt(x, shape.width, shape.grid_width);
    lower.push_back(tap.lower);
    upper.push_back(tap.upper);
    weight_float.push_back(static_cast<float>(tap.weight));
    weight_double.push_back(tap.weight);
    if (!spans.empty() && spans.back().lower == tap.lower && spans.back().upper == tap.upper) {
      spans.back().end = x + 1;
    } else {
      spans.push_back({x, x + 1, tap.lower, tap.upper});
    }
  }
}

namespace isa_base {
template <typename Storage>
const SliceKernels<Storage>& Kernels();
}  // namespace isa_base
#if defined(__x86_64__)
namespace isa_avx2 {
template <typename Storage>
const SliceKernels<Storage>& Kernels();
}  // namespace isa_avx2
namespace isa_avx512 {
template <typename Storage>
const SliceKernels<Storage>& Kernels();
}  // namespace isa_avx512
#endif

template <typename Storage>
const SliceKernels<Storage>& SliceKernelsForThisCpu() {
#if defined(__x86_64__)
  switch (CurrentInstructionSet()) {
    case InstructionSet::kAvx512:
      return isa_avx512::Kernels<Storage>();
    case InstructionSet::kAvx2:
      return isa_avx2::Kernels<Storage>();
    default:
      break;
  }
#endif
  return isa_base::Kernels<Storage>();
}

template const SliceKernels<float>& SliceKernelsForThisCpu<float>();
template const SliceKernels<double>& SliceKernelsForThisCpu<double>();
template const SliceKernels<Float16>& SliceKernelsForThisCpu<Float16>();
template const SliceKernels<BFloat16>& SliceKernelsForThisCpu<BFloat16>();

}  // namespace mallenet
