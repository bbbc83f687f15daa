// Registers the TensorFlow op InvertedBottleneck with its shape function.

#include "absl/status/status.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace mallenet {
namespace {

REGISTER_OP("InvertedBottleneck")
    .Input("features: float")
    .Input("expand: float")
    .Input("expand_bias: float")
    .Input("expand_alpha: float")
    .Input("depthwise: float")
    .Input("depthwise_bias: float")
    .Input("depthwise_alpha: float")
    .Input("project: float")
    .Input("project_bias: float")
    .Output("output: float")
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* context) {
      tensorflow::shape_inference::ShapeHandle features;
      TF_RETURN_IF_ERROR(context->WithRank(context->input(0), 4, &features));
      context->set_output(0, features);
      return absl::OkStatus();
    })
    .Doc("Adds an inverted bottleneck of the features to them; see inverted_bottleneck.h.");

}  // namespace
}  // namespace mallenet
