// Forward pass and features gradient for K > 1: both correlate an image row with interpolated
// kernels. K = 1 is in pointwise.h.
//
// The kernels of an image row are interpolated vertically into scratch memory of the size of a grid
// row, then horizontally in registers: the pixels of a span share the two grid columns that they
// mix.

#include <memory>

namespace mallenet {
namespace MALLENET_ISA {

// out = lower + (upper - lower) * weight over `count` consecutive values.
template <typename Storage, typename Accumulate, int kLanes>
MALLENET_INLINE void MixFrom(const Storage* lower, const Storage* upper, Accumulate weight,
                             Accumulate* out, int64_t i, int64_t count) {
  for (; i + kLanes <= count; i += kLanes) {
    const auto low = Load<kLanes>(lower + i);
    Store<kLanes>(out + i, low + (Load<kLanes>(upper + i) - low) * weight);
  }
  if constexpr (kLanes > 1) {
    MixFrom<Storage, Accumulate, FewerLanes(kLanes)>(lower, upper, weight, out, i, count);
  }
}

// Interpolates values [begin, begin + count) of a grid row between the two rows of `tap`.
template <typename Storage, typename Accumulate>
MALLENET_INLINE void MixGridRow(const Storage* image_grid, int64_t row_size, const GridTap& tap,
                                Accumulate* out, int64_t begin, int64_t count) {
  MixFrom<Storage, Accumulate, kFullLanes<Accumulate>>(
      image_grid + tap.lower * row_size + begin, image_grid + tap.upper * row_size + begin,
      static_cast<Accumulate>(tap.weight), out + begin, 0, count);
}

// One image row. Tap (jy, jx) of pixel x reads source[y + jy - r, x + jx - r].
template <typename Storage, typename Accumulate>
struct RowTask {
  const SlicePlan& plan;
  const Storage* source;      // [H, W, C] of this image.
  Storage* output;            // [W, C].
  const Accumulate* kernels;  // [w, K*K, C], interpolated to this row.
  const Accumulate* bias;     // [w, C], interpolated to this row; or null.
  int64_t y;
  int64_t kernel_size;
  bool stream;  // Whether to write around the caches.
};

// Computes any pixel; checks for every tap whether it is in the image. Not inlined: it is the rare
// case, and inlining it would take most of the compile time. kAtSource takes the kernel of each tap
// at the pixel that is read (features gradient) instead of the one that is written (forward pass).
template <bool kAtSource, int kLanes, typename Storage, typename Accumulate>
MALLENET_TARGET MALLENET_NOINLINE void CorrelatePixel(
    const RowTask<Storage, Accumulate>& task, int64_t x, int64_t c) {
  const SliceShape& shape = task.plan.shape;
  const Accumulate* weights = ColumnWeights<Accumulate>(task.plan);
  const int64_t size = task.kernel_size;
  const int64_t radius = size / 2;
  const int64_t cell_size = size * size * shape.channels;
  Vector<Accumulate, kLanes> sum{};
  if (task.bias != nullptr) {
    const auto low = Load<kLanes>(task.bias + task.plan.lower[x] * shape.channels + c);
    const auto high = Load<kLanes>(task.bias + task.plan.upper[x] * shape.channels + c);
    sum = low + (high - low) * weights[x];
  }
  for (int64_t jy = 0; jy < size; ++jy) {
    const int64_t source_y = task.y + jy - radius;
    if (source_y < 0 || source_y >= shape.height) continue;
    for (int64_t jx = 0; jx < size; ++jx) {
      const int64_t source_x = x + jx - radius;
      if (source_x < 0 || source_x >= shape.width) continue;
      const int64_t position = kAtSource ? source_x : x;
      const Accumulate* tap = task.kernels + (jy * size + jx) * shape.channels + c;
      const auto low = Load<kLanes>(tap + task.plan.lower[position] * cell_size);
      const auto high = Load<kLanes>(tap + task.plan.upper[position] * cell_size);
      const auto value = Load<kLanes>(
          task.source + (source_y * shape.width + source_x) * shape.channels + c);
      sum += value * (low + (high - low) * weights[position]);
    }
  }
  Store<kLanes>(task.output + x * shape.channels + c, sum);
}

// Computes pixels [begin, end), whose taps are all in the image and mix the same two grid columns.
template <int kSize, bool kAtSource, bool kHasBias, int kLanes, typename Storage,
          typename Accumulate>
MALLENET_INLINE void CorrelateRun(const RowTask<Storage, Accumulate>& task, const PixelSpan& span,
                                  int64_t begin, int64_t end, int64_t c) {
  constexpr int kTaps = kSize * kSize;
  constexpr int kRadius = kSize / 2;
  const int64_t channels = task.plan.shape.channels;
  const int64_t width = task.plan.shape.width;
  const Accumulate* weights = ColumnWeights<Accumulate>(task.plan);
  Vector<Accumulate, kLanes> base[kTaps], slope[kTaps], bias_base{}, bias_slope{};
#pragma GCC unroll 25
  for (int j = 0; j < kTaps; ++j) {
    base[j] = Load<kLanes>(task.kernels + (span.lower * kTaps + j) * channels + c);
    slope[j] = Load<kLanes>(task.kernels + (span.upper * kTaps + j) * channels + c) - base[j];
  }
  if constexpr (kHasBias) {
    bias_base = Load<kLanes>(task.bias + span.lower * channels + c);
    bias_slope = Load<kLanes>(task.bias + span.upper * channels + c) - bias_base;
  }
  for (int64_t x = begin; x < end; ++x) {
    const Storage* corner =
        task.source + ((task.y - kRadius) * width + x - kRadius) * channels + c;
    Vector<Accumulate, kLanes> sum = bias_base + bias_slope * weights[x];
#pragma GCC unroll 25
    for (int j = 0; j < kTaps; ++j) {
      const int column = j % kSize;
      const auto value = Load<kLanes>(corner + (j / kSize * width + column) * channels);
      sum += value * (base[j] + slope[j] * weights[kAtSource ? x + column - kRadius : x]);
    }
    StoreOrStream<kLanes>(task.stream, task.output + x * channels + c, sum);
  }
}

// Computes a span from channel `c` on. kSize is 0 if the kernel size is known at run time only.
template <int kSize, bool kAtSource, int kLanes, typename Storage, typename Accumulate>
MALLENET_INLINE void CorrelateSpan(const RowTask<Storage, Accumulate>& task, const PixelSpan& span,
                                   int64_t run_begin, int64_t run_end, int64_t c) {
  const int64_t channels = task.plan.shape.channels;
  for (; c + kLanes <= channels; c += kLanes) {
    for (int64_t x = span.begin; x < run_begin; ++x) CorrelatePixel<kAtSource, kLanes>(task, x, c);
    if constexpr (kSize > 0) {
      if (!kAtSource && task.bias != nullptr) {
        CorrelateRun<kSize, kAtSource, !kAtSource, kLanes>(task, span, run_begin, run_end, c);
      } else {
        CorrelateRun<kSize, kAtSource, false, kLanes>(task, span, run_begin, run_end, c);
      }
    }
    for (int64_t x = run_end; x < span.end; ++x) CorrelatePixel<kAtSource, kLanes>(task, x, c);
  }
  if constexpr (kLanes > 1) {
    if (c < channels) {
      CorrelateSpan<kSize, kAtSource, FewerLanes(kLanes)>(task, span, run_begin, run_end, c);
    }
  }
}

template <int kSize, bool kAtSource, typename Storage, typename Accumulate>
MALLENET_TARGET void CorrelateRow(const RowTask<Storage, Accumulate>& task) {
  const SliceShape& shape = task.plan.shape;
  constexpr int64_t kRadius = kSize / 2;
  const bool rows_inside = kSize > 0 && task.y >= kRadius && task.y < shape.height - kRadius;
  // The features gradient reads the kernels of neighbors, which must be in the same span.
  constexpr int64_t kMargin = kAtSource ? kRadius : 0;
  for (const PixelSpan& span : task.plan.spans) {
    int64_t begin = span.end, end = span.end;
    if (rows_inside) {
      begin = span.begin + kMargin < kRadius ? kRadius : span.begin + kMargin;
      end = span.end - kMargin > shape.width - kRadius ? shape.width - kRadius
                                                        : span.end - kMargin;
      if (begin >= end) begin = end = span.end;
    }
    CorrelateSpan<kSize, kAtSource, kFullLanes<Accumulate>>(task, span, begin, end, 0);
  }
}

template <bool kAtSource, typename Storage, typename Accumulate>
MALLENET_TARGET void CorrelateRowOfAnySize(const RowTask<Storage, Accumulate>& task) {
  switch (task.kernel_size) {
    case 3:
      return CorrelateRow<3, kAtSource>(task);
    case 5:
      if constexpr (kSpecializeFive<Storage>) return CorrelateRow<5, kAtSource>(task);
      [[fallthrough]];
    default:
      return CorrelateRow<0, kAtSource>(task);
  }
}

template <typename Storage>
MALLENET_TARGET void Forward(const SlicePlan& plan, const Storage* features,
                             const Storage* kernels, const Storage* bias, Storage* output,
                             int64_t begin, int64_t end) {
  using Accumulate = typename Accumulator<Storage>::type;
  const SliceShape& shape = plan.shape;
  if (shape.kernel_size == 1) {
    return PointwiseForward(plan, features, kernels, bias, output, begin, end);
  }
  const int64_t bias_row = shape.grid_width * shape.channels;
  const int64_t kernel_row = shape.kernel_size * shape.kernel_size * bias_row;
  const int64_t image_size = shape.height * shape.width * shape.channels;
  const bool stream = ShouldStream(shape, output, features);
  const std::unique_ptr<Accumulate[]> mixed_kernels(new Accumulate[kernel_row]);
  const std::unique_ptr<Accumulate[]> mixed_bias(new Accumulate[bias_row]);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / shape.height;
    const int64_t y = row % shape.height;
    const GridTap tap = GridTapAt(y, shape.height, shape.grid_height);
    MixGridRow(kernels + image * shape.grid_height * kernel_row, kernel_row, tap,
               mixed_kernels.get(), 0, kernel_row);
    if (bias != nullptr) {
      MixGridRow(bias + image * shape.grid_height * bias_row, bias_row, tap, mixed_bias.get(), 0,
                 bias_row);
    }
    CorrelateRowOfAnySize<false>(RowTask<Storage, Accumulate>{
        plan, features + image * image_size, output + row * shape.width * shape.channels,
        mixed_kernels.get(), bias != nullptr ? mixed_bias.get() : nullptr, y, shape.kernel_size,
        stream});
  }
  FinishStreaming();
}

// Interpolates the kernels for the features gradient at row y: tap (jy, jx) there is tap
// (K-1-jy, K-1-jx) of the forward pass at row y + jy - r. Rows outside the image stay unset and are
// never read.
template <typename Storage, typename Accumulate>
MALLENET_INLINE void MixTransposedKernels(const SliceShape& shape, const Storage* image_kernels,
                                          int64_t y, Accumulate* out) {
  const int64_t size = shape.kernel_size;
  const int64_t taps = size * size;
  const int64_t channels = shape.channels;
  const int64_t kernel_row = shape.grid_width * taps * channels;
  for (int64_t jy = 0; jy < size; ++jy) {
    const int64_t source_y = y + jy - size / 2;
    if (source_y < 0 || source_y >= shape.height) continue;
    const GridTap tap = GridTapAt(source_y, shape.height, shape.grid_height);
    const Storage* lower = image_kernels + tap.lower * kernel_row;
    const Storage* upper = image_kernels + tap.upper * kernel_row;
    for (int64_t cell = 0; cell < shape.grid_width; ++cell) {
      for (int64_t jx = 0; jx < size; ++jx) {
        const int64_t j = jy * size + jx;
        const int64_t from = (cell * taps + taps - 1 - j) * channels;
        MixFrom<Storage, Accumulate, kFullLanes<Accumulate>>(
            lower + from, upper + from, static_cast<Accumulate>(tap.weight),
            out + (cell * taps + j) * channels, 0, channels);
      }
    }
  }
}

template <typename Storage>
MALLENET_TARGET void FeaturesGrad(const SlicePlan& plan, const Storage* kernels,
                                  const Storage* output_grad, Storage* features_grad,
                                  int64_t begin, int64_t end) {
  using Accumulate = typename Accumulator<Storage>::type;
  const SliceShape& shape = plan.shape;
  if (shape.kernel_size == 1) {  // The forward pass of output_grad.
    return PointwiseForward<Storage>(plan, output_grad, kernels, nullptr, features_grad, begin,
                                     end);
  }
  const int64_t kernel_row =
      shape.kernel_size * shape.kernel_size * shape.grid_width * shape.channels;
  const int64_t image_size = shape.height * shape.width * shape.channels;
  const bool stream = ShouldStream(shape, features_grad, output_grad);
  const std::unique_ptr<Accumulate[]> mixed_kernels(new Accumulate[kernel_row]);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / shape.height;
    const int64_t y = row % shape.height;
    MixTransposedKernels(shape, kernels + image * shape.grid_height * kernel_row, y,
                         mixed_kernels.get());
    CorrelateRowOfAnySize<true>(RowTask<Storage, Accumulate>{
        plan, output_grad + image * image_size, features_grad + row * shape.width * shape.channels,
        mixed_kernels.get(), nullptr, y, shape.kernel_size, stream});
  }
  FinishStreaming();
}

}  // namespace MALLENET_ISA
}  // namespace mallenet
