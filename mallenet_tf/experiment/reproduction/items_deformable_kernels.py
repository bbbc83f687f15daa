"""The tables and figures of deformable kernels (Xu et al. 2019)."""

from mallenet_tf.experiment.reproduction.item import Item, Plot

IMAGES = "--photographs to train on, --data with a folder for each test subset"
VIDEOS = "--photographs with videos, or leaves; --data with a folder of videos for each subset"
TWO = ("networks/deformable_kernels_2d.gin",)
THREE = ("networks/deformable_kernels_3d.gin",)
BLIND = ("build_model.noise_conditioned = False", "PoissonGaussianNoise.conditioned = False")
L1 = "run_experiment.loss = @l1"
STEPS = 200_000
# sigma_s and sigma_r of the paper's "Low" and "High".
LEVELS = {"Low": (2.5e-3, 1e-2), "High": (6.4e-3, 2e-2)}


def named(model: str, size: int, *more: str) -> tuple[str, ...]:
    """Returns the bindings of a network."""
    return (f"build_model.name = {model!r}", f"build_model.kernel_size = {size}", *more)


DNCNN = ("build_model.name = 'dncnn'", "build_model.depth = 16")
IMAGE_METHODS = {
    "Ours-2D": (),
    "KPN, 5x5": named("kpn", 5),
    "KPN, 7x7": named("kpn", 7),
    "DnCNN": DNCNN,
    "KPN, 5x5, blind": named("kpn", 5, *BLIND),
    "DnCNN, blind": (*DNCNN, *BLIND),
    "Ours-2D, blind": BLIND,
}
VIDEO_METHODS = {
    "Ours-3D": (),
    "Ours-2D": named("deformable_kernels_2d", 3),
    "KPN, 5x5": named("kpn", 5),
    "KPN, 7x7": named("kpn", 7),
    "KPN, 5x5, blind": named("kpn", 5, *BLIND),
    "Ours-3D, blind": BLIND,
}
ABLATION = {
    "full 3x3x3": (),
    "direct": ("build_model.variant = 'direct'", L1),
    "w/o dynamic weights": ("build_model.variant = 'static_weights'",),
    "fixed kernel 3x3x3": ("build_model.variant = 'rigid'",),
    "fixed kernel 5x5x5": ("build_model.variant = 'rigid'", "build_model.kernel_size = 5"),
    "w/o annealing term": (L1,),
    "full 5x5x5": ("build_model.kernel_size = 5",),
}
ANNEALING = {"with annealing": (), "w/o annealing": (L1,)}

ITEMS = (
    Item(
        "deformable_kernels/table2",
        "images with Poisson-Gaussian noise",
        IMAGES,
        gin=TWO,
        axes={"method": IMAGE_METHODS},
        measure="sensor",
        options={"levels": LEVELS},
        steps=STEPS,
        baselines=("noisy", "NLM", "BM3D"),
        compare="method",
    ),
    Item(
        "deformable_kernels/table3",
        "videos with Poisson-Gaussian noise",
        VIDEOS,
        gin=THREE,
        axes={"method": VIDEO_METHODS},
        measure="sensor_video",
        options={"levels": LEVELS},
        steps=STEPS,
        baselines=("average",),
        compare="method",
    ),
    Item(
        "deformable_kernels/table4",
        "3-D kernels without each of their parts",
        VIDEOS,
        gin=THREE,
        axes={"model": ABLATION},
        measure="sensor_video",
        options={"levels": LEVELS},
        steps=STEPS,
        compare="model",
    ),
    Item(
        "deformable_kernels/fig7",
        "one line of a video over time, noisy, denoised and clean",
        VIDEOS,
        gin=THREE,
        axes={"method": {"Ours-3D": (), "KPN, 5x5": named("kpn", 5)}},
        measure="temporal_profile",
        options={"level": LEVELS["High"]},
        steps=STEPS,
    ),
    Item(
        "deformable_kernels/fig8",
        "2-D and 3-D kernels at growing motion",
        VIDEOS + "; with leaves, synthetic scenes of growing motion are scored",
        gin=THREE,
        bindings=BLIND,
        axes={"kernels": {"3-D": (), "2-D": named("deformable_kernels_2d", 3)}},
        measure="motion",
        options={"level": LEVELS["High"], "motions": (0.0, 1.0, 2.0, 4.0, 6.0, 8.0)},
        steps=STEPS,
        compare="kernels",
        plot=Plot("motion", lines=("kernels",)),
    ),
    Item(
        "deformable_kernels/fig9",
        "frames that 3-D kernels take their samples from",
        VIDEOS,
        gin=THREE,
        axes={"loss": ANNEALING},
        measure="sampled_frames",
        options={"level": LEVELS["High"]},
        steps=STEPS,
        plot=Plot("frame", "share", lines=("loss",)),
    ),
    Item(
        "deformable_kernels/fig10",
        "positions of a 3-D kernel's samples in space and time",
        VIDEOS,
        gin=THREE,
        axes={"method": {"Ours-3D": ()}},
        measure="sampled_positions",
        options={"level": LEVELS["High"]},
        steps=STEPS,
    ),
)
