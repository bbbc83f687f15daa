"""The tables and figures of MalleConv (Jiang et al., ECCV 2022)."""

from collections.abc import Mapping

from mallenet_tf.experiment.reproduction.item import Axis, Bindings, Item, Plot, numbers, sigmas

WHITE = "--photographs to train on, --data with CBSD68, Kodak24 and McMaster"
STEPS = 2_200_000
DNCNN = ("networks/dncnn_malleconv.gin",)
WIDTHS = numbers("build_model.width", 16, 32, 64)
NARROW = numbers("build_model.width", 8, 16, 32)
DEPTHS = numbers("build_model.depth", 3, 6, 9, 15)
NOISE = sigmas(50, 25, 15)
PLAIN = ("build_model.dynamic = None", "build_model.dynamic_options = None")
PLUGGED = {"plain": PLAIN, "with MalleConv": ()}
FILTERS = {
    "DnCNN": PLAIN,
    "MalleConv": (),
    "HyperNetwork": (
        "build_model.dynamic = 'hypernetwork'",
        "build_model.dynamic_options = None",
    ),
    "Involution": ("build_model.dynamic = 'involution'", "build_model.dynamic_options = None"),
}
MALLENETS = {
    f"MalleNet-{size}": (f"build_model.name = 'mallenet_{size.lower()}'",)
    for size in ("S", "M", "L", "XL")
}
LARGE_AND_SMALL = {size: MALLENETS[size] for size in ("MalleNet-XL", "MalleNet-S")}
SHIPPED = {f"MalleNet-S/{sigma}": f"mallenet_s_sigma{sigma}" for sigma in (15, 25, 50)}


def with_and_without_malleconv(
    name: str, network: str, gin: Bindings, sizes: Mapping[str, Axis]
) -> Item:
    """Returns a figure of PSNR over FLOPs of a network of several sizes."""
    return Item(
        name,
        f"{network} with and without MalleConv: PSNR over FLOPs",
        WHITE,
        gin=gin,
        axes={"network": PLUGGED, **sizes, "sigma": NOISE},
        options={"cost": True},
        steps=STEPS,
        compare="network",
        plot=Plot("gflops", lines=("network", "width"), panels="sigma", log=True),
    )


ITEMS = (
    Item(
        "malleconv/table1",
        "MalleNet on white noise, against other methods",
        WHITE,
        gin=("networks/mallenet_s.gin",),
        axes={"method": MALLENETS, "sigma": sigmas(15, 25, 50)},
        steps=STEPS,
        baselines=("BM3D",),
        compare="method",
        weights=SHIPPED,
    ),
    Item(
        "malleconv/table2",
        "pooling in front of MalleConv's predictor in a DnCNN",
        "for PSNR: " + WHITE,
        gin=DNCNN,
        bindings=("GaussianNoise.sigma = 50.0",),
        axes={
            "depth": numbers("build_model.depth", 3, 6, 15),
            "pooling": {
                str(size): (f"build_model.dynamic_options = {{'pool_size': {max(size, 1)}}}",)
                for size in (0, 2, 4, 8)
            },
        },
        options={"cost": True},
        steps=STEPS,
        compare="pooling",
    ),
    Item(
        "malleconv/table3",
        "MalleNet-R on the real noise of SIDD",
        "data.prepare sidd_medium/blocks512; --data, a folder with SIDD's validation blocks; DND "
        "is scored by its server, see mallenet_tf.submit",
        gin=("networks/mallenet_r.gin",),
        axes={"method": {"MalleNet-R": ()}},
        measure="sidd",
        options={"cost": True},
        steps=400_000,
    ),
    Item(
        "malleconv/fig4",
        "MalleConv against other dynamic filters in a DnCNN: PSNR over latency",
        WHITE,
        gin=DNCNN,
        axes={"filter": FILTERS, "depth": DEPTHS, "width": WIDTHS, "sigma": sigmas(50)},
        options={"cost": True, "latency": True},
        steps=STEPS,
        compare="filter",
        plot=Plot("ms", lines=("filter", "width"), log=True),
    ),
    Item(
        "malleconv/fig5",
        "denoised photographs side by side",
        "as Table 1; --data with the photographs to show",
        gin=("networks/mallenet_xl.gin",),
        axes={"method": LARGE_AND_SMALL, "sigma": sigmas(50)},
        measure="side_by_side",
        steps=STEPS,
        weights={"MalleNet-S/50": "mallenet_s_sigma50"},
    ),
    Item(
        "malleconv/fig6",
        "DnCNN of 15 and 3 layers and with MalleConv, side by side",
        "as Table 1; --data with the photographs to show",
        gin=DNCNN,
        bindings=("GaussianNoise.sigma = 50.0",),
        axes={
            "method": {
                "DnCNN, 15 layers": PLAIN,
                "DnCNN, 3 layers": (*PLAIN, "build_model.depth = 3"),
                "3 layers with MalleConv": ("build_model.depth = 3",),
            }
        },
        measure="side_by_side",
        steps=STEPS,
    ),
    with_and_without_malleconv(
        "malleconv/fig7", "DnCNN", DNCNN, {"depth": DEPTHS, "width": WIDTHS}
    ),
    with_and_without_malleconv(
        "malleconv/fig8",
        "UNet",
        ("networks/unet_malleconv.gin",),
        {"blocks": numbers("build_model.blocks", 2, 3, 4), "width": NARROW},
    ),
    with_and_without_malleconv(
        "malleconv/fig9",
        "RDN",
        ("networks/rdn_malleconv.gin",),
        {"blocks": numbers("build_model.blocks", 3, 6, 10), "width": NARROW},
    ),
    Item(
        "malleconv/fig10",
        "memory of a training step: sliced kernels, stored kernels, HyperNetwork",
        "nothing",
        axes={
            "operator": {"MalleConv": (), "stored kernels": (), "HyperNetwork": ()},
            "channels": {"16": (), "32": (), "64": ()},
        },
        measure="memory",
        plot=Plot("channels", "megabytes", lines=("operator",)),
    ),
    Item(
        "malleconv/fig11",
        "one predicted kernel used in the whole image",
        "--data with the photographs to show",
        gin=("networks/mallenet_xl.gin",),
        axes={"method": LARGE_AND_SMALL, "sigma": sigmas(50)},
        measure="one_kernel",
        steps=STEPS,
        weights={"MalleNet-S/50": "mallenet_s_sigma50"},
    ),
    Item(
        "malleconv/fig12",
        "PSNR over FLOPs on CBSD68 at sigma 50, with the points of Table 1",
        WHITE,
        gin=("networks/mallenet_s.gin",),
        bindings=("GaussianNoise.sigma = 50.0",),
        axes={"method": MALLENETS},
        options={"cost": True},
        steps=STEPS,
        weights={"MalleNet-S": "mallenet_s_sigma50"},
        plot=Plot("gflops", lines=("method",), log=True),
    ),
)
