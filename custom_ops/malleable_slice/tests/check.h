// Compares an implementation with reference.h, for fixed and for random shapes. Each implementation
// has a program that includes this.

#ifndef MALLENET_MALLEABLE_SLICE_TESTS_CHECK_H_
#define MALLENET_MALLEABLE_SLICE_TESTS_CHECK_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <random>

#include "custom_ops/malleable_slice/reference.h"
#include "custom_ops/malleable_slice/tests/storage.h"

namespace mallenet {
namespace {

std::mt19937 generator;
int failures = 0;
int64_t checks = 0;

int Uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }

// What SliceReference computes.
struct Expected {
  Values output, features_grad, kernels_grad, bias_grad;

  Expected(const SliceShape& shape, const Values& features, const Values& kernels,
           const Values& bias, const Values& output_grad,
           double (*weight_of)(int64_t, int64_t, int64_t, int64_t) = CellWeight)
      : output(features.size()),
        features_grad(features.size()),
        kernels_grad(kernels.size()),
        bias_grad(bias.size()) {
    SliceReference(shape,
                   {features.data(), kernels.data(), bias.empty() ? nullptr : bias.data(),
                    output_grad.data()},
                   {output.data(), features_grad.data(), kernels_grad.data(), bias_grad.data()},
                   weight_of);
  }
};

// 1 for every cell that a pixel mixes.
double IsMixed(int64_t position, int64_t size, int64_t cell, int64_t cells) {
  return CellWeight(position, size, cell, cells) > 0 ? 1 : 0;
}

Values Absolute(Values values) {
  for (double& value : values) value = std::fabs(value);
  return values;
}

void Fail(const char* what, const SliceShape& s) {
  std::printf("wrong: %s for N %d, H %d, W %d, C %d, h %d, w %d, K %d\n", what, int(s.batch),
              int(s.height), int(s.width), int(s.channels), int(s.grid_height),
              int(s.grid_width), int(s.kernel_size));
  if (++failures > 20) std::exit(1);
}

// `size` is the sum of the absolute values of the terms of each result, with every mixed cell at
// weight 1: lower + (upper - lower) * weight rounds `lower` whatever its weight.
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
  int offset = 0;  // Of every array, in elements: breaks the alignment of vectors.
  // One non-finite number, which must reach what depends on it and nothing else: in which input
  // (features, kernels, bias, output_grad; none if negative), and where, from 0 to 1.
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
  const bool ran = Implementation::template Run<Storage>(
      s, {features.data(), kernels.data(), bias_data, output_grad.data()},
      {output.data(), features_grad.data(), kernels_grad.data(), bias_grad_data});
  if (!ran) return Fail("the implementation failed", s);

  const Values f = features.Read(), k = kernels.Read(), b = bias.Read(), d = output_grad.Read();
  const Expected expected(s, f, k, b, d);
  const Expected size(s, Absolute(f), Absolute(k), Absolute(b), Absolute(d), IsMixed);
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

// Mostly small sizes, sometimes a long side, an empty one, or a fine grid.
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

// Shapes that split the work in ways that random ones rarely do.
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

// One non-finite number at a corner, where taps leave the image, or in the middle of a 3 x 3 grid,
// where pixels use a single cell because the weight of the next is exactly zero.
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

// Runs `PROGRAM SEED CASES`; calls `before_case` before each random case.
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

#endif  // MALLENET_MALLEABLE_SLICE_TESTS_CHECK_H_
