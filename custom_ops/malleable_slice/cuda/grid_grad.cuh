// Gradients of the kernels and the bias.
//
// A block owns some grid rows, grid columns and channels, and walks down the image rows that use
// them. All pixels between two grid rows add to these two, so a thread keeps four sums per tap: for
// the grid row above and the one below, each for both grid columns and for the right one alone. When
// a grid row is complete, the threads of neighboring columns exchange their sums in shared memory,
// where one thread per cell, tap and channel adds them up in a fixed order.

#ifndef MALLENET_MALLEABLE_SLICE_CUDA_GRID_GRAD_CUH_
#define MALLENET_MALLEABLE_SLICE_CUDA_GRID_GRAD_CUH_

#include "custom_ops/malleable_slice/cuda/vectors.cuh"

namespace mallenet {
namespace gpu {

constexpr int kGridGradThreads = 256;

// How the work is split. A span is the pixels of an image row with the same lower grid column; a
// block has one span more than grid columns, because the span before adds to its first column. A
// tap group is the taps of one thread.
struct GridTiles {
  int64_t blocks;
  int lanes;                                // Channels of a thread.
  int packs, parts, groups, columns, rows;  // Of a block; parts: threads that share a span.
  int pack_tiles, group_tiles, column_tiles, row_tiles;

  MALLENET_HOST_DEVICE int Threads() const { return packs * parts * groups * (columns + 1); }
};

// What this thread computes in the block with the given number.
struct GridPart {
  int64_t n;
  int c, group, row_begin, row_end;
  int span, part, column;  // column: the grid column that this thread adds up, or negative.
  int x_begin, x_end;
  int slot;  // threadIdx.x of part 0 of this span, group and pack

  __device__ GridPart(int64_t block, const GridTiles& tiles, const Sizes& sizes) {
    int rest = static_cast<int>(threadIdx.x);
    const int pack = rest % tiles.packs;
    rest /= tiles.packs;
    part = rest % tiles.parts;
    rest /= tiles.parts;
    const int own_group = rest % tiles.groups;
    span = rest / tiles.groups;
    slot = static_cast<int>(threadIdx.x) - part * tiles.packs;

    c = (static_cast<int>(block % tiles.pack_tiles) * tiles.packs + pack) * tiles.lanes;
    block /= tiles.pack_tiles;
    group = static_cast<int>(block % tiles.group_tiles) * tiles.groups + own_group;
    block /= tiles.group_tiles;
    const int first_column = static_cast<int>(block % tiles.column_tiles) * tiles.columns;
    block /= tiles.column_tiles;
    row_begin = static_cast<int>(block % tiles.row_tiles) * tiles.rows;
    row_end = min(row_begin + tiles.rows, sizes.grid_height);
    n = block / tiles.row_tiles;

    const int lower = first_column + span - 1;
    const bool writes = part == 0 && span > 0 && lower < sizes.grid_width;
    column = writes ? lower : -1;
    const int64_t begin = FirstPixelOf(lower, sizes.width, sizes.grid_width);
    const int64_t end =
        lower < 0 ? begin : FirstPixelOf(int64_t{lower} + 1, sizes.width, sizes.grid_width);
    x_begin = static_cast<int>(begin + (end - begin) * part / tiles.parts);
    x_end = static_cast<int>(begin + (end - begin) * (part + 1) / tiles.parts);
  }
};

// Sums over some pixels: of everything, and of the share of the upper grid column.
template <typename Number, int kLanes>
struct ColumnSums {
  Vector<Number, kLanes> all, upper;
};

// The share of a grid row in the incoming gradient of a pixel.
template <typename Number, int kLanes>
struct WeightedGrad {
  Vector<Number, kLanes> all, upper;
  bool mixes;  // Whether the pixel has an upper grid column; if not, `upper` is not used.

  __device__ __forceinline__ WeightedGrad(const Vector<Number, kLanes>& grad, Number row_weight,
                                          const GridWalk<Number>& column)
      : all(Times(grad, row_weight)),
        upper(Times(all, column.weight())),
        mixes(column.mixes()) {}

  __device__ __forceinline__ void AddTo(ColumnSums<Number, kLanes>* sums) const {
    sums->all = Plus(sums->all, all);
    if (mixes) sums->upper = Plus(sums->upper, upper);
  }
  __device__ __forceinline__ void AddProductTo(const Vector<Number, kLanes>& feature,
                                               ColumnSums<Number, kLanes>* sums) const {
    AddProduct(&sums->all, all, feature);
    if (mixes) AddProduct(&sums->upper, upper, feature);
  }
};

// The sums of a thread for a grid row: its taps, and the bias last.
template <typename Number, int kLanes, int kTaps>
struct RowSums {
  ColumnSums<Number, kLanes> slot[kTaps + 1];

  __device__ __forceinline__ void Clear() {
#pragma unroll
    for (int j = 0; j <= kTaps; ++j) slot[j] = ColumnSums<Number, kLanes>{};
  }
};

// Adds a thread's pixels of an image row to the grid rows above and below. `grad` is the first pixel
// of the row, `features` that of the tap's row, or null outside the image. Tap i reads `shift` + i
// pixels to the right.
template <int kTaps, int kLanes, typename Storage, typename Number = Accumulator<Storage>>
__device__ __forceinline__ void AddImageRow(const GridPart& part, const Sizes& sizes,
                                            const GridWalk<Number>& row,
                                            GridWalk<Number> column, const Storage* grad,
                                            const Storage* features, int shift,
                                            RowSums<Number, kLanes, kTaps>* above,
                                            RowSums<Number, kLanes, kTaps>* below) {
  const int64_t channels = sizes.channels;
  const auto is_inside = [&](int x) { return features != nullptr && x >= 0 && x < sizes.width; };
  Vector<Number, kLanes> window[kTaps];
#pragma unroll
  for (int i = 0; i + 1 < kTaps; ++i) {
    const int x = part.x_begin + shift + i;
    if (is_inside(x)) window[i + 1] = Load<kLanes>(features + x * channels);
  }
#pragma unroll(kTaps == 1 ? 2 : 1)
  for (int x = part.x_begin; x < part.x_end; ++x, column.Step()) {
    const auto value = Load<kLanes>(grad + x * channels);
    const int last = x + shift + kTaps - 1;
#pragma unroll
    for (int i = 0; i + 1 < kTaps; ++i) window[i] = window[i + 1];
    if (is_inside(last)) window[kTaps - 1] = Load<kLanes>(features + last * channels);
    const auto add = [&](Number weight, RowSums<Number, kLanes, kTaps>* sums) {
      const WeightedGrad<Number, kLanes> weighted(value, weight, column);
      if (part.group == 0) weighted.AddTo(&sums->slot[kTaps]);
#pragma unroll
      for (int i = 0; i < kTaps; ++i) {
        if (is_inside(x + shift + i)) weighted.AddProductTo(window[i], &sums->slot[i]);
      }
    };
    add(Number{1} - row.weight(), above);
    if (row.mixes()) add(row.weight(), below);
  }
}

// Adds up the parts of a grid row and writes the cells that the block owns.
template <int kTaps, int kLanes, typename Storage>
__device__ __forceinline__ void WriteGridRow(
    const GridPart& part, const GridTiles& tiles, const Sizes& sizes, int grid_y,
    const RowSums<Accumulator<Storage>, kLanes, kTaps>& sums,
    ColumnSums<Accumulator<Storage>, kLanes> (*shared)[kGridGradThreads], Storage* kernels_grad,
    Storage* bias_grad) {
  using Number = Accumulator<Storage>;
#pragma unroll
  for (int j = 0; j <= kTaps; ++j) shared[j][threadIdx.x] = sums.slot[j];
  __syncthreads();
  const int groups = sizes.kernel_size * sizes.kernel_size / kTaps;
  if (part.column >= 0 && part.group < groups && part.c < sizes.channels) {
    const int64_t cell =
        (part.n * sizes.grid_height + grid_y) * sizes.grid_width + part.column;
    // Offset from the threads of the span before to those of this span.
    const int span_threads = tiles.packs * tiles.parts * tiles.groups;
#pragma unroll
    for (int j = 0; j <= kTaps; ++j) {
      if (j == kTaps && (bias_grad == nullptr || part.group != 0)) continue;
      Vector<Number, kLanes> total{};
      for (int i = 0; i < tiles.parts; ++i) {
        total = Plus(total, shared[j][part.slot - span_threads + i * tiles.packs].upper);
      }
      for (int i = 0; i < tiles.parts; ++i) {
        const auto& own = shared[j][part.slot + i * tiles.packs];
        total = Plus(total, Minus(own.all, own.upper));
      }
      Storage* out = j == kTaps
                         ? bias_grad + cell * sizes.channels
                         : kernels_grad + (cell * groups + part.group) * kTaps * sizes.channels +
                               static_cast<int64_t>(j) * sizes.channels;
      Store(out + part.c, total);
    }
  }
  __syncthreads();
}

// Each thread computes kTaps neighboring taps of a kernel row: all K (K = 1 and 3), or one (any K).
template <typename Storage, int kTaps, int kLanes>
__global__ void __launch_bounds__(kGridGradThreads, 2)
    GridGradKernel(Sizes sizes, GridTiles tiles, const Storage* __restrict__ features,
                   const Storage* __restrict__ output_grad, Storage* __restrict__ kernels_grad,
                   Storage* __restrict__ bias_grad) {
  using Number = Accumulator<Storage>;
  __shared__ ColumnSums<Number, kLanes> shared[kTaps + 1][kGridGradThreads];
  const int64_t row_size = sizes.ImageRow();
  for (int64_t block = blockIdx.x; block < tiles.blocks; block += gridDim.x) {
    const GridPart part(block, tiles, sizes);
    const int first_tap = part.group * kTaps;
    const int row_shift = first_tap / sizes.kernel_size - sizes.kernel_size / 2;
    const int column_shift = first_tap % sizes.kernel_size - sizes.kernel_size / 2;
    // Threads beyond the last channel or tap only take part in the exchange.
    const bool works = part.c < sizes.channels && part.x_begin < part.x_end &&
                       first_tap < sizes.kernel_size * sizes.kernel_size;
    int y = static_cast<int>(FirstPixelOf(part.row_begin - 1, sizes.height, sizes.grid_height));
    const int64_t image = part.n * sizes.height * row_size + part.c;
    const Storage* image_grad = output_grad + image;
    const Storage* image_features = features + image;
    GridWalk<Number> walk(y, sizes.height, sizes.grid_height);
    const GridWalk<Number> first_column(part.x_begin, sizes.width, sizes.grid_width);
    RowSums<Number, kLanes, kTaps> above, below;
    below.Clear();
    for (int grid_y = part.row_begin - 1; grid_y < part.row_end; ++grid_y) {
      // The row below of the step before is the row above of this one.
      above = below;
      below.Clear();
      const int y_end = static_cast<int>(
          FirstPixelOf(int64_t{grid_y} + 1, sizes.height, sizes.grid_height));
      for (; grid_y >= 0 && y < y_end; ++y, walk.Step()) {
        if (!works) continue;
        const int source_y = y + row_shift;
        const bool inside = source_y >= 0 && source_y < sizes.height;
        AddImageRow<kTaps, kLanes>(part, sizes, walk, first_column, image_grad + y * row_size,
                                   inside ? image_features + source_y * row_size : nullptr,
                                   column_shift, &above, &below);
      }
      if (grid_y >= part.row_begin) {
        WriteGridRow<kTaps, kLanes>(part, tiles, sizes, grid_y, above, shared, kernels_grad,
                                    bias_grad);
      }
    }
  }
}

}  // namespace gpu
}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_CUDA_GRID_GRAD_CUH_
