"""Writes constraints.txt: the exact versions that `make` installs, for every supported Python.

Run it where interpreters of the supported versions are installed, and give all of them:

    python requirements/update.py python3.10 python3.11 python3.12 python3.13

For each one, pip resolves the package with its extras, nothing is installed. Versions that differ
between the interpreters get environment markers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "requirements" / "constraints.txt"
EXTRAS = "docs,quickstart,test"
# The package itself, and what a virtual environment brings.
LEFT_OUT = {"mallenet-tf", "pip"}
HEADER = """\
# The exact versions that `make` installs. Written by requirements/update.py; do not edit.
"""


def resolve(interpreter: str) -> tuple[str, dict[str, str]]:
    """Returns an interpreter's version, as "3.12", and the versions pip chooses for it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([interpreter, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--upgrade", "pip"], check=True)
        report = Path(folder) / "report.json"
        wanted = f"{ROOT}[{EXTRAS}]"
        command = [*pip, "install", "--dry-run", "--ignore-installed", "--report", str(report)]
        subprocess.run([*command, wanted], check=True)
        content = json.loads(report.read_text(encoding="utf-8"))
    chosen = {
        item["metadata"]["name"].lower().replace("_", "-"): item["metadata"]["version"]
        for item in content["install"]
    }
    version = content["environment"]["python_version"]
    return version, {name: chosen[name] for name in sorted(chosen) if name not in LEFT_OUT}


def merge(resolutions: dict[str, dict[str, str]]) -> list[str]:
    """Returns the constraint lines for the versions chosen by Python version."""
    by_name: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for python, chosen in resolutions.items():
        for name, version in chosen.items():
            by_name[name][version].append(python)

    lines = []
    for name, versions in sorted(by_name.items()):
        for version, pythons in versions.items():
            if len(versions) == 1:
                lines.append(f"{name}=={version}")
                continue
            marker = " or ".join(f'python_version == "{python}"' for python in pythons)
            lines.append(f"{name}=={version} ; {marker}")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Resolves for every interpreter given and writes the file."""
    parser = argparse.ArgumentParser(description="Writes the constraints file.")
    parser.add_argument("interpreters", nargs="+")
    options = parser.parse_args(arguments)
    resolutions = dict(resolve(interpreter) for interpreter in options.interpreters)
    CONSTRAINTS.write_text(HEADER + "\n".join(merge(resolutions)) + "\n", encoding="utf-8")
    print(f"{CONSTRAINTS}: Python {', '.join(resolutions)}")


if __name__ == "__main__":
    main()
