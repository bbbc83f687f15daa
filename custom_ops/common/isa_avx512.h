// Compiles the including source for AVX-512, regardless of the compiler's flags. See isa_avx2.h for
// the macros.

#define MALLENET_ISA isa_avx512
#define MALLENET_VECTOR_BYTES 64
#define MALLENET_VECTOR_REGISTERS 32
#define MALLENET_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define MALLENET_INLINE MALLENET_TARGET __attribute__((always_inline)) inline
