// The CPU kernel of the TensorFlow op InvertedBottleneck: checks, allocation and threads.

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "custom_ops/inverted_bottleneck/cpu/kernels.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/util/work_sharder.h"

namespace mallenet {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

absl::Status CheckShape(const char* name, const Tensor& tensor, const TensorShape& wanted) {
  if (tensor.shape() == wanted) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("inverted_bottleneck: ", name, " must have shape ", wanted.DebugString(),
                   ". Received: ", name, " of shape ", tensor.shape().DebugString()));
}

class InvertedBottleneckOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& features = context->input(0);
    const Tensor& expand = context->input(1);
    OP_REQUIRES(context, features.dims() == 4 && expand.dims() == 4,
                absl::InvalidArgumentError(absl::StrCat(
                    "inverted_bottleneck: features must have rank 4, [N, H, W, C], and expand "
                    "[1, 1, C, E]. Received: features of shape ",
                    features.shape().DebugString(), ", expand of shape ",
                    expand.shape().DebugString())));
    const int64_t channels = features.dim_size(3), inner = expand.dim_size(3);
    OP_REQUIRES(context, inner > 0,
                absl::InvalidArgumentError(absl::StrCat(
                    "inverted_bottleneck: there must be inner channels. Received: expand of shape ",
                    expand.shape().DebugString())));
    const BottleneckShape shape{features.dim_size(0), features.dim_size(1), features.dim_size(2),
                                channels, inner};
    const struct {
      const char* name;
      TensorShape shape;
    } wanted[] = {
        {"expand", {1, 1, channels, inner}}, {"expand_bias", {inner}},
        {"expand_alpha", {1, 1, inner}},     {"depthwise", {3, 3, inner, 1}},
        {"depthwise_bias", {inner}},         {"depthwise_alpha", {1, 1, inner}},
        {"project", {1, 1, inner, channels}}, {"project_bias", {channels}},
    };
    const float* data[8];
    for (int index = 0; index < 8; ++index) {
      const Tensor& tensor = context->input(index + 1);
      OP_REQUIRES_OK(context, CheckShape(wanted[index].name, tensor, wanted[index].shape));
      data[index] = tensor.flat<float>().data();
    }
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, features.shape(), &output));
    if (output->NumElements() == 0) return;
    const BottleneckWeights weights{data[0], data[1], data[2], data[3],
                                    data[4], data[5], data[6], data[7]};
    const BottleneckKernel& kernel = BottleneckKernelForThisCpu();
    const BottleneckPlan plan = MakePlan(shape, weights, kernel.lanes);
    const float* from = features.flat<float>().data();
    float* to = output->flat<float>().data();
    const auto& workers = *context->device()->tensorflow_cpu_worker_threads();
    const int64_t cycles = plan.strip * inner * (2 * channels + 9) / kernel.lanes;
    tensorflow::Shard(workers.num_threads, workers.workers,
                      shape.batch * plan.strips * shape.height, cycles,
                      [&](int64_t begin, int64_t end) { kernel.run(plan, from, to, begin, end); });
  }
};

REGISTER_KERNEL_BUILDER(Name("InvertedBottleneck").Device(tensorflow::DEVICE_CPU),
                        InvertedBottleneckOp);

}  // namespace
}  // namespace mallenet
