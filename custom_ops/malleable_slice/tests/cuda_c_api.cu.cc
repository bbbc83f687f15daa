// The launchers, and the parts of the CUDA runtime that tools/checks/check_slice_cuda.py needs, for
// programs that call C. Functions return null or an error message, unless noted.

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "custom_ops/malleable_slice/cuda/launchers.h"

namespace {

using mallenet::BFloat16;
using mallenet::Float16;
using mallenet::SliceShape;

const char* MessageOf(cudaError_t status) {
  return status == cudaSuccess ? nullptr : cudaGetErrorString(status);
}

// Calls `work` with a null pointer of the type: "float32", "float64", "float16" or "bfloat16".
template <typename Work>
const char* WithStorage(const char* type, const Work& work) {
  if (std::strcmp(type, "float32") == 0) return work(static_cast<float*>(nullptr));
  if (std::strcmp(type, "float64") == 0) return work(static_cast<double*>(nullptr));
  if (std::strcmp(type, "float16") == 0) return work(static_cast<Float16*>(nullptr));
  if (std::strcmp(type, "bfloat16") == 0) return work(static_cast<BFloat16*>(nullptr));
  return "no such type";
}

// N, H, W, C, h, w, K
SliceShape ShapeOf(const int64_t* sizes) {
  return {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6]};
}

cudaEvent_t timer[2];

}  // namespace

extern "C" {

const char* slice_forward(const char* type, const int64_t* sizes, const void* features,
                          const void* kernels, const void* bias, void* output) {
  return WithStorage(type, [&](auto* null) {
    using Storage = std::remove_pointer_t<decltype(null)>;
    return mallenet::GpuForward(ShapeOf(sizes), static_cast<const Storage*>(features),
                                static_cast<const Storage*>(kernels),
                                static_cast<const Storage*>(bias), static_cast<Storage*>(output),
                                nullptr);
  });
}

const char* slice_gradients(const char* type, const int64_t* sizes, const void* features,
                            const void* kernels, const void* output_grad, void* features_grad,
                            void* kernels_grad, void* bias_grad) {
  return WithStorage(type, [&](auto* null) {
    using Storage = std::remove_pointer_t<decltype(null)>;
    const SliceShape shape = ShapeOf(sizes);
    const auto* grad = static_cast<const Storage*>(output_grad);
    const char* error =
        mallenet::GpuFeaturesGrad(shape, static_cast<const Storage*>(kernels), grad,
                                  static_cast<Storage*>(features_grad), nullptr);
    if (error != nullptr) return error;
    return mallenet::GpuGridGrad(shape, static_cast<const Storage*>(features), grad,
                                 static_cast<Storage*>(kernels_grad),
                                 static_cast<Storage*>(bias_grad), nullptr);
  });
}

// Writes the name of the first device to `name`, which has room for 256 characters.
const char* slice_device(char* name) {
  cudaDeviceProp properties;
  const cudaError_t status = cudaGetDeviceProperties(&properties, 0);
  if (status == cudaSuccess) std::memcpy(name, properties.name, sizeof(properties.name));
  return MessageOf(status);
}

// Returns null if there is not enough memory.
void* slice_allocate(uint64_t bytes) {
  void* address = nullptr;
  return cudaMalloc(&address, bytes) == cudaSuccess ? address : nullptr;
}

const char* slice_free(void* address) { return MessageOf(cudaFree(address)); }

// Copies between host and device and waits; between device and device it returns at once.
const char* slice_copy(void* to, const void* from, uint64_t bytes) {
  return MessageOf(cudaMemcpy(to, from, bytes, cudaMemcpyDefault));
}

const char* slice_start_timer() {
  for (cudaEvent_t& event : timer) {
    if (event != nullptr) continue;
    const cudaError_t status = cudaEventCreate(&event);
    if (status != cudaSuccess) return MessageOf(status);
  }
  return MessageOf(cudaEventRecord(timer[0]));
}

const char* slice_stop_timer(float* milliseconds) {
  cudaError_t status = cudaEventRecord(timer[1]);
  if (status == cudaSuccess) status = cudaEventSynchronize(timer[1]);
  if (status == cudaSuccess) status = cudaEventElapsedTime(milliseconds, timer[0], timer[1]);
  return MessageOf(status);
}

}  // extern "C"
