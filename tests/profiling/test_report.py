"""Tables, files and the plot of profiles."""

import csv
import dataclasses
import sys

import pytest
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.models import build_model
from mallenet_tf.profiling import profiler
from mallenet_tf.profiling.published import TABLES
from mallenet_tf.profiling.report import (
    COLUMNS,
    Profile,
    draw_plot,
    format_breakdown,
    format_published,
    format_table,
    write_csv,
)
from tests.helpers.two_levels import trained

PROFILE = Profile(
    model="mallenet_s",
    network="mallenet_s",
    height=256,
    width=256,
    implementation="native",
    precision="float32",
    parameters=430_000,
    gmacs=1.375,
    gflops=2.75,
    batch=16,
    profiler_ms=33.25,
    median_ms=41.5,
    p90_ms=44.0,
    megapixels=1.58,
    peak_mb=30.5,
    hardware="a processor",
)


def published(method):
    return next(row for table in TABLES for row in table.rows if row.method == method)


def test_the_papers_rows_are_the_papers():
    # malleconv.txt, Tables 1 to 3.
    assert dataclasses.astuple(published("MalleNet-S")) == (
        "MalleNet-S",
        4.62,
        2.93,
        "mallenet_s",
    )
    assert published("MalleNet-XL").milliseconds == 87.55
    assert published("MalleNet-R").gflops == 29.11
    assert (published("D=6, P=4").milliseconds, published("D=6, P=4").gflops) == (9.85, 29.81)


def test_ours_stand_beside_the_papers_row_with_both_machines_named():
    slow = dataclasses.replace(PROFILE, implementation="reference", profiler_ms=80.0)
    other_size = dataclasses.replace(PROFILE, width=512, profiler_ms=1.0)
    text = format_published(TABLES[0], [slow, PROFILE, other_size])
    (line,) = [line for line in text.splitlines() if "MalleNet-S" in line]
    assert line.split()[1:] == [
        *("4.62", "ms", "2.93", "G"),
        *("33.25", "ms", "2.75", "G", "native", "float32,", "batch", "16"),
    ]
    assert "P6000" in text and "a processor" in text
    (line,) = [line for line in text.splitlines() if "MalleNet-M" in line]
    assert line.split()[1:] == ["16.69", "ms", "9.36", "G"]


def test_csv_holds_every_number(tmp_path):
    write_csv(tmp_path / "profile.csv", [PROFILE, PROFILE])
    with (tmp_path / "profile.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert {name: type(getattr(PROFILE, name))(rows[0][name]) for name in COLUMNS} == (
        dataclasses.asdict(PROFILE)
    )


def test_table_has_a_line_for_each():
    lines = format_table([PROFILE, dataclasses.replace(PROFILE, model="other")]).splitlines()
    assert lines[1].split()[:4] == ["mallenet_s", "256x256", "native", "float32"]
    assert "33.2 ms" in lines[1] and "41.5 ms" in lines[1] and "2.75" in lines[1]
    assert lines[2].startswith("other ")


def test_breakdown_adds_up():
    text = format_breakdown("by layer", {"a": 6.0, "b": 3.0, "c": 0.5, "d": 0.5}, 2)
    assert text.splitlines() == [
        "by layer: 10.0 ms, added up over threads",
        "      6.00 ms  60.0 %  a",
        "      3.00 ms  30.0 %  b",
        "      1.00 ms  10.0 %  2 more",
    ]


def test_plot_shows_the_models_with_a_psnr(tmp_path):
    pytest.importorskip("matplotlib")
    other = dataclasses.replace(PROFILE, model="other", profiler_ms=400.0)
    draw_plot(tmp_path / "one.png", [PROFILE, other], {"mallenet_s": 31.02})
    draw_plot(tmp_path / "two.png", [PROFILE, other], {"mallenet_s": 31.02, "other": 30.0})
    one, two = (Image.open(tmp_path / name) for name in ("one.png", "two.png"))
    assert one.size == two.size and one.tobytes() != two.tobytes()


def test_a_missing_package_is_named_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match=r"pip install 'matplotlib'.*\[profile\]"):
        draw_plot(tmp_path / "plot.png", [PROFILE], {"mallenet_s": 31.0})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["256", "0x256", "256x256x3", "axb"])
def test_sizes_that_are_none_are_refused(text):
    with pytest.raises(UserError, match=f"--sizes={text}"):
        profiler.parse_size(text)


def test_sizes_are_width_by_height():
    assert profiler.parse_size("1920x1080") == (1080, 1920)


@pytest.mark.parametrize("text", ["mallenet_s", "mallenet_s=good", "mallenet_m=31.0"])
def test_psnrs_of_no_use_are_refused(text):
    with pytest.raises(UserError, match=f"--psnr={text}"):
        profiler.parse_psnrs([text], ["mallenet_s"])


def test_options_are_python_values_or_text():
    found = profiler.parse_options(["depth=3", "dynamic=malleconv", "pool_sizes=(4, 4)"])
    assert found == {"depth": 3, "dynamic": "malleconv", "pool_sizes": (4, 4)}
    with pytest.raises(UserError, match="--option=depth"):
        profiler.parse_options(["depth"])


def test_a_network_with_options_stands_beside_no_published_row():
    other = dataclasses.replace(PROFILE, model="mallenet_s(blocks=1)")
    assert "ours:" in format_published(TABLES[0], [PROFILE])
    assert "ours:" not in format_published(TABLES[0], [other])


def test_profiling_a_network_writes_everything(tmp_path, capsys):
    pytest.importorskip("xprof")
    pytest.importorskip("matplotlib")
    weights = str(tmp_path / "small=net.keras")
    trained(normalization="batch").save(weights)
    psnrs = profiler.parse_psnrs([f"{weights}=30.5"], [weights])
    output = tmp_path / "out"
    (profile,) = profiler.run(
        [weights], [(16, 24)], ["reference"], ["float32"], output, psnrs=psnrs, max_batch=1, steps=2
    )
    assert (profile.network, profile.way) == ("two_levels", "reference float32")
    assert profile.gflops == 2 * profile.gmacs > 0
    printed = capsys.readouterr().out
    for words in ("by layer", "bottleneck", "by operation", "24x16", "P6000", "2080 Ti"):
        assert words in printed
    names = {path.name for path in output.iterdir()}
    assert names == {"profile.csv", "operations.csv", "latency_psnr.png", "logs"}
    with (output / "operations.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert any("malleconv3" in row["operation"] for row in rows)
    assert list(output.glob("logs/*/batch_1/plugins/profile/*/*.xplane.pb"))


@pytest.mark.parametrize(
    ("second", "size", "message"),
    [
        ("typo", (16, 24), "typo"),
        ("net", (15, 24), r"multiples of 2\. Received: --sizes=24x15"),
    ],
)
def test_every_model_is_checked_before_the_first_is_measured(
    tmp_path, monkeypatch, second, size, message
):
    monkeypatch.setattr(profiler, "measure", lambda *_: pytest.fail("measured"))
    build_model("dncnn", depth=3, width=4).save(tmp_path / "any_size.keras")
    trained().save(tmp_path / "net.keras")
    models = [str(tmp_path / f"{name}.keras") for name in ("any_size", second)]
    with pytest.raises(UserError, match=message):
        profiler.run(models, [size], ["reference"], ["float32"])


def test_sizes_that_a_network_does_not_take_are_refused(tmp_path):
    trained().save(tmp_path / "net.keras")
    with pytest.raises(UserError, match=r"multiples of 2\. Received: --sizes=24x15"):
        profiler.run([str(tmp_path / "net.keras")], [(15, 24)])
