"""Gin files are read strictly: a mistake is one line that names it."""

import errno
import fnmatch
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import gin
import pytest
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.experiment import gin_configuration
from mallenet_tf.experiment.run import Experiment


@pytest.fixture(autouse=True)
def fresh_gin():
    gin.clear_config()
    yield
    gin.clear_config()


def complaint(call) -> str:
    with pytest.raises(UserError) as raised:
        call()
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "line, named",
    [
        ("TrainingOptions.stepz = 3", "'TrainingOptions' doesn't have a parameter named 'stepz'"),
        ("TrainingOption.steps = 3", "No configurable matching 'TrainingOption'"),
        ("run_experiment.loss = @l3", "No configurable matching reference '@l3'"),
        ("cosine.peak = %PEAK", "No bindings specified for 'PEAK/gin.macro'"),
        ("TrainingOptions.steps = (1,", "EOF in multi-line statement"),
        ("TrainingOptions.steps 3", "expected ':' or '='"),
        ("import not_a_package", "No module named 'not_a_package'"),
        ("include 'not_a_file.gin'", "not_a_file.gin"),
    ],
)
@pytest.mark.parametrize("where", ["file", "binding"])
def test_a_mistake_is_named_in_one_line(line, named, where, tmp_path):
    file = tmp_path / "wrong.gin"
    file.write_text(f"TrainingOptions.steps = 1\n{line if where == 'file' else ''}\n")
    bindings = [line] if where == "binding" else []
    message = complaint(lambda: gin_configuration.parse([str(file)], bindings))
    assert named in message
    assert str(file) in message


@pytest.mark.parametrize("file", ["gin_configs/nosuch.gin", "nosuch.gin", "/nowhere/nosuch.gin"])
def test_a_missing_file_is_named(file):
    message = complaint(lambda: gin_configuration.parse([file], []))
    assert message == f"There is no such gin file. Received: --gin_file={file}"


@pytest.mark.parametrize("file", ["gin_configs/nosuch.gin", "nosuch.gin"])
def test_a_missing_include_is_named_by_its_file(file, tmp_path):
    (tmp_path / "top.gin").write_text(f"include '{file}'")
    message = complaint(lambda: gin_configuration.parse([str(tmp_path / "top.gin")], []))
    assert "top.gin" in message and ("included file" in message or "nosuch.gin" in message)


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "binary.gin").write_bytes(b"\xff\xfe\x00\x80")
    assert "binary.gin" in complaint(
        lambda: gin_configuration.parse([str(tmp_path / "binary.gin")], [])
    )


def test_a_full_disk_is_named(tmp_path, repository, monkeypatch):
    class Full:
        def run(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Experiment, "trainer", lambda *_: Full())
    gin_configuration.parse([str(repository / "gin_configs" / "experiments" / "smoke.gin")], [])
    message = complaint(lambda: gin_configuration.run_experiment(tmp_path / "run"))
    assert "No space left on device" in message and str(tmp_path / "run") in message


def test_a_missing_binding_is_named(tmp_path):
    gin_configuration.parse([], ["run_experiment.patch_size = 16"])
    message = complaint(lambda: gin_configuration.run_experiment(tmp_path / "run"))
    assert re.search(r"No values supplied by Gin or caller for arguments: \[.*'model'", message)


def test_a_value_out_of_range_is_named_without_the_calls(tmp_path, repository):
    gin_configuration.parse(
        [str(repository / "gin_configs" / "experiments" / "smoke.gin")],
        ["TrainingOptions.batch_size = 0", 'VALIDATION = "nowhere"'],
    )
    message = complaint(lambda: gin_configuration.run_experiment(tmp_path / "run"))
    assert message == "batch_size must be an integer, at least 1. Received: batch_size=0"


def test_missing_photographs_are_named_without_the_calls(tmp_path, repository):
    gin_configuration.parse(
        [str(repository / "gin_configs" / "experiments" / "smoke.gin")],
        [f'VALIDATION = "{tmp_path}/nowhere"', "build_model.width = 1"],
    )
    message = complaint(lambda: gin_configuration.run_experiment(tmp_path / "run"))
    assert f"{tmp_path}/nowhere" in message and "configurable" not in message


def test_a_wrong_configuration_leaves_the_run_alone(tmp_path, repository):
    """The message about a state that does not fit says to use what lies beside it."""
    (tmp_path / "config.gin").write_text("what the run was made with")
    (tmp_path / "state.npz").write_bytes(b"")
    gin_configuration.parse(
        [str(repository / "gin_configs" / "experiments" / "smoke.gin")],
        [f'VALIDATION = "{tmp_path}/*.png"', "build_model.width = 1"],
    )
    Image.new("RGB", (16, 16)).save(tmp_path / "photograph.png")
    assert "state.npz is damaged" in complaint(lambda: gin_configuration.run_experiment(tmp_path))
    assert (tmp_path / "config.gin").read_text() == "what the run was made with"


@pytest.mark.parametrize(
    "binding, named",
    [
        ("run_experiment.sources = @Leaves()", "in gin [@Leaves()]. Received: sources=Leaves("),
        ("run_experiment.sources = [@Leaves]", "in gin [@Leaves()]. Received: sources=[<class"),
        ("run_experiment.optimizer = @optimizer()", "without (). Received: optimizer="),
        ("run_experiment.model = @build_model()", "without (). Received: model=<MalleNet"),
        ("run_experiment.validation = @Validation", "with (). Received: validation=<class"),
        ("run_experiment.loss = @AnnealedGroups", "with (). Received: loss=<class"),
        ("run_experiment.loss = 'l1'", "Received: loss='l1'"),
        ("run_experiment.noise = @GaussianNoise", "with (). Received: noise=<class"),
        ("run_experiment.options = @TrainingOptions", "with (). Received: options=<class"),
        ("run_experiment.patch_size = 32.0", "Received: patch_size=32.0"),
        ("run_experiment.patch_size = 0", "Received: patch_size=0"),
        ("cosine.peak = '1e-3'", "In call to configurable 'cosine'"),
        ("TrainingOptions.clip_norm = '1'", "Received: clip_norm='1'"),
        ("TrainingOptions.profile_steps = 5", "Received: profile_steps=5"),
        ("TrainingOptions.profile_steps = (1, 2, 3)", "Received: profile_steps=(1, 2, 3)"),
        ("TrainingOptions.steps = True", "Received: steps=True"),
        ("GaussianNoise.sigma = None", "Received: sigma=None"),
        ("GaussianNoise.sigma = '25'", "Received: sigma='25'"),
        ("GaussianNoise.sigma = ('0', '75')", "Received: sigma=('0', '75')"),
        ("VaryingNoise.sigma = 25.0", "Received: sigma=25.0"),
        ("JpegNoise.noise = @GaussianNoise", "with (). Received: noise=<class"),
        ("VALIDATION = 5", "Received: patterns=5"),
        ("Validation.sigmas = 25.0", "Received: sigmas=25.0"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(binding, named, tmp_path, repository):
    user = binding.split(".")[0]
    noise = f"run_experiment.noise = @{user}()" if user in ("VaryingNoise", "JpegNoise") else ""
    Image.new("RGB", (16, 16)).save(tmp_path / "photograph.png")
    gin_configuration.parse(
        [str(repository / "gin_configs" / "experiments" / "smoke.gin")],
        [f'VALIDATION = "{tmp_path}"', "build_model.width = 1", noise, binding],
    )
    assert named in complaint(lambda: gin_configuration.run_experiment(tmp_path / "run"))
    assert not (tmp_path / "run" / "state.npz").exists()


@pytest.mark.parametrize(
    "error, building", [(TypeError, True), (TypeError, False), (ValueError, False)]
)
def test_a_defect_of_ours_keeps_its_traceback(tmp_path, repository, monkeypatch, error, building):
    def defect(*arguments):
        raise error("a defect")

    trainer = defect if building else lambda *arguments: SimpleNamespace(run=defect)
    monkeypatch.setattr(Experiment, "trainer", trainer)
    gin_configuration.parse([str(repository / "gin_configs" / "experiments" / "smoke.gin")], [])
    with pytest.raises(error, match="a defect"):
        gin_configuration.run_experiment(tmp_path)


def test_a_later_binding_wins_and_includes_are_found_beside_the_file(tmp_path):
    (tmp_path / "base.gin").write_text("STEPS = 1\nTrainingOptions.steps = %STEPS\n")
    (tmp_path / "top.gin").write_text('include "base.gin"\nSTEPS = 2\n')
    gin_configuration.parse([str(tmp_path / "top.gin")], ["TrainingOptions.batch_size = 7"])
    options = gin.get_configurable("TrainingOptions")()
    assert (options.steps, options.batch_size) == (2, 7)


REPOSITORY = Path(__file__).resolve().parents[2]
GIN_FILES = sorted((REPOSITORY / "gin_configs").rglob("*.gin"))


def documented_commands(file: Path) -> list[list[str]]:
    """Returns the training commands in the comments of a gin file, as lists of words."""
    head = "\n".join(line[1:] for line in file.read_text().splitlines() if line.startswith("#"))
    lines = head.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if "python -m mallenet_tf.train" in line]


@pytest.mark.parametrize("file", GIN_FILES, ids=lambda file: file.stem)
def test_documented_commands_describe_whole_experiments(file):
    commands = documented_commands(file)
    assert commands or file.parent.name in ("noise", "data"), "a recipe without its command"
    for words in commands:
        gin.clear_config()
        files = [word.split("=", 1)[1] for word in words if word.startswith("--gin_file=")]
        params = [word.split("=", 1)[1] for word in words if word.startswith("--gin_param=")]
        gin_configuration.parse(files, params)
        experiment = gin.get_bindings("run_experiment", resolve_references=False)
        assert {"model", "optimizer", "loss", "sources", "noise", "validation"} <= set(experiment)
        assert "name" in gin.get_bindings("build_model")
        if "@GaussianNoise" in str(experiment["noise"]):
            assert "sigma" in gin.get_bindings("GaussianNoise")
        if "@Validation()" in str(experiment["validation"]):
            assert "sigmas" in gin.get_bindings("Validation", resolve_references=False)


@pytest.mark.parametrize("file", GIN_FILES, ids=lambda file: file.stem)
def test_every_gin_file_is_part_of_a_documented_command(file):
    used = {"base.gin"}
    for each in GIN_FILES:
        text = each.read_text()
        used.update(re.findall(r"--gin_file=(\S+?\.gin)", text))
        used.update(re.findall(r'^include "(.+)"$', text, re.MULTILINE))
    name = file.relative_to(REPOSITORY / "gin_configs").as_posix()
    assert name in used or name.startswith("noise/sigma")


@pytest.mark.parametrize("name", ["mallenet_s", "adfnet", "sadnet", "dncnn_malleconv"])
def test_published_recipes_validate_on_photographs_that_do_not_train(name):
    gin.clear_config()
    gin_configuration.parse([f"networks/{name}.gin"], [])
    held_out = [f"data/DIV2K/{number:04d}.png" for number in range(890, 900)]
    photographs = gin_configuration.bound_value("%PHOTOGRAPHS")
    validation = gin_configuration.bound_value("%VALIDATION")
    gin.clear_config()
    assert all(fnmatch.fnmatch(path, validation) for path in held_out)
    matched = [path for path in held_out for each in photographs if fnmatch.fnmatch(path, each)]
    assert not matched and "CBSD68" not in validation
