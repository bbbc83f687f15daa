// Chooses the instruction set of the CPU kernels, once per process, for all ops.

#ifndef MALLENET_COMMON_INSTRUCTION_SET_H_
#define MALLENET_COMMON_INSTRUCTION_SET_H_

namespace mallenet {

// From narrow to wide.
enum class InstructionSet { kBase, kAvx2, kAvx512 };

// "base", "avx2" or "avx512".
const char* NameOf(InstructionSet set);

// The widest instruction set that this CPU has and that the kernels are compiled for. The
// environment variable MALLENET_INSTRUCTION_SET names a narrower one, for tests and comparisons;
// any other value is reported on stderr and ignored.
InstructionSet CurrentInstructionSet();

}  // namespace mallenet

#endif  // MALLENET_COMMON_INSTRUCTION_SET_H_
