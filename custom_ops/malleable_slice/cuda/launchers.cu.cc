// Launchers of the CUDA kernels: they choose the kernel, the width of its vectors, and how the work
// is split.

#include "custom_ops/malleable_slice/cuda/launchers.h"

#include <algorithm>
#include <initializer_list>

#include "custom_ops/malleable_slice/cuda/correlate.cuh"
#include "custom_ops/malleable_slice/cuda/grid_grad.cuh"
#include "custom_ops/malleable_slice/cuda/correlate_three.cuh"

// tests/cuda_on_host.h defines this as loops over blocks and threads in plain C++.
#ifndef MALLENET_LAUNCH
#define MALLENET_LAUNCH(kernel, blocks, threads, stream, ...) \
  kernel<<<blocks, threads, 0, stream>>>(__VA_ARGS__)
#endif

namespace mallenet {
namespace {

using gpu::Accumulator;
using gpu::GridTiles;
using gpu::Sizes;
using gpu::Strips;

const char* MessageOf(cudaError_t status) {
  return status == cudaSuccess ? nullptr : cudaGetErrorString(status);
}

// Kernels loop over their work, so it may exceed the largest grid.
template <typename... Parameters, typename... Arguments>
const char* Launch(void (*kernel)(Parameters...), int64_t blocks, int threads, cudaStream_t stream,
                   Arguments... arguments) {
  const int grid = static_cast<int>(std::min(blocks, int64_t{0x7fffffff}));
  MALLENET_LAUNCH(kernel, grid, threads, stream, arguments...);
  return MessageOf(cudaGetLastError());
}

const char* SizesOf(const SliceShape& shape, Sizes* sizes) {
  const int64_t taps = shape.kernel_size * shape.kernel_size;
  for (const int64_t size : {shape.height, shape.width, shape.channels, shape.grid_height,
                             shape.grid_width, taps}) {
    if (size >= kGpuSizeLimit) {
      return "height, width, channels, both sides of the grid and K * K must be below 2^29";
    }
  }
  *sizes = {shape.batch,
            static_cast<int>(shape.height),
            static_cast<int>(shape.width),
            static_cast<int>(shape.channels),
            static_cast<int>(shape.grid_height),
            static_cast<int>(shape.grid_width),
            static_cast<int>(shape.kernel_size)};
  return nullptr;
}

bool HasNoPixels(const SliceShape& shape) {
  return shape.batch == 0 || shape.height == 0 || shape.width == 0 || shape.channels == 0;
}

// Whether a thread can load and store `lanes` channels at once.
template <typename Storage>
bool VectorsFit(const SliceShape& shape, int lanes,
                std::initializer_list<const Storage*> arrays) {
  if (shape.channels % lanes != 0) return false;
  return std::all_of(arrays.begin(), arrays.end(), [lanes](const Storage* array) {
    return reinterpret_cast<uintptr_t>(array) % (lanes * sizeof(Storage)) == 0;
  });
}

int64_t Quotient(int64_t dividend, int64_t divisor) { return (dividend + divisor - 1) / divisor; }

// Long strips read the grid less often; short strips make enough threads of a small image.
Strips StripsOf(const Sizes& sizes, int lanes, int most_rows) {
  constexpr int64_t kThreadsWanted = int64_t{1} << 18;
  Strips strips;
  strips.lanes = lanes;
  for (strips.rows = most_rows;; strips.rows /= 2) {
    strips.per_column = static_cast<int>(Quotient(sizes.height, strips.rows));
    strips.count = sizes.batch * strips.per_column * sizes.width * (sizes.channels / lanes);
    if (strips.count >= kThreadsWanted || strips.rows == 1) return strips;
  }
}

template <typename... Parameters, typename... Arguments>
const char* LaunchStrips(void (*kernel)(Sizes, Strips, Parameters...), const Sizes& sizes,
                         int lanes, int most_rows, cudaStream_t stream, Arguments... arguments) {
  const Strips strips = StripsOf(sizes, lanes, most_rows);
  return Launch(kernel, Quotient(strips.count, gpu::kCorrelateThreads), gpu::kCorrelateThreads,
                stream, sizes, strips, arguments...);
}

// Sets how many tiles `total` makes of at most `most`, and how many fit a tile, evenly.
void Cut(int64_t total, int64_t most, int* tiles, int* per_tile) {
  *tiles = static_cast<int>(Quotient(total, most));
  *per_tile = static_cast<int>(Quotient(total, *tiles));
}

GridTiles CutGrid(const Sizes& sizes, int taps, int lanes, int rows, int packs, int columns) {
  GridTiles tiles;
  const int groups = sizes.kernel_size * sizes.kernel_size / taps;
  tiles.lanes = lanes;
  Cut(sizes.channels / lanes, packs, &tiles.pack_tiles, &tiles.packs);
  Cut(groups, std::min(sizes.kernel_size, 8), &tiles.group_tiles, &tiles.groups);
  Cut(sizes.grid_height, rows, &tiles.row_tiles, &tiles.rows);
  const int spans = gpu::kGridGradThreads / (tiles.packs * tiles.groups);
  Cut(sizes.grid_width, std::min(columns, spans - 1), &tiles.column_tiles, &tiles.columns);
  // Several threads share a span if the block has room and the span some pixels for each.
  constexpr int kPixelsOfAPart = 4;
  tiles.parts = std::min(spans / (tiles.columns + 1),
                         sizes.width / sizes.grid_width / kPixelsOfAPart);
  tiles.parts = std::max(tiles.parts, 1);
  tiles.blocks = sizes.batch * tiles.pack_tiles * tiles.group_tiles * tiles.column_tiles *
                 static_cast<int64_t>(tiles.row_tiles);
  return tiles;
}

// Large tiles read pixels that belong to two tiles less often; small ones keep the device busy.
// The choice depends on the shape alone, because it decides how sums are rounded.
GridTiles GridTilesOf(const Sizes& sizes, int taps, int lanes) {
  constexpr int64_t kBlocksWanted = 512;
  constexpr int kRowsPacksColumns[][3] = {{8, 16, 64}, {4, 16, 32}, {4, 16, 16}, {2, 16, 16},
                                          {2, 8, 8},   {1, 8, 8},   {1, 4, 4},   {1, 2, 4}};
  GridTiles tiles;
  for (const auto& most : kRowsPacksColumns) {
    tiles = CutGrid(sizes, taps, lanes, most[0], most[1], most[2]);
    if (tiles.blocks >= kBlocksWanted) break;
  }
  return tiles;
}

template <typename Storage, int kTaps, int kLanes>
const char* LaunchGridGrad(const Sizes& sizes, const Storage* features, const Storage* output_grad,
                           Storage* kernels_grad, Storage* bias_grad, cudaStream_t stream) {
  const GridTiles tiles = GridTilesOf(sizes, kTaps, kLanes);
  return Launch(gpu::GridGradKernel<Storage, kTaps, kLanes>, tiles.blocks, tiles.Threads(), stream,
                sizes, tiles, features, output_grad, kernels_grad, bias_grad);
}

// Channels of a thread. K = 1 moves 16 bytes at a time. The other kernels keep many sums; fewer
// channels leave registers for more threads.
template <typename Storage>
constexpr int kWideLanes = 16 / sizeof(Storage);
template <typename Storage>
constexpr int kWideSumLanes = 16 / sizeof(Accumulator<Storage>);
template <typename Storage>
constexpr int kHalfSumLanes = 8 / sizeof(Accumulator<Storage>);

constexpr int kMostRows = 16;

template <typename Storage>
const char* LaunchPointwise(const SliceShape& shape, const Sizes& sizes, const Storage* features,
                            const Storage* kernels, const Storage* bias, Storage* output,
                            cudaStream_t stream) {
  constexpr int kLanes = kWideLanes<Storage>;
  if (VectorsFit<Storage>(shape, kLanes, {features, kernels, bias, output})) {
    return LaunchStrips(gpu::PointwiseKernel<Storage, kLanes>, sizes, kLanes, kMostRows, stream,
                        features, kernels, bias, output);
  }
  return LaunchStrips(gpu::PointwiseKernel<Storage, 1>, sizes, 1, kMostRows, stream, features,
                      kernels, bias, output);
}

}  // namespace

template <typename Storage>
const char* GpuForward(const SliceShape& shape, const Storage* features, const Storage* kernels,
                       const Storage* bias, Storage* output, cudaStream_t stream) {
  Sizes sizes;
  if (const char* error = SizesOf(shape, &sizes)) return error;
  if (HasNoPixels(shape)) return nullptr;
  if (shape.kernel_size == 1) {
    return LaunchPointwise(shape, sizes, features, kernels, bias, output, stream);
  }
  if (shape.kernel_size == 3) {
    constexpr int kLanes = kHalfSumLanes<Storage>;
    if (VectorsFit<Storage>(shape, kLanes, {features, kernels, bias, output})) {
      return LaunchStrips(gpu::ForwardOfThreeKernel<Storage, kLanes>, sizes, kLanes, kMostRows,
                          stream, features, kernels, bias, output);
    }
    return LaunchStrips(gpu::ForwardOfThreeKernel<Storage, 1>, sizes, 1, kMostRows, stream,
                        features, kernels, bias, output);
  }
  return LaunchStrips(gpu::CorrelateAnySizeKernel<false, Storage>, sizes, 1, 1, stream, features,
                      kernels, bias, output);
}

template <typename Storage>
const char* GpuFeaturesGrad(const SliceShape& shape, const Storage* kernels,
                            const Storage* output_grad, Storage* features_grad,
                            cudaStream_t stream) {
  Sizes sizes;
  if (const char* error = SizesOf(shape, &sizes)) return error;
  if (HasNoPixels(shape)) return nullptr;
  const Storage* no_bias = nullptr;
  if (shape.kernel_size == 1) {
    return LaunchPointwise(shape, sizes, output_grad, kernels, no_bias, features_grad, stream);
  }
  if (shape.kernel_size == 3) {
    constexpr int kLanes = kHalfSumLanes<Storage>;
    if (VectorsFit<Storage>(shape, kLanes, {kernels, output_grad, features_grad})) {
      return LaunchStrips(gpu::FeaturesGradOfThreeKernel<Storage, kLanes>, sizes, kLanes,
                          kMostRows, stream, kernels, output_grad, features_grad);
    }
    return LaunchStrips(gpu::FeaturesGradOfThreeKernel<Storage, 1>, sizes, 1, kMostRows, stream,
                        kernels, output_grad, features_grad);
  }
  return LaunchStrips(gpu::CorrelateAnySizeKernel<true, Storage>, sizes, 1, 1, stream, output_grad,
                      kernels, no_bias, features_grad);
}

template <typename Storage>
const char* GpuGridGrad(const SliceShape& shape, const Storage* features,
                        const Storage* output_grad, Storage* kernels_grad, Storage* bias_grad,
                        cudaStream_t stream) {
  Sizes sizes;
  if (const char* error = SizesOf(shape, &sizes)) return error;
  const int taps = sizes.kernel_size * sizes.kernel_size;
  const int64_t cells =
      shape.batch * shape.grid_height * shape.grid_width * shape.channels;
  if (cells == 0) return nullptr;
  if (HasNoPixels(shape)) {
    cudaError_t status = cudaMemsetAsync(kernels_grad, 0, cells * taps * sizeof(Storage), stream);
    if (status == cudaSuccess && bias_grad != nullptr) {
      status = cudaMemsetAsync(bias_grad, 0, cells * sizeof(Storage), stream);
    }
    return MessageOf(status);
  }
  constexpr int kWide = kWideSumLanes<Storage>;
  constexpr int kHalf = kHalfSumLanes<Storage>;
  const auto launch = [&](auto* launcher) {
    return launcher(sizes, features, output_grad, kernels_grad, bias_grad, stream);
  };
  const auto fit = [&](int lanes) {
    return VectorsFit<Storage>(shape, lanes, {features, output_grad, kernels_grad, bias_grad});
  };
  if (taps == 9 && fit(kHalf)) return launch(LaunchGridGrad<Storage, 3, kHalf>);
  if (taps == 9) return launch(LaunchGridGrad<Storage, 3, 1>);
  if (fit(kWide)) return launch(LaunchGridGrad<Storage, 1, kWide>);
  return launch(LaunchGridGrad<Storage, 1, 1>);
}

#define MALLENET_INSTANTIATE(Storage)                                                           \
  template const char* GpuForward(const SliceShape&, const Storage*, const Storage*,            \
                                  const Storage*, Storage*, cudaStream_t);                      \
  template const char* GpuFeaturesGrad(const SliceShape&, const Storage*, const Storage*,       \
                                       Storage*, cudaStream_t);                                 \
  template const char* GpuGridGrad(const SliceShape&, const Storage*, const Storage*, Storage*, \
                                   Storage*, cudaStream_t)

MALLENET_INSTANTIATE(float);
MALLENET_INSTANTIATE(double);
MALLENET_INSTANTIATE(Float16);
MALLENET_INSTANTIATE(BFloat16);

}  // namespace mallenet
