// The arguments of the TensorFlow kernels, for CPU and GPU: reading, checks and allocation.

#ifndef MALLENET_MALLEABLE_SLICE_TENSORFLOW_ARGUMENTS_H_
#define MALLENET_MALLEABLE_SLICE_TENSORFLOW_ARGUMENTS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "custom_ops/malleable_slice/malleable_slice.h"
#include "custom_ops/malleable_slice/tensorflow/checks.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace mallenet {

inline tensorflow::TensorShape BiasShapeOf(const tensorflow::Tensor& kernels) {
  tensorflow::TensorShape shape = kernels.shape();
  shape.RemoveDim(3);
  return shape;
}

template <typename... Parts>
absl::Status InvalidShape(const char* name, const tensorflow::Tensor& tensor,
                          const Parts&... parts) {
  return Invalid(name, " must have ", parts..., ". Received: ", name, " of shape ",
                 tensor.shape().DebugString());
}

inline absl::Status ReadShape(const tensorflow::Tensor& features,
                              const tensorflow::Tensor& kernels, SliceShape* shape) {
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

// The inputs of MalleableSlice, checked. `bias` may be null.
struct ForwardInputs {
  SliceShape shape;
  const tensorflow::Tensor* features;
  const tensorflow::Tensor* kernels;
  const tensorflow::Tensor* bias;
};

inline absl::Status ReadForward(tensorflow::OpKernelContext* context, ForwardInputs* inputs) {
  inputs->features = &context->input(0);
  inputs->kernels = &context->input(1);
  inputs->bias = context->num_inputs() > 2 ? &context->input(2) : nullptr;
  TF_RETURN_IF_ERROR(ReadShape(*inputs->features, *inputs->kernels, &inputs->shape));
  if (inputs->bias != nullptr && inputs->bias->shape() != BiasShapeOf(*inputs->kernels)) {
    return InvalidShape("bias", *inputs->bias, "the sizes [N, h, w, C] of kernels, of shape ",
                        inputs->kernels->shape().DebugString());
  }
  return absl::OkStatus();
}

// The inputs of MalleableSliceGrad, checked, and its outputs, allocated. `bias_grad` may be null.
struct GradArguments {
  SliceShape shape;
  const tensorflow::Tensor* features;
  const tensorflow::Tensor* kernels;
  const tensorflow::Tensor* output_grad;
  tensorflow::Tensor* features_grad = nullptr;
  tensorflow::Tensor* kernels_grad = nullptr;
  tensorflow::Tensor* bias_grad = nullptr;
};

inline absl::Status ReadGrad(tensorflow::OpKernelContext* context, GradArguments* arguments) {
  arguments->features = &context->input(0);
  arguments->kernels = &context->input(1);
  arguments->output_grad = &context->input(2);
  const tensorflow::Tensor& features = *arguments->features;
  const tensorflow::Tensor& kernels = *arguments->kernels;
  TF_RETURN_IF_ERROR(ReadShape(features, kernels, &arguments->shape));
  if (arguments->output_grad->shape() != features.shape()) {
    return InvalidShape("output_grad", *arguments->output_grad, "the shape of features, ",
                        features.shape().DebugString());
  }
  TF_RETURN_IF_ERROR(
      context->allocate_output(0, features.shape(), &arguments->features_grad));
  TF_RETURN_IF_ERROR(context->allocate_output(1, kernels.shape(), &arguments->kernels_grad));
  if (context->num_outputs() < 3) return absl::OkStatus();
  return context->allocate_output(2, BiasShapeOf(kernels), &arguments->bias_grad);
}

// Checks the attributes, as the shape functions do.
class MalleableSliceKernel : public tensorflow::OpKernel {
 public:
  explicit MalleableSliceKernel(tensorflow::OpKernelConstruction* context) : OpKernel(context) {
    int num_bias;
    OP_REQUIRES_OK(context, context->GetAttr("num_bias", &num_bias));
    OP_REQUIRES_OK(context, CheckNumBias(num_bias));
  }
};

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

// The values of a tensor, or null for none.
template <typename T>
const typename StorageOf<T>::type* Data(const tensorflow::Tensor* tensor) {
  if (tensor == nullptr) return nullptr;
  return reinterpret_cast<const typename StorageOf<T>::type*>(tensor->flat<T>().data());
}
template <typename T>
typename StorageOf<T>::type* MutableData(tensorflow::Tensor* tensor) {
  if (tensor == nullptr) return nullptr;
  return reinterpret_cast<typename StorageOf<T>::type*>(tensor->flat<T>().data());
}

}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_TENSORFLOW_ARGUMENTS_H_
