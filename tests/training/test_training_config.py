"""Gin files are read strictly: a mistake is one line that names it."""

import re

import gin
import pytest

from mallenet_tf import config
from mallenet_tf.errors import UserError


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
    message = complaint(lambda: config.parse([str(file)], bindings))
    assert named in message
    assert str(file) in message


def test_a_missing_file_is_named(tmp_path):
    assert "absent.gin" in complaint(lambda: config.parse([str(tmp_path / "absent.gin")], []))


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "binary.gin").write_bytes(b"\xff\xfe\x00\x80")
    assert "binary.gin" in complaint(lambda: config.parse([str(tmp_path / "binary.gin")], []))


def test_a_missing_binding_is_named(tmp_path):
    config.parse([], ["run_experiment.patch_size = 16"])
    message = complaint(lambda: config.run_experiment(tmp_path / "run"))
    assert re.search(r"No values supplied by Gin or caller for arguments: \[.*'model'", message)


def test_a_value_out_of_range_is_named_without_the_calls(tmp_path, repository):
    config.parse(
        [str(repository / "gin_configs" / "smoke.gin")],
        ["TrainingOptions.batch_size = 0", 'VALIDATION = "nowhere"'],
    )
    message = complaint(lambda: config.run_experiment(tmp_path / "run"))
    assert message == "batch_size must be an integer, at least 1. Received: batch_size=0"


def test_missing_photographs_are_named_without_the_calls(tmp_path, repository):
    config.parse(
        [str(repository / "gin_configs" / "smoke.gin")],
        [f'VALIDATION = "{tmp_path}/nowhere"', "build_model.width = 1"],
    )
    message = complaint(lambda: config.run_experiment(tmp_path / "run"))
    assert f"{tmp_path}/nowhere" in message and "configurable" not in message


def test_a_wrong_configuration_leaves_the_run_alone(tmp_path, repository):
    """The message about a state that does not fit says to use what lies beside it."""
    (tmp_path / "config.gin").write_text("what the run was made with")
    (tmp_path / "state.npz").write_bytes(b"")
    config.parse(
        [str(repository / "gin_configs" / "smoke.gin")],
        [f'VALIDATION = "{tmp_path}/*.png"', "build_model.width = 1"],
    )
    from PIL import Image

    Image.new("RGB", (16, 16)).save(tmp_path / "photograph.png")
    assert "state.npz is damaged" in complaint(lambda: config.run_experiment(tmp_path))
    assert (tmp_path / "config.gin").read_text() == "what the run was made with"


def test_a_later_binding_wins_and_includes_are_found_beside_the_file(tmp_path):
    (tmp_path / "base.gin").write_text("STEPS = 1\nTrainingOptions.steps = %STEPS\n")
    (tmp_path / "top.gin").write_text('include "base.gin"\nSTEPS = 2\n')
    config.parse([str(tmp_path / "top.gin")], ["TrainingOptions.batch_size = 7"])
    options = gin.get_configurable("TrainingOptions")()
    assert (options.steps, options.batch_size) == (2, 7)


@pytest.fixture
def configurations(repository):
    return sorted((repository / "gin_configs").glob("*.gin"))


def test_every_configuration_of_the_repository_can_be_read(configurations):
    assert len(configurations) > 2
    for file in configurations:
        if file.name == "base.gin":  # is only there to be included
            continue
        # The mix of photographs goes behind any recipe.
        recipe = [str(file.with_name("mallenet_s_sigma25.gin"))] if "mix" in file.name else []
        gin.clear_config()
        config.parse([*recipe, str(file)], [])
        text = gin.config_str()
        assert "build_model.name" in text and "run_experiment.sources" in text, file
