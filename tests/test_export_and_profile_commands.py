"""Flags of `export` and `profile` reach the functions behind them; no TensorFlow is needed for it.

Each runs in a process of its own, because the binaries define flags of the same names.
"""

import subprocess
import sys

import pytest

# Stands in for the module that does the work, and prints what it is called with.
FAKE = """
import sys, types
fake = types.ModuleType(sys.argv[1])
fake.parse_size = lambda text: text
fake.parse_psnrs = lambda texts, models: texts
fake.parse_options = lambda texts: texts
fake.run = lambda **arguments: print({name: str(value) for name, value in arguments.items()})
sys.modules["mallenet_tf." + sys.argv.pop(1)] = fake
from mallenet_tf import {binary}
print(sorted({{"tensorflow", "keras", "numpy"}} & set(sys.modules)))
{binary}.cli()
"""


def run(repository, binary, module, *flags):
    code = FAKE.replace("{binary}", binary).replace("{{", "{").replace("}}", "}")
    done = subprocess.run(
        [sys.executable, "-c", code, module, *flags],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    heavy, *rest = done.stdout.splitlines()
    assert heavy == "[]"
    return done.returncode, rest, done.stderr


def test_export_passes_its_flags_on(repository):
    flags = ["--weights=w", "--output=o", "--formats=a,b", "--images=x,y", "--overwrite"]
    status, (printed,), _ = run(repository, "export", "exporting.exporter", *flags)
    assert status == 0
    assert eval(printed) == {
        "weights": "w",
        "output": "o",
        "formats": "['a', 'b']",
        "images": "['x', 'y']",
        "overwrite": "True",
    }


def test_profile_passes_its_flags_on(repository):
    flags = ["--models=m,n", "--sizes=8x16", "--implementations=reference", "--precisions=float32"]
    flags += [
        "--output=o",
        "--logdir=l",
        "--psnr=m=30",
        "--max_batch=4",
        "--steps=2",
        "--option=depth=3",
    ]
    status, (printed,), _ = run(repository, "profile", "profiling.profiler", *flags)
    assert status == 0
    assert eval(printed) == {
        "models": "['m', 'n']",
        "sizes": "['8x16']",
        "implementations": "['reference']",
        "precisions": "['float32']",
        "output": "o",
        "logdir": "l",
        "psnrs": "['m=30']",
        "max_batch": "4",
        "steps": "2",
        "options": "['depth=3']",
    }


@pytest.mark.parametrize(
    "binary,module,missing",
    [("export", "exporting.exporter", "--output"), ("profile", "profiling.profiler", "--models")],
)
@pytest.mark.parametrize("flags", [[], ["stray"]])
def test_mistakes_are_one_line(repository, binary, module, missing, flags):
    status, printed, errors = run(repository, binary, module, *flags)
    assert (status, printed) == (1, [])
    (line,) = errors.splitlines()
    assert line.startswith("error: ") and (flags[0] if flags else missing) in line
