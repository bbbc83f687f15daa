"""Finding and loading the native library, tried with sources that compile at once."""

import json
import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from mallenet_tf.ops import loader
from mallenet_tf.ops.native_build import library as builds
from mallenet_tf.ops.native_build.commands import BUILD_COMMAND, BuildError
from mallenet_tf.ops.native_build.stamp import STAMP_NAME, read_stamp
from mallenet_tf.ops.native_calls import run_once
from tests.helpers.small_library import SOURCE, answer, write_source


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
    stamp = read_stamp(folder)
    assert stamp is not None
    (folder / STAMP_NAME).write_text(json.dumps({**stamp, **changes}), encoding="utf-8")


# Finding.


def test_library_beside_the_package_comes_first(root, monkeypatch):
    library = builds.build(builds.package_folder())
    monkeypatch.setenv("CXX", "no-such-compiler")  # not needed then
    assert loader.find_or_build_library() == library
    assert not loader.cache_folder().exists()


def test_first_use_compiles_into_the_cache_and_the_second_finds_it(root, monkeypatch):
    library = loader.find_or_build_library()
    assert library.is_relative_to(loader.cache_folder())
    assert answer(library) == 42
    monkeypatch.setattr(builds, "build", lambda *_: pytest.fail("compiled again"))
    assert loader.find_or_build_library() == library


def test_library_for_another_tensorflow_is_replaced(root):
    stale = builds.build(builds.package_folder())
    age_stamp(builds.package_folder(), tensorflow="2.20.0")
    assert loader.find_or_build_library() != stale


def test_stale_library_is_refused_where_it_cannot_be_replaced(root, monkeypatch):
    builds.build(builds.package_folder())
    age_stamp(builds.package_folder(), tensorflow="2.20.0")
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BuildError, match=r"TensorFlow 2\.20\.0, and .*no-such-compiler"):
        loader.find_or_build_library()


@pytest.mark.parametrize("stamp", [None, "", "{", "[]"])
def test_library_without_a_readable_stamp_is_not_used(root, stamp):
    library = builds.build(builds.package_folder())
    file = builds.package_folder() / STAMP_NAME
    file.unlink() if stamp is None else file.write_text(stamp)
    assert loader.find_or_build_library() != library


def test_cached_library_serves_where_the_compiler_is_gone(root, monkeypatch):
    library = loader.find_or_build_library()
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert loader.find_or_build_library() == library
    write_source(root, SOURCE % 43)
    with pytest.raises(BuildError, match="no-such-compiler"):
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
        "import sys; from pathlib import Path; from mallenet_tf.ops import loader\n"
        "from mallenet_tf.ops.native_build import library, sources\n"
        "root = Path(sys.argv[1]); real = library.build\n"
        "sources.source_root = lambda: root; library.package_folder = lambda: root / '_native'\n"
        "library.build = lambda *a: (print('compiled'), real(*a))[1]\n"
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
    builds.build(builds.package_folder())
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


def test_gradients_are_registered_once_however_many_threads_ask():
    calls, barrier = [], threading.Barrier(8)

    @run_once
    def register(native):
        calls.append(native)
        time.sleep(0.05)
        if len(calls) > 1:
            raise KeyError("Registering two gradients with one name")

    def ask():
        barrier.wait()
        register("module")
        assert len(calls) == 1

    with ThreadPoolExecutor(8) as pool:
        for asked in [pool.submit(ask) for _ in range(8)]:
            asked.result()
    register("module")
    assert calls == ["module"]


def test_missing_compiler_is_one_line_that_says_what_to_do(root, loaded, monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with caplog.at_level(logging.INFO, logger="mallenet_tf"):
        assert [loader.load_native() for _ in range(3)] == [None, None, None]
    assert not loader.native_available() and not loaded
    (record,) = caplog.records
    message = record.getMessage()
    assert record.levelno == logging.WARNING and "\n" not in message
    assert "CXX=no-such-compiler" in message and BUILD_COMMAND in message


def test_compiler_error_is_shortened_to_a_line(root, loaded, caplog):
    write_source(root, "this is not C++\n")
    assert loader.load_native() is None
    message = caplog.records[-1].getMessage()
    assert "compiling answer/answer.cc failed" in message and "error:" in message
    assert "\n" not in message


def test_stale_library_is_never_loaded(root, loaded, monkeypatch):
    builds.build(builds.package_folder())
    age_stamp(builds.package_folder(), tensorflow="2.20.0")
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert loader.load_native() is None
    assert not loaded


def test_broken_library_is_said(root, caplog):
    library = builds.build(builds.package_folder())
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
    builds.build(builds.package_folder())
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
