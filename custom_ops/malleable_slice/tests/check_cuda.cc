// Checks the CUDA kernels on the host. Compile together with cuda/launchers.cu.cc, both with
// `-include tests/cuda_on_host.h`.
//
//   check_cuda SEED CASES     prints "N checks passed", or what failed (exit status 1)

#include "custom_ops/malleable_slice/cuda/launchers.h"
#include "custom_ops/malleable_slice/tests/check.h"

namespace mallenet {
namespace {

bool Succeeds(const char* error) {
  if (error != nullptr) std::printf("a launcher refused: %s\n", error);
  return error == nullptr;
}

struct Cuda {
  template <typename Storage>
  static bool Run(const SliceShape& shape, const SliceInputs<Storage>& in,
                  const SliceResults<Storage>& out) {
    return Succeeds(GpuForward<Storage>(shape, in.features, in.kernels, in.bias, out.output,
                                        nullptr)) &&
           Succeeds(GpuFeaturesGrad<Storage>(shape, in.kernels, in.output_grad,
                                             out.features_grad, nullptr)) &&
           Succeeds(GpuGridGrad<Storage>(shape, in.features, in.output_grad, out.kernels_grad,
                                         out.bias_grad, nullptr));
  }
};

void CheckRefusal() {
  SliceShape shape{1, kGpuSizeLimit, 1, 1, 1, 1, 1};
  float value = 0;
  if (GpuForward<float>(shape, &value, &value, nullptr, &value, nullptr) == nullptr) {
    std::printf("a size beyond the limit was not refused\n");
    ++failures;
  }
}

}  // namespace
}  // namespace mallenet

int main(int count, char** arguments) {
  using namespace mallenet;
  CheckRefusal();
  return Main<Cuda>(count, arguments, [] {
    cuda_on_host::largest_grid = Uniform(0, 1) == 0 ? Uniform(1, 3) : 0x7fffffff;
  });
}
