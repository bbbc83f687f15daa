"""Building, finding and loading the native library, tried with sources that compile at once."""

import ctypes
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from mallenet_tf.ops import build, loader

SOURCE = 'extern "C" int mallenet_answer() { return %d; }\n'


def write_source(root: Path, content: str) -> None:
    folder = root / build.SOURCE_FOLDER / "answer"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answer.cc").write_text(content, encoding="utf-8")


def answer(library: Path) -> int:
    return ctypes.CDLL(str(library)).mallenet_answer()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A source tree of one function, empty library folders, and a loader that has tried nothing."""
    root = tmp_path / "root"
    write_source(root, SOURCE % 42)
    monkeypatch.setattr(build, "source_root", lambda: root)
    monkeypatch.setattr(build, "package_folder", lambda: root / "_native")
    monkeypatch.setattr(loader, "_outcome", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(loader.MODE_VARIABLE, raising=False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.delenv("CXXFLAGS", raising=False)
    return root


@pytest.fixture
def loaded(monkeypatch):
    """Records what TensorFlow is asked to load, and loads nothing."""
    import tensorflow as tf

    paths = []

    def load_op_library(path):
        paths.append(Path(path))
        return SimpleNamespace(path=path)

    monkeypatch.setattr(tf, "load_op_library", load_op_library)
    return paths


def age_stamp(folder: Path, **changes: object) -> None:
    stamp = build.read_stamp(folder)
    assert stamp is not None
    (folder / build.STAMP_NAME).write_text(json.dumps({**stamp, **changes}), encoding="utf-8")


# Building.


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


# Finding.


def test_library_beside_the_package_comes_first(root, monkeypatch):
    library = build.build(build.package_folder())
    monkeypatch.setenv("CXX", "no-such-compiler")  # not needed then
    assert loader.find_or_build_library() == library
    assert not loader.cache_folder().exists()


def test_first_use_compiles_into_the_cache_and_the_second_finds_it(root, monkeypatch):
    library = loader.find_or_build_library()
    assert library.is_relative_to(loader.cache_folder())
    assert answer(library) == 42
    monkeypatch.setattr(build, "build", lambda *_: pytest.fail("compiled again"))
    assert loader.find_or_build_library() == library


def test_library_for_another_tensorflow_is_replaced(root):
    stale = build.build(build.package_folder())
    age_stamp(build.package_folder(), tensorflow="2.20.0")
    assert loader.find_or_build_library() != stale


def test_stale_library_is_refused_where_it_cannot_be_replaced(root, monkeypatch):
    build.build(build.package_folder())
    age_stamp(build.package_folder(), tensorflow="2.20.0")
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(build.BuildError, match=r"TensorFlow 2\.20\.0, and .*no-such-compiler"):
        loader.find_or_build_library()


@pytest.mark.parametrize("stamp", [None, "", "{", "[]"])
def test_library_without_a_readable_stamp_is_not_used(root, stamp):
    library = build.build(build.package_folder())
    file = build.package_folder() / build.STAMP_NAME
    file.unlink() if stamp is None else file.write_text(stamp)
    assert loader.find_or_build_library() != library


def test_cached_library_serves_where_the_compiler_is_gone(root, monkeypatch):
    library = loader.find_or_build_library()
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert loader.find_or_build_library() == library
    write_source(root, SOURCE % 43)
    with pytest.raises(build.BuildError, match="no-such-compiler"):
        loader.find_or_build_library()


def test_other_flags_get_a_library_of_their_own(root, monkeypatch):
    plain = loader.find_or_build_library()
    monkeypatch.setenv("CXXFLAGS", "-O1")
    assert loader.find_or_build_library() != plain


def test_relative_cache_home_is_ignored(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert loader.cache_folder() == Path.home() / ".cache" / "mallenet_tf"


def test_two_processes_compile_once_and_agree(root, tmp_path):
    code = (
        "import sys; from pathlib import Path; from mallenet_tf.ops import build, loader\n"
        "root = Path(sys.argv[1]); real = build.build\n"
        "build.source_root = lambda: root; build.package_folder = lambda: root / '_native'\n"
        "build.build = lambda *a: (print('compiled'), real(*a))[1]\n"
        "input(); print(loader.find_or_build_library())\n"
    )
    command = [sys.executable, "-c", code, str(root)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs: list[list[str]] = [[], []]

    def finish(index: int) -> None:
        outputs[index] = processes[index].communicate("\n", timeout=120)[0].split()

    threads = [threading.Thread(target=finish, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(output.count("compiled") for output in outputs) == 1
    assert outputs[0][-1] == outputs[1][-1]
    assert answer(Path(outputs[0][-1])) == 42


# Loading.


def test_load_native_returns_the_module(root, loaded):
    module = loader.load_native()
    assert module is not None and loader.load_native() is module
    assert loader.native_available()
    assert loaded == [loader.find_or_build_library()]


def test_threads_load_once(root, loaded):
    build.build(build.package_folder())
    modules = []
    threads = [
        threading.Thread(target=lambda: modules.append(loader.load_native())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 1
    assert len(modules) == 8 and all(module is modules[0] for module in modules)


def test_missing_compiler_is_one_line_that_says_what_to_do(root, loaded, monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with caplog.at_level(logging.INFO, logger="mallenet_tf"):
        assert [loader.load_native() for _ in range(3)] == [None, None, None]
    assert not loader.native_available() and not loaded
    (record,) = caplog.records
    message = record.getMessage()
    assert record.levelno == logging.WARNING and "\n" not in message
    assert "CXX=no-such-compiler" in message and build.BUILD_COMMAND in message


def test_compiler_error_is_shortened_to_a_line(root, loaded, caplog):
    write_source(root, "this is not C++\n")
    assert loader.load_native() is None
    message = caplog.records[-1].getMessage()
    assert "compiling answer.cc failed" in message and "error:" in message
    assert "\n" not in message


def test_stale_library_is_never_loaded(root, loaded, monkeypatch):
    build.build(build.package_folder())
    age_stamp(build.package_folder(), tensorflow="2.20.0")
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert loader.load_native() is None
    assert not loaded


def test_broken_library_is_said(root, caplog):
    library = build.build(build.package_folder())
    library.write_bytes(b"not a library")
    assert loader.load_native() is None
    (record,) = caplog.records
    assert f"the native op in {library} does not load" in record.getMessage()


def test_unwritable_cache_is_said(root, loaded, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert loader.load_native() is None
    assert str(tmp_path / "file") in caplog.records[-1].getMessage()


def test_require_is_an_error_that_says_what_is_missing(root, loaded, monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv(loader.MODE_VARIABLE, "require")
    for _ in range(2):
        with pytest.raises(loader.NativeOpError, match=r"CXX=no-such-compiler.*ops\.build"):
            loader.load_native()
    assert not caplog.records


def test_off_does_not_even_try(root, loaded, monkeypatch, caplog):
    build.build(build.package_folder())
    monkeypatch.setenv(loader.MODE_VARIABLE, "off")
    assert loader.load_native() is None
    assert not loader.native_available()
    assert not loaded and not caplog.records
    monkeypatch.setenv(loader.MODE_VARIABLE, "auto")
    assert loader.native_available()


def test_unknown_mode_is_refused(root, monkeypatch):
    monkeypatch.setenv(loader.MODE_VARIABLE, "yes")
    with pytest.raises(ValueError, match=r"auto, require, off\. Received: .*=yes"):
        loader.load_native()


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
