// The AVX512 instruction set, whatever flags the file is compiled with; empty off x86-64.

#if defined(__x86_64__)

#define MALLENET_ISA isa_avx512
#define MALLENET_VECTOR_BYTES 64
#define MALLENET_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define MALLENET_INLINE MALLENET_TARGET __attribute__((always_inline)) inline
constexpr int kAccumulators = 24;  // of 32 registers

#include "inverted_bottleneck_instance.h"

#endif  // defined(__x86_64__)
