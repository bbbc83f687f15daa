// Gradients of the kernels and the bias.
//
// Each call owns some grid rows. It walks down the image rows that use them and adds each image row
// to the owned grid rows that it mixes, at most two. A grid row thus receives its image rows in
// ascending order whichever call owns it, which fixes the rounding. Two calls visit the image rows
// between their grid rows both.

#include <cstring>
#include <memory>

namespace mallenet {
namespace MALLENET_ISA {

// Where the gradient of a grid row is summed, and the weight of the current image row in it.
template <typename Accumulate>
struct GridRowSum {
  Accumulate* kernels;  // [w, K*K, C]; null if the row is not owned.
  Accumulate* bias;     // [w, C]; null if there is no bias.
  Accumulate weight;
};

template <typename Storage, typename Accumulate>
struct ReduceTask {
  const SlicePlan& plan;
  const Storage* features;     // [H, W, C] of this image.
  const Storage* output_grad;  // [H, W, C] of this image.
  int64_t y;
  GridRowSum<Accumulate> rows[2];  // Of the lower and the upper grid row.
};

template <int kLanes, typename Accumulate>
MALLENET_INLINE void AddTo(Accumulate* address, Vector<Accumulate, kLanes> value) {
  Store<kLanes>(address, Load<kLanes>(address) + value);
}

// Adds the sums of a span: `total` of all products, `high` of the share of the upper grid column.
template <int kLanes, typename Accumulate>
MALLENET_INLINE void AddSpanSums(const PixelSpan& span, int64_t stride, Accumulate weight,
                                 Vector<Accumulate, kLanes> total, Vector<Accumulate, kLanes> high,
                                 Accumulate* row) {
  AddTo<kLanes, Accumulate>(row + span.lower * stride, (total - high) * weight);
  if (span.upper != span.lower) {
    AddTo<kLanes, Accumulate>(row + span.upper * stride, high * weight);
  }
}

template <int kLanes, typename Storage, typename Accumulate>
MALLENET_INLINE void ReduceBias(const ReduceTask<Storage, Accumulate>& task, const PixelSpan& span,
                                int64_t c) {
  const SliceShape& shape = task.plan.shape;
  const Accumulate* weights = ColumnWeights<Accumulate>(task.plan);
  const Storage* grad = task.output_grad + task.y * shape.width * shape.channels + c;
  Vector<Accumulate, kLanes> total{}, high{};
  for (int64_t x = span.begin; x < span.end; ++x) {
    const auto value = Load<kLanes>(grad + x * shape.channels);
    total += value;
    high += value * weights[x];
  }
  for (const GridRowSum<Accumulate>& row : task.rows) {
    if (row.kernels == nullptr) continue;
    AddSpanSums<kLanes>(span, shape.channels, row.weight, total, high, row.bias + c);
  }
}

// Adds one tap of any span; skips pixels whose tap is outside the image.
template <int kLanes, typename Storage, typename Accumulate>
MALLENET_TARGET MALLENET_NOINLINE void ReduceTap(
    const ReduceTask<Storage, Accumulate>& task, const PixelSpan& span, int64_t j, int64_t c) {
  const SliceShape& shape = task.plan.shape;
  const int64_t size = shape.kernel_size;
  const int64_t source_y = task.y + j / size - size / 2;
  const int64_t shift = j % size - size / 2;
  if (source_y < 0 || source_y >= shape.height) return;
  const int64_t begin = span.begin + shift < 0 ? -shift : span.begin;
  const int64_t end = span.end + shift > shape.width ? shape.width - shift : span.end;
  const Accumulate* weights = ColumnWeights<Accumulate>(task.plan);
  const Storage* grad = task.output_grad + task.y * shape.width * shape.channels + c;
  const Storage* features = task.features + source_y * shape.width * shape.channels + c;
  Vector<Accumulate, kLanes> total{}, high{};
  for (int64_t x = begin; x < end; ++x) {
    const auto product = Load<kLanes>(grad + x * shape.channels) *
                         Load<kLanes>(features + (x + shift) * shape.channels);
    total += product;
    high += product * weights[x];
  }
  const int64_t stride = size * size * shape.channels;
  for (const GridRowSum<Accumulate>& row : task.rows) {
    if (row.kernels == nullptr) continue;
    AddSpanSums<kLanes>(span, stride, row.weight, total, high,
                        row.kernels + j * shape.channels + c);
  }
}

// Adds all taps of a span whose taps are all in the image; the sums stay in registers.
template <int kSize, int kLanes, typename Storage, typename Accumulate>
MALLENET_INLINE void ReduceRun(const ReduceTask<Storage, Accumulate>& task, const PixelSpan& span,
                               int64_t c) {
  constexpr int kTaps = kSize * kSize;
  constexpr int kRadius = kSize / 2;
  const int64_t channels = task.plan.shape.channels;
  const int64_t width = task.plan.shape.width;
  const Accumulate* weights = ColumnWeights<Accumulate>(task.plan);
  Vector<Accumulate, kLanes> total[kTaps] = {}, high[kTaps] = {};
  for (int64_t x = span.begin; x < span.end; ++x) {
    const auto grad = Load<kLanes>(task.output_grad + (task.y * width + x) * channels + c);
    const auto weighted = grad * weights[x];
    const Storage* corner =
        task.features + ((task.y - kRadius) * width + x - kRadius) * channels + c;
#pragma GCC unroll 25
    for (int j = 0; j < kTaps; ++j) {
      const auto value = Load<kLanes>(corner + (j / kSize * width + j % kSize) * channels);
      total[j] += value * grad;
      high[j] += value * weighted;
    }
  }
  for (const GridRowSum<Accumulate>& row : task.rows) {
    if (row.kernels == nullptr) continue;
#pragma GCC unroll 25
    for (int j = 0; j < kTaps; ++j) {
      AddSpanSums<kLanes>(span, kTaps * channels, row.weight, total[j], high[j],
                          row.kernels + j * channels + c);
    }
  }
}

template <int kSize, int kLanes, typename Storage, typename Accumulate>
MALLENET_INLINE void ReduceSpan(const ReduceTask<Storage, Accumulate>& task, const PixelSpan& span,
                                bool inside, bool has_bias, int64_t c) {
  const SliceShape& shape = task.plan.shape;
  for (; c + kLanes <= shape.channels; c += kLanes) {
    if (has_bias) ReduceBias<kLanes>(task, span, c);
    if constexpr (kSize > 0) {
      if (inside) {
        ReduceRun<kSize, kLanes>(task, span, c);
        continue;
      }
    }
    const int64_t taps = shape.kernel_size * shape.kernel_size;
    for (int64_t j = 0; j < taps; ++j) ReduceTap<kLanes>(task, span, j, c);
  }
  if constexpr (kLanes > 1) {
    if (c < shape.channels) {
      ReduceSpan<kSize, FewerLanes(kLanes)>(task, span, inside, has_bias, c);
    }
  }
}

template <int kSize, typename Storage, typename Accumulate>
MALLENET_TARGET void ReduceRow(const ReduceTask<Storage, Accumulate>& task, bool has_bias) {
  const SliceShape& shape = task.plan.shape;
  constexpr int64_t kRadius = kSize / 2;
  const bool rows_inside = task.y >= kRadius && task.y < shape.height - kRadius;
  for (const PixelSpan& span : task.plan.spans) {
    const bool inside =
        rows_inside && span.begin >= kRadius && span.end <= shape.width - kRadius;
    ReduceSpan<kSize, kFullLanes<Accumulate>>(task, span, inside, has_bias, 0);
  }
}

template <typename Storage, typename Accumulate>
MALLENET_TARGET void ReduceRowOfAnySize(const ReduceTask<Storage, Accumulate>& task,
                                        bool has_bias) {
  switch (task.plan.shape.kernel_size) {
    case 3:
      return ReduceRow<3>(task, has_bias);
    case 5:
      if constexpr (kSpecializeFive<Storage>) return ReduceRow<5>(task, has_bias);
      [[fallthrough]];
    default:
      return ReduceRow<0>(task, has_bias);
  }
}

// The grid rows that receive sums, at most two at a time. float and double are summed in the output
// itself, the half-precision types in scratch memory that is rounded when a row is complete.
template <typename Storage>
class GridRows {
 public:
  using Accumulate = typename Accumulator<Storage>::type;

  GridRows(const SliceShape& shape, Storage* kernels_grad, Storage* bias_grad)
      : kernel_row_(shape.kernel_size * shape.kernel_size * shape.grid_width * shape.channels),
        bias_row_(bias_grad == nullptr ? 0 : shape.grid_width * shape.channels),
        kernels_grad_(kernels_grad),
        bias_grad_(bias_grad) {
    if constexpr (!kInPlace) scratch_.reset(new Accumulate[2 * (kernel_row_ + bias_row_)]);
  }

  // `index` counts the grid rows of the whole batch.
  GridRowSum<Accumulate> At(int64_t index) const {
    if constexpr (kInPlace) {
      return {kernels_grad_ + index * kernel_row_,
              bias_row_ > 0 ? bias_grad_ + index * bias_row_ : nullptr, 1};
    } else {
      Accumulate* slot = scratch_.get() + (index & 1) * (kernel_row_ + bias_row_);
      return {slot, bias_row_ > 0 ? slot + kernel_row_ : nullptr, 1};
    }
  }

  void Clear(int64_t index) const {
    const GridRowSum<Accumulate> row = At(index);
    std::memset(row.kernels, 0, kernel_row_ * sizeof(Accumulate));
    if (row.bias != nullptr) std::memset(row.bias, 0, bias_row_ * sizeof(Accumulate));
  }

  MALLENET_TARGET void Finish(int64_t index) const {
    if constexpr (!kInPlace) {
      const GridRowSum<Accumulate> row = At(index);
      Round(row.kernels, kernels_grad_ + index * kernel_row_, kernel_row_);
      if (row.bias != nullptr) Round(row.bias, bias_grad_ + index * bias_row_, bias_row_);
    }
  }

 private:
  static constexpr bool kInPlace = sizeof(Storage) == sizeof(Accumulate);

  MALLENET_TARGET static void Round(const Accumulate* sums, Storage* out, int64_t count) {
    for (int64_t i = 0; i < count; ++i) Store<1>(out + i, Load<1>(sums + i));
  }

  int64_t kernel_row_;
  int64_t bias_row_;
  Storage* kernels_grad_;
  Storage* bias_grad_;
  std::unique_ptr<Accumulate[]> scratch_;
};

// Walks down the image rows that use the grid rows [begin, end) of the N * h. Calls
// visit(image, band, lower, upper, owned) for each band, with where to add its sums (nowhere if
// `kernels` is null) and whether its lower grid row is one of [begin, end), which is so in exactly
// one call.
template <typename Storage, typename Visit>
MALLENET_INLINE void ForEachBand(const SliceShape& shape, const GridRows<Storage>& grid_rows,
                                 int64_t begin, int64_t end, const Visit& visit) {
  using Sums = GridRowSum<typename Accumulator<Storage>::type>;
  while (begin < end) {
    const int64_t image = begin / shape.grid_height;
    const int64_t first_row = image * shape.grid_height;
    const int64_t own_begin = begin - first_row;
    const int64_t own_end =
        end - first_row < shape.grid_height ? end - first_row : shape.grid_height;
    grid_rows.Clear(begin);
    for (int64_t cell = own_begin > 0 ? own_begin - 1 : 0; cell < own_end; ++cell) {
      const int64_t next = cell + 1;
      if (next > own_begin && next < own_end) grid_rows.Clear(first_row + next);
      const int64_t y_end = FirstPixelOf(next, shape.height, shape.grid_height);
      for (int64_t y = FirstPixelOf(cell, shape.height, shape.grid_height); y < y_end;) {
        const RowBand band = RowBandAt(y, y_end, shape);
        const bool has_upper = band.upper != cell && next >= own_begin && next < own_end;
        visit(image, band, cell >= own_begin ? grid_rows.At(first_row + cell) : Sums{},
              has_upper ? grid_rows.At(first_row + next) : Sums{}, cell >= own_begin);
        y = band.end;
      }
      if (cell >= own_begin) grid_rows.Finish(first_row + cell);
    }
    begin = first_row + own_end;
  }
}

template <typename Storage>
struct ReduceBand {
  using Accumulate = typename Accumulator<Storage>::type;

  MALLENET_INLINE void operator()(int64_t image, const RowBand& band,
                                  GridRowSum<Accumulate> lower, GridRowSum<Accumulate> upper,
                                  bool) const {
    const SliceShape& shape = plan.shape;
    const int64_t start = image * shape.height * shape.width * shape.channels;
    for (int64_t y = band.begin; y < band.end; ++y) {
      upper.weight = static_cast<Accumulate>(band.weight[y - band.begin]);
      lower.weight = 1 - upper.weight;
      ReduceRowOfAnySize(ReduceTask<Storage, Accumulate>{plan, features + start,
                                                         output_grad + start, y, {lower, upper}},
                         has_bias);
    }
  }

  const SlicePlan& plan;
  const Storage* features;
  const Storage* output_grad;
  bool has_bias;
};

template <typename Storage>
MALLENET_TARGET void GridGrad(const SlicePlan& plan, const Storage* features,
                              const Storage* output_grad, Storage* kernels_grad,
                              Storage* bias_grad, int64_t begin, int64_t end) {
  const GridRows<Storage> grid_rows(plan.shape, kernels_grad, bias_grad);
  const ReduceBand<Storage> visit{plan, features, output_grad, bias_grad != nullptr};
  ForEachBand(plan.shape, grid_rows, begin, end, visit);
}

}  // namespace MALLENET_ISA
}  // namespace mallenet
