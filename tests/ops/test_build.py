"""Building the native library, tried with sources that compile at once."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mallenet_tf.ops import build
from mallenet_tf.ops.native_build import commands, compilers, installed_tensorflow, library, sources
from mallenet_tf.ops.native_build import stamp as stamps
from tests.helpers.small_library import SOURCE, answer, write_source


def test_flags_are_those_of_tensorflow():
    import tensorflow as tf

    installed = installed_tensorflow.find_tensorflow()
    ours = [*compilers.BASE_FLAGS, *installed.compile_flags]
    for flag in tf.sysconfig.get_compile_flags():
        if flag.startswith("-I"):
            assert ours[ours.index("-isystem") + 1] == flag[2:]
        else:
            assert flag.replace("--std", "-std") in ours
    assert installed.link_flags == tf.sysconfig.get_link_flags()


def test_tensorflow_is_found_without_importing_it():
    import tensorflow as tf

    installed = installed_tensorflow.find_tensorflow()
    assert installed.version == tf.__version__
    assert installed.folder == Path(tf.__file__).parent


def test_missing_tensorflow_is_said(tmp_path):
    with pytest.raises(commands.BuildError, match="TensorFlow is not installed"):
        installed_tensorflow.find_tensorflow([str(tmp_path)])


def test_build_writes_a_library_and_its_stamp(root, tmp_path):
    built = library.build(tmp_path / "out")
    assert answer(built) == 42
    stamp = stamps.read_stamp(tmp_path / "out")
    version = compilers.compiler_version(compilers.find_compiler())
    assert stamp == stamps.make_stamp(installed_tensorflow.find_tensorflow(), root, version)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [stamps.LIBRARY_NAME, stamps.STAMP_NAME]
    )


def test_cuda_sources_are_left_to_another_compiler(root):
    (root / sources.SOURCE_FOLDER / "answer" / "kernel.cu.cc").write_text("not C++")
    assert [file.name for file in sources.source_files(root)] == ["answer.cc"]


def test_digest_changes_with_every_source_and_header(root):
    digests = {stamps.sources_digest(root)}
    write_source(root, SOURCE % 43)
    digests.add(stamps.sources_digest(root))
    header = root / sources.SOURCE_FOLDER / "answer" / "contract.h"
    header.write_text("// a header\n")
    digests.add(stamps.sources_digest(root))
    header = header.rename(header.with_name("other.h"))
    digests.add(stamps.sources_digest(root))
    folder = header.with_name("cpu")
    folder.mkdir()
    header = header.rename(folder / "other.h")
    digests.add(stamps.sources_digest(root))
    assert len(digests) == 5


def test_tests_of_the_ops_are_not_part_of_the_library(root):
    digest = stamps.sources_digest(root)
    tests = root / sources.SOURCE_FOLDER / "answer" / "tests"
    tests.mkdir()
    (tests / "check.cc").write_text("int main() {}\n")
    assert stamps.sources_digest(root) == digest
    assert [file.name for file in sources.source_files(root)] == ["answer.cc"]


def test_files_of_one_name_in_two_folders_are_both_compiled(root, tmp_path):
    folder = root / sources.SOURCE_FOLDER / "answer" / "cpu"
    folder.mkdir()
    (folder / "answer.cc").write_text('extern "C" int other_answer() { return 43; }\n')
    built = ctypes.CDLL(str(library.build(tmp_path / "out")))
    assert (built.mallenet_answer(), built.other_answer()) == (42, 43)


def test_failed_build_keeps_the_library_that_was_there(root, tmp_path):
    library.build(tmp_path / "out")
    write_source(root, "this is not C++\n")
    with pytest.raises(
        commands.BuildError, match=r"compiling answer/answer.cc failed(.|\n)*error:"
    ):
        library.build(tmp_path / "out")
    assert answer(tmp_path / "out" / stamps.LIBRARY_NAME) == 42
    assert stamps.read_stamp(tmp_path / "out") is not None
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_command_builds_once(root, capsys):
    assert build.main([]) == 0
    assert "built" in capsys.readouterr().out
    assert build.main([]) == 0
    assert "up to date" in capsys.readouterr().out
    write_source(root, SOURCE % 7)
    assert build.main([]) == 0
    assert "built" in capsys.readouterr().out
    assert answer(root / "_native" / stamps.LIBRARY_NAME) == 7


def test_command_fails_in_one_line_without_a_compiler(root, monkeypatch, capsys):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert build.main([]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.endswith("Received: CXX=no-such-compiler\n")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tensorflow": "2.20.0"}, r"built for TensorFlow 2\.20\.0, and .* is installed"),
        ({"machine": "riscv64"}, "built for riscv64, and this is"),
        ({"flags": ["-O1"]}, "other compiler flags"),
        ({"flags": None}, "other compiler flags"),
        ({"sources": "0" * 64}, "other sources"),
    ],
)
def test_mismatch_names_what_differs(root, changes, reason):
    import re

    wanted = stamps.make_stamp(installed_tensorflow.find_tensorflow(), root, None)
    assert stamps.mismatch(dict(wanted), wanted) is None
    assert stamps.mismatch({**wanted, "compiler": "another", "tuned": True}, wanted) is None
    assert re.search(reason, stamps.mismatch({**wanted, **changes}, wanted) or "")


def test_build_command_runs_by_its_path_without_other_packages(tmp_path):
    """As setup.py, the Makefile and Bazel need it, before anything is installed."""
    command = [sys.executable, "-E", "-S", build.__file__, "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--output" in done.stdout


def test_build_command_runs_without_a_warning(root, tmp_path):
    """`python -m` complains if the package already imports the module that it is to run."""
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-m", "mallenet_tf.ops.build", "--help"],
        cwd=Path(build.__file__).parents[2],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--output" in done.stdout
