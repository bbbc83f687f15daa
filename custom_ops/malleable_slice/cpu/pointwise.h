// Forward pass for K = 1: a scale and an offset for every value. With output_grad as features it is
// the features gradient.
//
// It is memory-bound, so the interpolation must be cheap: it works on tiles, a band of rows by a span
// of columns, whose pixels mix the same four grid cells, which stay in registers.

namespace mallenet {
namespace MALLENET_ISA {

// Vectors of a pixel in a tile: as many as the sums of the gradients fit in registers.
constexpr int kTileVectors = MALLENET_VECTOR_BYTES == 64 ? 4 : 2;

// The two values of a grid array at a tile's sides, and their change from the lower to the upper
// grid row.
template <typename Value>
struct TileCorners {
  Value left, right, left_change, right_change;
};

// The values along an image row: value(x) = base + slope * weight of the upper column.
template <typename Value>
struct RowLine {
  Value base, slope;
};

// `lower` and `upper` point to channel c of two grid rows [w, C].
template <int kLanes, typename Value, typename Storage>
MALLENET_INLINE TileCorners<Value> LoadCorners(const Storage* lower, const Storage* upper,
                                               const PixelSpan& span, int64_t channels) {
  const Value left = Load<kLanes>(lower + span.lower * channels);
  const Value right = Load<kLanes>(lower + span.upper * channels);
  return {left, right, Load<kLanes>(upper + span.lower * channels) - left,
          Load<kLanes>(upper + span.upper * channels) - right};
}

template <typename Value, typename Accumulate>
MALLENET_INLINE RowLine<Value> LineAt(const TileCorners<Value>& corners, Accumulate weight) {
  const Value base = corners.left + corners.left_change * weight;
  return {base, corners.right + corners.right_change * weight - base};
}

template <typename Storage>
struct PointwiseTask {
  const SlicePlan& plan;
  const RowBand& band;
  const Storage* features;  // [H, W, C] of this image.
  const Storage* kernels;   // [h, w, C].
  const Storage* bias;      // [h, w, C]; or null.
  Storage* output;          // [H, W, C].
  bool stream;              // Whether to write around the caches.
};

// Computes kVectors * kLanes channels from `c` on: several vectors of a pixel one after the other, so
// that memory is read in order for any number of channels.
template <bool kHasBias, int kVectors, int kLanes, typename Storage>
MALLENET_INLINE void PointwiseTile(const PointwiseTask<Storage>& task, const PixelSpan& span,
                                   int64_t c) {
  using Accumulate = typename Accumulator<Storage>::type;
  using Value = Vector<Accumulate, kLanes>;
  const int64_t channels = task.plan.shape.channels;
  const int64_t grid_row = task.plan.shape.grid_width * channels;
  const int64_t lower = task.band.lower * grid_row + c;
  const int64_t upper = task.band.upper * grid_row + c;
  const Accumulate* weights = ColumnWeights<Accumulate>(task.plan);
  TileCorners<Value> kernels[kVectors], bias[kVectors]{};
  for (int v = 0; v < kVectors; ++v) {
    const int64_t i = v * kLanes;
    kernels[v] = LoadCorners<kLanes, Value>(task.kernels + lower + i, task.kernels + upper + i,
                                            span, channels);
    if constexpr (kHasBias) {
      bias[v] = LoadCorners<kLanes, Value>(task.bias + lower + i, task.bias + upper + i, span,
                                           channels);
    }
  }
  for (int64_t y = task.band.begin; y < task.band.end; ++y) {
    const auto weight = static_cast<Accumulate>(task.band.weight[y - task.band.begin]);
    RowLine<Value> scale[kVectors], offset[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      scale[v] = LineAt(kernels[v], weight);
      offset[v] = LineAt(bias[v], weight);
    }
    const int64_t row = y * task.plan.shape.width * channels + c;
    for (int64_t x = span.begin; x < span.end; ++x) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const int64_t i = row + x * channels + v * kLanes;
        Value result =
            Load<kLanes>(task.features + i) * (scale[v].base + scale[v].slope * weights[x]);
        if constexpr (kHasBias) result += offset[v].base + offset[v].slope * weights[x];
        StoreOrStream<kLanes>(task.stream, task.output + i, result);
      }
    }
  }
}

template <bool kHasBias, int kVectors, int kLanes, typename Storage>
MALLENET_INLINE void PointwiseTiles(const PointwiseTask<Storage>& task, const PixelSpan& span,
                                    int64_t c) {
  const int64_t channels = task.plan.shape.channels;
  for (; c + kVectors * kLanes <= channels; c += kVectors * kLanes) {
    PointwiseTile<kHasBias, kVectors, kLanes>(task, span, c);
  }
  if constexpr (kVectors > 1) {
    PointwiseTiles<kHasBias, kVectors / 2, kLanes>(task, span, c);
  } else if constexpr (kLanes > 1) {
    if (c < channels) PointwiseTiles<kHasBias, 1, FewerLanes(kLanes)>(task, span, c);
  }
}

template <typename Storage>
MALLENET_TARGET void PointwiseForward(const SlicePlan& plan, const Storage* features,
                                      const Storage* kernels, const Storage* bias,
                                      Storage* output, int64_t begin, int64_t end) {
  using Accumulate = typename Accumulator<Storage>::type;
  const SliceShape& shape = plan.shape;
  const int64_t image_size = shape.height * shape.width * shape.channels;
  const int64_t grid_size = shape.grid_height * shape.grid_width * shape.channels;
  const bool stream = ShouldStream(shape, output, features);
  while (begin < end) {
    const int64_t image = begin / shape.height;
    const int64_t first_row = image * shape.height;
    const int64_t limit = end - first_row < shape.height ? end - first_row : shape.height;
    const RowBand band = RowBandAt(begin - first_row, limit, shape);
    const PointwiseTask<Storage> task{plan,
                                      band,
                                      features + image * image_size,
                                      kernels + image * grid_size,
                                      bias == nullptr ? nullptr : bias + image * grid_size,
                                      output + image * image_size,
                                      stream};
    for (const PixelSpan& span : plan.spans) {
      if (bias != nullptr) {
        PointwiseTiles<true, kTileVectors, kFullLanes<Accumulate>>(task, span, 0);
      } else {
        PointwiseTiles<false, kTileVectors, kFullLanes<Accumulate>>(task, span, 0);
      }
    }
    begin = first_row + band.end;
  }
  FinishStreaming();
}

}  // namespace MALLENET_ISA
}  // namespace mallenet
