// CPU kernels of the TensorFlow ops MalleableSlice and MalleableSliceGrad: checks and threads.

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstdint>

#include "absl/status/status.h"
#include "malleable_slice_checks.h"
#include "malleable_slice_cpu.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/util/work_sharder.h"

namespace mallenet {
namespace {

using tensorflow::DEVICE_CPU;
using tensorflow::OpInputList;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::OpOutputList;
using tensorflow::Tensor;
using tensorflow::TensorShape;

TensorShape BiasShapeOf(const Tensor& kernels) {
  TensorShape shape = kernels.shape();
  shape.RemoveDim(3);
  return shape;
}

template <typename... Parts>
absl::Status InvalidShape(const char* name, const Tensor& tensor, const Parts&... parts) {
  return Invalid(name, " must have ", parts..., ". Received: ", name, " of shape ",
                 tensor.shape().DebugString());
}

absl::Status ReadShape(const Tensor& features, const Tensor& kernels, SliceShape* shape) {
  if (features.dims() != 4) return InvalidShape("features", features, "rank 4, [N, H, W, C]");
  if (kernels.dims() != 5) return InvalidShape("kernels", kernels, "rank 5, [N, h, w, K*K, C]");
  if (kernels.dim_size(0) != features.dim_size(0) || kernels.dim_size(4) != features.dim_size(3)) {
    return InvalidShape("kernels", kernels, "the batch and the channels of features, of shape ",
                        features.shape().DebugString());
  }
  *shape = {features.dim_size(0), features.dim_size(1), features.dim_size(2),
            features.dim_size(3), kernels.dim_size(1),  kernels.dim_size(2),
            KernelSizeOf(kernels.dim_size(3))};
  if (shape->kernel_size == 0) {
    return InvalidShape("kernels", kernels, "K * K for an odd K as dimension 3");
  }
  if (features.NumElements() > 0 && kernels.NumElements() == 0) {
    return InvalidShape("kernels", kernels, "at least one grid cell");
  }
  return absl::OkStatus();
}

// Rough cost of a row, a cycle per tap and value, by which TensorFlow's pool splits the work.
int64_t CyclesPerRow(const SliceShape& shape) {
  return shape.width * shape.channels * shape.kernel_size * shape.kernel_size;
}

template <typename T>
struct StorageOf {
  using type = T;
};
template <>
struct StorageOf<Eigen::half> {
  using type = Float16;
};
template <>
struct StorageOf<Eigen::bfloat16> {
  using type = BFloat16;
};

template <typename T>
const typename StorageOf<T>::type* Data(const Tensor& tensor) {
  return reinterpret_cast<const typename StorageOf<T>::type*>(tensor.flat<T>().data());
}
template <typename T>
typename StorageOf<T>::type* MutableData(Tensor* tensor) {
  return reinterpret_cast<typename StorageOf<T>::type*>(tensor->flat<T>().data());
}

// Asks for huge pages under a large result. The allocator maps it anew for every call, and faulting
// 4 KB pages in, one by one, would take longer than computing what goes into them. Advice only:
// where the system has no huge pages nothing changes.
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
class MalleableSliceOp : public OpKernel {
 public:
  explicit MalleableSliceOp(OpKernelConstruction* context) : OpKernel(context) {
    int num_bias;
    OP_REQUIRES_OK(context, context->GetAttr("num_bias", &num_bias));
    OP_REQUIRES_OK(context, CheckNumBias(num_bias));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& features = context->input(0);
    const Tensor& kernels = context->input(1);
    OpInputList biases;
    OP_REQUIRES_OK(context, context->input_list("bias", &biases));
    SliceShape shape;
    OP_REQUIRES_OK(context, ReadShape(features, kernels, &shape));
    if (biases.size() > 0) {
      OP_REQUIRES(context, biases[0].shape() == BiasShapeOf(kernels),
                  InvalidShape("bias", biases[0], "the sizes [N, h, w, C] of kernels, of shape ",
                               kernels.shape().DebugString()));
    }
    Tensor* output = nullptr;
    if (shape.kernel_size == 1) {
      // Each value depends on the one it replaces only.
      OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 0, features.shape(),
                                                                        &output));
    } else {
      OP_REQUIRES_OK(context, context->allocate_output(0, features.shape(), &output));
    }
    if (output->NumElements() == 0) return;
    AdviseHugePages(output);
    const SlicePlan plan(shape);
    const auto* features_data = Data<T>(features);
    const auto* kernels_data = Data<T>(kernels);
    const auto* bias_data = biases.size() > 0 ? Data<T>(biases[0]) : nullptr;
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
class MalleableSliceGradOp : public OpKernel {
 public:
  explicit MalleableSliceGradOp(OpKernelConstruction* context) : OpKernel(context) {
    int num_bias;
    OP_REQUIRES_OK(context, context->GetAttr("num_bias", &num_bias));
    OP_REQUIRES_OK(context, CheckNumBias(num_bias));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& features = context->input(0);
    const Tensor& kernels = context->input(1);
    const Tensor& output_grad = context->input(2);
    SliceShape shape;
    OP_REQUIRES_OK(context, ReadShape(features, kernels, &shape));
    OP_REQUIRES(context, output_grad.shape() == features.shape(),
                InvalidShape("output_grad", output_grad, "the shape of features, ",
                             features.shape().DebugString()));
    Tensor* features_grad = nullptr;
    Tensor* kernels_grad = nullptr;
    Tensor* bias_grad = nullptr;
    OpOutputList bias_grads;
    OP_REQUIRES_OK(context, context->allocate_output(0, features.shape(), &features_grad));
    OP_REQUIRES_OK(context, context->allocate_output(1, kernels.shape(), &kernels_grad));
    OP_REQUIRES_OK(context, context->output_list("bias_grad", &bias_grads));
    if (bias_grads.size() > 0) {
      OP_REQUIRES_OK(context, bias_grads.allocate(0, BiasShapeOf(kernels), &bias_grad));
    }
    if (features.NumElements() == 0) {
      kernels_grad->flat<T>().setZero();
      if (bias_grad != nullptr) bias_grad->flat<T>().setZero();
      return;
    }
    AdviseHugePages(features_grad);
    const SlicePlan plan(shape);
    const auto* features_data = Data<T>(features);
    const auto* kernels_data = Data<T>(kernels);
    const auto* output_grad_data = Data<T>(output_grad);
    auto* features_grad_data = MutableData<T>(features_grad);
    auto* kernels_grad_data = MutableData<T>(kernels_grad);
    auto* bias_grad_data = bias_grad != nullptr ? MutableData<T>(bias_grad) : nullptr;
    const auto& cpu = SliceKernelsForThisCpu<typename StorageOf<T>::type>();
    const int64_t grid_rows = shape.batch * shape.grid_height;
    const int64_t grid_row_cycles = CyclesPerRow(shape) * (shape.height / shape.grid_height + 1);
    // The choice depends on the shape alone, so that the result does not depend on the machine.
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
  // With fewer grid rows than this the image rows are shared out better one gradient at a time.
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
