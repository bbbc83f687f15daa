// The body of one instruction set's translation unit, which defines MALLENET_ISA,
// MALLENET_VECTOR_BYTES, MALLENET_TARGET and MALLENET_INLINE before including this once.

#include "malleable_slice_vector.h"

#include "malleable_slice_pointwise.h"
#include "malleable_slice_correlate.h"
#include "malleable_slice_grid_grad.h"
#include "malleable_slice_pointwise_grad.h"

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
