// The kernels for any CPU.

#include "custom_ops/common/isa_base.h"
#include "custom_ops/inverted_bottleneck/cpu/instance.h"
