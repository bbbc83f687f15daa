// The part of the CPU implementation that does no arithmetic on images: the plan of a row, and the
// choice of an instruction set.

#include "malleable_slice_cpu.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

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

namespace {

enum class InstructionSet { kBase, kAvx2, kAvx512 };

const char* NameOf(InstructionSet set) {
  switch (set) {
    case InstructionSet::kAvx512:
      return "avx512";
    case InstructionSet::kAvx2:
      return "avx2";
    default:
      return "base";
  }
}

InstructionSet WidestOfThisCpu() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return InstructionSet::kAvx512;
  }
  if (has_avx2) return InstructionSet::kAvx2;
#endif
  return InstructionSet::kBase;
}

InstructionSet ChosenInstructionSet() {
  const InstructionSet widest = WidestOfThisCpu();
  const char* name = std::getenv("MALLENET_SLICE_ISA");
  if (name == nullptr) return widest;
  for (const InstructionSet set :
       {InstructionSet::kBase, InstructionSet::kAvx2, InstructionSet::kAvx512}) {
    if (set <= widest && std::strcmp(name, NameOf(set)) == 0) return set;
  }
  std::fprintf(stderr, "malleable_slice: MALLENET_SLICE_ISA must be base, avx2 or avx512, at most "
               "what this CPU has, %s. Received: MALLENET_SLICE_ISA=%s\n", NameOf(widest), name);
  return widest;
}

InstructionSet CurrentInstructionSet() {
  static const InstructionSet chosen = ChosenInstructionSet();
  return chosen;
}

}  // namespace

const char* SliceInstructionSet() { return NameOf(CurrentInstructionSet()); }

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
