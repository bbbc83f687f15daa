"""The tables and figures of ADFNet (Shen et al., AAAI 2023)."""

from collections.abc import Mapping

from mallenet_tf.experiment.reproduction.item import Axis, Item, Plot, numbers, sigmas

WHITE = "--photographs with DIV2K, --data with Kodak24, CBSD68 and McMaster"
SIDD = "data.prepare sidd_medium/blocks512; --data, a folder with SIDD's validation blocks"
ADFNET = ("networks/adfnet.gin",)
STEPS = 600_000


def plugged_in(
    name: str, title: str, model: str, networks: Axis, sizes: Mapping[str, Axis]
) -> Item:
    """Returns a figure of PSNR over FLOPs of a network with and without a dynamic layer."""
    return Item(
        name,
        title,
        WHITE,
        gin=ADFNET,
        bindings=("GaussianNoise.sigma = 50.0", f"build_model.name = {model!r}"),
        axes={"network": networks, **sizes},
        options={"cost": True},
        steps=STEPS,
        compare="network",
        plot=Plot("gflops", lines=("network", "width"), log=True),
    )


ITEMS = (
    Item(
        "adfnet/table1",
        "ADFNet on white noise, against other methods",
        WHITE,
        gin=ADFNET,
        axes={"method": {"ADFNet": ()}, "sigma": sigmas(30, 50, 70)},
        steps=STEPS,
    ),
    Item(
        "adfnet/table2",
        "ADFNet and ADFNet*: PSNR and cost",
        "--photographs with DIV2K, Flickr2K, WED and BSD400, --data with Kodak24 and McMaster",
        gin=ADFNET,
        bindings=("GaussianNoise.sigma = 50.0",),
        axes={"method": {"ADFNet": (), "ADFNet*": ("build_model.name = 'adfnet_l'",)}},
        options={"cost": True, "size": (128, 128)},
        steps=STEPS,
    ),
    Item(
        "adfnet/table3",
        "ADFNet on the real noise of SIDD",
        SIDD,
        gin=(*ADFNET, "data/sidd.gin"),
        bindings=("run_experiment.loss = @charbonnier",),
        axes={"method": {"ADFNet": ()}},
        measure="sidd",
        steps=STEPS,
    ),
    Item(
        "adfnet/table4",
        "ADFNet without each of its parts",
        WHITE,
        gin=ADFNET,
        bindings=("GaussianNoise.sigma = 50.0",),
        axes={
            "model": {
                "ADFNet": (),
                "w/o (DCB and MDCB)": (
                    "build_model.dynamic_convolution = False",
                    "build_model.multi_scale_dynamic = False",
                ),
                "w/o DCB": ("build_model.dynamic_convolution = False",),
                "w/o MDCB": ("build_model.multi_scale_dynamic = False",),
                "w/o MFI": ("build_model.integration = False",),
                "all": ("build_model.dynamic_part = 'all'",),
                "encoder": ("build_model.dynamic_part = 'encoder'",),
            }
        },
        options={"cost": True, "size": (128, 128)},
        steps=STEPS,
        compare="model",
    ),
    Item(
        "adfnet/fig6",
        "PSNR over cost on real noise",
        SIDD,
        gin=(*ADFNET, "data/sidd.gin"),
        bindings=("run_experiment.loss = @charbonnier",),
        axes={"method": {"ADFNet": ()}},
        measure="sidd",
        options={"cost": True, "size": (128, 128), "latency": True},
        steps=STEPS,
        plot=Plot("gmacs", lines=("method",), log=True),
    ),
    plugged_in(
        "adfnet/fig7",
        "DConv in DnCNN and MDCB in RDN",
        "dncnn",
        {"DnCNN": (), "DnCNN with DConv": ("build_model.dynamic = 'sekg'",)},
        {
            "depth": numbers("build_model.depth", 5, 10, 15),
            "width": numbers("build_model.width", 32, 64),
        },
    ),
    plugged_in(
        "adfnet/fig7_rdn",
        "MDCB in RDN, the other half of Fig. 7",
        "rdn",
        {
            "RDN": (),
            "RDN with MDCBs": (
                "build_model.dynamic = 'mdcb'",
                "build_model.dynamic_blocks = 3",
            ),
        },
        {
            "blocks": numbers("build_model.blocks", 3, 6, 9),
            "width": numbers("build_model.width", 16, 32),
        },
    ),
    Item(
        "adfnet/fig8",
        "features before and in the dynamic blocks",
        "as Table 1; --data with the photographs to show",
        gin=ADFNET,
        bindings=("GaussianNoise.sigma = 50.0",),
        axes={"method": {"ADFNet": ()}},
        measure="features",
        options={
            "layers": (
                "scale0_decoder_conv0",
                "scale0_decoder_dynamic",
                "scale0_decoder_add",
                "scale0_decoder_scales_dynamic1",
                "scale0_decoder_scales_dynamic5",
                "scale0_decoder_scales_attention",
                "scale0_decoder_scales_add",
            )
        },
        steps=STEPS,
    ),
)
