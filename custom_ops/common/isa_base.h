// Compiles the including source for the portable instruction set: SSE2 on x86-64, NEON on arm64,
// the compiler's 16-byte vectors elsewhere. See isa_avx2.h for the macros.

#define MALLENET_ISA isa_base
#define MALLENET_VECTOR_BYTES 16
#define MALLENET_VECTOR_REGISTERS 16
#define MALLENET_TARGET
#define MALLENET_INLINE __attribute__((always_inline)) inline
