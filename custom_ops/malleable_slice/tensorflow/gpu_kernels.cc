// The GPU kernels of the TensorFlow ops MalleableSlice and MalleableSliceGrad. Empty unless the build
// compiles cuda/launchers.cu.cc too and defines MALLENET_CUDA.

#ifdef MALLENET_CUDA

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "custom_ops/malleable_slice/cuda/launchers.h"
#include "custom_ops/malleable_slice/tensorflow/arguments.h"
#include "xla/stream_executor/stream.h"

namespace mallenet {
namespace {

using tensorflow::DEVICE_GPU;
using tensorflow::OpKernelContext;

cudaStream_t StreamOf(OpKernelContext* context) {
  const auto handle = context->op_device_context()->stream()->platform_specific_handle();
  return static_cast<cudaStream_t>(handle.stream);
}

absl::Status StatusOf(const char* error) {
  if (error == nullptr) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("malleable_slice on a GPU: ", error));
}

template <typename T>
class MalleableSliceGpuOp : public MalleableSliceKernel {
 public:
  using MalleableSliceKernel::MalleableSliceKernel;

  void Compute(OpKernelContext* context) override {
    ForwardInputs inputs;
    OP_REQUIRES_OK(context, ReadForward(context, &inputs));
    tensorflow::Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, inputs.features->shape(), &output));
    OP_REQUIRES_OK(context,
                   StatusOf(GpuForward(inputs.shape, Data<T>(inputs.features),
                                       Data<T>(inputs.kernels), Data<T>(inputs.bias),
                                       MutableData<T>(output), StreamOf(context))));
  }
};

template <typename T>
class MalleableSliceGradGpuOp : public MalleableSliceKernel {
 public:
  using MalleableSliceKernel::MalleableSliceKernel;

  void Compute(OpKernelContext* context) override {
    GradArguments arguments;
    OP_REQUIRES_OK(context, ReadGrad(context, &arguments));
    const auto* output_grad = Data<T>(arguments.output_grad);
    OP_REQUIRES_OK(context, StatusOf(GpuFeaturesGrad(
                                arguments.shape, Data<T>(arguments.kernels), output_grad,
                                MutableData<T>(arguments.features_grad), StreamOf(context))));
    OP_REQUIRES_OK(
        context, StatusOf(GpuGridGrad(arguments.shape, Data<T>(arguments.features), output_grad,
                                      MutableData<T>(arguments.kernels_grad),
                                      MutableData<T>(arguments.bias_grad), StreamOf(context))));
  }
};

#define REGISTER_GPU(T)                                                                    \
  REGISTER_KERNEL_BUILDER(Name("MalleableSlice").Device(DEVICE_GPU).TypeConstraint<T>("T"), \
                          MalleableSliceGpuOp<T>);                                         \
  REGISTER_KERNEL_BUILDER(                                                                 \
      Name("MalleableSliceGrad").Device(DEVICE_GPU).TypeConstraint<T>("T"),                \
      MalleableSliceGradGpuOp<T>)

REGISTER_GPU(Eigen::half);
REGISTER_GPU(Eigen::bfloat16);
REGISTER_GPU(float);
REGISTER_GPU(double);
#undef REGISTER_GPU

}  // namespace
}  // namespace mallenet

#endif  // MALLENET_CUDA
