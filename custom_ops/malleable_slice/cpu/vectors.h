// Vectors of fixed width, written with the compilers' vector extension. Loads widen and stores round
// the half-precision types in registers.

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "custom_ops/malleable_slice/cpu/kernels.h"

#define MALLENET_NOINLINE __attribute__((noinline))

// Only always-inlined functions pass vectors, so the calling convention does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace mallenet {
namespace MALLENET_ISA {

template <typename Element, int kLanes>
struct VectorOf {
  typedef Element type __attribute__((vector_size(kLanes * sizeof(Element))));
};
template <typename Element>
struct VectorOf<Element, 1> {
  using type = Element;
};
template <typename Element, int kLanes>
using Vector = typename VectorOf<Element, kLanes>::type;

template <typename To, typename From>
MALLENET_INLINE To BitCast(const From& from) {
  static_assert(sizeof(To) == sizeof(From), "BitCast keeps the size");
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

template <typename Element, int kLanes, typename From>
MALLENET_INLINE Vector<Element, kLanes> ConvertLanes(const From& from) {
  if constexpr (kLanes == 1) {
    return static_cast<Element>(from);
  } else {
    return __builtin_convertvector(from, Vector<Element, kLanes>);
  }
}

template <typename Element, int kLanes>
MALLENET_INLINE Vector<Element, kLanes> LoadRaw(const void* address) {
  Vector<Element, kLanes> value;
  std::memcpy(&value, address, sizeof(value));
  return value;
}

template <int kLanes>
MALLENET_INLINE Vector<float, kLanes> WidenBFloat16(Vector<uint16_t, kLanes> bits) {
  return BitCast<Vector<float, kLanes>>(ConvertLanes<uint32_t, kLanes>(bits) << 16);
}

// Rounds to nearest even; NaNs stay NaNs.
template <int kLanes>
MALLENET_INLINE Vector<uint16_t, kLanes> NarrowBFloat16(Vector<float, kLanes> value) {
  using Bits = Vector<uint32_t, kLanes>;
  const Bits bits = BitCast<Bits>(value);
  const Bits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const Bits quiet_nan = (bits >> 16) | 0x40u;
  const Bits result = (bits & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded;
  return ConvertLanes<uint16_t, kLanes>(result);
}

// Widens normal numbers by integer arithmetic and subnormal ones by an integer conversion, because
// TensorFlow's threads flush float subnormals to zero.
template <int kLanes>
MALLENET_INLINE Vector<float, kLanes> WidenFloat16(Vector<uint16_t, kLanes> half) {
  using Bits = Vector<uint32_t, kLanes>;
  using Floats = Vector<float, kLanes>;
  const Bits bits = ConvertLanes<uint32_t, kLanes>(half);
  const Bits magnitude = (bits & 0x7fffu) << 13;
  const Bits normal = magnitude + (112u << 23);
  const Bits non_finite = magnitude | 0x7f800000u;
  const Floats mantissa = ConvertLanes<float, kLanes>(
      BitCast<Vector<int32_t, kLanes>>(static_cast<Bits>(bits & 0x03ffu)));
  const Bits subnormal = BitCast<Bits>(static_cast<Floats>(mantissa * 0x1p-24f));
  Bits result = magnitude >= (0x7c00u << 13) ? non_finite : normal;
  result = magnitude < (0x0400u << 13) ? subnormal : result;
  return BitCast<Floats>(static_cast<Bits>(result | ((bits & 0x8000u) << 16)));
}

// Rounds to nearest even and overflows to infinity; NaNs stay NaNs.
template <int kLanes>
MALLENET_INLINE Vector<uint16_t, kLanes> NarrowFloat16(Vector<float, kLanes> value) {
  using Bits = Vector<uint32_t, kLanes>;
  using Floats = Vector<float, kLanes>;
  const Bits bits = BitCast<Bits>(value);
  const Bits magnitude = bits & 0x7fffffffu;
  const Bits normal = (magnitude - (112u << 23) + 0x0fffu + ((magnitude >> 13) & 1u)) >> 13;
  // Adding 0.5 leaves multiples of 2^-24, float16's smallest subnormal, in the low bits.
  const Floats shifted = BitCast<Floats>(magnitude) + 0.5f;
  const Bits subnormal = BitCast<Bits>(shifted) - 0x3f000000u;
  const Bits infinity = (magnitude & 0u) + 0x7c00u;
  const Bits quiet_nan = (magnitude & 0u) + 0x7e00u;
  Bits result = magnitude < 0x38800000u ? subnormal : normal;
  result = magnitude >= 0x477ff000u ? infinity : result;
  result = magnitude > 0x7f800000u ? quiet_nan : result;
  return ConvertLanes<uint16_t, kLanes>(static_cast<Bits>(result | ((bits >> 16) & 0x8000u)));
}

template <int kLanes>
MALLENET_INLINE Vector<float, kLanes> Load(const float* address) {
  return LoadRaw<float, kLanes>(address);
}
template <int kLanes>
MALLENET_INLINE Vector<double, kLanes> Load(const double* address) {
  return LoadRaw<double, kLanes>(address);
}
template <int kLanes>
MALLENET_INLINE Vector<float, kLanes> Load(const Float16* address) {
  return WidenFloat16<kLanes>(LoadRaw<uint16_t, kLanes>(address));
}
template <int kLanes>
MALLENET_INLINE Vector<float, kLanes> Load(const BFloat16* address) {
  return WidenBFloat16<kLanes>(LoadRaw<uint16_t, kLanes>(address));
}

template <int kLanes>
MALLENET_INLINE void Store(float* address, Vector<float, kLanes> value) {
  std::memcpy(address, &value, sizeof(value));
}
template <int kLanes>
MALLENET_INLINE void Store(double* address, Vector<double, kLanes> value) {
  std::memcpy(address, &value, sizeof(value));
}
template <int kLanes>
MALLENET_INLINE void Store(Float16* address, Vector<float, kLanes> value) {
  const Vector<uint16_t, kLanes> bits = NarrowFloat16<kLanes>(value);
  std::memcpy(address, &bits, sizeof(bits));
}
template <int kLanes>
MALLENET_INLINE void Store(BFloat16* address, Vector<float, kLanes> value) {
  const Vector<uint16_t, kLanes> bits = NarrowBFloat16<kLanes>(value);
  std::memcpy(address, &bits, sizeof(bits));
}

// Results larger than the caches are streamed around them: an ordinary store first reads the line
// that it replaces, a third of the traffic. This needs whole 64-byte lines, thus AVX-512. Results
// that overwrite the features are not streamed, because their lines are in the cache anyway.
#ifndef MALLENET_STREAMED_BYTES
#define MALLENET_STREAMED_BYTES (32 << 20)
#endif
constexpr int64_t kStreamedBytes = MALLENET_STREAMED_BYTES;
template <typename Storage>
constexpr bool kStreams = MALLENET_VECTOR_BYTES == 64 && sizeof(Storage) >= sizeof(float);

template <typename Storage>
MALLENET_INLINE bool ShouldStream(const SliceShape& shape, const Storage* output,
                                  const Storage* input) {
  const int64_t pixel_bytes = shape.channels * static_cast<int64_t>(sizeof(Storage));
  return kStreams<Storage> && output != input && pixel_bytes % 64 == 0 &&
         reinterpret_cast<uintptr_t>(output) % 64 == 0 &&
         shape.batch * shape.height * shape.width * pixel_bytes > kStreamedBytes;
}

// Stores a vector, around the caches if `stream`. FinishStreaming makes such stores visible to other
// threads.
template <int kLanes, typename Storage, typename Value>
MALLENET_INLINE void StoreOrStream([[maybe_unused]] bool stream, Storage* address, Value value) {
#if defined(__x86_64__) && MALLENET_VECTOR_BYTES == 64
  if constexpr (kStreams<Storage> && sizeof(Value) == 64) {
    if (stream) return _mm512_stream_si512(reinterpret_cast<__m512i*>(address),
                                           BitCast<__m512i>(value));
  }
#endif
  Store<kLanes>(address, value);
}

MALLENET_INLINE void FinishStreaming() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

// The weights of the upper grid columns, [W].
template <typename Accumulate>
MALLENET_INLINE const Accumulate* ColumnWeights(const SlicePlan& plan) {
  if constexpr (sizeof(Accumulate) == sizeof(double)) {
    return plan.weight_double.data();
  } else {
    return plan.weight_float.data();
  }
}

// Lane counts go down from a full register to 4 to 1, which covers any number of channels with few
// instantiations.
constexpr int FewerLanes(int lanes) { return lanes > 4 ? 4 : 1; }
template <typename Accumulate>
constexpr int kFullLanes = MALLENET_VECTOR_BYTES / static_cast<int>(sizeof(Accumulate));
// Whether an element type has its own code for K = 5. The others use the code for any K.
template <typename Storage>
constexpr bool kSpecializeFive = sizeof(Storage) == sizeof(float);

}  // namespace MALLENET_ISA
}  // namespace mallenet
