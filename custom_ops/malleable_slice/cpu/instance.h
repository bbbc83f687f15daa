// The kernels of one instruction set. The including source includes one common/isa_*.h before. This
// file and those that it includes have no include guards.

#include "custom_ops/malleable_slice/cpu/vectors.h"
#include "custom_ops/malleable_slice/cpu/pointwise.h"
#include "custom_ops/malleable_slice/cpu/correlate.h"
#include "custom_ops/malleable_slice/cpu/grid_grad.h"
#include "custom_ops/malleable_slice/cpu/pointwise_grad.h"

namespace mallenet {
namespace MALLENET_ISA {

template <typename Storage>
const SliceKernels<Storage>& Kernels() {
  static constexpr SliceKernels<Storage> kernels{&Forward<Storage>, &FeaturesGrad<Storage>,
                                                 &GridGrad<Storage>, &PointwiseGrad<Storage>};
  return kernels;
}

template const SliceKernels<float>& Kernels<float>();
template const SliceKernels<double>& Kernels<double>();
template const SliceKernels<Float16>& Kernels<Float16>();
template const SliceKernels<BFloat16>& Kernels<BFloat16>();

}  // namespace MALLENET_ISA
}  // namespace mallenet
