// inverted_bottleneck: the contract of the fused block, for inference.
//
//   output = features + project(prelu(depthwise3x3(prelu(expand(features)))))
//
// as Keras layers compute it: expand and project are 1x1 convolutions with bias, depthwise is a 3x3
// convolution with bias and zero padding, prelu(x) = x > 0 ? x : alpha * x with one alpha per
// channel. The gradient is TensorFlow's, through the same formula in Python.
//
// The E inner channels, three times the C outer ones in MalleNet, are stored for three rows of a
// strip of the image only, which stay in the second-level cache. Separate ops write them to memory
// and read them back a dozen times and are memory-bound.
//
// reference.h is the same as plain loops; start there. A call travels
//   mallenet_tf/ops/inverted_bottleneck.py   whether the native op can run; its gradient
//   tensorflow/ops.cc                        op registration, shape function
//   tensorflow/cpu_kernels.cc                checks; threads share the rows of the strips
//   cpu/kernels.h, cpu/kernels.cc            packed parameters, strips, choice of instruction set
//   cpu/instance.h                           one instruction set's loops: Run computes the rows
// cpu/ includes no framework header. There is no CUDA implementation.

#ifndef MALLENET_INVERTED_BOTTLENECK_H_
#define MALLENET_INVERTED_BOTTLENECK_H_

#include <cstdint>

namespace mallenet {

// Features and output are [N, H, W, C], channels last.
struct BottleneckShape {
  int64_t batch;
  int64_t height;
  int64_t width;
  int64_t channels;  // C
  int64_t inner;     // E
};

// Parameters, laid out as Keras does.
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

}  // namespace mallenet

#endif  // MALLENET_INVERTED_BOTTLENECK_H_
