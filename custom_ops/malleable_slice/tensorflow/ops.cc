// Registers the TensorFlow ops MalleableSlice and MalleableSliceGrad. The shape functions check what
// arguments.h checks, as far as dimensions are known.

#include <cstdint>

#include "custom_ops/malleable_slice/tensorflow/checks.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace mallenet {
namespace {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

absl::Status ExpectRank(InferenceContext* context, int input, int rank, const char* name,
                        const char* layout, ShapeHandle* shape) {
  if (context->WithRank(context->input(input), rank, shape).ok()) return absl::OkStatus();
  return Invalid(name, " must have rank ", rank, ", ", layout, ". Received: ", name,
                 " of shape ", context->DebugString(context->input(input)));
}

absl::Status ExpectDim(InferenceContext* context, ShapeHandle shape, int axis,
                       DimensionHandle wanted, const char* name, const char* what) {
  DimensionHandle merged;
  if (context->Merge(context->Dim(shape, axis), wanted, &merged).ok()) return absl::OkStatus();
  return Invalid("dimension ", axis, " of ", name, " must equal ", what, ", ",
                 context->DebugString(wanted), ". Received: ", name, " of shape ",
                 context->DebugString(shape));
}

// Checks features and kernels, inputs 0 and 1 of both ops.
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
    return Invalid("kernels must have K * K for an odd K as dimension 3. Received: ",
                   "kernels of shape ", context->DebugString(*kernels));
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

}  // namespace
}  // namespace mallenet
