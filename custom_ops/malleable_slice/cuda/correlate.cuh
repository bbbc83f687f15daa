// Forward pass and features gradient for K = 1 and for any K. K = 3 is in correlate_three.cuh.
//
// A thread owns kLanes channels of an image column and walks down some rows, so that a warp reads
// and writes consecutive memory in every row. It reads the grid and interpolates horizontally only
// where the walk enters another grid row; each row then costs one multiply-add per tap.

#ifndef MALLENET_MALLEABLE_SLICE_CUDA_CORRELATE_CUH_
#define MALLENET_MALLEABLE_SLICE_CUDA_CORRELATE_CUH_

#include "custom_ops/malleable_slice/cuda/vectors.cuh"

namespace mallenet {
namespace gpu {

constexpr int kCorrelateThreads = 128;

// Rows [begin, end) of column x in image n, channels from c on.
struct Strip {
  int64_t n;
  int x, c, begin, end;
};

// Strips are numbered by image, rows, column and channels, the last fastest. Of T threads, thread i
// takes strips i, i + T, i + 2 * T and so on.
struct Strips {
  int64_t count;
  int rows, per_column, lanes;  // Rows of a strip, strips down an image, channels of a strip.

  __device__ Strip At(int64_t index, const Sizes& sizes) const {
    const int packs = sizes.channels / lanes;
    const int64_t pixel = index / packs;
    const int64_t row = pixel / sizes.width;
    Strip strip;
    strip.c = static_cast<int>(index - pixel * packs) * lanes;
    strip.x = static_cast<int>(pixel - row * sizes.width);
    strip.n = row / per_column;
    strip.begin = static_cast<int>(row - strip.n * per_column) * rows;
    strip.end = min(strip.begin + rows, sizes.height);
    return strip;
  }
};

#define MALLENET_FOR_EACH_STRIP(index, strips)                                              \
  for (int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;         \
       index < (strips).count; index += static_cast<int64_t>(gridDim.x) * blockDim.x)

__device__ __forceinline__ int64_t PixelOffset(const Sizes& sizes, int64_t n, int y, int x) {
  return ((n * sizes.height + y) * sizes.width + x) * sizes.channels;
}

// A grid value along an image column: the value at the walk's lower grid row, and the difference to
// the upper one. `image` is the column's channel and tap in grid row 0.
template <typename Number, int kLanes>
struct Slope {
  Vector<Number, kLanes> base, slope;

  template <typename Storage>
  __device__ __forceinline__ void Read(const Storage* image, int64_t grid_row, int64_t cell_size,
                                       const GridWalk<Number>& walk,
                                       const ColumnTap<Number>& column) {
    base = MixColumns<kLanes>(image + walk.lower() * grid_row, cell_size, column);
    slope = Minus(MixColumns<kLanes>(image + walk.upper() * grid_row, cell_size, column), base);
  }
  __device__ __forceinline__ void Clear() { base = slope = Vector<Number, kLanes>{}; }
  __device__ __forceinline__ Vector<Number, kLanes> At(Number weight) const {
    return Along(base, slope, weight);
  }
};

// Tells when a walk enters other grid rows than those that were read last.
struct GridRows {
  int lower = -1, upper = -1;

  template <typename Number>
  __device__ __forceinline__ bool Changed(const GridWalk<Number>& walk) {
    if (walk.lower() == lower && walk.upper() == upper) return false;
    lower = walk.lower();
    upper = walk.upper();
    return true;
  }
};

// K = 1. Without bias it computes the features gradient too.
template <typename Storage, int kLanes>
__global__ void __launch_bounds__(kCorrelateThreads, 4)
    PointwiseKernel(Sizes sizes, Strips strips, const Storage* __restrict__ features,
                    const Storage* __restrict__ kernels, const Storage* __restrict__ bias,
                    Storage* __restrict__ output) {
  using Number = Accumulator<Storage>;
  constexpr int kAhead = 4;  // Rows that are loaded together.
  const int64_t row_size = sizes.ImageRow();
  const int64_t grid_row = sizes.BiasRow();
  MALLENET_FOR_EACH_STRIP(index, strips) {
    const Strip strip = strips.At(index, sizes);
    const ColumnTap<Number> column(strip.x, sizes.width, sizes.grid_width);
    const int64_t grid_offset = strip.n * sizes.grid_height * grid_row + strip.c;
    int64_t offset = PixelOffset(sizes, strip.n, strip.begin, strip.x) + strip.c;
    GridWalk<Number> walk(strip.begin, sizes.height, sizes.grid_height);
    GridRows rows;
    Slope<Number, kLanes> kernel, shift;
    shift.Clear();
    for (int y = strip.begin; y < strip.end; y += kAhead) {
      Pack<Storage, kLanes> ahead[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        if (y + i < strip.end) ahead[i] = LoadPack<kLanes>(features + offset + i * row_size);
      }
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        if (y + i >= strip.end) break;
        if (rows.Changed(walk)) {
          kernel.Read(kernels + grid_offset, grid_row, sizes.channels, walk, column);
          if (bias != nullptr) {
            shift.Read(bias + grid_offset, grid_row, sizes.channels, walk, column);
          }
        }
        auto sum = shift.At(walk.weight());
        AddProduct(&sum, Unpack(ahead[i]), kernel.At(walk.weight()));
        Store(output + offset, sum);
        offset += row_size;
        walk.Step();
      }
    }
  }
}

// Any K: one pixel per thread, one tap after the other. kAtSource takes the kernel of each tap at
// the pixel that is read (features gradient) instead of the one that is written (forward pass).
template <bool kAtSource, typename Storage>
__global__ void __launch_bounds__(kCorrelateThreads, 4)
    CorrelateAnySizeKernel(Sizes sizes, Strips strips, const Storage* __restrict__ source,
                           const Storage* __restrict__ kernels, const Storage* __restrict__ bias,
                           Storage* __restrict__ output) {
  using Number = Accumulator<Storage>;
  const int size = sizes.kernel_size;
  const int radius = size / 2;
  const int64_t cell_size = static_cast<int64_t>(size) * size * sizes.channels;
  MALLENET_FOR_EACH_STRIP(index, strips) {
    const Strip strip = strips.At(index, sizes);
    const ColumnTap<Number> own_column(strip.x, sizes.width, sizes.grid_width);
    const Storage* kernel =
        kernels + strip.n * sizes.grid_height * sizes.KernelRow() + strip.c;
    for (int y = strip.begin; y < strip.end; ++y) {
      const GridWalk<Number> own_walk(y, sizes.height, sizes.grid_height);
      Slope<Number, 1> value;
      value.Clear();
      if (bias != nullptr) {
        value.Read(bias + strip.n * sizes.grid_height * sizes.BiasRow() + strip.c,
                   sizes.BiasRow(), sizes.channels, own_walk, own_column);
      }
      Vector<Number, 1> sum = value.At(own_walk.weight());
      const int from_y = max(y - radius, 0);
      const int from_x = max(strip.x - radius, 0);
      const int to_y = min(y + radius, sizes.height - 1);
      const int to_x = min(strip.x + radius, sizes.width - 1);
      GridWalk<Number> source_walk(from_y, sizes.height, sizes.grid_height);
      const GridWalk<Number> columns(from_x, sizes.width, sizes.grid_width);
      for (int source_y = from_y; source_y <= to_y; ++source_y) {
        GridWalk<Number> column_walk = columns;
        for (int source_x = from_x; source_x <= to_x; ++source_x) {
          const int ky = (kAtSource ? y - source_y : source_y - y) + radius;
          const int kx = (kAtSource ? strip.x - source_x : source_x - strip.x) + radius;
          ColumnTap<Number> column = own_column;
          if (kAtSource) {
            column.lower = column_walk.lower();
            column.upper = column_walk.upper();
            column.weight = column_walk.weight();
          }
          const GridWalk<Number>& walk = kAtSource ? source_walk : own_walk;
          value.Read(kernel + (static_cast<int64_t>(ky) * size + kx) * sizes.channels,
                     sizes.KernelRow(), cell_size, walk, column);
          const int64_t at = PixelOffset(sizes, strip.n, source_y, source_x) + strip.c;
          AddProduct(&sum, Load<1>(source + at), value.At(walk.weight()));
          column_walk.Step();
        }
        source_walk.Step();
      }
      Store(output + PixelOffset(sizes, strip.n, y, strip.x) + strip.c, sum);
    }
  }
}

}  // namespace gpu
}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_CUDA_CORRELATE_CUH_
