// reference.h for programs that call C.

#include "custom_ops/inverted_bottleneck/reference.h"

// `sizes` are N, H, W, C, E; `weights` are the arrays of BottleneckWeights in its order.
extern "C" void bottleneck_reference(const int64_t* sizes, const float* features,
                                     const float* const* weights, double* output) {
  mallenet::BottleneckReference({sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]},
                                {weights[0], weights[1], weights[2], weights[3], weights[4],
                                 weights[5], weights[6], weights[7]},
                                features, output);
}
