// The kernels for AVX2; empty on other CPUs than x86-64.

#if defined(__x86_64__)
#include "custom_ops/common/isa_avx2.h"
#include "custom_ops/inverted_bottleneck/cpu/instance.h"
#endif
