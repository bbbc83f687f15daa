"""Makes a table or a figure of the papers: measured beside published.

python -m mallenet_tf.reproduce --list
python -m mallenet_tf.reproduce --item=malleconv/table2 --output=reproduced
python -m mallenet_tf.reproduce --item=malleconv/table1 --weights=shipped --data=data/cbsd68 \
  --output=reproduced
python -m mallenet_tf.reproduce --item=malleconv/fig7 --only='width=16' --photographs=data/bsd400 \
  --data=data/cbsd68 --scale=0.001 --seeds=2 --output=reproduced
"""

from collections.abc import Sequence

from absl import app, flags, logging

from mallenet_tf.common.errors import check_flags_only, run_main
from mallenet_tf.common.startup import start_keras
from mallenet_tf.experiment.reproduction.items import find_item, list_items
from mallenet_tf.experiment.reproduction.settings import parse_settings

_LIST = flags.DEFINE_bool("list", False, "List the items, what each needs and costs.")
_ITEM = flags.DEFINE_string("item", "", "PAPER/tableN or PAPER/figN, as --list names them.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder for trainings, scores and results.")
_PHOTOGRAPHS = flags.DEFINE_list("photographs", [], "Folders or globs to train on, or leaves.")
_DATA = flags.DEFINE_list("data", [], "Folders or globs to score on; each is a test set.")
_SCALE = flags.DEFINE_float("scale", 1.0, "Length of the trainings, of that published.")
_SEEDS = flags.DEFINE_integer("seeds", 1, "Trainings of each network, seeds from 0.", 1)
_WEIGHTS = flags.DEFINE_multi_string(
    "weights", [], "CELL=WEIGHTS to score instead of training, or shipped; may be repeated."
)
_ONLY = flags.DEFINE_multi_string("only", [], "AXIS=VALUE|VALUE to keep; may be repeated.")
_GIN_PARAM = flags.DEFINE_multi_string("gin_param", [], "Binding for every training.")
_LIMIT = flags.DEFINE_integer("limit", None, "Images of each test set; the default is all.", 1)


def main(argv: Sequence[str]) -> None:
    """Makes the item that the command line names."""
    check_flags_only(argv)
    if _LIST.value:
        print(list_items())
        return
    item = find_item(_ITEM.value)
    data = (_OUTPUT.value, _PHOTOGRAPHS.value, _DATA.value, _SCALE.value, _SEEDS.value)
    more = (_WEIGHTS.value, _ONLY.value, _GIN_PARAM.value, _LIMIT.value)
    settings = parse_settings(*data, *more)
    start_keras()
    from mallenet_tf.experiment.reproduction import engine

    engine.run(item, settings)


def cli() -> None:
    """Runs the installed command."""
    logging.set_verbosity(logging.INFO)
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
