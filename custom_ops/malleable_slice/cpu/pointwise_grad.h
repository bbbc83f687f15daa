// All three gradients for K = 1 in one pass over the image, which reads features and output_grad
// once, in the tiles of pointwise.h.

namespace mallenet {
namespace MALLENET_ISA {

template <typename Storage, typename Accumulate>
struct PointwiseGradTask {
  const SlicePlan& plan;
  const RowBand& band;
  const Storage* features;     // [H, W, C] of this image.
  const Storage* kernels;      // [h, w, C].
  const Storage* output_grad;  // [H, W, C].
  Storage* features_grad;      // [H, W, C]; or, if writes is 0, room for one vector.
  int64_t writes;              // 1 if this call writes the features_grad of the band, else 0.
  GridRowSum<Accumulate> lower;  // Of the two grid rows of the band.
  GridRowSum<Accumulate> upper;
  bool has_bias;
  bool stream;  // Whether to write features_grad around the caches.
};

// Sums of a quantity over a tile: all of it, and the shares of the right column and the upper row.
template <typename Value>
struct TileSums {
  Value all, right, upper, upper_right;

  template <typename Accumulate>
  MALLENET_INLINE void AddRow(Value row_all, Value row_right, Accumulate weight) {
    all += row_all;
    right += row_right;
    upper += row_all * weight;
    upper_right += row_right * weight;
  }
};

// Adds sums of a tile to its two cells in a grid row [w, C], from channel c on.
template <int kLanes, typename Accumulate, typename Value>
MALLENET_INLINE void AddToCells(const PixelSpan& span, int64_t channels, Value left, Value right,
                                Accumulate* row, int64_t c) {
  if (row == nullptr) return;
  AddTo<kLanes, Accumulate>(row + span.lower * channels + c, left);
  if (span.upper == span.lower) return;
  AddTo<kLanes, Accumulate>(row + span.upper * channels + c, right);
}

template <int kLanes, typename Accumulate, typename Value>
MALLENET_INLINE void AddTileSums(const PixelSpan& span, int64_t channels,
                                 const TileSums<Value>& sums, Accumulate* lower,
                                 Accumulate* upper, int64_t c) {
  const Value lower_right = sums.right - sums.upper_right;
  const Value lower_left = sums.all - sums.upper - lower_right;
  const Value upper_left = sums.upper - sums.upper_right;
  AddToCells<kLanes>(span, channels, lower_left, lower_right, lower, c);
  AddToCells<kLanes>(span, channels, upper_left, sums.upper_right, upper, c);
}

// Adds a row of the tile to the sums of its kVectors * kLanes channels, and writes features_grad. A
// call that must not write it stores to scratch memory instead: code without the store would be
// compiled differently and round the sums differently than the call that writes.
template <int kVectors, int kLanes, typename Value, typename Storage,
          typename Accumulate>
MALLENET_INLINE void PointwiseGradRow(const PointwiseGradTask<Storage, Accumulate>& task,
                                      const PixelSpan& span, int64_t y, int64_t c,
                                      const TileCorners<Value>* kernels,
                                      TileSums<Value>* kernel_sums, TileSums<Value>* bias_sums) {
  const Accumulate* weights = ColumnWeights<Accumulate>(task.plan);
  const auto weight = static_cast<Accumulate>(task.band.weight[y - task.band.begin]);
  RowLine<Value> scale[kVectors];
  for (int v = 0; v < kVectors; ++v) scale[v] = LineAt(kernels[v], weight);
  Value product_all[kVectors]{}, product_right[kVectors]{};
  Value grad_all[kVectors]{}, grad_right[kVectors]{};
  const int64_t channels = task.plan.shape.channels;
  const int64_t row = y * task.plan.shape.width * channels + c;
  for (int64_t x = span.begin; x < span.end; ++x) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const int64_t i = row + x * channels + v * kLanes;
      const Value grad = Load<kLanes>(task.output_grad + i);
      const Value result = grad * (scale[v].base + scale[v].slope * weights[x]);
      StoreOrStream<kLanes>(task.stream, task.features_grad + i * task.writes, result);
      const Value product = grad * Load<kLanes>(task.features + i);
      product_all[v] += product;
      product_right[v] += product * weights[x];
      grad_all[v] += grad;
      grad_right[v] += grad * weights[x];
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    kernel_sums[v].AddRow(product_all[v], product_right[v], weight);
    bias_sums[v].AddRow(grad_all[v], grad_right[v], weight);
  }
}

template <int kVectors, int kLanes, typename Storage, typename Accumulate>
MALLENET_INLINE void PointwiseGradTile(const PointwiseGradTask<Storage, Accumulate>& task,
                                       const PixelSpan& span, int64_t first) {
  using Value = Vector<Accumulate, kLanes>;
  const int64_t channels = task.plan.shape.channels;
  const int64_t grid_row = task.plan.shape.grid_width * channels;
  TileCorners<Value> kernels[kVectors];
  TileSums<Value> kernel_sums[kVectors]{}, bias_sums[kVectors]{};
  for (int v = 0; v < kVectors; ++v) {
    const Storage* grid = task.kernels + first + v * kLanes;
    kernels[v] = LoadCorners<kLanes, Value>(grid + task.band.lower * grid_row,
                                            grid + task.band.upper * grid_row, span, channels);
  }
  for (int64_t y = task.band.begin; y < task.band.end; ++y) {
    PointwiseGradRow<kVectors, kLanes>(task, span, y, first, kernels, kernel_sums,
                                                bias_sums);
  }
  for (int v = 0; v < kVectors; ++v) {
    const int64_t c = first + v * kLanes;
    AddTileSums<kLanes>(span, channels, kernel_sums[v], task.lower.kernels, task.upper.kernels, c);
    if (!task.has_bias) continue;
    AddTileSums<kLanes>(span, channels, bias_sums[v], task.lower.bias, task.upper.bias, c);
  }
}

template <int kVectors, int kLanes, typename Storage, typename Accumulate>
MALLENET_INLINE void PointwiseGradTiles(const PointwiseGradTask<Storage, Accumulate>& task,
                                        const PixelSpan& span, int64_t c) {
  const int64_t channels = task.plan.shape.channels;
  for (; c + kVectors * kLanes <= channels; c += kVectors * kLanes) {
    PointwiseGradTile<kVectors, kLanes>(task, span, c);
  }
  if constexpr (kVectors > 1) {
    PointwiseGradTiles<kVectors / 2, kLanes>(task, span, c);
  } else if constexpr (kLanes > 1) {
    if (c < channels) PointwiseGradTiles<1, FewerLanes(kLanes)>(task, span, c);
  }
}

template <typename Storage>
struct PointwiseGradBand {
  using Accumulate = typename Accumulator<Storage>::type;

  MALLENET_INLINE void operator()(int64_t image, const RowBand& band,
                                  const GridRowSum<Accumulate>& lower,
                                  const GridRowSum<Accumulate>& upper, bool owned) const {
    const SliceShape& shape = plan.shape;
    const int64_t start = image * shape.height * shape.width * shape.channels;
    const int64_t grid_start = image * shape.grid_height * shape.grid_width * shape.channels;
    alignas(64) Storage discarded[kFullLanes<Accumulate>];
    const PointwiseGradTask<Storage, Accumulate> task{
        plan,
        band,
        features + start,
        kernels + grid_start,
        output_grad + start,
        owned ? features_grad + start : discarded,
        owned,
        lower,
        upper,
        has_bias,
        // Streaming to the same place over and over would access memory for every store.
        stream && owned};
    for (const PixelSpan& span : plan.spans) {
      PointwiseGradTiles<kTileVectors, kFullLanes<Accumulate>>(task, span, 0);
    }
  }

  const SlicePlan& plan;
  const Storage* features;
  const Storage* kernels;
  const Storage* output_grad;
  Storage* features_grad;
  bool has_bias;
  bool stream;
};

template <typename Storage>
MALLENET_TARGET void PointwiseGrad(const SlicePlan& plan, const Storage* features,
                                   const Storage* kernels, const Storage* output_grad,
                                   Storage* features_grad, Storage* kernels_grad,
                                   Storage* bias_grad, int64_t begin, int64_t end) {
  const GridRows<Storage> grid_rows(plan.shape, kernels_grad, bias_grad);
  const PointwiseGradBand<Storage> visit{
      plan,          features,
      kernels,       output_grad,
      features_grad, bias_grad != nullptr,
      ShouldStream(plan.shape, features_grad, output_grad)};
  ForEachBand(plan.shape, grid_rows, begin, end, visit);
  FinishStreaming();
}

}  // namespace MALLENET_ISA
}  // namespace mallenet
