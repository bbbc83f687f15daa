"""Building the native library, tried with sources that compile at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mallenet_tf.ops import build, loader
from tests.helpers.small_library import SOURCE, answer, write_source


def test_flags_are_those_of_tensorflow():
    import tensorflow as tf

    installed = build.find_tensorflow()
    ours = [*build.BASE_FLAGS, *build.compile_flags(installed)]
    for flag in tf.sysconfig.get_compile_flags():
        if flag.startswith("-I"):
            assert ours[ours.index("-isystem") + 1] == flag[2:]
        else:
            assert flag.replace("--std", "-std") in ours
    assert build.link_flags(installed) == tf.sysconfig.get_link_flags()


def test_tensorflow_is_found_without_importing_it():
    import tensorflow as tf

    installed = build.find_tensorflow()
    assert installed.version == tf.__version__
    assert installed.folder == Path(tf.__file__).parent


def test_missing_tensorflow_is_said(tmp_path):
    with pytest.raises(build.BuildError, match="TensorFlow is not installed"):
        build.find_tensorflow([str(tmp_path)])


def test_build_writes_a_library_and_its_stamp(root, tmp_path):
    library = build.build(tmp_path / "out")
    assert answer(library) == 42
    stamp = build.read_stamp(tmp_path / "out")
    version = build.compiler_version(build.find_compiler())
    assert stamp == build.make_stamp(build.find_tensorflow(), root, version)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [build.LIBRARY_NAME, build.STAMP_NAME]
    )


def test_cuda_sources_are_left_to_another_compiler(root):
    (root / build.SOURCE_FOLDER / "answer" / "kernel.cu.cc").write_text("not C++")
    assert [file.name for file in build.source_files(root)] == ["answer.cc"]


def test_digest_changes_with_every_source_and_header(root):
    digests = {build.sources_digest(root)}
    write_source(root, SOURCE % 43)
    digests.add(build.sources_digest(root))
    header = root / build.SOURCE_FOLDER / "answer" / "contract.h"
    header.write_text("// a header\n")
    digests.add(build.sources_digest(root))
    header.rename(header.with_name("other.h"))
    digests.add(build.sources_digest(root))
    assert len(digests) == 4


def test_failed_build_keeps_the_library_that_was_there(root, tmp_path):
    build.build(tmp_path / "out")
    write_source(root, "this is not C++\n")
    with pytest.raises(build.BuildError, match=r"compiling answer.cc failed(.|\n)*error:"):
        build.build(tmp_path / "out")
    assert answer(tmp_path / "out" / build.LIBRARY_NAME) == 42
    assert build.read_stamp(tmp_path / "out") is not None
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_command_builds_once(root, capsys):
    assert build.main([]) == 0
    assert "built" in capsys.readouterr().out
    assert build.main([]) == 0
    assert "up to date" in capsys.readouterr().out
    write_source(root, SOURCE % 7)
    assert build.main([]) == 0
    assert "built" in capsys.readouterr().out
    assert answer(root / "_native" / build.LIBRARY_NAME) == 7


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

    wanted = build.make_stamp(build.find_tensorflow(), root, None)
    assert build.mismatch(dict(wanted), wanted) is None
    assert build.mismatch({**wanted, "compiler": "another", "tuned": True}, wanted) is None
    assert re.search(reason, build.mismatch({**wanted, **changes}, wanted) or "")


def test_build_command_runs_without_a_warning(root, tmp_path):
    """`python -m` complains if the package already imports the module that it is to run."""
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-m", "mallenet_tf.ops.build", "--help"],
        cwd=Path(loader.__file__).parents[2],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--output" in done.stdout
