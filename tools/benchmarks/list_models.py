"""Lists every network with its parameters and cost, beside what its paper says.

    python tools/benchmarks/list_models.py

Costs are of one image of the size at which the paper states them, in multiply-adds (MACs) and in
FLOPs, two for each multiply-add. Papers quote either; the column "paper" is compared with the one
that it means. Where a paper says nothing, there is a dash.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

from mallenet_tf.common.errors import UserError, run_main
from mallenet_tf.models import MODELS, build_model
from mallenet_tf.profiling import count_multiply_adds, count_parameters


@dataclass(frozen=True)
class Paper:
    """What a paper says of a network; `parameters` in millions, `giga` in 1e9."""

    source: str
    parameters: float | None = None
    giga: float | None = None
    unit: str = "FLOPs"
    height: int = 256
    width: int = 256


PAPERS = {
    "mallenet_s": Paper("malleconv.txt, Table 1", None, 2.93),
    "mallenet_m": Paper("malleconv.txt, Table 1", None, 9.36),
    "mallenet_l": Paper("malleconv.txt, Table 1", None, 33.47),
    "mallenet_xl": Paper("malleconv.txt, Table 1", None, 181.89),
    "mallenet_r": Paper("malleconv.txt, Table 3", None, 29.11),
    "dncnn": Paper("malleconv.txt, Table 1", None, 68.15),
    "unet": Paper("malleconv.txt, Fig. 8, no figures"),
    "rdn": Paper("malleconv.txt, Table 1; Zhang et al. 2020", 22.0, 2001.86),
    "adfnet": Paper(
        "adfnet.txt, Table 2, which leaves deformable kernels out", 7.65, 13.9, "MACs", 128, 128
    ),
    "adfnet_l": Paper("adfnet.txt, Table 2", 32.8, 46.2, "MACs", 128, 128),
    "sadnet": Paper("sadnet.txt, Table 7", 4.321, 50.1, "MACs", 320, 480),
    "kpn": Paper("deformable_kernels.txt, no figures"),
    "deformable_kernels_2d": Paper("deformable_kernels.txt, no figures"),
    "deformable_kernels_3d": Paper("deformable_kernels.txt, no figures"),
}
HEAD = (
    f"{'model':<24}{'parameters':>12}{'paper':>9}{'':>8}{'size':>10}"
    f"{'GMACs':>10}{'GFLOPs':>10}{'paper':>15}{'':>8}  source"
)


def line(name: str, paper: Paper) -> str:
    """Formats a network's row under `HEAD`."""
    model = build_model(name)
    parameters = count_parameters(model)
    macs = count_multiply_adds(model, paper.height, paper.width) / 1e9
    stated = "-" if paper.parameters is None else f"{paper.parameters:g} M"
    giga = "-" if paper.giga is None else f"{paper.giga:g} G{paper.unit}"
    ours = macs if paper.unit == "MACs" else 2 * macs
    return (
        f"{name:<24}{parameters / 1e6:>10.3f} M{stated:>9}"
        f"{_deviation(parameters / 1e6, paper.parameters):>8}"
        f"{f'{paper.width}x{paper.height}':>10}{macs:>10.2f}{2 * macs:>10.2f}"
        f"{giga:>15}{_deviation(ours, paper.giga):>8}  {paper.source}"
    )


def _deviation(value: float, stated: float | None) -> str:
    return "" if stated is None else f"{100 * (value / stated - 1):+.1f} %"


def main(argv: Sequence[str]) -> None:
    """Prints the table for the networks named, or for all."""
    unknown = [name for name in argv if name not in MODELS]
    if unknown:
        raise UserError(f"Networks are {', '.join(MODELS)}. Received: {' '.join(unknown)}")
    print(HEAD)
    for name in argv or MODELS:
        print(line(name, PAPERS[name]), flush=True)


if __name__ == "__main__":
    run_main(main)(sys.argv[1:])
