// The contract of the fused inverted bottleneck, and its CPU implementation's interface, free of
// any framework.
//
//   output = features + project(prelu(depthwise3x3(prelu(expand(features)))))
//
// as Keras layers compute it: expand and project are 1x1 convolutions with bias, depthwise is
// padded with zeros, prelu(x) = x > 0 ? x : alpha * x with an alpha for each channel.
//
// The E inner channels, three times the outer ones in MalleNet, are never stored for more than three
// rows of a strip of the image, which stay in the second-level cache. Separate ops write and read
// them a dozen times, and that traffic is what they spend their time on.

#ifndef MALLENET_INVERTED_BOTTLENECK_H_
#define MALLENET_INVERTED_BOTTLENECK_H_

#include <cstdint>
#include <vector>

namespace mallenet {

struct BottleneckShape {
  int64_t batch;
  int64_t height;
  int64_t width;
  int64_t channels;  // C
  int64_t inner;     // E
};

// Parameters as Keras keeps them.
struct BottleneckWeights {
  const float* expand;           // [C, E]
  const float* expand_bias;      // [E]
  const float* expand_alpha;     // [E]
  const float* depthwise;        // [3 * 3, E]
  const float* depthwise_bias;   // [E]
  const float* depthwise_alpha;  // [E]
  const float* project;          // [E, C]
  const float* project_bias;     // [C]
};

// A matrix [rows, columns] cut into panels of one to three vectors of columns, each stored row by
// row; the columns are padded with zeros to whole vectors.
struct PackedMatrix {
  int64_t rows = 0;
  int64_t vectors = 0;
  std::vector<float> values;
};

// Parameters laid out for one instruction set, and how the image is cut into strips; built once a
// call.
struct BottleneckPlan {
  BottleneckShape shape;
  int64_t padded_channels;  // C and E rounded up to whole vectors
  int64_t padded_inner;
  int64_t strip;   // width of a strip of columns in pixels
  int64_t strips;  // how many there are
  PackedMatrix expand;
  PackedMatrix project;
  std::vector<float> expand_bias, expand_alpha, depthwise, depthwise_bias, depthwise_alpha;
  std::vector<float> project_bias;
};

// How many vectors of columns the next panel takes when `left` remain.
constexpr int64_t PanelVectors(int64_t left) {
  return left == 2 || left == 4 ? 2 : (left < 3 ? left : 3);
}

struct BottleneckKernel {
  int64_t lanes;  // floats in a vector
  // Computes units [begin, end) of the plan's batch * strips * height rows of a strip, which may be
  // split over threads anywhere: the values do not depend on it. The output is not the features.
  void (*run)(const BottleneckPlan& plan, const float* features, float* output, int64_t begin,
              int64_t end);
};

BottleneckPlan MakePlan(const BottleneckShape& shape, const BottleneckWeights& weights,
                        int64_t lanes);

// For the widest instruction set of this machine's, as in malleable_slice.
const BottleneckKernel& BottleneckKernelForThisCpu();

}  // namespace mallenet

#endif  // MALLENET_INVERTED_BOTTLENECK_H_
