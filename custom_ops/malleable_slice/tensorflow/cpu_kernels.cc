// The CPU kernels of the TensorFlow ops MalleableSlice and MalleableSliceGrad: memory and threads.

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstdint>

#include "custom_ops/malleable_slice/cpu/kernels.h"
#include "custom_ops/malleable_slice/tensorflow/arguments.h"
#include "tensorflow/core/util/work_sharder.h"

namespace mallenet {
namespace {

using tensorflow::DEVICE_CPU;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

// Rough cost of a row, one cycle per tap and value, from which TensorFlow decides how to split work.
int64_t CyclesPerRow(const SliceShape& shape) {
  return shape.width * shape.channels * shape.kernel_size * shape.kernel_size;
}

// Asks for huge pages for a large result. The allocator maps its memory anew for every call, and
// page faults for 4 KB pages would take longer than computing the result. Without huge pages in the
// system this changes nothing.
constexpr size_t kHugePageBytes = size_t{2} << 20;
void AdviseHugePages(Tensor* tensor) {
#if defined(__linux__)
  const size_t bytes = tensor->TotalBytes();
  if (bytes < 16 * kHugePageBytes) return;
  const auto begin = reinterpret_cast<uintptr_t>(tensor->data());
  const uintptr_t first = (begin + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  const uintptr_t last = (begin + bytes) / kHugePageBytes * kHugePageBytes;
  madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

template <typename Work>
void ParallelRows(OpKernelContext* context, int64_t rows, int64_t cycles, const Work& work) {
  const auto& workers = *context->device()->tensorflow_cpu_worker_threads();
  tensorflow::Shard(workers.num_threads, workers.workers, rows, cycles, work);
}

template <typename T>
class MalleableSliceOp : public MalleableSliceKernel {
 public:
  using MalleableSliceKernel::MalleableSliceKernel;

  void Compute(OpKernelContext* context) override {
    ForwardInputs inputs;
    OP_REQUIRES_OK(context, ReadForward(context, &inputs));
    const SliceShape& shape = inputs.shape;
    const TensorShape& image = inputs.features->shape();
    Tensor* output = nullptr;
    if (shape.kernel_size == 1) {
      // Each value depends only on the one that it replaces.
      OP_REQUIRES_OK(context,
                     context->forward_input_or_allocate_output({0}, 0, image, &output));
    } else {
      OP_REQUIRES_OK(context, context->allocate_output(0, image, &output));
    }
    if (output->NumElements() == 0) return;
    AdviseHugePages(output);
    const SlicePlan plan(shape);
    const auto* features_data = Data<T>(inputs.features);
    const auto* kernels_data = Data<T>(inputs.kernels);
    const auto* bias_data = Data<T>(inputs.bias);
    auto* output_data = MutableData<T>(output);
    const auto& cpu = SliceKernelsForThisCpu<typename StorageOf<T>::type>();
    ParallelRows(context, shape.batch * shape.height, CyclesPerRow(shape),
                 [&](int64_t begin, int64_t end) {
                   cpu.forward(plan, features_data, kernels_data, bias_data, output_data, begin,
                               end);
                 });
  }
};

template <typename T>
class MalleableSliceGradOp : public MalleableSliceKernel {
 public:
  using MalleableSliceKernel::MalleableSliceKernel;

  void Compute(OpKernelContext* context) override {
    GradArguments arguments;
    OP_REQUIRES_OK(context, ReadGrad(context, &arguments));
    const SliceShape& shape = arguments.shape;
    if (arguments.features->NumElements() == 0) {
      arguments.kernels_grad->flat<T>().setZero();
      if (arguments.bias_grad != nullptr) arguments.bias_grad->flat<T>().setZero();
      return;
    }
    AdviseHugePages(arguments.features_grad);
    const SlicePlan plan(shape);
    const auto* features_data = Data<T>(arguments.features);
    const auto* kernels_data = Data<T>(arguments.kernels);
    const auto* output_grad_data = Data<T>(arguments.output_grad);
    auto* features_grad_data = MutableData<T>(arguments.features_grad);
    auto* kernels_grad_data = MutableData<T>(arguments.kernels_grad);
    auto* bias_grad_data = MutableData<T>(arguments.bias_grad);
    const auto& cpu = SliceKernelsForThisCpu<typename StorageOf<T>::type>();
    const int64_t grid_rows = shape.batch * shape.grid_height;
    const int64_t grid_row_cycles = CyclesPerRow(shape) * (shape.height / shape.grid_height + 1);
    // The choice depends on the shape only, so that the result does not depend on the machine.
    if (shape.kernel_size == 1 && grid_rows >= kPointwiseGridRows) {
      ParallelRows(context, grid_rows, grid_row_cycles, [&](int64_t begin, int64_t end) {
        cpu.pointwise_grad(plan, features_data, kernels_data, output_grad_data,
                           features_grad_data, kernels_grad_data, bias_grad_data, begin, end);
      });
      return;
    }
    ParallelRows(context, shape.batch * shape.height, CyclesPerRow(shape),
                 [&](int64_t begin, int64_t end) {
                   cpu.features_grad(plan, kernels_data, output_grad_data, features_grad_data,
                                     begin, end);
                 });
    ParallelRows(context, grid_rows, grid_row_cycles, [&](int64_t begin, int64_t end) {
      cpu.grid_grad(plan, features_data, output_grad_data, kernels_grad_data, bias_grad_data,
                    begin, end);
    });
  }

 private:
  // With fewer grid rows, one gradient at a time makes better use of the threads.
  static constexpr int64_t kPointwiseGridRows = 8;
};

#define REGISTER_CPU(T)                                                                    \
  REGISTER_KERNEL_BUILDER(Name("MalleableSlice").Device(DEVICE_CPU).TypeConstraint<T>("T"), \
                          MalleableSliceOp<T>);                                            \
  REGISTER_KERNEL_BUILDER(                                                                 \
      Name("MalleableSliceGrad").Device(DEVICE_CPU).TypeConstraint<T>("T"),                \
      MalleableSliceGradOp<T>)

REGISTER_CPU(Eigen::half);
REGISTER_CPU(Eigen::bfloat16);
REGISTER_CPU(float);
REGISTER_CPU(double);
#undef REGISTER_CPU

}  // namespace
}  // namespace mallenet
