"""The rules that Bazel's C++ toolchain loads, as they are built into Bazel."""

cc_binary = native.cc_binary
cc_library = native.cc_library
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
