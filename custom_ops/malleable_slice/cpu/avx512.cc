// The kernels for AVX-512; empty on other CPUs than x86-64.

#if defined(__x86_64__)
#include "custom_ops/common/isa_avx512.h"
#include "custom_ops/malleable_slice/cpu/instance.h"
#endif
