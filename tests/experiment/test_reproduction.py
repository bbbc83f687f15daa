"""The tables and figures of the papers: all listed and valid, and one made end to end."""

import csv
import dataclasses

import numpy as np
import pytest
from PIL import Image

from mallenet_tf.common.errors import UserError
from mallenet_tf.experiment.gin_configuration import bound_value, parse
from mallenet_tf.experiment.reproduction import engine, report
from mallenet_tf.experiment.reproduction.item import METRICS, PUBLISHED, Item, Plot
from mallenet_tf.experiment.reproduction.items import ITEMS, find_item, list_items
from mallenet_tf.experiment.reproduction.measures import MEASURES
from mallenet_tf.experiment.reproduction.report import Result
from mallenet_tf.experiment.reproduction.settings import Settings, parse_settings

WANTED = {
    "malleconv": "table1 table2 table3 fig4 fig5 fig6 fig7 fig8 fig9 fig10 fig11 fig12",
    "adfnet": "table1 table2 table3 table4 fig6 fig7 fig8",
    "sadnet": "table1 table2 table3 table4 table5 table6 table7 fig4",
    "deformable_kernels": "table2 table3 table4 fig7 fig8 fig9 fig10",
}
TESTS = {"data", "noise", "motion", "frame"}


def test_every_table_and_figure_is_listed():
    wanted = {f"{paper}/{name}" for paper, names in WANTED.items() for name in names.split()}
    assert wanted <= set(ITEMS)
    listed = list_items()
    assert all(f"{name} " in listed for name in ITEMS)
    with pytest.raises(UserError, match="Received: --item=malleconv/table9"):
        find_item("malleconv/table9")


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_an_items_files_and_bindings_exist(item):
    import gin

    assert item.measure in MEASURES
    cells = list(item.cells({}))
    assert item.compare is None or item.compare in item.axes
    assert set(item.weights) <= {cell.name for cell in cells}
    for cell in (cells[0], cells[-1]) if item.gin else ():
        gin.clear_config()
        parse(item.gin, cell.bindings)
        if item.measure != "cost" and item.name != "mallenet/recipes":
            assert bound_value("%STEPS") == item.steps
    gin.clear_config()


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.csv")), ids=lambda path: path.stem)
def test_published_numbers_belong_to_an_item(path):
    paper, _, name = path.stem.rpartition("_")
    item = ITEMS[f"{paper}/{name}"]
    with path.open(newline="") as file:
        columns = csv.DictReader(file).fieldnames
    assert set(columns) <= {*item.axes, *TESTS, *METRICS}
    axis = columns[0]
    stated = {row.get(axis) for row in item.published()}
    assert stated & set(item.axes[axis])


def test_only_keeps_values_of_an_axis():
    item = ITEMS["malleconv/fig7"]
    cells = list(item.cells({"width": ["16"], "sigma": ["50"], "depth": ["3", "6"]}))
    assert len(cells) == 2 * 2
    assert all("build_model.width = 16" in cell.bindings for cell in cells)
    with pytest.raises(UserError, match="Received: --only=depth=4"):
        list(item.cells({"depth": ["4"]}))


@pytest.fixture
def small_item(monkeypatch):
    published = [
        {"network": "tiny", "data": "Photos", "psnr": 30.0},
        {"network": "theirs", "data": "Photos", "psnr": 31.5},
    ]
    monkeypatch.setattr(Item, "published", lambda item: published)
    return Item(
        "malleconv/table0",
        "a test",
        "nothing",
        gin=("experiments/smoke.gin",),
        axes={"network": {"tiny": (), "other": ()}},
        steps=40,
        compare="network",
        plot=Plot("gflops", lines=("network",)),
        options={"cost": True},
    )


def test_an_item_is_trained_scored_and_written_once(small_item, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(photos / "a.png")
    settings = Settings(
        tmp_path / "out", ["leaves"], [str(photos)], scale=0.05, only={"network": ["tiny"]}
    )
    (score, cost) = engine.run(small_item, settings)
    assert score.labels == {"network": "tiny", "data": "photos"} and cost.metrics["gflops"] > 0
    table = (tmp_path / "out" / "malleconv_table0.md").read_text()
    assert (
        f"{score.metrics['psnr']:.2f} / 30 |" in table and "| theirs | Photos | - / 31.5 |" in table
    )
    assert table in capsys.readouterr().out
    with (tmp_path / "out" / "malleconv_table0.csv").open(newline="") as file:
        first, _ = csv.DictReader(file)
    assert (
        float(first["psnr_published"]) == 30.0 and first["hardware"] and first["run"] == score.run
    )
    assert (tmp_path / "out" / "malleconv_table0.png").stat().st_size > 1000
    state = tmp_path / "out" / "runs" / score.run / "state.npz"
    before = state.stat().st_mtime_ns
    again, _ = engine.run(small_item, settings)
    assert again.metrics == score.metrics and state.stat().st_mtime_ns == before


def results(method, seed, gain):
    images = {f"{index}.png": 30 + index + gain for index in range(8)}
    labels = {"network": method, "data": "photos"}
    return Result(labels, {"psnr": np.mean(list(images.values()))}, seed, "run", images)


def test_seeds_are_averaged_and_methods_compared_image_by_image(small_item):
    made = [results("tiny", 0, 0.0), results("other", 0, 0.4), results("other", 1, 0.6)]
    lines = report.make_lines(small_item, made)
    mean, spread, published = lines[1].cells()
    assert (mean, spread, published) == ("34.00", "0.14", "")
    assert [line.published for line in lines] == [30.0, None, 31.5]
    (line,) = report.paired_tests(small_item, made)
    assert line.startswith("other against tiny (data photos): +0.50 dB on 8 images, p = 0.0")
    single = dataclasses.replace(small_item, compare=None)
    assert not list(report.paired_tests(single, made))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"output": None}, "Give --output"),
        ({"scale": 0.0}, "Received: --scale=0"),
        ({"only": ["width"]}, "Received: --only=width"),
        ({"weights": ["x="]}, "Received: --weights=x="),
    ],
)
def test_settings_that_cannot_work_are_refused(change, message):
    flags = {
        **{"output": "out", "photographs": [], "data": [], "scale": 1.0, "seeds": 1},
        **{"weights": [], "only": [], "gin_params": [], "limit": None},
    }
    with pytest.raises(UserError, match=message):
        parse_settings(**(flags | change))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match="Give --photographs, or --weights"):
        engine.run(ITEMS["malleconv/table1"], Settings(tmp_path))
    with pytest.raises(UserError, match="Give --data"):
        engine.run(ITEMS["sadnet/table5"], Settings(tmp_path))
