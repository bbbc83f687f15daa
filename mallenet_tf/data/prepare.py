"""Prepares one of the papers' data sets from its official download.

    python -m mallenet_tf.data.prepare --list
    python -m mallenet_tf.data.prepare kodak24/crops --manual_dir=Downloads/Kodak24
    python -m mallenet_tf.data.prepare sidd_medium/blocks512 --manual_dir=Downloads --data_dir=data

The manual folder holds the download: the official archive, or what was unpacked from it. Files,
counts and sizes are checked first. An interrupted preparation leaves nothing that counts as a data
set; the same command starts it again. A data set that is prepared is left as it is.
"""

from collections.abc import Sequence

from absl import app, flags, logging

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.data.datasets.preparation import list_data_sets, prepare

_LIST = flags.DEFINE_bool("list", False, "Print the data sets and what they need.")
_MANUAL_DIR = flags.DEFINE_string("manual_dir", None, "Folder with the official download.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder for prepared data sets. The default is that of TensorFlow Datasets.",
)


def main(argv: Sequence[str]) -> None:
    """Does what the command line asks for."""
    if _LIST.value:
        print(list_data_sets())
        return
    if len(argv) != 2:
        raise UserError("Name one data set; --list shows them all.")
    if not _MANUAL_DIR.value:
        raise UserError("Give --manual_dir, the folder with the official download; see --list.")
    print(prepare(argv[1], _MANUAL_DIR.value, _DATA_DIR.value))


def cli() -> None:
    """Runs the installed command."""
    logging.set_verbosity(logging.INFO)
    app.run(run_main(main))


if __name__ == "__main__":
    cli()
