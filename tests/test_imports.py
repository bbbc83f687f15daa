"""The import rules that keep the package's layers apart, read from the syntax trees."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "mallenet_tf"
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
ENTRY_POINTS = {"train", "evaluate", "denoise", "submit", "export", "profile", "reproduce"}
ENTRY_POINT_FILES = {Path("data/prepare.py")}  # the command of one room
CONFIGURATION = {"experiment"}

# Which other rooms of the package each room may import. Everyone may import `common`.
ALLOWED = {
    "common": set(),
    "ops": set(),
    "layers": {"ops"},
    "models": {"layers"},
    "image_io": set(),
    "data": {"image_io"},
    "training": set(),
    "inference": {"image_io", "models"},
    "evaluation": {"data", "image_io", "inference", "models"},
    "exporting": {"data", "evaluation", "image_io", "inference", "layers", "models", "ops"},
    "profiling": {"inference", "layers", "models", "ops", "training"},
    "experiment": {
        *("data", "evaluation", "image_io", "inference", "layers", "models", "profiling"),
        "training",
    },
}


def part_of(path: Path) -> str:
    """Returns the part of the package that a file belongs to: its folder, or its own name."""
    return path.parts[0].removesuffix(".py")


def is_type_checking(node: ast.AST) -> bool:
    """Says whether a node is `if TYPE_CHECKING:`, whose imports never happen."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def nodes_that_run(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes below one, without those for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield child
            yield from nodes_that_run(child)


def imported_names(source: str, path: Path) -> set[str]:
    """Returns the dotted names that a file of the package imports, wherever in it."""
    package = ["mallenet_tf", *path.parent.parts]
    names = set()
    for node in nodes_that_run(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def parts_imported(names: set[str]) -> set[str]:
    """Returns the parts of the package among imported names."""
    inside = (name.split(".") for name in names if name.split(".")[0] == "mallenet_tf")
    return {name[1] for name in inside if len(name) > 1}


def file_imports(path: Path) -> set[str]:
    return imported_names((PACKAGE / path).read_text(encoding="utf-8"), path)


def test_reader_sees_every_form_of_import():
    source = (
        "import mallenet_tf.data.noise\n"
        "from mallenet_tf import models\n"
        "from mallenet_tf.training import loop\n"
        "from ..evaluation import metrics\n"
        "from . import sibling\n"
        "def lazily():\n"
        "    from ..inference.tiling import tile\n"
        "if TYPE_CHECKING:\n"
        "    from mallenet_tf import profiling\n"
    )
    names = imported_names(source, Path("layers/blocks.py"))
    assert parts_imported(names) == {
        "data",
        "models",
        "training",
        "evaluation",
        "layers",
        "inference",
    }


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) in ALLOWED], ids=str)
def test_parts_import_only_what_is_below_them(path):
    part = part_of(path)
    allowed = ALLOWED[part] | {"common", part}
    forbidden = parts_imported(file_imports(path)) - allowed
    assert not forbidden, f"mallenet_tf/{path} imports {sorted(forbidden)}"


def test_every_part_has_a_rule():
    folders = {path.parts[0] for path in FILES if len(path.parts) > 1}
    assert folders == set(ALLOWED)


def test_the_top_level_holds_entry_points_alone():
    top = {path.stem for path in FILES if len(path.parts) == 1}
    assert top <= ENTRY_POINTS | {"__init__"}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_flags_and_gin_stay_at_the_edge(path):
    names = file_imports(path)
    part = part_of(path)
    if part not in ENTRY_POINTS and path not in ENTRY_POINT_FILES:
        edge = {name for name in names if name.startswith(("absl.flags", "absl.app"))}
        assert not edge, f"mallenet_tf/{path} imports {sorted(edge)}"
    if part not in ENTRY_POINTS | CONFIGURATION:
        gin = {name for name in names if name.split(".")[0] == "gin"}
        assert not gin, f"mallenet_tf/{path} imports {sorted(gin)}"


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) != "ops"], ids=str)
def test_only_ops_loads_native_libraries(path):
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    used = {getattr(node, "attr", getattr(node, "id", None)) for node in ast.walk(tree)}
    assert "load_op_library" not in used


@pytest.mark.parametrize(
    "path", [path for path in FILES if part_of(path) in {"layers", "models"}], ids=str
)
def test_layers_and_models_leave_tensorflow_alone(path):
    roots = {name.split(".")[0] for name in file_imports(path)}
    assert not roots & {"tensorflow", "tf", "jax", "torch"}, f"mallenet_tf/{path}"


def test_importing_the_package_does_not_import_tensorflow():
    code = "import sys, mallenet_tf; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]
