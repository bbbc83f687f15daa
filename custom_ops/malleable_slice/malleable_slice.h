// malleable_slice: the contract shared by every implementation (CPU, CUDA, framework glue).
//
// MalleConv (Jiang et al. 2022), equations (1) and (2), fused: a low-resolution grid of depthwise
// kernels is interpolated at every pixel and applied there, without storing the interpolated
// kernels.
//
// Arrays, all contiguous, channels last, of one element type:
//   features  f [N, H, W, C]
//   kernels   k [N, h, w, K*K, C]   K odd; tap j = ky * K + kx
//   bias      b [N, h, w, C]        optional
//   output    o [N, H, W, C]
//
// Interpolation. Pixel y of H has the grid coordinate g = (y + 0.5) * h / H - 0.5, clamped to
// [0, h - 1] (half-pixel centres). With l = floor(g), u = min(l + 1, h - 1) and t = g - l,
//   I(a)(y, x) = bilinear interpolation of a between rows l, u and columns l', u'.
//
// Forward, with r = (K - 1) / 2 and f = 0 outside the image:
//   o(y, x) = I(b)(y, x) + sum over ky, kx of  f(y + ky - r, x + kx - r) * I(k[j])(y, x)
//
// Gradients for an incoming d = dLoss/do. The map is linear in each input, so these are exact:
//   df(y, x)    = sum over ky, kx of  d(q) * I(k[j])(q),    q = (y - ky + r, x - kx + r) in image
//   dk[j](v, u) = sum over y, x of  a(y, v) * a(x, u) * d(y, x) * f(y + ky - r, x + kx - r)
//   db(v, u)    = sum over y, x of  a(y, v) * a(x, u) * d(y, x)
// where a(y, v) is the weight that I gives to grid row v at pixel y. Each is computed as a gather:
// every output element is summed by one thread, in an order that depends on the shapes only.
//
// Cells with weight zero and taps outside the image are left out, not multiplied by zero, so that a
// non-finite value reaches only what depends on it. Half-precision types are summed in float32.
// Values are mixed as lower + (upper - lower) * weight, which keeps constants exact and wants the
// difference of neighbouring cells to be representable.

#ifndef MALLENET_MALLEABLE_SLICE_H_
#define MALLENET_MALLEABLE_SLICE_H_

#include <cstdint>

#ifdef __CUDACC__
#define MALLENET_HOST_DEVICE __host__ __device__
#else
#define MALLENET_HOST_DEVICE
#endif

namespace mallenet {

// Storage of float16 and bfloat16 as bits, so that no framework header is needed to name them.
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
