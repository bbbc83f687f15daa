// reference.h for programs that call C.

#include "custom_ops/malleable_slice/reference.h"

// `sizes` are N, H, W, C, h, w, K. The results must be zero before.
extern "C" void slice_reference(const int64_t* sizes, const double* features,
                                const double* kernels, const double* bias,
                                const double* output_grad, double* output, double* features_grad,
                                double* kernels_grad, double* bias_grad) {
  const mallenet::SliceShape shape{sizes[0], sizes[1], sizes[2], sizes[3],
                                   sizes[4], sizes[5], sizes[6]};
  mallenet::SliceReference(shape, {features, kernels, bias, output_grad},
                           {output, features_grad, kernels_grad, bias_grad});
}
