// Forward pass and features gradient for K = 3: each thread of the three columns that use a pixel
// reads it once and keeps it in registers for the three rows that use it.

#ifndef MALLENET_MALLEABLE_SLICE_CUDA_CORRELATE_THREE_CUH_
#define MALLENET_MALLEABLE_SLICE_CUDA_CORRELATE_THREE_CUH_

#include "custom_ops/malleable_slice/cuda/correlate.cuh"

namespace mallenet {
namespace gpu {

// Loads pixels x - 1, x and x + 1 of an image row; zeros outside the image, which no tap uses.
template <int kLanes, typename Storage>
__device__ __forceinline__ void LoadThree(const Storage* pixel, int channels, bool inside,
                                          bool has_left, bool has_right,
                                          Sum<Storage, kLanes>* three) {
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    const bool there = inside && (i != 0 || has_left) && (i != 2 || has_right);
    three[i] = Sum<Storage, kLanes>{};
    if (there) three[i] = Load<kLanes>(pixel + static_cast<int64_t>(i - 1) * channels);
  }
}

// Forward pass, K = 3: a window of 3 x 3 pixels moves down with the thread.
template <typename Storage, int kLanes>
__global__ void __launch_bounds__(kCorrelateThreads, 4)
    ForwardOfThreeKernel(Sizes sizes, Strips strips, const Storage* __restrict__ features,
                         const Storage* __restrict__ kernels, const Storage* __restrict__ bias,
                         Storage* __restrict__ output) {
  using Number = Accumulator<Storage>;
  const int64_t row_size = sizes.ImageRow();
  const int channels = sizes.channels;
  MALLENET_FOR_EACH_STRIP(index, strips) {
    const Strip strip = strips.At(index, sizes);
    const bool has_left = strip.x > 0;
    const bool has_right = strip.x + 1 < sizes.width;
    const ColumnTap<Number> column(strip.x, sizes.width, sizes.grid_width);
    const Storage* kernel =
        kernels + strip.n * sizes.grid_height * sizes.KernelRow() + strip.c;
    int64_t offset = PixelOffset(sizes, strip.n, strip.begin, strip.x) + strip.c;
    GridWalk<Number> walk(strip.begin, sizes.height, sizes.grid_height);
    GridRows rows;
    Slope<Number, kLanes> taps[9], shift;
    shift.Clear();
    Vector<Number, kLanes> window[3][3];
    LoadThree<kLanes>(features + offset - row_size, channels, strip.begin > 0, has_left, has_right,
                      window[0]);
    LoadThree<kLanes>(features + offset, channels, true, has_left, has_right, window[1]);
    for (int y = strip.begin; y < strip.end; ++y) {
      const bool has_below = y + 1 < sizes.height;
      LoadThree<kLanes>(features + offset + row_size, channels, has_below, has_left, has_right,
                        window[2]);
      if (rows.Changed(walk)) {
#pragma unroll
        for (int j = 0; j < 9; ++j) {
          // A cleared kernel makes a tap outside the image add zero.
          taps[j].Clear();
          if ((j % 3 != 0 || has_left) && (j % 3 != 2 || has_right)) {
            taps[j].Read(kernel + j * channels, sizes.KernelRow(), 9 * int64_t{channels}, walk,
                         column);
          }
        }
        if (bias != nullptr) {
          shift.Read(bias + strip.n * sizes.grid_height * sizes.BiasRow() + strip.c,
                     sizes.BiasRow(), channels, walk, column);
        }
      }
      const Number weight = walk.weight();
      auto sum = shift.At(weight);
#pragma unroll
      for (int j = 0; j < 9; ++j) {
        const bool row_inside = j / 3 == 0 ? y > 0 : j / 3 == 2 ? has_below : true;
        if (row_inside) AddProduct(&sum, window[j / 3][j % 3], taps[j].At(weight));
      }
      Store(output + offset, sum);
#pragma unroll
      for (int i = 0; i < 3; ++i) {
        window[0][i] = window[1][i];
        window[1][i] = window[2][i];
      }
      offset += row_size;
      walk.Step();
    }
  }
}

// Features gradient, K = 3. The kernels belong to the pixel that is read, so the thread adds every
// row that it reads to the three rows that it writes, which move down with it: all nine taps then
// share the grid rows of the row that is read.
template <typename Storage, int kLanes>
__global__ void __launch_bounds__(kCorrelateThreads, 4)
    FeaturesGradOfThreeKernel(Sizes sizes, Strips strips, const Storage* __restrict__ kernels,
                              const Storage* __restrict__ output_grad,
                              Storage* __restrict__ features_grad) {
  using Number = Accumulator<Storage>;
  const int64_t row_size = sizes.ImageRow();
  const int channels = sizes.channels;
  MALLENET_FOR_EACH_STRIP(index, strips) {
    const Strip strip = strips.At(index, sizes);
    const bool there[3] = {strip.x > 0, true, strip.x + 1 < sizes.width};
    ColumnTap<Number> columns[3];
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      if (there[i]) columns[i] = ColumnTap<Number>(strip.x + i - 1, sizes.width, sizes.grid_width);
    }
    const Storage* kernel =
        kernels + strip.n * sizes.grid_height * sizes.KernelRow() + strip.c;
    const int first = max(strip.begin - 1, 0);
    int64_t offset = PixelOffset(sizes, strip.n, first, strip.x) + strip.c;
    GridWalk<Number> walk(first, sizes.height, sizes.grid_height);
    GridRows rows;
    Slope<Number, kLanes> taps[9];
    Vector<Number, kLanes> sums[3] = {};  // Of rows y - 1, y and y + 1.
    for (int y = first; y <= strip.end; ++y) {
      if (y < sizes.height) {
        Vector<Number, kLanes> grad[3];
        LoadThree<kLanes>(output_grad + offset, channels, true, there[0], there[2], grad);
        if (rows.Changed(walk)) {
#pragma unroll
          for (int j = 0; j < 9; ++j) {
            taps[j].Clear();
            // Tap kx of the pixel read takes from column x - kx + 1 to column x.
            if (there[2 - j % 3]) {
              taps[j].Read(kernel + j * channels, sizes.KernelRow(), 9 * int64_t{channels}, walk,
                           columns[2 - j % 3]);
            }
          }
        }
#pragma unroll
        for (int j = 0; j < 9; ++j) {
          AddProduct(&sums[j / 3], grad[2 - j % 3], taps[j].At(walk.weight()));
        }
        walk.Step();
      }
      if (y - 1 >= strip.begin) Store(features_grad + offset - row_size, sums[0]);
      sums[0] = sums[1];
      sums[1] = sums[2];
      sums[2] = Vector<Number, kLanes>{};
      offset += row_size;
    }
  }
}

}  // namespace gpu
}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_CUDA_CORRELATE_THREE_CUH_
