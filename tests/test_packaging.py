"""The package as a stranger gets it: an sdist, wheels with and without the native library."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
NOT_COPIED = shutil.ignore_patterns(
    ".git",
    ".venv",
    "__pycache__",
    "*.egg-info",
    "build",
    "node_modules",
    "dist",
    "runs",
    "quickstart",
    "_native",
    "bazel-*",
)

# Runs where the package is installed but the repository is not in sight.
USE_THE_OP = """
import sys
import numpy as np
import mallenet_tf
from mallenet_tf import ops
assert mallenet_tf.__file__.startswith(sys.argv[1]), mallenet_tf.__file__
sizes = (2, 7, 5, 3), (2, 3, 2, 9, 3), (2, 3, 2, 3)
arguments = [np.random.default_rng(0).normal(size=size) for size in sizes]
found = np.asarray(ops.malleable_slice(*arguments))
found_again = np.asarray(ops.malleable_slice(*arguments))
wanted = np.asarray(ops.malleable_slice_reference(*arguments))
np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
np.testing.assert_array_equal(found, found_again)
print("native" if ops.native_available() else "reference")
"""


def environment(home: Path, **changes: str) -> dict[str, str]:
    """Returns the environment of a user of its own, with a compiler told to be quick."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MALLENET_") and name not in {"CXX", "PYTHONPATH"}
    }
    # The op's meaning is tested elsewhere; here its compilation only costs time.
    own.update(
        XDG_CACHE_HOME=str(home),
        CXXFLAGS="-O0",
        MALLENET_CUDA="off",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
    )
    return {**own, **changes}


def run(command: list[str], folder: Path, variables: dict[str, str]) -> tuple[str, str]:
    """Runs a Python command and returns what it printed to stdout and to stderr."""
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    """A source distribution, made from a copy so that the clone stays clean."""
    (needed,) = PYPROJECT["build-system"]["requires"]
    installed = importlib.metadata.version("setuptools")
    if int(installed.split(".")[0]) < int(needed.split(">=")[1]):
        pytest.skip(f"needs {needed} in the environment, as `make test` has (here {installed})")
    folder = tmp_path_factory.mktemp("sdist")
    copy = folder / "clone"
    shutil.copytree(REPOSITORY, copy, ignore=NOT_COPIED)
    code = "import sys, setuptools.build_meta as m; m.build_sdist(sys.argv[1])"
    run(["-W", "ignore", "-c", code, str(folder)], copy, environment(folder))
    (archive,) = folder.glob("*.tar.gz")
    return archive


def build_wheel(sdist: Path, folder: Path, **changes: str) -> tuple[Path, str]:
    """Builds a wheel out of the sdist; returns it and what pip printed."""
    options = ["--no-deps", "--no-build-isolation", "--no-index", "-v", "-w", str(folder)]
    printed = run(
        ["-m", "pip", "wheel", *options, str(sdist)], folder, environment(folder, **changes)
    )
    (wheel,) = folder.glob("*.whl")
    return wheel, "".join(printed)


def install(wheel: Path, folder: Path) -> Path:
    """Installs a wheel into a folder of its own and returns that."""
    target = folder / "site"
    options = ["--no-deps", "--no-index", "--target", str(target)]
    run(["-m", "pip", "install", "-q", *options, str(wheel)], folder, environment(folder))
    return target


def use(site: Path, folder: Path, **changes: str) -> tuple[str, list[str]]:
    """Uses the op of an installed wheel; returns which one it was and the package's log lines."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    variables = environment(folder, PYTHONPATH=str(site), **changes)
    printed, logged = run(["-c", USE_THE_OP, str(site)], elsewhere, variables)
    return printed.strip(), [line for line in logged.splitlines() if "native op" in line]


@pytest.fixture(scope="module")
def native_wheel(sdist, tmp_path_factory) -> Path:
    return build_wheel(sdist, tmp_path_factory.mktemp("native"))[0]


@pytest.fixture(scope="module")
def plain_build(sdist, tmp_path_factory) -> tuple[Path, str]:
    return build_wheel(sdist, tmp_path_factory.mktemp("plain"), CXX="no-such-compiler")


def test_wheel_with_the_library_works_from_another_folder(native_wheel, tmp_path):
    assert re.search(r"-py3-none-linux_\w+\.whl$", native_wheel.name)
    site = install(native_wheel, tmp_path)
    # No compiler, so that it can be nothing but the wheel's own library.
    assert use(site, tmp_path, CXX="no-such-compiler") == ("native", [])


def test_wheel_without_a_compiler_says_so_once(plain_build, tmp_path):
    wheel, printed = plain_build
    assert wheel.name.endswith("-py3-none-any.whl")
    assert len(re.findall("native op is not part of this build: .*no-such-compiler", printed)) == 1

    site = install(wheel, tmp_path)
    implementation, lines = use(site, tmp_path, CXX="no-such-compiler", MALLENET_NATIVE_OP="auto")
    assert implementation == "reference"
    (line,) = lines
    assert "no-such-compiler" in line and "python -m mallenet_tf.ops.build" in line


def test_wheel_without_the_library_compiles_on_first_use(plain_build, tmp_path):
    site = install(plain_build[0], tmp_path)
    implementation, lines = use(site, tmp_path)
    assert implementation == "native"
    assert len(lines) == 1 and "compiling" in lines[0]
    assert use(site, tmp_path) == ("native", [])


def test_wheels_hold_what_the_package_needs_and_nothing_else(native_wheel, plain_build):
    names = {name: set(zipfile.ZipFile(name).namelist()) for name in (native_wheel, plain_build[0])}
    library = "mallenet_tf/ops/_native/libmallenet_ops.so"
    assert library in names[native_wheel]
    assert library.replace(".so", ".json") in names[native_wheel]
    assert not [name for name in names[plain_build[0]] if "_native" in name]

    top = REPOSITORY
    wanted = {
        *(str(path.relative_to(top)) for path in (top / "mallenet_tf").rglob("*.py")),
        *(str(path.relative_to(top)) for path in (top / "mallenet_tf").rglob("published/*.csv")),
        *(f"mallenet_tf/{path.relative_to(top)}" for path in (top / "gin_configs").rglob("*.*")),
        *(f"mallenet_tf/weights/{path.name}" for path in weights()),
        *(f"mallenet_tf/ops/{path.relative_to(top)}" for path in sources()),
    }
    for contents in names.values():
        inside = {name for name in contents if ".dist-info/" not in name and "_native" not in name}
        assert inside == wanted


def weights() -> list[Path]:
    folder = REPOSITORY / "mallenet_tf" / "weights"
    return [path for path in folder.iterdir() if path.is_file() and path.suffix != ".py"]


def sources() -> list[Path]:
    return [path for path in (REPOSITORY / "custom_ops").rglob("*") if path.is_file()]


def test_console_scripts_lead_to_functions():
    for target in PYPROJECT["project"]["scripts"].values():
        module, function = target.split(":")
        file = REPOSITORY / (module.replace(".", "/") + ".py")
        assert re.search(rf"^def {function}\(", file.read_text(encoding="utf-8"), re.MULTILINE)


def test_constraints_cover_every_dependency():
    project = PYPROJECT["project"]
    requirements = list(project["dependencies"])
    for extra in ("docs", "quickstart", "test", "export", "profile", "serve"):
        requirements += project["optional-dependencies"][extra]
    names = {normalised(re.split(r"[<>=\[ ]", requirement)[0]) for requirement in requirements}
    assert names - {"mallenet-tf"} <= set(constraints())


def test_the_environment_of_make_has_the_pinned_versions():
    if not Path(sys.prefix, ".installed-test").exists():
        pytest.skip("not the environment that `make test` creates")
    installed = {
        normalised(found.name): found.version for found in importlib.metadata.distributions()
    }
    pinned = constraints()
    # pip comes with the environment and installs the rest.
    loose = {
        name: version
        for name, version in installed.items()
        if name not in {"mallenet-tf", "pip"} and version not in pinned.get(name, ())
    }
    assert not loose


def constraints() -> dict[str, set[str]]:
    """Returns the pinned versions by name; one name may have one for each Python."""
    pinned: dict[str, set[str]] = {}
    text = (REPOSITORY / "requirements" / "constraints.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        match = re.match(r"([\w.-]+)==([^ ;]+)", line)
        if match:
            pinned.setdefault(normalised(match[1]), set()).add(match[2])
    return pinned


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
