// The CPU kernels of malleable_slice. The contract is in malleable_slice.h.
//
// Each function computes a range of independent units. Callers may split the units over threads in
// any way: the values do not depend on the split.

#ifndef MALLENET_MALLEABLE_SLICE_CPU_KERNELS_H_
#define MALLENET_MALLEABLE_SLICE_CPU_KERNELS_H_

#include <cstdint>
#include <vector>

#include "custom_ops/malleable_slice/malleable_slice.h"

namespace mallenet {

// Consecutive pixels of a row that mix the same two grid columns.
struct PixelSpan {
  int64_t begin;
  int64_t end;
  int64_t lower;
  int64_t upper;
};

// Consecutive rows of an image that mix the same two grid rows.
constexpr int64_t kBandRows = 4;
struct RowBand {
  int64_t begin;
  int64_t end;
  int64_t lower;
  int64_t upper;
  double weight[kBandRows];  // Of the upper grid row.
};

// The band that starts at row `begin` and ends at or before `limit`.
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

// The grid columns that each pixel column mixes, the same for every row. Built once per call; O(W)
// memory.
struct SlicePlan {
  explicit SlicePlan(const SliceShape& slice_shape);

  SliceShape shape;
  std::vector<int64_t> lower;         // [W]
  std::vector<int64_t> upper;         // [W]
  std::vector<float> weight_float;    // [W], of the upper column.
  std::vector<double> weight_double;  // [W]
  std::vector<PixelSpan> spans;       // Cover [0, W) in order.
};

// The type that sums are kept in: float for Float16 and BFloat16.
template <typename Storage>
struct Accumulator {
  using type = float;
};
template <>
struct Accumulator<double> {
  using type = double;
};

// The kernels of one instruction set. Storage is float, double, Float16 or BFloat16. bias and
// bias_grad may be null.
template <typename Storage>
struct SliceKernels {
  // Rows [begin, end) of the N * H of output. `output` may be `features` if K = 1.
  void (*forward)(const SlicePlan& plan, const Storage* features, const Storage* kernels,
                  const Storage* bias, Storage* output, int64_t begin, int64_t end);
  // Rows [begin, end) of the N * H of features_grad.
  void (*features_grad)(const SlicePlan& plan, const Storage* kernels, const Storage* output_grad,
                        Storage* features_grad, int64_t begin, int64_t end);
  // Grid rows [begin, end) of the N * h of kernels_grad and bias_grad.
  void (*grid_grad)(const SlicePlan& plan, const Storage* features, const Storage* output_grad,
                    Storage* kernels_grad, Storage* bias_grad, int64_t begin, int64_t end);
  // All gradients if K = 1: grid rows [begin, end) as in grid_grad, and features_grad for the image
  // rows whose lower grid row is one of them.
  void (*pointwise_grad)(const SlicePlan& plan, const Storage* features, const Storage* kernels,
                         const Storage* output_grad, Storage* features_grad,
                         Storage* kernels_grad, Storage* bias_grad, int64_t begin, int64_t end);
};

// The kernels of CurrentInstructionSet().
template <typename Storage>
const SliceKernels<Storage>& SliceKernelsForThisCpu();

}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_CPU_KERNELS_H_
