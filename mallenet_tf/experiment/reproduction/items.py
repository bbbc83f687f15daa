"""All tables and figures by name."""

from mallenet_tf.common.errors import UserError
from mallenet_tf.experiment.reproduction import (
    items_adfnet,
    items_deformable_kernels,
    items_malleconv,
    items_mallenet,
    items_sadnet,
)
from mallenet_tf.experiment.reproduction.item import Item

PAPERS = (items_malleconv, items_adfnet, items_sadnet, items_deformable_kernels, items_mallenet)
ITEMS = {item.name: item for paper in PAPERS for item in paper.ITEMS}


def find_item(name: str) -> Item:
    """Returns an item by its name.

    Raises:
        UserError: If there is none.
    """
    if name not in ITEMS:
        raise UserError(f"Items are {', '.join(ITEMS)}. Received: --item={name}")
    return ITEMS[name]


def list_items() -> str:
    """Formats a line for each item: what it needs and costs."""
    lines = []
    for item in ITEMS.values():
        trainings = sum(1 for _ in item.cells({})) if item.steps else 0
        cost = f"{trainings} trainings of {item.steps:,} steps" if trainings else "no training"
        lines.append(f"{item.name:<28} {item.title}\n    {cost}; needs {item.needs}")
    return "\n".join(lines)
