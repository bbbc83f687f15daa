// Checks the CPU kernels, those of the instruction set that MALLENET_SLICE_ISA names: their values,
// and that these do not depend on how the work is split. Compiled together with the
// malleable_slice_{cpu,base,avx2,avx512}.cc; with -DMALLENET_STREAMED_BYTES=0 small arrays are
// written around the caches as large ones are.
//
//   check_slice_cpu SEED CASES     prints "N checks passed", or what failed (exit status 1)

#include "../malleable_slice_cpu.h"
#include "slice_check.h"

namespace mallenet {
namespace {

// Calls work(begin, end) for [0, count), cut at random places.
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
void Compute(const Inputs<Storage>& in, const Outputs<Storage>& out) {
  const SliceKernels<Storage>& cpu = SliceKernelsForThisCpu<Storage>();
  const SlicePlan plan(in.shape);
  const int64_t rows = in.shape.batch * in.shape.height;
  const int64_t grid_rows = in.shape.batch * in.shape.grid_height;
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

// The gradients again, all of them in one pass, if K = 1.
template <typename Split, typename Storage>
void ComputePointwise(const Inputs<Storage>& in, const Outputs<Storage>& out) {
  if (in.shape.kernel_size != 1) return;
  const SlicePlan plan(in.shape);
  Split::Do(in.shape.batch * in.shape.grid_height, [&](int64_t begin, int64_t end) {
    SliceKernelsForThisCpu<Storage>().pointwise_grad(plan, in.features, in.kernels, in.output_grad,
                                                     out.features_grad, out.kernels_grad,
                                                     out.bias_grad, begin, end);
  });
}

template <typename Storage>
struct Copies {
  std::vector<Storage> output, features_grad, kernels_grad, bias_grad;

  Copies(const SliceShape& s, const Outputs<Storage>& out) {
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

// Leaves, for the oracle to look at, either the gradients in one pass, if K = 1, or the separate ones.
struct Cpu {
  template <typename Storage>
  static bool Run(const Inputs<Storage>& in, const Outputs<Storage>& out) {
    const SliceShape& s = in.shape;
    // The op's frame answers for empty images: no kernel is called then.
    if (s.batch * s.height * s.width * s.channels == 0) {
      const int64_t cells = s.batch * s.grid_height * s.grid_width * s.channels;
      std::fill_n(out.kernels_grad, cells * s.kernel_size * s.kernel_size, Storage{});
      if (out.bias_grad != nullptr) std::fill_n(out.bias_grad, cells, Storage{});
      return true;
    }
    Compute<Whole>(in, out);
    const Copies<Storage> whole(s, out);
    Compute<Pieces>(in, out);
    if (!(Copies<Storage>(s, out) == whole)) return false;
    if (Uniform(0, 1) == 0) return true;  // the oracle sees either these or the following
    ComputePointwise<Whole>(in, out);
    const Copies<Storage> pointwise(s, out);
    ComputePointwise<Pieces>(in, out);
    return Copies<Storage>(s, out) == pointwise;
  }
};

}  // namespace
}  // namespace mallenet

int main(int count, char** arguments) {
  std::printf("instruction set %s: ", mallenet::SliceInstructionSet());
  return mallenet::Main<mallenet::Cpu>(count, arguments, [] {});
}
