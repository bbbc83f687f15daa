// Checks an implementation against the equations of malleable_slice.h, written out as loops over
// single numbers in float64. Included by one program for each implementation.

#ifndef MALLENET_TESTS_SLICE_CHECK_H_
#define MALLENET_TESTS_SLICE_CHECK_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "../malleable_slice.h"

namespace mallenet {
namespace {

using Values = std::vector<double>;
std::mt19937 generator;
int failures = 0;
int64_t checks = 0;

int Uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }

// Conversions.

constexpr double EpsilonOf(float) { return 0x1p-24; }
constexpr double EpsilonOf(double) { return 0x1p-53; }
constexpr double EpsilonOf(Float16) { return 0x1p-11; }
constexpr double EpsilonOf(BFloat16) { return 0x1p-8; }

// Half the smallest number: the rounding error of the tiniest results.
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
// Normal numbers of order 1 and what is not finite: enough for making up inputs, cut off, which is
// as good as rounding.
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

// What an implementation gets, and what it fills in. bias and bias_grad may be null.
template <typename Storage>
struct Inputs {
  SliceShape shape;
  const Storage *features, *kernels, *bias, *output_grad;
};
template <typename Storage>
struct Outputs {
  Storage *output, *features_grad, *kernels_grad, *bias_grad;
};

// An array of its own heap block, `offset` elements into it, for sanitizers to watch both ends. Blocks
// are aligned as the allocators of frameworks align them.
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

// The oracle.

// a(position, cell) of the contract: a hat function around the cell.
double WeightOf(int64_t position, int64_t size, int64_t cell, int64_t cells) {
  int64_t g = (2 * position + 1) * cells - size;  // in units of 1 / (2 * size)
  g = std::max<int64_t>(0, std::min<int64_t>(g, 2 * size * (cells - 1)));
  const int64_t distance = std::abs(g - 2 * size * cell);
  return distance >= 2 * size ? 0 : 1 - static_cast<double>(distance) / (2 * size);
}

struct Results {
  Values output, features_grad, kernels_grad, bias_grad;
};

// Visits every pair of a pixel and a cell that it mixes, with the cell's weight.
template <typename Visit>
void ForEachPair(const SliceShape& s, const Visit& visit) {
  for (int64_t n = 0; n < s.batch; ++n)
    for (int64_t y = 0; y < s.height; ++y)
      for (int64_t v = 0; v < s.grid_height; ++v) {
        const double row_weight = WeightOf(y, s.height, v, s.grid_height);
        if (row_weight == 0) continue;
        for (int64_t x = 0; x < s.width; ++x)
          for (int64_t u = 0; u < s.grid_width; ++u) {
            const double weight = row_weight * WeightOf(x, s.width, u, s.grid_width);
            if (weight == 0) continue;
            const int64_t pixel = (n * s.height + y) * s.width + x;
            visit(pixel, y, x, (n * s.grid_height + v) * s.grid_width + u, weight);
          }
      }
}

// `weighted` false: every cell that is mixed counts fully.
Results Expected(const SliceShape& s, const Values& features, const Values& kernels,
                 const Values& bias, const Values& output_grad, bool weighted = true) {
  Results r{Values(features.size()), Values(features.size()), Values(kernels.size()),
            Values(bias.size())};
  const int64_t size = s.kernel_size, channels = s.channels;
  ForEachPair(s, [&](int64_t pixel, int64_t y, int64_t x, int64_t cell, double weight) {
    if (!weighted) weight = 1;
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t at = pixel * channels + c;
      if (!bias.empty()) {
        r.output[at] += weight * bias[cell * channels + c];
        r.bias_grad[cell * channels + c] += weight * output_grad[at];
      }
      for (int64_t j = 0; j < size * size; ++j) {
        const int64_t dy = j / size - size / 2, dx = j % size - size / 2;
        if (y + dy < 0 || y + dy >= s.height || x + dx < 0 || x + dx >= s.width) continue;
        const int64_t source = (pixel + dy * s.width + dx) * channels + c;
        const int64_t tap = (cell * size * size + j) * channels + c;
        r.output[at] += weight * kernels[tap] * features[source];
        r.features_grad[source] += weight * kernels[tap] * output_grad[at];
        r.kernels_grad[tap] += weight * features[source] * output_grad[at];
      }
    }
  });
  return r;
}

Values Absolute(Values values) {
  for (double& value : values) value = std::fabs(value);
  return values;
}

// Comparison.

void Fail(const char* what, const SliceShape& s) {
  std::printf("wrong: %s for N %d, H %d, W %d, C %d, h %d, w %d, K %d\n", what, int(s.batch),
              int(s.height), int(s.width), int(s.channels), int(s.grid_height),
              int(s.grid_width), int(s.kernel_size));
  if (++failures > 20) std::exit(1);
}

// `size` is the sum of the absolute values of the numbers that each result is made of. Cells count
// fully: lower + (upper - lower) * weight rounds `lower` even where little of it is left.
template <typename Storage>
void Compare(const char* what, const SliceShape& s, const Values& found, const Values& expected,
             const Values& size) {
  const double sum_epsilon = std::min(EpsilonOf(Storage{}), 0x1p-24);
  for (size_t i = 0; i < found.size(); ++i) {
    ++checks;
    const double tolerance = 1.01 * EpsilonOf(Storage{}) * std::fabs(expected[i]) +
                             8 * sum_epsilon * size[i] + TinyOf(Storage{});
    const bool right = std::isfinite(expected[i]) ? std::fabs(found[i] - expected[i]) <= tolerance
                                                  : !std::isfinite(found[i]);
    if (right) continue;
    std::printf("%s[%zu] of %zu-byte storage is %.9g, not %.9g\n", what, i, sizeof(Storage),
                found[i], expected[i]);
    Fail(what, s);
  }
}

Values Random(int64_t size) {
  std::normal_distribution<double> normal;
  Values values(size);
  for (double& value : values) value = normal(generator);
  return values;
}

struct Case {
  SliceShape shape;
  bool has_bias = true;
  int offset = 0;  // of every array, in elements: breaks the alignment of vectors
  // One non-finite number, which must reach what depends on it and nothing else: in which input
  // (features, kernels, bias, output_grad; none below 0), and where, from 0 to 1.
  int poisoned = -1;
  double position = 0;
};

template <typename Implementation, typename Storage>
void Check(const Case& c) {
  const SliceShape& s = c.shape;
  const int64_t pixels = s.batch * s.height * s.width * s.channels;
  const int64_t cells = s.batch * s.grid_height * s.grid_width * s.channels;
  Values inputs[] = {Random(pixels), Random(cells * s.kernel_size * s.kernel_size),
                     Random(c.has_bias ? cells : 0), Random(pixels)};
  if (c.poisoned >= 0 && !inputs[c.poisoned].empty()) {
    Values& values = inputs[c.poisoned];
    values[std::llround(c.position * (values.size() - 1))] =
        Uniform(0, 1) == 0 ? INFINITY : std::numeric_limits<double>::quiet_NaN();
  }
  Array<Storage> features(inputs[0], c.offset), kernels(inputs[1], c.offset),
      bias(inputs[2], c.offset), output_grad(inputs[3], c.offset);
  Array<Storage> output(pixels, c.offset), features_grad(pixels, c.offset),
      kernels_grad(inputs[1].size(), c.offset), bias_grad(inputs[2].size(), c.offset);
  Storage* const bias_data = c.has_bias ? bias.data() : nullptr;
  Storage* const bias_grad_data = c.has_bias ? bias_grad.data() : nullptr;
  const bool ran =
      Implementation::template Run<Storage>({s, features.data(), kernels.data(), bias_data, output_grad.data()},
                          {output.data(), features_grad.data(), kernels_grad.data(),
                           bias_grad_data});
  if (!ran) return Fail("the implementation failed", s);

  const Values f = features.Read(), k = kernels.Read(), b = bias.Read(), d = output_grad.Read();
  const Results expected = Expected(s, f, k, b, d);
  const Results size = Expected(s, Absolute(f), Absolute(k), Absolute(b), Absolute(d), false);
  Compare<Storage>("output", s, output.Read(), expected.output, size.output);
  Compare<Storage>("features_grad", s, features_grad.Read(), expected.features_grad,
                   size.features_grad);
  Compare<Storage>("kernels_grad", s, kernels_grad.Read(), expected.kernels_grad,
                   size.kernels_grad);
  Compare<Storage>("bias_grad", s, bias_grad.Read(), expected.bias_grad, size.bias_grad);
}

int OneOf(std::initializer_list<int> values) {
  return *(values.begin() + Uniform(0, static_cast<int>(values.size()) - 1));
}

// Small sizes mostly, and now and then one long side, an empty one, or a fine grid.
Case RandomCase() {
  const auto side = [](int one_in) {
    if (Uniform(1, one_in) == 1) return 0;
    return Uniform(0, 9) == 0 ? Uniform(40, 90) : Uniform(1, 20);
  };
  const int height = side(20);
  const int width = side(30);
  const int most_channels = height * width > 800 ? 8 : 70;
  const int channels =
      std::min(most_channels, OneOf({1, 2, 3, 4, 5, 8, 12, 16, 24, 40, 64, Uniform(1, 70)}));
  return {{Uniform(0, 19) == 0 ? 0 : Uniform(1, 2), height, width, channels,
           Uniform(0, 3) == 0 ? Uniform(1, 24) : Uniform(1, height / 2 + 1),
           Uniform(0, 3) == 0 ? Uniform(1, 24) : Uniform(1, width / 2 + 1),
           OneOf({1, 1, 1, 3, 3, 3, 5, 7})},
          Uniform(0, 2) != 0,
          Uniform(0, 3) == 0 ? 1 : 0,
          Uniform(-4, 3),
          Uniform(0, 1000) / 1000.0};
}

template <typename Implementation>
void CheckAnyStorage(const Case& c) {
  Check<Implementation, float>(c);
  Check<Implementation, double>(c);
  Check<Implementation, Float16>(c);
  Check<Implementation, BFloat16>(c);
}

// Shapes whose work is cut in ways that random ones rarely are.
template <typename Implementation>
void CheckFixedCases() {
  const SliceShape shapes[] = {
      {1, 1, 1, 1, 1, 1, 1},      {1, 1, 1, 8, 1, 1, 3},    {1, 1, 70, 4, 1, 9, 3},
      {1, 70, 1, 4, 9, 1, 3},     {1, 16, 16, 16, 16, 16, 1}, {1, 6, 5, 3, 13, 11, 3},
      {1, 24, 260, 2, 2, 40, 1},  {1, 20, 24, 72, 5, 3, 1},  {1, 33, 150, 8, 1, 1, 1},
      {1, 9, 12, 140, 2, 4, 3},  {1, 5, 6, 2, 2, 3, 11},    {300, 2, 3, 8, 1, 2, 3},
  };
  for (const SliceShape& shape : shapes) {
    Check<Implementation, float>({shape});
    Check<Implementation, Float16>({shape});
  }
}

// Corners, where taps leave the image, and the middle of a 3 x 3 grid, where pixels take from one
// cell only because their weight for the next is exactly zero.
template <typename Implementation>
void CheckLocality() {
  for (const int size : {1, 3, 5}) {
    for (const int64_t channels : {1, 4}) {
      for (int input = 0; input < 4; ++input) {
        for (const double position : {0.0, 0.44, 0.5, 0.51, 1.0}) {
          Check<Implementation, float>({{1, 9, 9, channels, 3, 3, size}, true, 0, input, position});
        }
      }
    }
  }
}

// `usage: PROGRAM SEED CASES`; `before_case` runs before each random one.
template <typename Implementation, typename BeforeCase>
int Main(int count, char** arguments, const BeforeCase& before_case) {
  if (count != 3) {
    std::fprintf(stderr, "usage: %s SEED CASES\n", arguments[0]);
    return 2;
  }
  generator.seed(static_cast<unsigned>(std::atoi(arguments[1])));
  CheckFixedCases<Implementation>();
  CheckLocality<Implementation>();
  for (int i = 0; i < std::atoi(arguments[2]); ++i) {
    before_case();
    CheckAnyStorage<Implementation>(RandomCase());
  }
  if (failures > 0) return 1;
  std::printf("%lld checks passed\n", static_cast<long long>(checks));
  return 0;
}

}  // namespace
}  // namespace mallenet

#endif  // MALLENET_TESTS_SLICE_CHECK_H_
