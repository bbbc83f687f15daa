"""Commands in the documentation name modules, flags, files and targets that exist."""

import json
import re
import shlex
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"]
PAGES += sorted((REPOSITORY / "docs").glob("*.md"))
# Settings of the environment, or `timeout 8h`, may stand in front.
BEFORE = r"(?:[A-Z_]+=\S+ |timeout \S+ )?"
COMMAND = BEFORE + r"((?:python -m mallenet_tf\.|python (?:tools|examples)/|make ).+)"


def commands(page: Path) -> list[str]:
    """Returns the commands of a page: those in indented code and those in backticks."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"^    (.+)$", prose, re.MULTILINE)
    found += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]
    matches = [re.fullmatch(COMMAND, line) for line in found]
    return [match[1] for match in matches if match]


def documented() -> list[tuple[str, str]]:
    return [(page.name, command) for page in PAGES for command in commands(page)]


def module_flags(file: Path) -> set[str]:
    """Returns the flags that a file defines with absl or argparse."""
    text = file.read_text(encoding="utf-8")
    names = re.findall(r'flags\.DEFINE_\w+\(\s*"(\w+)"', text)
    names += re.findall(r'"--([\w-]+)"', text)
    return {"help", "helpfull", *names}


def check_flags(words: list[str], known: set[str]) -> None:
    for word in words:
        if word.startswith("--"):
            assert word[2:].split("=")[0] in known, word


def test_the_documentation_has_commands():
    assert len(documented()) > 50


@pytest.mark.parametrize(("page", "command"), documented())
def test_documented_command_exists(page, command):
    words = shlex.split(command.split("#")[0])
    if words[0] == "make":
        makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
        for target in words[1:]:
            assert "=" in target or re.search(rf"^{target}:", makefile, re.MULTILINE), target
        return
    if words[1] == "-m":
        file = REPOSITORY / (words[2].replace(".", "/") + ".py")
        words = words[1:]
    else:
        file = REPOSITORY / words[1]
    assert file.is_file()
    check_flags(words[2:], module_flags(file))
    for word in words:
        name = word.removeprefix("--gin_file=")
        if name != word:
            assert (REPOSITORY / "gin_configs" / name).is_file(), name


def test_every_shipped_network_has_a_card_with_its_scores():
    page = (REPOSITORY / "docs" / "weights.md").read_text(encoding="utf-8")
    manifest = REPOSITORY / "mallenet_tf" / "weights" / "manifest.json"
    for name, entry in json.loads(manifest.read_text(encoding="utf-8")).items():
        assert re.search(rf"^## .*\b{name}\b", page, re.MULTILINE), name
        for scores in entry["psnr"].values():
            found = [psnr for sigma, psnr in scores.items() if sigma.isdigit()]
            assert all(f"{psnr:.2f}" in page for psnr in found), (name, scores)


def test_files_that_the_architecture_names_exist():
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = {path.as_posix() for path in (REPOSITORY / "mallenet_tf").rglob("*.py")}
    for name in re.findall(r"`([\w/]+\.py)`", page):
        known = (REPOSITORY / name).is_file() or any(path.endswith(f"/{name}") for path in package)
        assert known, name
