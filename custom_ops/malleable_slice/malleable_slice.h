// malleable_slice: the contract that every implementation keeps.
//
// MalleConv (Jiang et al. 2022), equations (1) and (2), fused: a low-resolution grid of depthwise
// kernels is interpolated at every pixel and applied there. The interpolated kernels are never
// stored.
//
// Arrays are contiguous, channels last, of one element type:
//   features  f [N, H, W, C]
//   kernels   k [N, h, w, K*K, C]   K odd; tap j = ky * K + kx
//   bias      b [N, h, w, C]        optional
//   output    o [N, H, W, C]
//
// Interpolation. Pixel y of H has the grid coordinate g = (y + 0.5) * h / H - 0.5, clamped to
// [0, h - 1] (half-pixel centers). With l = floor(g), u = min(l + 1, h - 1) and t = g - l,
//   I(a)(y, x) = bilinear interpolation of a between rows l, u and columns l', u'.
//
// Forward pass, with r = (K - 1) / 2 and f = 0 outside the image:
//   o(y, x) = I(b)(y, x) + sum over ky, kx of  f(y + ky - r, x + kx - r) * I(k[j])(y, x)
//
// Gradients for an incoming d = dLoss/do. The map is linear in each input, so these are exact:
//   df(y, x)    = sum over ky, kx of  d(q) * I(k[j])(q),    q = (y - ky + r, x - kx + r) in image
//   dk[j](v, u) = sum over y, x of  a(y, v) * a(x, u) * d(y, x) * f(y + ky - r, x + kx - r)
//   db(v, u)    = sum over y, x of  a(y, v) * a(x, u) * d(y, x)
// where a(y, v) is the weight that I gives to grid row v at pixel y.
//
// Every implementation
//   - computes each gradient as a gather: one thread sums an output element, in an order that
//     depends on the shapes only, so that results are deterministic;
//   - skips cells of weight zero and taps outside the image instead of multiplying by zero, so that
//     a non-finite value affects only the results that depend on it;
//   - accumulates float16 and bfloat16 in float32;
//   - interpolates as lower + (upper - lower) * weight, which keeps constants exact and needs the
//     difference of neighboring cells to be representable.
//
// reference.h is the same as plain loops; start there. A call travels
//   mallenet_tf/ops/slice_op.py           checks the arguments, chooses native or reference
//   tensorflow/ops.cc                    op registration, shape functions
//   tensorflow/arguments.h               checks and allocation, the same for CPU and GPU
//   tensorflow/cpu_kernels.cc            threads: rows of the image or of the grid are shared out
//   cpu/kernels.h, cpu/kernels.cc        the row plan and the choice of an instruction set
//   cpu/instance.h                       one instruction set's functions:
//     cpu/pointwise.h, correlate.h         forward pass and features gradient, K = 1 and K > 1
//     cpu/pointwise_grad.h, grid_grad.h    gradients of kernels and bias, K = 1 and K > 1
// and on a GPU from tensorflow/gpu_kernels.cc to cuda/launchers.h and the kernels in cuda/*.cuh.
// cpu/ and cuda/ include no framework header.

#ifndef MALLENET_MALLEABLE_SLICE_H_
#define MALLENET_MALLEABLE_SLICE_H_

#include <cstdint>

#ifdef __CUDACC__
#define MALLENET_HOST_DEVICE __host__ __device__
#else
#define MALLENET_HOST_DEVICE
#endif

namespace mallenet {

// float16 and bfloat16 as bits: naming them needs no framework header.
struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

struct SliceShape {
  int64_t batch;
  int64_t height;
  int64_t width;
  int64_t channels;
  int64_t grid_height;
  int64_t grid_width;
  int64_t kernel_size;
};

// The two grid cells that a pixel mixes: (1 - weight) * lower + weight * upper.
struct GridTap {
  int64_t lower;
  int64_t upper;
  double weight;
};

// Where pixel `position` of `size` falls among `cells`. Integer arithmetic keeps the coordinate
// exact: 2 * size * g = (2 * position + 1) * cells - size. upper == lower where weight is zero.
MALLENET_HOST_DEVICE inline GridTap GridTapAt(int64_t position, int64_t size, int64_t cells) {
  const int64_t numerator = (2 * position + 1) * cells - size;
  const int64_t denominator = 2 * size;
  if (numerator <= 0) return {0, 0, 0.0};
  const int64_t lower = numerator / denominator;
  const int64_t remainder = numerator - lower * denominator;
  if (lower >= cells - 1) return {cells - 1, cells - 1, 0.0};
  if (remainder == 0) return {lower, lower, 0.0};
  return {lower, lower + 1, static_cast<double>(remainder) / static_cast<double>(denominator)};
}

// First pixel whose `lower` is at least `cell`: the inverse of GridTapAt. The pixels with
// lower == cell are [FirstPixelOf(cell), FirstPixelOf(cell + 1)).
MALLENET_HOST_DEVICE inline int64_t FirstPixelOf(int64_t cell, int64_t size, int64_t cells) {
  if (cell <= 0) return 0;
  if (cell >= cells) return size;
  // Smallest p with (2 p + 1) * cells - size >= 2 * size * cell.
  const int64_t numerator = (2 * cell + 1) * size - cells;
  if (numerator <= 0) return 0;
  const int64_t pixel = (numerator + 2 * cells - 1) / (2 * cells);
  return pixel < size ? pixel : size;
}

}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_H_
