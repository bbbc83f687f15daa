// Checks the values of the CPU kernels, and that these do not depend on how the work is split.
// MALLENET_INSTRUCTION_SET names the instruction set. Link with cpu/*.cc and
// ../common/instruction_set.cc; -DMALLENET_STREAMED_BYTES=0 makes the kernels write small arrays
// around the caches, as they do large ones.
//
//   check_cpu SEED CASES     prints "N checks passed", or what failed (exit status 1)

#include <cstring>
#include <vector>

#include "custom_ops/common/instruction_set.h"
#include "custom_ops/malleable_slice/cpu/kernels.h"
#include "custom_ops/malleable_slice/tests/check.h"

namespace mallenet {
namespace {

// Calls work(begin, end) for [0, count), split at random places.
template <typename Work>
void InPieces(int64_t count, const Work& work) {
  for (int64_t begin = 0; begin < count;) {
    const int64_t end = std::min<int64_t>(count, begin + Uniform(1, 5));
    work(begin, end);
    begin = end;
  }
}

struct Whole {
  template <typename Work>
  static void Do(int64_t count, const Work& work) { work(0, count); }
};
struct Pieces {
  template <typename Work>
  static void Do(int64_t count, const Work& work) { InPieces(count, work); }
};

template <typename Split, typename Storage>
void Compute(const SliceShape& shape, const SliceInputs<Storage>& in,
             const SliceResults<Storage>& out) {
  const SliceKernels<Storage>& cpu = SliceKernelsForThisCpu<Storage>();
  const SlicePlan plan(shape);
  const int64_t rows = shape.batch * shape.height;
  const int64_t grid_rows = shape.batch * shape.grid_height;
  Split::Do(rows, [&](int64_t begin, int64_t end) {
    cpu.forward(plan, in.features, in.kernels, in.bias, out.output, begin, end);
  });
  Split::Do(rows, [&](int64_t begin, int64_t end) {
    cpu.features_grad(plan, in.kernels, in.output_grad, out.features_grad, begin, end);
  });
  Split::Do(grid_rows, [&](int64_t begin, int64_t end) {
    cpu.grid_grad(plan, in.features, in.output_grad, out.kernels_grad, out.bias_grad, begin, end);
  });
}

// For K = 1, the gradients again, all of them in one pass.
template <typename Split, typename Storage>
void ComputePointwise(const SliceShape& shape, const SliceInputs<Storage>& in,
                      const SliceResults<Storage>& out) {
  if (shape.kernel_size != 1) return;
  const SlicePlan plan(shape);
  Split::Do(shape.batch * shape.grid_height, [&](int64_t begin, int64_t end) {
    SliceKernelsForThisCpu<Storage>().pointwise_grad(plan, in.features, in.kernels, in.output_grad,
                                                     out.features_grad, out.kernels_grad,
                                                     out.bias_grad, begin, end);
  });
}

template <typename Storage>
struct Copies {
  std::vector<Storage> output, features_grad, kernels_grad, bias_grad;

  Copies(const SliceShape& s, const SliceResults<Storage>& out) {
    const int64_t pixels = s.batch * s.height * s.width * s.channels;
    const int64_t cells = s.batch * s.grid_height * s.grid_width * s.channels;
    output.assign(out.output, out.output + pixels);
    features_grad.assign(out.features_grad, out.features_grad + pixels);
    kernels_grad.assign(out.kernels_grad,
                        out.kernels_grad + cells * s.kernel_size * s.kernel_size);
    if (out.bias_grad != nullptr) bias_grad.assign(out.bias_grad, out.bias_grad + cells);
  }

  static bool SameBits(const std::vector<Storage>& a, const std::vector<Storage>& b) {
    return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(Storage)) == 0;
  }
  bool operator==(const Copies& other) const {
    return SameBits(output, other.output) && SameBits(features_grad, other.features_grad) &&
           SameBits(kernels_grad, other.kernels_grad) && SameBits(bias_grad, other.bias_grad);
  }
};

// Leaves, for K = 1, either the gradients of the single pass or the separate ones to be compared.
struct Cpu {
  template <typename Storage>
  static bool Run(const SliceShape& s, const SliceInputs<Storage>& in,
                  const SliceResults<Storage>& out) {
    // The TensorFlow kernel calls no CPU kernel for empty images.
    if (s.batch * s.height * s.width * s.channels == 0) {
      const int64_t cells = s.batch * s.grid_height * s.grid_width * s.channels;
      std::fill_n(out.kernels_grad, cells * s.kernel_size * s.kernel_size, Storage{});
      if (out.bias_grad != nullptr) std::fill_n(out.bias_grad, cells, Storage{});
      return true;
    }
    Compute<Whole>(s, in, out);
    const Copies<Storage> whole(s, out);
    Compute<Pieces>(s, in, out);
    if (!(Copies<Storage>(s, out) == whole)) return false;
    if (Uniform(0, 1) == 0) return true;
    ComputePointwise<Whole>(s, in, out);
    const Copies<Storage> pointwise(s, out);
    ComputePointwise<Pieces>(s, in, out);
    return Copies<Storage>(s, out) == pointwise;
  }
};

}  // namespace
}  // namespace mallenet

int main(int count, char** arguments) {
  std::printf("instruction set %s: ", mallenet::NameOf(mallenet::CurrentInstructionSet()));
  return mallenet::Main<mallenet::Cpu>(count, arguments, [] {});
}
