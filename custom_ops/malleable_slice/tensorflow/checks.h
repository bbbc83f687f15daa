// Checks that the shape functions and the kernels of the TensorFlow ops share.

#ifndef MALLENET_MALLEABLE_SLICE_TENSORFLOW_CHECKS_H_
#define MALLENET_MALLEABLE_SLICE_TENSORFLOW_CHECKS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mallenet {

// An error whose message starts with the op's name. Callers end it with what was received.
template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("malleable_slice: ", parts...));
}

// The bias is a list of inputs because TensorFlow has no optional inputs.
inline absl::Status CheckNumBias(int num_bias) {
  if (num_bias <= 1) return absl::OkStatus();
  return Invalid("num_bias must be 0 or 1. Received: num_bias=", num_bias);
}

// The odd K with K * K == taps, or 0 if there is none.
inline int64_t KernelSizeOf(int64_t taps) {
  for (int64_t size = 1; size * size <= taps; size += 2) {
    if (size * size == taps) return size;
  }
  return 0;
}

}  // namespace mallenet

#endif  // MALLENET_MALLEABLE_SLICE_TENSORFLOW_CHECKS_H_
