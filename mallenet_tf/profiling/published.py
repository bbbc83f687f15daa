"""Latency and cost as the papers print them, for comparison with ours."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Published:
    """A row of a paper's table.

    Attributes:
        method: The paper's name for it.
        milliseconds: Latency per image; None if the table has none.
        gflops: Cost as printed; papers count a multiply-add as one or two FLOPs.
        model: Our name for the network; None if we do not have it.
    """

    method: str
    milliseconds: float | None
    gflops: float | None
    model: str | None = None


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of a paper.

    Attributes:
        source: Paper and number of the table.
        conditions: Hardware, image size and protocol.
        height: Height of the images in pixels.
        width: Width of the images in pixels.
        rows: The table's rows.
    """

    source: str
    conditions: str
    height: int
    width: int
    rows: tuple[Published, ...]


MALLECONV = (
    "one NVIDIA P6000, 256x256; TensorFlow 2.6's profiler at the largest batch, "
    "PyTorch methods the mean of 500 runs at batch 1"
)
TABLES = (
    Table(
        "MalleConv, Tables 1 and 3",
        MALLECONV + "; MalleNet's FLOPs are 2 x multiply-adds",
        256,
        256,
        (
            Published("MalleNet-S", 4.62, 2.93, "mallenet_s"),
            Published("MalleNet-M", 16.69, 9.36, "mallenet_m"),
            Published("MalleNet-L", 32.34, 33.47, "mallenet_l"),
            Published("MalleNet-XL", 87.55, 181.89, "mallenet_xl"),
            Published("MalleNet-R", 13.58, 29.11, "mallenet_r"),
            Published("BM3D", 41.56, None),
            Published("FFDNet", None, 7.95),
            Published("RPCNN", 95.11, None),
            Published("IRCNN", None, 12.18),
            Published("DnCNN", 21.69, 68.15, "dncnn"),
            Published("DRUNet", None, 102.91),
            Published("RNAN", None, 774.67),
            Published("RDN", 263.03, 2001.86, "rdn"),
            Published("IPT", None, 938.66),
            Published("SwinIR", 780.61, 788.10),
            Published("RIDNet", 98.13, None),
            Published("MPRNet", None, 573.50),
            Published("NBNet", 37.44, 88.70),
            Published("MIRNet", 192.61, 787.04),
            Published("HINet", 32.83, 170.71),
        ),
    ),
    Table(
        "MalleConv, Table 2: DnCNN of depth D with one MalleConv behind a pooling of P",
        MALLECONV,
        256,
        256,
        tuple(
            Published(f"D={depth}, P={pool}", milliseconds, gflops)
            for depth, cells in (
                (3, ((13.19, 43.96), (7.08, 18.17), (5.62, 11.71), (5.18, 10.10))),
                (6, ((17.39, 62.05), (11.28, 36.26), (9.85, 29.81), (9.43, 28.19))),
                (15, ((30.09, 98.24), (23.98, 72.44), (22.53, 66.00), (22.09, 64.39))),
            )
            for pool, (milliseconds, gflops) in zip((0, 2, 4, 8), cells, strict=True)
        ),
    ),
    Table(
        "ADFNet, Table 2",
        "NVIDIA 2080 Ti, PyTorch, 128x128; times are printed without a unit, read as seconds; "
        "multiply-adds, transposed convolutions by output pixel, without deformable kernels",
        128,
        128,
        (
            Published("SwinIR", 472.0, 186.0),
            Published("ADFNet", 27.0, 13.9, "adfnet"),
            Published("ADFNet*", 57.0, 46.2, "adfnet_l"),
        ),
    ),
    Table(
        "SADNet, Table 7",
        "hardware not named, PyTorch, 480x320; multiply-adds, transposed convolutions by output "
        "pixel",
        320,
        480,
        (
            Published("DnCNN", 21.3, 86.1),
            Published("MemNet", 154.2, 449.2),
            Published("RNAN", 1072.2, 1163.5),
            Published("RIDNet", 84.4, 230.0),
            Published("SADNet", 26.7, 50.1, "sadnet"),
        ),
    ),
)
