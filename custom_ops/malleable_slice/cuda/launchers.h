// The CUDA implementation of malleable_slice. The contract is in malleable_slice.h. Callers need no
// header of a framework or of CUDA.
//
// Every function launches its kernels on `stream` and returns at once: null, or the error message of
// the CUDA runtime. Arrays are on the device of the current context. Nothing is allocated, and the
// order of every sum depends on the shapes only.
//
// Tested so far: nvcc compiles it for every supported device, and a test runs the same kernels on the
// host with an emulation of CUDA (tests/cuda_on_host.h). It has not run on a GPU yet;
// tools/checks/check_slice_cuda.py checks and times it on one.

#ifndef MALLENET_MALLEABLE_SLICE_CUDA_LAUNCHERS_H_
#define MALLENET_MALLEABLE_SLICE_CUDA_LAUNCHERS_H_

#include <cstdint>

#include "custom_ops/malleable_slice/malleable_slice.h"

typedef struct CUstream_st* cudaStream_t;

namespace mallenet {

// Height, width, channels, kernel_size squared and both sides of the grid must be below this. Their
// products may be larger.
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

#endif  // MALLENET_MALLEABLE_SLICE_CUDA_LAUNCHERS_H_
