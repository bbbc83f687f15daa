// Shared by the CUDA kernels: short vectors that a thread loads and stores at once, and the walk
// along image rows and columns that finds the grid cells that a pixel mixes.

#ifndef MALLENET_MALLEABLE_SLICE_CUDA_VECTORS_CUH_
#define MALLENET_MALLEABLE_SLICE_CUDA_VECTORS_CUH_

#ifdef __CUDACC__
#include <cuda_fp16.h>
#endif

#include <cstdint>
#include <cstring>

#include "custom_ops/malleable_slice/malleable_slice.h"

namespace mallenet {
namespace gpu {

// SliceShape in 32-bit integers, which are cheaper to compute with.
struct Sizes {
  int64_t batch;
  int height, width, channels, grid_height, grid_width, kernel_size;

  // Elements of a row of the image, of the bias and of the kernels.
  __device__ int64_t ImageRow() const { return static_cast<int64_t>(width) * channels; }
  __device__ int64_t BiasRow() const { return static_cast<int64_t>(grid_width) * channels; }
  __device__ int64_t KernelRow() const { return BiasRow() * (kernel_size * kernel_size); }
};

template <typename Storage>
struct AccumulatorOf {
  using type = float;
};
template <>
struct AccumulatorOf<double> {
  using type = double;
};
template <typename Storage>
using Accumulator = typename AccumulatorOf<Storage>::type;

__device__ __forceinline__ float Widen(float value) { return value; }
__device__ __forceinline__ double Widen(double value) { return value; }
__device__ __forceinline__ float Widen(Float16 value) {
  return __half2float(__ushort_as_half(value.bits));
}
__device__ __forceinline__ float Widen(BFloat16 value) {
  return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
}

__device__ __forceinline__ void Narrow(float value, float* out) { *out = value; }
__device__ __forceinline__ void Narrow(double value, double* out) { *out = value; }
__device__ __forceinline__ void Narrow(float value, Float16* out) {
  out->bits = __half_as_ushort(__float2half_rn(value));
}
// Rounds to nearest even; NaNs stay NaNs. sm_75 does not have the intrinsic.
__device__ __forceinline__ void Narrow(float value, BFloat16* out) {
  const uint32_t bits = __float_as_uint(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  out->bits = static_cast<uint16_t>(is_nan ? (bits >> 16) | 0x40u : rounded);
}

// kLanes consecutive channels as stored. The alignment makes a load or store one instruction.
template <typename Storage, int kLanes>
struct alignas(sizeof(Storage) * kLanes) Pack {
  Storage lane[kLanes];
};

// The same channels to compute with; aligned for shared memory, which moves 16 bytes at a time.
constexpr int VectorAlignment(int bytes) { return bytes < 16 ? bytes : 16; }
template <typename Number, int kLanes>
struct alignas(VectorAlignment(kLanes * sizeof(Number))) Vector {
  Number lane[kLanes];
};
template <typename Storage, int kLanes>
using Sum = Vector<Accumulator<Storage>, kLanes>;

template <int kLanes, typename Storage>
__device__ __forceinline__ Pack<Storage, kLanes> LoadPack(const Storage* address) {
  return *reinterpret_cast<const Pack<Storage, kLanes>*>(address);
}

template <typename Storage, int kLanes>
__device__ __forceinline__ Sum<Storage, kLanes> Unpack(const Pack<Storage, kLanes>& pack) {
  Sum<Storage, kLanes> value;
#pragma unroll
  for (int i = 0; i < kLanes; ++i) value.lane[i] = Widen(pack.lane[i]);
  return value;
}

template <int kLanes, typename Storage>
__device__ __forceinline__ Sum<Storage, kLanes> Load(const Storage* address) {
  return Unpack(LoadPack<kLanes>(address));
}

template <typename Storage, typename Number, int kLanes>
__device__ __forceinline__ void Store(Storage* address, const Vector<Number, kLanes>& value) {
  Pack<Storage, kLanes> pack;
#pragma unroll
  for (int i = 0; i < kLanes; ++i) Narrow(value.lane[i], &pack.lane[i]);
  *reinterpret_cast<Pack<Storage, kLanes>*>(address) = pack;
}

// from + slope * weight
template <typename Number, int kLanes>
__device__ __forceinline__ Vector<Number, kLanes> Along(const Vector<Number, kLanes>& from,
                                                        const Vector<Number, kLanes>& slope,
                                                        Number weight) {
  Vector<Number, kLanes> value;
#pragma unroll
  for (int i = 0; i < kLanes; ++i) value.lane[i] = from.lane[i] + slope.lane[i] * weight;
  return value;
}

template <typename Number, int kLanes>
__device__ __forceinline__ Vector<Number, kLanes> Plus(const Vector<Number, kLanes>& left,
                                                       const Vector<Number, kLanes>& right) {
  return Along(left, right, Number{1});
}

template <typename Number, int kLanes>
__device__ __forceinline__ Vector<Number, kLanes> Minus(const Vector<Number, kLanes>& left,
                                                        const Vector<Number, kLanes>& right) {
  return Along(left, right, Number{-1});
}

template <typename Number, int kLanes>
__device__ __forceinline__ Vector<Number, kLanes> Times(const Vector<Number, kLanes>& left,
                                                        Number right) {
  Vector<Number, kLanes> value;
#pragma unroll
  for (int i = 0; i < kLanes; ++i) value.lane[i] = left.lane[i] * right;
  return value;
}

template <typename Number, int kLanes>
__device__ __forceinline__ void AddProduct(Vector<Number, kLanes>* sum,
                                           const Vector<Number, kLanes>& left,
                                           const Vector<Number, kLanes>& right) {
#pragma unroll
  for (int i = 0; i < kLanes; ++i) sum->lane[i] += left.lane[i] * right.lane[i];
}

// GridTapAt of one pixel after the other, without a division per pixel.
template <typename Number>
class GridWalk {
 public:
  __device__ GridWalk(int position, int size, int cells, int step = 1)
      : denominator_(2 * size), last_(cells - 1), inverse_(Number{1} / denominator_) {
    // 2 * size * g, as in GridTapAt. The quotient is -1 for pixels before the first cell's center.
    const int64_t numerator = (2 * static_cast<int64_t>(position) + 1) * cells - size;
    quotient_ = numerator < 0 ? -1 : static_cast<int>(numerator / denominator_);
    remainder_ = static_cast<int>(numerator - static_cast<int64_t>(quotient_) * denominator_);
    const int64_t advance = 2 * static_cast<int64_t>(cells) * step;
    quotient_step_ = static_cast<int>(advance / denominator_);
    remainder_step_ =
        static_cast<int>(advance - static_cast<int64_t>(quotient_step_) * denominator_);
  }

  __device__ __forceinline__ void Step() {
    quotient_ += quotient_step_;
    remainder_ += remainder_step_;
    if (remainder_ >= denominator_) {
      remainder_ -= denominator_;
      ++quotient_;
    }
  }

  __device__ __forceinline__ int lower() const {
    return quotient_ < 0 ? 0 : quotient_ < last_ ? quotient_ : last_;
  }
  // Whether the upper cell has a weight. If not, it is neither read nor written.
  __device__ __forceinline__ bool mixes() const {
    return quotient_ >= 0 && quotient_ < last_ && remainder_ != 0;
  }
  __device__ __forceinline__ int upper() const { return lower() + (mixes() ? 1 : 0); }
  __device__ __forceinline__ Number weight() const {
    return mixes() ? static_cast<Number>(remainder_) * inverse_ : Number{0};
  }

 private:
  int denominator_, last_;
  int quotient_, remainder_;
  int quotient_step_, remainder_step_;
  Number inverse_;
};

// The two grid columns that a pixel column mixes.
template <typename Number>
struct ColumnTap {
  int lower, upper;
  Number weight;

  __device__ ColumnTap() {}
  __device__ ColumnTap(int x, int width, int cells) {
    const GridTap tap = GridTapAt(x, width, cells);
    lower = static_cast<int>(tap.lower);
    upper = static_cast<int>(tap.upper);
    weight = static_cast<Number>(tap.weight);
  }
};

// The value at `column` of a grid row whose cells are `cell_size` apart.
template <int kLanes, typename Storage>
__device__ __forceinline__ Sum<Storage, kLanes> MixColumns(
    const Storage* row, int64_t cell_size, const ColumnTap<Accumulator<Storage>>& column) {
  const auto left = Load<kLanes>(row + column.lower * cell_size);
  const auto right = Load<kLanes>(row + column.upper * cell_size);
  return Along(left, Minus(right, left), column.weight);
}

}  // namespace gpu
}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_CUDA_VECTORS_CUH_
