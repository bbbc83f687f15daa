// The portable instruction set: SSE2 on x86-64, NEON on arm64, whatever 16-byte vectors become
// elsewhere.

#define MALLENET_ISA isa_base
#define MALLENET_VECTOR_BYTES 16
#define MALLENET_TARGET
#define MALLENET_INLINE __attribute__((always_inline)) inline
constexpr int kAccumulators = 12;  // of 16 registers on x86-64, of 32 on arm64

#include "inverted_bottleneck_instance.h"
