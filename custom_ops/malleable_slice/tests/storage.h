// Arrays of the op's element types, and their conversion from and to float64.

#ifndef MALLENET_MALLEABLE_SLICE_TESTS_STORAGE_H_
#define MALLENET_MALLEABLE_SLICE_TESTS_STORAGE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "custom_ops/malleable_slice/malleable_slice.h"

namespace mallenet {
namespace {

using Values = std::vector<double>;

// The largest relative rounding error.
constexpr double EpsilonOf(float) { return 0x1p-24; }
constexpr double EpsilonOf(double) { return 0x1p-53; }
constexpr double EpsilonOf(Float16) { return 0x1p-11; }
constexpr double EpsilonOf(BFloat16) { return 0x1p-8; }

// The rounding error of subnormal results: half the smallest number.
constexpr double TinyOf(Float16) { return 0x1p-25; }
template <typename Storage>
constexpr double TinyOf(Storage) { return std::numeric_limits<float>::min(); }

double FromStorage(float value) { return value; }
double FromStorage(double value) { return value; }
double FromStorage(Float16 value) {
  const int exponent = value.bits >> 10 & 31;
  const int mantissa = value.bits & 1023;
  double size = std::ldexp(exponent == 0 ? mantissa : mantissa + 1024, std::max(exponent, 1) - 25);
  if (exponent == 31) size = mantissa == 0 ? INFINITY : NAN;
  return value.bits & 0x8000 ? -size : size;
}
double FromStorage(BFloat16 value) {
  const uint32_t bits = uint32_t{value.bits} << 16;
  float widened;
  std::memcpy(&widened, &bits, sizeof(widened));
  return widened;
}

void ToStorage(double value, float* out) { *out = static_cast<float>(value); }
void ToStorage(double value, double* out) { *out = value; }
// For random inputs, which are normal numbers of order 1 or not finite; truncates.
void ToStorage(double value, Float16* out) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  out->bits = sign | (std::isnan(value) ? 0x7e00 : 0x7c00);
  if (!std::isfinite(value)) return;
  const int exponent = std::fabs(value) < 0x1p-14 ? -14 : std::ilogb(value);
  const auto steps = static_cast<uint16_t>(std::ldexp(std::fabs(value), 10 - exponent));
  out->bits = static_cast<uint16_t>(sign | (((exponent + 14) << 10) + steps));
}
void ToStorage(double value, BFloat16* out) {
  const auto narrowed = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &narrowed, sizeof(bits));
  out->bits = static_cast<uint16_t>(bits >> 16);
}

// An array in its own heap block, `offset` elements into it, so that sanitizers watch both ends.
// Blocks are aligned as by the allocators of frameworks.
template <typename Storage>
struct Array {
  struct Aligned : std::allocator<Storage> {
    template <typename Other>
    struct rebind {
      using other = Aligned;
    };
    Storage* allocate(size_t size) {
      return static_cast<Storage*>(::operator new(size * sizeof(Storage), std::align_val_t{64}));
    }
    void deallocate(Storage* block, size_t) { ::operator delete(block, std::align_val_t{64}); }
  };

  std::vector<Storage, Aligned> block;
  int offset;

  explicit Array(size_t size, int start = 0) : block(size + start), offset(start) {}
  Array(const Values& values, int start) : Array(values.size(), start) {
    for (size_t i = 0; i < values.size(); ++i) ToStorage(values[i], data() + i);
  }
  Storage* data() { return block.data() + offset; }
  Values Read() {
    Values values(block.size() - offset);
    for (size_t i = 0; i < values.size(); ++i) values[i] = FromStorage(data()[i]);
    return values;
  }
};

}  // namespace
}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_TESTS_STORAGE_H_
