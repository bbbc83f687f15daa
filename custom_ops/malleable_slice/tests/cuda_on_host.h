// Emulates the parts of CUDA that cuda/launchers.cu.cc needs. Included before that file, it makes a
// plain C++ compiler build the kernels for the host, where sanitizers can check them.
//
// Blocks run one after the other. The threads of a block are fibers that yield at __syncthreads().
// Every other block runs its threads in descending order, so that a missing __syncthreads() changes
// the results. The memory model and the speed of a device are not emulated.

#ifndef MALLENET_MALLEABLE_SLICE_TESTS_CUDA_ON_HOST_H_
#define MALLENET_MALLEABLE_SLICE_TESTS_CUDA_ON_HOST_H_

#include <ucontext.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static  // One block runs at a time.

// The runtime functions that the launchers and cuda_c_api.cu.cc call, on the host's memory.
typedef struct CUstream_st* cudaStream_t;
typedef std::chrono::steady_clock::time_point* cudaEvent_t;
enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation };
enum cudaMemcpyKind { cudaMemcpyDefault };
struct cudaDeviceProp {
  char name[256];
};
inline const char* cudaGetErrorString(cudaError_t) { return "out of memory"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaMemsetAsync(void* address, int value, size_t bytes, cudaStream_t) {
  std::memset(address, value, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::strcpy(properties->name, "CUDA emulated on the host");
  return cudaSuccess;
}
inline cudaError_t cudaMalloc(void** address, size_t bytes) {
  *address = std::malloc(bytes);
  return *address != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFree(void* address) {
  std::free(address);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new std::chrono::steady_clock::time_point;
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event) {
  *event = std::chrono::steady_clock::now();
  return cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  *milliseconds = std::chrono::duration<float, std::milli>(*to - *from).count();
  return cudaSuccess;
}

using std::max;
using std::min;

inline float __uint_as_float(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
inline uint32_t __float_as_uint(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

struct HalfOnHost {
  uint16_t bits;
};
inline HalfOnHost __ushort_as_half(uint16_t bits) { return {bits}; }
inline uint16_t __half_as_ushort(HalfOnHost half) { return half.bits; }
inline float __half2float(HalfOnHost half) {
  const int exponent = (half.bits >> 10) & 31;
  const float mantissa = static_cast<float>(half.bits & 1023);
  float value = std::ldexp(exponent == 0 ? mantissa : mantissa + 1024, std::max(exponent, 1) - 25);
  if (exponent == 31) value = mantissa == 0 ? INFINITY : NAN;
  return half.bits & 0x8000 ? -value : value;
}
// Rounds to a multiple of the last bit's value, to nearest even.
inline HalfOnHost __float2half_rn(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const float size = std::fabs(value);
  if (std::isnan(value)) return {static_cast<uint16_t>(sign | 0x7e00)};
  if (size >= 65520) return {static_cast<uint16_t>(sign | 0x7c00)};
  int exponent = -14;
  if (size >= 0x1p-14f) exponent = std::ilogb(size);
  const auto steps = static_cast<uint16_t>(std::nearbyint(std::ldexp(size, 10 - exponent)));
  // A carry out of the mantissa correctly increments the exponent.
  return {static_cast<uint16_t>(sign | (((exponent + 14) << 10) + steps))};
}

struct IndexOnHost {
  unsigned x;
};
inline IndexOnHost threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_host {

// The largest grid to run. Kernels must loop over their work if it is smaller than the launch's.
inline int largest_grid = 0x7fffffff;

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  bool done;
};
constexpr size_t kStackBytes = 128 << 10;

inline std::vector<Fiber> fibers;
inline ucontext_t scheduler;
inline const std::function<void()>* kernel_call;

inline void RunFiber() {
  (*kernel_call)();
  fibers[threadIdx.x].done = true;
}

inline void StartFiber(Fiber* fiber) {
  if (fiber->stack == nullptr) fiber->stack.reset(new char[kStackBytes]);
  fiber->done = false;
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack.get();
  fiber->context.uc_stack.ss_size = kStackBytes;
  fiber->context.uc_link = &scheduler;
  makecontext(&fiber->context, RunFiber, 0);
}

inline void RunBlock(unsigned block, unsigned threads) {
  blockIdx.x = block;
  for (unsigned i = 0; i < threads; ++i) StartFiber(&fibers[i]);
  for (unsigned done = 0; done == 0;) {
    for (unsigned i = 0; i < threads; ++i) {
      threadIdx.x = block % 2 == 0 ? i : threads - 1 - i;
      swapcontext(&scheduler, &fibers[threadIdx.x].context);
      done += fibers[threadIdx.x].done ? 1 : 0;
    }
    if (done != 0 && done != threads) {
      std::fprintf(stderr, "%u of %u threads left a block that others wait in\n", done, threads);
      std::abort();
    }
  }
}

inline void Run(int blocks, int threads, const std::function<void()>& call) {
  kernel_call = &call;
  gridDim.x = static_cast<unsigned>(std::min(blocks, largest_grid));
  blockDim.x = static_cast<unsigned>(threads);
  if (fibers.size() < blockDim.x) fibers.resize(blockDim.x);
  for (unsigned block = 0; block < gridDim.x; ++block) RunBlock(block, blockDim.x);
}

}  // namespace cuda_on_host

inline void __syncthreads() {
  swapcontext(&cuda_on_host::fibers[threadIdx.x].context, &cuda_on_host::scheduler);
}

#define MALLENET_LAUNCH(kernel, blocks, threads, stream, ...) \
  (void)stream, cuda_on_host::Run(blocks, threads, [&] { kernel(__VA_ARGS__); })

#endif  // MALLENET_MALLEABLE_SLICE_TESTS_CUDA_ON_HOST_H_
