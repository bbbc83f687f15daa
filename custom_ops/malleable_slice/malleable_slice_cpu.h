// The CPU implementation of malleable_slice (contract in malleable_slice.h), free of any framework.
//
// Each function computes a range of independent units, so that a caller may split the work over
// threads as it likes: the values do not depend on the split.

#ifndef MALLENET_MALLEABLE_SLICE_CPU_H_
#define MALLENET_MALLEABLE_SLICE_CPU_H_

#include <cstdint>
#include <vector>

#include "malleable_slice.h"

namespace mallenet {

// A run of pixels of one row that mix the same two grid columns.
struct PixelSpan {
  int64_t begin;
  int64_t end;
  int64_t lower;
  int64_t upper;
};

// A few consecutive rows of one image that mix the same two grid rows.
constexpr int64_t kBandRows = 4;
struct RowBand {
  int64_t begin;
  int64_t end;
  int64_t lower;
  int64_t upper;
  double weight[kBandRows];  // of the upper grid row
};

// The band from row `begin` on, before `limit`.
inline RowBand RowBandAt(int64_t begin, int64_t limit, const SliceShape& shape) {
  GridTap tap = GridTapAt(begin, shape.height, shape.grid_height);
  RowBand band{begin, begin, tap.lower, tap.upper, {}};
  do {
    band.weight[band.end++ - begin] = tap.weight;
    if (band.end == limit || band.end == begin + kBandRows) break;
    tap = GridTapAt(band.end, shape.height, shape.grid_height);
  } while (tap.lower == band.lower && tap.upper == band.upper);
  return band;
}

// What every row shares: where each pixel column falls in the grid. O(W) memory, built once a call.
struct SlicePlan {
  explicit SlicePlan(const SliceShape& slice_shape);

  SliceShape shape;
  std::vector<int64_t> lower;          // [W]
  std::vector<int64_t> upper;          // [W]
  std::vector<float> weight_float;     // [W], of the upper column
  std::vector<double> weight_double;   // [W]
  std::vector<PixelSpan> spans;        // cover [0, W) in order
};

// Float16 and BFloat16 are summed in float.
template <typename Storage>
struct Accumulator {
  using type = float;
};
template <>
struct Accumulator<double> {
  using type = double;
};

// One instruction set's functions. Storage is float, double, Float16 or BFloat16; bias and
// bias_grad may be null.
template <typename Storage>
struct SliceKernels {
  // Output rows [begin, end) of the N * H. `output` may be `features` when K = 1.
  void (*forward)(const SlicePlan& plan, const Storage* features, const Storage* kernels,
                  const Storage* bias, Storage* output, int64_t begin, int64_t end);
  // Rows [begin, end) of the N * H of features_grad.
  void (*features_grad)(const SlicePlan& plan, const Storage* kernels, const Storage* output_grad,
                        Storage* features_grad, int64_t begin, int64_t end);
  // Grid rows [begin, end) of the N * h of kernels_grad and bias_grad.
  void (*grid_grad)(const SlicePlan& plan, const Storage* features, const Storage* output_grad,
                    Storage* kernels_grad, Storage* bias_grad, int64_t begin, int64_t end);
  // All gradients of K = 1, the units those of grid_grad; features_grad is written for the image
  // rows whose lower grid row is in [begin, end).
  void (*pointwise_grad)(const SlicePlan& plan, const Storage* features, const Storage* kernels,
                         const Storage* output_grad, Storage* features_grad,
                         Storage* kernels_grad, Storage* bias_grad, int64_t begin, int64_t end);
};

// The widest instruction set of this machine's that was compiled in: "avx512", "avx2" or "base".
// The environment variable MALLENET_SLICE_ISA names a narrower one (for tests and comparisons);
// what this machine lacks, or no such name, is reported on stderr and ignored.
const char* SliceInstructionSet();

template <typename Storage>
const SliceKernels<Storage>& SliceKernelsForThisCpu();

}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_CPU_H_
