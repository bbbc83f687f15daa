// Compares the CPU kernel with reference.h for random shapes, and checks that the values do not
// depend on how the work is split. MALLENET_INSTRUCTION_SET names the instruction set. Link with
// cpu/*.cc and ../common/instruction_set.cc.
//
//   check_cpu SEED CASES     prints "N checks passed", or what failed (exit status 1)

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "custom_ops/common/instruction_set.h"
#include "custom_ops/inverted_bottleneck/cpu/kernels.h"
#include "custom_ops/inverted_bottleneck/reference.h"

namespace mallenet {
namespace {

std::mt19937 generator;
int failures = 0;
int64_t checks = 0;

int Uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }

std::vector<float> Random(int64_t size, float deviation) {
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(size);
  for (float& value : values) value = normal(generator);
  return values;
}

// Mostly small shapes, sometimes so wide that the image is cut into strips.
BottleneckShape RandomShape() {
  const int channels = Uniform(0, 3) == 0 ? Uniform(17, 70) : Uniform(1, 16);
  const int width = Uniform(0, 4) == 0 ? Uniform(200, 500) : Uniform(1, 30);
  return {Uniform(1, 2), Uniform(1, 7), width, channels, channels * Uniform(1, 3)};
}

std::vector<float> Run(const BottleneckPlan& plan, const std::vector<float>& features,
                       int longest_piece) {
  const BottleneckKernel& kernel = BottleneckKernelForThisCpu();
  const int64_t units = plan.shape.batch * plan.strips * plan.shape.height;
  std::vector<float> output(features.size());
  for (int64_t begin = 0; begin < units;) {
    const int64_t end = std::min<int64_t>(units, begin + Uniform(1, longest_piece));
    kernel.run(plan, features.data(), output.data(), begin, end);
    begin = end;
  }
  return output;
}

void Fail(const char* what, const BottleneckShape& s) {
  std::printf("wrong: %s for N %d, H %d, W %d, C %d, E %d\n", what, int(s.batch), int(s.height),
              int(s.width), int(s.channels), int(s.inner));
  if (++failures > 20) std::exit(1);
}

void Check(const BottleneckShape& s) {
  const float scale = 1 / std::sqrt(static_cast<float>(s.inner));
  const std::vector<float> features = Random(s.batch * s.height * s.width * s.channels, 1);
  const std::vector<float> parameters[] = {
      Random(s.channels * s.inner, scale), Random(s.inner, 1), Random(s.inner, 1),
      Random(9 * s.inner, 0.3f),           Random(s.inner, 1), Random(s.inner, 1),
      Random(s.inner * s.channels, scale), Random(s.channels, 1)};
  const BottleneckWeights weights{parameters[0].data(), parameters[1].data(),
                                  parameters[2].data(), parameters[3].data(),
                                  parameters[4].data(), parameters[5].data(),
                                  parameters[6].data(), parameters[7].data()};
  std::vector<double> expected(features.size());
  BottleneckReference(s, weights, features.data(), expected.data());
  const BottleneckPlan plan = MakePlan(s, weights, BottleneckKernelForThisCpu().lanes);
  const std::vector<float> found = Run(plan, features, 1 << 20);
  if (Run(plan, features, 5) != found) Fail("the values depend on the split", s);
  for (size_t i = 0; i < found.size(); ++i) {
    ++checks;
    if (std::fabs(found[i] - expected[i]) <= 1e-4) continue;
    std::printf("output[%zu] is %.9g, not %.9g\n", i, found[i], expected[i]);
    Fail("output", s);
  }
}

}  // namespace
}  // namespace mallenet

int main(int count, char** arguments) {
  using namespace mallenet;
  if (count != 3) {
    std::fprintf(stderr, "usage: %s SEED CASES\n", arguments[0]);
    return 2;
  }
  std::printf("instruction set %s: ", NameOf(CurrentInstructionSet()));
  generator.seed(static_cast<unsigned>(std::atoi(arguments[1])));
  for (int i = 0; i < std::atoi(arguments[2]); ++i) Check(RandomShape());
  if (failures > 0) return 1;
  std::printf("%lld checks passed\n", static_cast<long long>(checks));
  return 0;
}
