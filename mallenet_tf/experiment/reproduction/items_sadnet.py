"""The tables and figures of SADNet (Chang et al., ECCV 2020)."""

from mallenet_tf.experiment.reproduction.item import Item, sigmas

WHITE = "--photographs with DIV2K, --data with BSD68 and Kodak24"
SADNET = ("networks/sadnet.gin",)
REAL = (*SADNET, "data/sidd_renoir.gin")
STEPS = 600_000
PLAIN = ("build_model.spatial_adaptive = False", "build_model.offset_transfer = False")
NO_TRANSFER = ("build_model.offset_transfer = False",)
NO_CONTEXT = ("build_model.context = False",)
SIDD = "data.prepare sidd_medium/blocks512 and renoir; "

ITEMS = (
    Item(
        "sadnet/table1",
        "SADNet without each of its parts",
        "--photographs with DIV2K, --data with Kodak24",
        gin=SADNET,
        bindings=("GaussianNoise.sigma = 50.0",),
        axes={
            "parts": {
                "none": (*PLAIN, *NO_CONTEXT),
                "RSAB": (*NO_TRANSFER, *NO_CONTEXT),
                "context": PLAIN,
                "RSAB, context": NO_TRANSFER,
                "RSAB, transfer": NO_CONTEXT,
                "all": (),
            }
        },
        steps=STEPS,
        compare="parts",
    ),
    Item(
        "sadnet/table2",
        "SADNet on gray images with white noise",
        WHITE,
        gin=(*SADNET, "data/gray.gin"),
        axes={"method": {"SADNet": ()}, "sigma": sigmas(30, 50, 70)},
        steps=STEPS,
        baselines=("BM3D",),
    ),
    Item(
        "sadnet/table3",
        "SADNet on color images with white noise",
        WHITE,
        gin=SADNET,
        axes={"method": {"SADNet": ()}, "sigma": sigmas(30, 50, 70)},
        steps=STEPS,
        baselines=("BM3D",),
    ),
    Item(
        "sadnet/table4",
        "SADNet on DND, scored by its server: train here, then mallenet_tf.submit",
        SIDD + "--data, a folder with SIDD's validation blocks",
        gin=REAL,
        axes={
            "method": {
                "SADNet": (),
                "SADNet (1248)": ("build_model.dilations = (1, 2, 4, 8)",),
            }
        },
        measure="sidd",
        steps=STEPS,
    ),
    Item(
        "sadnet/table5",
        "SADNet on SIDD's validation blocks",
        SIDD + "--data, a folder with SIDD's validation blocks",
        gin=REAL,
        axes={"method": {"SADNet": ()}},
        measure="sidd",
        steps=STEPS,
    ),
    Item(
        "sadnet/table6",
        "SADNet on Nam's pairs",
        "data.prepare polyu; runs/sadnet_sidd, trained on SIDD and RENOIR; --data, a folder with "
        "Nam's pairs",
        gin=(*SADNET, "data/polyu_nam.gin"),
        axes={"method": {"SADNet": ()}},
        measure="pairs",
        options={"rename": ("_real", "_mean")},
        steps=20_000,
    ),
    Item(
        "sadnet/table7",
        "parameters, multiply-adds and time at 480x320",
        "nothing",
        gin=SADNET,
        axes={
            "method": {
                "SADNet": (),
                "DnCNN": ("build_model.name = 'dncnn'", "build_model.depth = 16"),
            }
        },
        measure="cost",
        options={"cost": True, "size": (320, 480), "latency": True},
    ),
    Item(
        "sadnet/fig4",
        "where deformable kernels take their samples, at each scale",
        "as Table 3; --data with the photographs to show",
        gin=SADNET,
        bindings=("GaussianNoise.sigma = 50.0",),
        axes={"method": {"SADNet": ()}},
        measure="sampling_positions",
        steps=STEPS,
    ),
)
