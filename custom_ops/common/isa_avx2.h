// Compiles the including source for AVX2, regardless of the compiler's flags. A source includes one
// isa_*.h, once, before the kernels.

#define MALLENET_ISA isa_avx2  // Namespace of the kernels, so that the linker merges none of them.
#define MALLENET_VECTOR_BYTES 32
#define MALLENET_VECTOR_REGISTERS 16
// Functions that are called from outside, and functions that are always inlined into these.
#define MALLENET_TARGET __attribute__((target("avx2,fma")))
#define MALLENET_INLINE MALLENET_TARGET __attribute__((always_inline)) inline
