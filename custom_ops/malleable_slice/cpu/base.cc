// The kernels for any CPU.

#include "custom_ops/common/isa_base.h"
#include "custom_ops/malleable_slice/cpu/instance.h"
