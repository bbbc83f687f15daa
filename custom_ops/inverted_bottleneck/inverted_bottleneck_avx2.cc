// The AVX2 instruction set, whatever flags the file is compiled with; empty off x86-64.

#if defined(__x86_64__)

#define MALLENET_ISA isa_avx2
#define MALLENET_VECTOR_BYTES 32
#define MALLENET_TARGET __attribute__((target("avx2,fma")))
#define MALLENET_INLINE MALLENET_TARGET __attribute__((always_inline)) inline
constexpr int kAccumulators = 12;  // of 16 registers

#include "inverted_bottleneck_instance.h"

#endif  // defined(__x86_64__)
