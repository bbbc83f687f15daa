#include "custom_ops/common/instruction_set.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace mallenet {
namespace {

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
  const char* name = std::getenv("MALLENET_INSTRUCTION_SET");
  if (name == nullptr) return widest;
  for (const InstructionSet set :
       {InstructionSet::kBase, InstructionSet::kAvx2, InstructionSet::kAvx512}) {
    if (set <= widest && std::strcmp(name, NameOf(set)) == 0) return set;
  }
  std::fprintf(stderr,
               "mallenet: MALLENET_INSTRUCTION_SET must be base, avx2 or avx512, at most what this "
               "CPU has, %s. Received: MALLENET_INSTRUCTION_SET=%s\n",
               NameOf(widest), name);
  return widest;
}

}  // namespace

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

InstructionSet CurrentInstructionSet() {
  static const InstructionSet chosen = ChosenInstructionSet();
  return chosen;
}

}  // namespace mallenet
