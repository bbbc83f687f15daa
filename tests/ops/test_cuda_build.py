"""Building the native library with CUDA kernels, and choosing them.

No test needs a GPU. What depends on nvcc is skipped without one; the rest uses a script in its
place, which hands the work to g++.
"""

import json
import logging
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels as registry

from mallenet_tf.ops import build, loader, malleable_slice
from mallenet_tf.ops.native_build import compilers, sources, stamp
from mallenet_tf.ops.native_build import library as builds
from mallenet_tf.ops.native_build.commands import BUILD_COMMAND, BuildError
from mallenet_tf.ops.native_build.installed_tensorflow import TensorFlow, find_tensorflow

GPU_TYPES = {tf.float16, tf.bfloat16, tf.float32, tf.float64}

# Answers questions as an nvcc would that does not know sm_75; logs other commands, and has g++ run
# them without the options that only nvcc has.
NVCC = """#!/bin/sh
case "$1" in
  --version) printf 'nvcc\\nCuda compilation tools, release %(release)s\\nend\\n'; exit ;;
  --list-gpu-arch) printf 'compute_70\\ncompute_80\\ncompute_90\\n'; exit ;;
esac
echo "$*" >> "%(log)s"
for word in "$@"; do
  shift
  case "$before $word" in
    *" -gencode="*|*" -Xcompiler"|*" -x"|"-x "*|*" --threads"|"--threads "*) ;;
    *" -ccbin"|"-ccbin "*|*" -cudart"|"-cudart "*) ;;
    *) set -- "$@" "$word" ;;
  esac
  before="$word"
done
exec g++ "$@"
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A source tree of a C++ and a CUDA file, a CUDA build of TensorFlow, and no nvcc."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    folder = tmp_path / "root" / sources.SOURCE_FOLDER / "answer"
    folder.mkdir(parents=True)
    (folder / "answer.cc").write_text(
        '#ifdef MALLENET_CUDA\nint kernel();\nextern "C" int answer() { return kernel(); }\n'
        '#else\nextern "C" int answer() { return 1; }\n#endif\n'
    )
    (folder / "kernel.cu.cc").write_text('#include "kernel.cuh"\nint kernel() { return kTwo; }\n')
    (folder / "kernel.cuh").write_text("constexpr int kTwo = 2;\n")
    monkeypatch.setattr(sources, "source_root", lambda: tmp_path / "root")
    monkeypatch.setattr(builds, "package_folder", lambda: tmp_path / "root" / "_native")
    monkeypatch.setattr(TensorFlow, "is_cuda_build", True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in (compilers.CUDA_VARIABLE, "NVCC", "CXX", "CXXFLAGS"):
        monkeypatch.delenv(name, raising=False)
    which = shutil.which
    monkeypatch.setattr(
        compilers.shutil, "which", lambda name: None if name.endswith("nvcc") else which(name)
    )
    return tmp_path / "root"


@pytest.fixture
def nvcc(root, tmp_path, monkeypatch):
    """Installs the script in nvcc's place; returns a function that sets its release."""
    script, log = tmp_path / "cuda-compiler", tmp_path / "log"

    def install(release="12.0"):
        script.write_text(NVCC % {"release": release, "log": log})
        script.chmod(0o755)
        monkeypatch.setenv("NVCC", str(script))

    install()
    return SimpleNamespace(install=install, log=log)


def answer(folder):
    """Asks a library in a process of its own, so that each is loaded anew."""
    code = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer())"
    command = [sys.executable, "-c", code, str(folder / stamp.LIBRARY_NAME)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_cuda_build_of_tensorflow_is_recognised_without_importing_it():
    assert find_tensorflow().is_cuda_build == tf.test.is_built_with_cuda()


def test_library_gets_cuda_kernels_where_nvcc_is(root, nvcc, tmp_path, capsys):
    assert build.main(["--output", str(tmp_path / "out")]) == 0
    assert "with CUDA kernels\n" in capsys.readouterr().out
    assert answer(tmp_path / "out") == 2
    assert "release 12.0" in stamp.read_stamp(tmp_path / "out")["cuda"]
    compiled, linked = nvcc.log.read_text().splitlines()
    # The devices that this nvcc knows, and PTX of the newest of them.
    assert compiled.count("-gencode=") == 3
    assert "-gencode=arch=compute_90,code=compute_90" in compiled and "sm_75" not in compiled
    assert "-cudart static" in linked


@pytest.mark.parametrize(
    ("mode", "reason"), [("auto", "nvcc was not found"), ("off", "MALLENET_CUDA=off")]
)
def test_library_without_cuda_kernels_says_why(root, tmp_path, monkeypatch, capsys, mode, reason):
    monkeypatch.setenv(compilers.CUDA_VARIABLE, mode)
    assert build.main(["--output", str(tmp_path / "out")]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "without CUDA" in line]
    assert reason in line
    assert answer(tmp_path / "out") == 1
    assert stamp.read_stamp(tmp_path / "out")["cuda"] is None


def test_off_leaves_nvcc_alone(root, nvcc, tmp_path, monkeypatch):
    monkeypatch.setenv(compilers.CUDA_VARIABLE, "off")
    builds.build(tmp_path / "out")
    assert answer(tmp_path / "out") == 1
    assert not nvcc.log.exists()


def test_kernels_nobody_can_use_are_left_out(root, nvcc, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(TensorFlow, "is_cuda_build", False)
    assert build.main(["--output", str(tmp_path / "out")]) == 0
    assert "without CUDA kernels: TensorFlow is not a CUDA build" in capsys.readouterr().out
    assert not nvcc.log.exists()
    monkeypatch.setenv(compilers.CUDA_VARIABLE, "require")
    builds.build(tmp_path / "out")
    assert answer(tmp_path / "out") == 2


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({compilers.CUDA_VARIABLE: "require"}, "MALLENET_CUDA=require, but nvcc was not found"),
        ({"NVCC": "no-such-nvcc"}, "Received: NVCC=no-such-nvcc"),
        ({compilers.CUDA_VARIABLE: "yes"}, "auto, require, off. Received: MALLENET_CUDA=yes"),
    ],
)
def test_mistakes_are_one_line(root, monkeypatch, capsys, variables, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert build.main([]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and message in printed and printed.count("\n") == 1


def test_error_in_a_kernel_is_said(root, nvcc, monkeypatch):
    monkeypatch.setenv(compilers.CUDA_VARIABLE, "require")
    (root / sources.SOURCE_FOLDER / "answer" / "kernel.cu.cc").write_text("not CUDA\n")
    with pytest.raises(BuildError, match=r"compiling answer/kernel\.cu\.cc failed(.|\n)*error:"):
        builds.build(builds.package_folder())


def test_kernels_that_do_not_compile_are_left_out_once(root, nvcc, monkeypatch, caplog):
    """As with a g++ that this nvcc does not support: the CPU's op is as good as ever."""
    (root / sources.SOURCE_FOLDER / "answer" / "kernel.cu.cc").write_text("not CUDA\n")
    library = loader.find_or_build_library()
    assert answer(library.parent) == 1
    assert "without CUDA kernels, because compiling answer/kernel.cu.cc failed" in caplog.text
    before = nvcc.log.read_text()
    assert loader.find_or_build_library() == library
    assert nvcc.log.read_text() == before
    monkeypatch.setenv(compilers.CUDA_VARIABLE, "require")
    with pytest.raises(BuildError, match=r"compiling answer/kernel\.cu\.cc failed"):
        loader.find_or_build_library()


def test_nvcc_is_given_the_compiler_and_not_its_launcher(root, nvcc, tmp_path, monkeypatch):
    launcher = tmp_path / "ccache"
    launcher.write_text('#!/bin/sh\nexec "$@"\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("CXX", f"{launcher} g++")
    builds.build(tmp_path / "out")
    assert answer(tmp_path / "out") == 2
    assert nvcc.log.read_text().count("-ccbin g++ ") == 2


def test_cuda_sources_are_part_of_the_digest(root):
    digests = {stamp.sources_digest(root)}
    for name in ("kernel.cu.cc", "kernel.cuh"):
        with (root / sources.SOURCE_FOLDER / "answer" / name).open("a") as file:
            file.write("// changed\n")
        digests.add(stamp.sources_digest(root))
    assert len(digests) == 3


def test_library_without_cuda_serves_until_it_is_built_again(root, monkeypatch, capsys, request):
    library = builds.build(builds.package_folder())
    request.getfixturevalue("nvcc")
    assert loader.find_or_build_library() == library
    assert answer(builds.package_folder()) == 1
    assert build.main([]) == 0
    assert "built" in capsys.readouterr().out
    assert answer(builds.package_folder()) == 2


def test_require_refuses_a_library_without_cuda(root, monkeypatch, request):
    builds.build(builds.package_folder())
    request.getfixturevalue("nvcc")
    monkeypatch.setenv(compilers.CUDA_VARIABLE, "require")
    library = loader.find_or_build_library()
    assert library.is_relative_to(loader.cache_folder())
    assert answer(library.parent) == 2


def test_another_nvcc_gets_a_cached_library_of_its_own(root, nvcc):
    first = loader.find_or_build_library()
    assert loader.find_or_build_library() == first
    nvcc.install(release="13.0")
    assert loader.find_or_build_library() != first
    assert "release 12.0" in json.loads(first.with_name(stamp.STAMP_NAME).read_text())["cuda"]


# The kernels themselves.


def types_on_gpus(operation):
    found = set()
    for kernel in registry.get_registered_kernels_for_op(operation).kernel:
        if kernel.device_type == "GPU":
            (types,) = (constraint.allowed_values.list.type for constraint in kernel.constraint)
            found.update(tf.as_dtype(number) for number in types)
    return found


def test_cuda_kernels_compile_and_load_without_a_driver(native, tmp_path, monkeypatch):
    if compilers.find_nvcc() is None:
        pytest.skip("needs nvcc")
    if not types_on_gpus("MalleableSlice"):  # the library was built without them
        # One device and no optimization, and of the C++ sources only the one that calls them.
        root = sources.source_root()
        for file in sources.library_files(root):
            own = tmp_path / file.relative_to(root)
            own.parent.mkdir(parents=True, exist_ok=True)
            if file not in sources.source_files(root) or file.name == "gpu_kernels.cc":
                shutil.copy(file, own)
        monkeypatch.setattr(compilers, "CUDA_CAPABILITIES", (80,))
        monkeypatch.setenv(compilers.CUDA_VARIABLE, "require")
        monkeypatch.setenv("CXXFLAGS", "-O0")
        monkeypatch.setenv("NVCC_APPEND_FLAGS", "-Xcicc -O0 -Xptxas -O0")
        tf.load_library(str(builds.build(tmp_path / "out", root=tmp_path)))
    assert types_on_gpus("MalleableSlice") == GPU_TYPES
    assert types_on_gpus("MalleableSliceGrad") == GPU_TYPES


# Choosing.


@pytest.fixture
def with_gpu(native, monkeypatch):
    """Pretends that there is a GPU; returns a function that sets what kernels there are for it."""
    module = sys.modules["mallenet_tf.ops.slice_op"]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda *_: ["GPU:0"])
    module._gpu_without_kernel.cache_clear()

    def register(*devices):
        kernels = [SimpleNamespace(device_type=device) for device in devices]
        monkeypatch.setattr(
            registry, "get_registered_kernels_for_op", lambda _: SimpleNamespace(kernel=kernels)
        )

    yield register
    module._gpu_without_kernel.cache_clear()


def operations(make_case, implementation):
    *inputs, _ = make_case(1, 4, 4, 2, 2, 2, 1).cast("float32")
    traced = tf.function(lambda *args: malleable_slice(*args, implementation=implementation))
    graph = traced.get_concrete_function(*inputs).graph
    return {operation.type for operation in graph.get_operations()}


def test_gpu_with_kernels_takes_the_native_op(with_gpu, make_case, caplog):
    with_gpu("CPU", "GPU")
    assert "MalleableSlice" in operations(make_case, "auto")
    assert not caplog.records


def test_gpu_without_kernels_takes_the_reference_and_says_so_once(with_gpu, make_case, caplog):
    with_gpu("CPU")
    with caplog.at_level(logging.INFO, logger="mallenet_tf"):
        assert "MalleableSlice" not in operations(make_case, "auto")
        assert "MalleableSlice" not in operations(make_case, "auto")
    (record,) = caplog.records
    assert "built without CUDA kernels" in record.getMessage()
    assert BUILD_COMMAND in record.getMessage()
    assert "MalleableSlice" in operations(make_case, "native")
