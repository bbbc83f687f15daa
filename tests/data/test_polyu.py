"""The recipe for PolyU: no scene that it trains on is one that it is tested on."""

import gin
import pytest

from mallenet_tf.experiment import gin_configuration


@pytest.fixture
def polyu(repository):
    """The patterns of gin_configs/experiments/mallenet_r_polyu.gin by part."""
    gin.clear_config()
    gin_configuration.parse(["experiments/mallenet_r_polyu.gin"], [])
    parts = ("TRAIN", "VALIDATION", "TEST")
    yield {part: gin.query_parameter(f"{part}/macro.value") for part in parts}
    gin.clear_config()


# Words that name one place in PolyU's file names: "GO" shows the plants of "flower".
SAME_SCENE = {"GO": "flower"}


def scene(name):
    word = name.removesuffix("_real.JPG").rstrip("0123456789").rstrip("_").rpartition("_")[2]
    return SAME_SCENE.get(word, word)


def test_polyu_is_split_by_scene(polyu, shared_images):
    parts = {
        part: [
            path.name
            for pattern in patterns
            for path in shared_images.glob(pattern.removeprefix("data/") + "_real.JPG")
        ]
        for part, patterns in polyu.items()
    }
    assert {part: len(names) for part, names in parts.items()} == {
        "TRAIN": 61,
        "VALIDATION": 7,
        "TEST": 32,
    }
    names = [name for part in parts.values() for name in part]
    assert sorted(names) == sorted(p.name for p in (shared_images / "polyu").glob("*_real.JPG"))
    scenes = {part: set(map(scene, names)) for part, names in parts.items()}
    assert len(set.union(*scenes.values())) == sum(map(len, scenes.values())) == 22
    cameras = {name.split("_")[0] for name in parts["TEST"]}
    assert cameras == {"Canon5D2", "Canon600D", "Canon80D", "NikonD800", "Sony"}
