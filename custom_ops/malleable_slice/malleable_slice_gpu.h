// The CUDA implementation of malleable_slice (contract in malleable_slice.h), free of any framework
// and, for those who call it, of CUDA's headers.
//
// Every function puts its kernels on `stream` and returns at once: null, or what the CUDA runtime
// says about the launch. Arrays lie on the device of the current context. Nothing is allocated, and
// the order of every sum depends on the shapes only.
//
// What has been seen of it: nvcc compiles it for every supported device, and a test runs the very
// same kernels on the host, emulated (tests/cuda_on_host.h). It has not run on a GPU yet;
// tools/check_slice_cuda.py checks and times it on one.

#ifndef MALLENET_MALLEABLE_SLICE_GPU_H_
#define MALLENET_MALLEABLE_SLICE_GPU_H_

#include <cstdint>

#include "malleable_slice.h"

typedef struct CUstream_st* cudaStream_t;

namespace mallenet {

// Height, width, channels, kernel_size squared and both sides of the grid must stay below this;
// their products, the number of elements among them, need not.
constexpr int64_t kGpuSizeLimit = int64_t{1} << 29;

// Storage is float, double, Float16 or BFloat16. `bias` may be null. `output` overlaps no input.
template <typename Storage>
const char* GpuForward(const SliceShape& shape, const Storage* features, const Storage* kernels,
                       const Storage* bias, Storage* output, cudaStream_t stream);

template <typename Storage>
const char* GpuFeaturesGrad(const SliceShape& shape, const Storage* kernels,
                            const Storage* output_grad, Storage* features_grad,
                            cudaStream_t stream);

// Writes zeros for images without pixels. `bias_grad` may be null.
template <typename Storage>
const char* GpuGridGrad(const SliceShape& shape, const Storage* features,
                        const Storage* output_grad, Storage* kernels_grad, Storage* bias_grad,
                        cudaStream_t stream);

}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_GPU_H_
