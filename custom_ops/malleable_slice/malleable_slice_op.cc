// TensorFlow ops MalleableSlice and MalleableSliceGrad: registration, checks, threads.

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "malleable_slice_cpu.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
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
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// Every message starts with the op's name and ends with what was received.
template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("malleable_slice: ", parts...));
}

// The bias is a list input because an op cannot have an optional one.
absl::Status CheckNumBias(int num_bias) {
  if (num_bias <= 1) return absl::OkStatus();
  return Invalid("num_bias must be 0 or 1. Received: num_bias=", num_bias);
}

// The odd K with K * K == taps, or 0 if there is none.
int64_t KernelSizeOf(int64_t taps) {
  for (int64_t size = 1; size * size <= taps; size += 2) {
    if (size * size == taps) return size;
  }
  return 0;
}

// ---- Shape functions: the same rules as at run time, as far as dimensions are known. ----

absl::Status ExpectRank(InferenceContext* context, int input, int rank, const char* name,
                        const char* layout, ShapeHandle* shape) {
  if (context->WithRank(context->input(input), rank, shape).ok()) return absl::OkStatus();
  return Invalid(name, " must have rank ", rank, ", ", layout,
                         ". Received: ", name, " of shape ",
                         context->DebugString(context->input(input)));
}

absl::Status ExpectDim(InferenceContext* context, ShapeHandle shape, int axis,
                       DimensionHandle wanted, const char* name, const char* what) {
  DimensionHandle merged;
  if (context->Merge(context->Dim(shape, axis), wanted, &merged).ok()) return absl::OkStatus();
  return Invalid("dimension ", axis, " of ", name, " must equal ", what,
                         ", ", context->DebugString(wanted), ". Received: ", name, " of shape ",
                         context->DebugString(shape));
}

// Checks features and kernels, which are inputs 0 and 1 of both ops.
absl::Status CheckImageAndGrid(InferenceContext* context, ShapeHandle* features,
                               ShapeHandle* kernels, int* num_bias) {
  TF_RETURN_IF_ERROR(context->GetAttr("num_bias", num_bias));
  TF_RETURN_IF_ERROR(CheckNumBias(*num_bias));
  TF_RETURN_IF_ERROR(ExpectRank(context, 0, 4, "features", "[N, H, W, C]", features));
  TF_RETURN_IF_ERROR(ExpectRank(context, 1, 5, "kernels", "[N, h, w, K*K, C]", kernels));
  TF_RETURN_IF_ERROR(ExpectDim(context, *kernels, 0, context->Dim(*features, 0), "kernels",
                               "the batch of features"));
  TF_RETURN_IF_ERROR(ExpectDim(context, *kernels, 4, context->Dim(*features, 3), "kernels",
                               "the channels of features"));
  const DimensionHandle taps = context->Dim(*kernels, 3);
  if (context->ValueKnown(taps) && KernelSizeOf(context->Value(taps)) == 0) {
    return Invalid(
        "dimension 3 of kernels must be K * K for an odd K. Received: kernels of "
        "shape ",
        context->DebugString(*kernels));
  }
  return absl::OkStatus();
}

absl::Status ForwardShape(InferenceContext* context) {
  ShapeHandle features, kernels, bias;
  int num_bias;
  TF_RETURN_IF_ERROR(CheckImageAndGrid(context, &features, &kernels, &num_bias));
  if (num_bias == 1) {
    TF_RETURN_IF_ERROR(ExpectRank(context, 2, 4, "bias", "[N, h, w, C]", &bias));
    const int kernel_axes[] = {0, 1, 2, 4};
    for (int axis = 0; axis < 4; ++axis) {
      TF_RETURN_IF_ERROR(ExpectDim(context, bias, axis, context->Dim(kernels, kernel_axes[axis]),
                                   "bias", "that of kernels"));
    }
  }
  context->set_output(0, features);
  return absl::OkStatus();
}

absl::Status GradShape(InferenceContext* context) {
  ShapeHandle features, kernels, output_grad;
  int num_bias;
  TF_RETURN_IF_ERROR(CheckImageAndGrid(context, &features, &kernels, &num_bias));
  TF_RETURN_IF_ERROR(ExpectRank(context, 2, 4, "output_grad", "[N, H, W, C]", &output_grad));
  for (int axis = 0; axis < 4; ++axis) {
    TF_RETURN_IF_ERROR(ExpectDim(context, output_grad, axis, context->Dim(features, axis),
                                 "output_grad", "that of features"));
  }
  context->set_output(0, features);
  context->set_output(1, kernels);
  if (num_bias == 1) {
    context->set_output(
        2, context->MakeShape({context->Dim(kernels, 0), context->Dim(kernels, 1),
                               context->Dim(kernels, 2), context->Dim(kernels, 4)}));
  }
  return absl::OkStatus();
}

REGISTER_OP("MalleableSlice")
    .Input("features: T")
    .Input("kernels: T")
    .Input("bias: num_bias * T")
    .Output("output: T")
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("num_bias: int >= 0")
    .SetShapeFn(ForwardShape)
    .Doc("Applies bilinearly interpolated depthwise kernels; see malleable_slice.h.");

REGISTER_OP("MalleableSliceGrad")
    .Input("features: T")
    .Input("kernels: T")
    .Input("output_grad: T")
    .Output("features_grad: T")
    .Output("kernels_grad: T")
    .Output("bias_grad: num_bias * T")
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("num_bias: int >= 0")
    .SetShapeFn(GradShape)
    .Doc("Gradients of MalleableSlice to its inputs; see malleable_slice.h.");

// ---- Kernels ----

TensorShape BiasShapeOf(const Tensor& kernels) {
  TensorShape shape = kernels.shape();
  shape.RemoveDim(3);
  return shape;
}

absl::Status ReadShape(const Tensor& features, const Tensor& kernels, SliceShape* shape) {
  if (features.dims() != 4) {
    return Invalid(
        "features must have rank 4, [N, H, W, C]. Received: features of shape ",
        features.shape().DebugString());
  }
  if (kernels.dims() != 5) {
    return Invalid(
        "kernels must have rank 5, [N, h, w, K*K, C]. Received: kernels of shape ",
        kernels.shape().DebugString());
  }
  if (kernels.dim_size(0) != features.dim_size(0) || kernels.dim_size(4) != features.dim_size(3)) {
    return Invalid(
        "kernels must have the batch and the channels of features, of shape ",
        features.shape().DebugString(), ". Received: kernels of shape ",
        kernels.shape().DebugString());
  }
  *shape = {features.dim_size(0), features.dim_size(1), features.dim_size(2),
            features.dim_size(3), kernels.dim_size(1),  kernels.dim_size(2),
            KernelSizeOf(kernels.dim_size(3))};
  if (shape->kernel_size == 0) {
    return Invalid(
        "dimension 3 of kernels must be K * K for an odd K. Received: kernels of "
        "shape ",
        kernels.shape().DebugString());
  }
  if (features.NumElements() > 0 && kernels.NumElements() == 0) {
    return Invalid(
        "kernels must have at least one grid cell. Received: kernels of shape ",
        kernels.shape().DebugString());
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
                  Invalid("bias must be [N, h, w, C] with the sizes of "
                                  "kernels, of shape ",
                                  kernels.shape().DebugString(), ". Received: bias of shape ",
                                  biases[0].shape().DebugString()));
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
                Invalid("output_grad must have the shape of features, ",
                                features.shape().DebugString(),
                                ". Received: output_grad of shape ",
                                output_grad.shape().DebugString()));
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
    const SlicePlan plan(shape);
    const auto* features_data = Data<T>(features);
    const auto* kernels_data = Data<T>(kernels);
    const auto* output_grad_data = Data<T>(output_grad);
    auto* features_grad_data = MutableData<T>(features_grad);
    auto* kernels_grad_data = MutableData<T>(kernels_grad);
    auto* bias_grad_data = bias_grad != nullptr ? MutableData<T>(bias_grad) : nullptr;
    const auto& cpu = SliceKernelsForThisCpu<typename StorageOf<T>::type>();
    ParallelRows(context, shape.batch * shape.height, CyclesPerRow(shape),
                 [&](int64_t begin, int64_t end) {
                   cpu.features_grad(plan, kernels_data, output_grad_data, features_grad_data,
                                     begin, end);
                 });
    const int64_t rows_per_grid_row = shape.height / shape.grid_height + 1;
    ParallelRows(context, shape.batch * shape.grid_height, CyclesPerRow(shape) * rows_per_grid_row,
                 [&](int64_t begin, int64_t end) {
                   cpu.grid_grad(plan, features_data, output_grad_data, kernels_grad_data,
                                 bias_grad_data, begin, end);
                 });
  }
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
