"""Every data set of the papers: what it is, where it is from, and which files it has.

Counts are those of the official releases. The paper trains on "2,750" images of Flickr2K
(malleconv.txt, section 4); the release has 2,650, and so has every other paper's list of sources.
"""

from __future__ import annotations

from mallenet_tf.common.errors import UserError
from mallenet_tf.data.datasets import citations
from mallenet_tf.data.datasets.description import DataSet, Size, Split, Variant

_RESEARCH = "For research; see the official page."


def _either_way(height: int, width: int) -> frozenset[Size]:
    """Returns a size in portrait and in landscape format."""
    return frozenset({(height, width), (width, height)})


_BSD = _either_way(321, 481)
_BSD_PAGE = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html"
_BSD_LICENSE = "For non-commercial research and education."
_FFDNET_PAGE = "https://github.com/cszn/FFDNet/tree/master/testsets"

_SIDD_PAGE = "https://abdokamel.github.io/sidd/"
_SIDD_VARIANTS = (
    Variant("full", "Whole images, up to 16 megapixels."),
    Variant(
        "blocks512",
        "Sub-images of 512x512 that overlap by 128, as NAFNet and Restormer train on: a crop then "
        "decodes 0.3 megapixels instead of 16.",
        block=512,
        overlap=128,
    ),
)


def _sidd_pairs(name: str, about: str, archive: str, count: int) -> DataSet:
    return DataSet(
        name=name,
        about=f"{about} sRGB images of 160 scene instances by five phones, full resolution.",
        page=_SIDD_PAGE,
        archives=(archive,),
        splits=(Split("train", ("Data/*/*NOISY_SRGB_*.PNG",), count),),
        citation=citations.SIDD,
        license=_RESEARCH,
        clean=(r"(.*)NOISY(_SRGB_\d+\..*)", r"\1GT\2"),
        # 0001_001_S6_00100_00060_3200_L is shot 1 of scene 001.
        scene=r"/\d{4}_(\d{3})_[^/]*/[^/]*$",
        variants=_SIDD_VARIANTS,
    )


_ALL = (
    DataSet(
        name="bsds500",
        about="The Berkeley Segmentation Data Set, 500 photographs in its three splits.",
        page=_BSD_PAGE,
        archives=("BSR_bsds500.tgz",),
        splits=(
            Split("train", ("images/train/*.jpg",), 200),
            Split("validation", ("images/val/*.jpg",), 100),
            Split("test", ("images/test/*.jpg",), 200),
        ),
        citation=citations.BSD,
        license=_BSD_LICENSE,
        sizes=_BSD,
    ),
    DataSet(
        name="bsd400",
        about="Train and test splits of BSDS500, the usual training set; CBSD68 is from the third.",
        page=_BSD_PAGE,
        archives=("BSR_bsds500.tgz",),
        splits=(
            Split(
                "train",
                ("images/train/*.jpg images/test/*.jpg", "bsd400/*.jpg bsd400/*.png", "*.jpg"),
                400,
            ),
        ),
        citation=citations.BSD,
        license=_BSD_LICENSE,
        sizes=_BSD,
    ),
    DataSet(
        name="wed",
        about="Waterloo Exploration Database, 4,744 pristine photographs.",
        page="https://ece.uwaterloo.ca/~k29ma/exploration/",
        archives=("exploration_database_and_code.rar (unpack it)",),
        splits=(Split("train", ("pristine_images/*.bmp", "*.bmp"), 4744, "{:05d}.bmp"),),
        citation=citations.WED,
        license=_RESEARCH,
    ),
    # The `div2k` of TFDS downloads the data itself, adds low-resolution copies, which double the
    # number of files, and does not use an archive on disk.
    DataSet(
        name="div2k_hr",
        about="The high-resolution images of DIV2K, 2K photographs.",
        page="https://data.vision.ee.ethz.ch/cvl/DIV2K/",
        archives=("DIV2K_train_HR.zip", "DIV2K_valid_HR.zip"),
        splits=(
            Split("train", ("DIV2K_train_HR/*.png",), 800, "{:04d}.png"),
            Split("validation", ("DIV2K_valid_HR/*.png",), 100, "{:04d}.png", first_number=801),
        ),
        citation=citations.DIV2K,
        license="For academic research only; the images are their owners'.",
    ),
    DataSet(
        name="flickr2k",
        about="2,650 2K photographs from Flickr.",
        page="https://github.com/limbee/NTIRE2017",
        archives=("Flickr2K.tar",),
        splits=(Split("train", ("Flickr2K_HR/*.png", "Flickr2K/*.png"), 2650, "{:06d}.png"),),
        citation=citations.FLICKR2K,
        license="For research; the images are their photographers'.",
    ),
    DataSet(
        name="cbsd68",
        about="68 color photographs from the validation split of BSDS500, the usual benchmark.",
        page=_FFDNET_PAGE,
        archives=("CBSD68",),
        splits=(Split("test", ("CBSD68/*.png", "original_png/*.png", "*.png"), 68),),
        citation=citations.CBSD68,
        license=_BSD_LICENSE,
        sizes=_BSD,
    ),
    DataSet(
        name="kodak24",
        about="24 scanned photographs; two variants are in use that differ by 0.1 dB.",
        page=f"http://r0k.us/graphics/kodak/ (variant full), {_FFDNET_PAGE} (variant crops)",
        archives=("kodim01.png to kodim24.png",),
        splits=(
            Split(
                "test",
                ("Kodak24/kodim*.png", "kodak/kodim*.png", "kodim*.png"),
                24,
                "kodim{:02d}.png",
            ),
        ),
        citation=citations.KODAK,
        license="Released by Kodak for unrestricted use.",
        variants=(
            Variant("full", "Whole images of 768x512.", _either_way(512, 768)),
            Variant("crops", "Crops of 500x500, from FFDNet's test sets.", frozenset({(500, 500)})),
        ),
    ),
    DataSet(
        name="mcmaster",
        about="18 photographs with saturated colors, made for demosaicing.",
        page="https://www4.comp.polyu.edu.hk/~cslzhang/CDM_Dataset.htm",
        archives=("McM.zip (unpack it; its password is on the page)",),
        splits=(Split("test", ("McM/*.tif", "McMaster/*.tif McMaster/*.png", "*.tif"), 18),),
        citation=citations.MCMASTER,
        license=_RESEARCH,
        sizes=frozenset({(500, 500)}),
    ),
    DataSet(
        name="urban100",
        about="100 photographs of buildings, from the project on self-exemplars.",
        page="https://github.com/jbhuang0604/SelfExSR",
        archives=("Urban100",),
        splits=(
            Split(
                "test",
                (
                    "Urban100_HR/img_*.png",
                    "image_SRF_4/*_HR.png",
                    "image_SRF_2/*_HR.png",
                    "Urban100/img_*.png",
                ),
                100,
            ),
        ),
        citation=citations.URBAN100,
        license=_RESEARCH,
    ),
    _sidd_pairs("sidd_small", "160 pairs of noisy and clean", "SIDD_Small_sRGB_Only.zip", 160),
    _sidd_pairs("sidd_medium", "320 pairs of noisy and clean", "SIDD_Medium_Srgb*.zip", 320),
    DataSet(
        name="sidd_validation",
        about="1,280 pairs of blocks of 40 images: the validation set of SIDD.",
        page=_SIDD_PAGE,
        archives=("ValidationNoisyBlocksSrgb.mat", "ValidationGtBlocksSrgb.mat"),
        splits=(
            Split(
                "validation",
                ("ValidationNoisyBlocksSrgb.mat", "*/ValidationNoisyBlocksSrgb.mat"),
                1,
            ),
        ),
        citation=citations.SIDD,
        license=_RESEARCH,
        sizes=frozenset({(256, 256)}),
        clean=(r"ValidationNoisy(.*)", r"ValidationGt\1"),
    ),
    DataSet(
        name="sidd_benchmark",
        about="1,280 noisy blocks of 40 images whose clean ones only the organizers have.",
        page=_SIDD_PAGE,
        archives=("BenchmarkNoisyBlocksSrgb.mat",),
        splits=(
            Split("test", ("BenchmarkNoisyBlocksSrgb.mat", "*/BenchmarkNoisyBlocksSrgb.mat"), 1),
        ),
        citation=citations.SIDD,
        license=_RESEARCH,
        sizes=frozenset({(256, 256)}),
    ),
    DataSet(
        name="dnd",
        about="50 noisy photographs with 20 crops each; the clean ones only the organizers have.",
        page="https://noise.visinf.tu-darmstadt.de/",
        archives=("dnd_2017.zip",),
        splits=(Split("test", ("images_srgb/*.mat",), 50, "{:04d}.mat"),),
        citation=citations.DND,
        license=_RESEARCH,
        sizes=frozenset({(512, 512)}),
    ),
    DataSet(
        name="polyu",
        about="100 pairs of crops of 40 scenes: a camera's JPEG and the mean of 500 of them.",
        page="https://github.com/csjunxu/PolyU-Real-World-Noisy-Images-Dataset",
        archives=("CroppedImages",),
        splits=(
            Split("train", ("CroppedImages/*_real.JPG", "PolyU/*_real.JPG", "*_real.JPG"), 100),
        ),
        citation=citations.POLYU,
        license="BSD-style; the text is beside the images.",
        sizes=frozenset({(512, 512)}),
        clean=(r"(.*)_real(\..*)", r"\1_mean\2"),
        scene=r"/([^/]*)_\d+_real\.[^/]*$",
    ),
    DataSet(
        name="renoir",
        about="Pairs of 120 dim scenes by three cameras: a noisy and a reference exposure.",
        page="http://ani.stat.fsu.edu/~abarbu/Renoir.html",
        archives=("Mi3_Aligned.zip", "S90_Aligned.zip", "T3i_Aligned.zip"),
        splits=tuple(
            Split(
                camera.lower(), (f"{camera}_Aligned/Batch_*/*Noisy.bmp",), 40, counts_folders=True
            )
            for camera in ("Mi3", "S90", "T3i")
        ),
        citation=citations.RENOIR,
        license=_RESEARCH,
        clean=(r".*Noisy\..*", "*Reference.bmp"),
        scene=r"/([^/]*)/(Batch_\d+)/[^/]*$",
    ),
    DataSet(
        name="nam",
        about="The 15 pairs of crops (CC15) of the cross-channel noise data that papers report.",
        page="https://github.com/csjunxu/MCWNNM-ICCV2017 (the crops of http://snam.ml/research/ccnoise)",
        archives=("Real_ccnoise_denoised_part",),
        splits=(
            Split(
                "test",
                ("Real_ccnoise_denoised_part/*_real.png", "Nam/*_real.png", "*_real.png"),
                15,
            ),
        ),
        citation=citations.NAM,
        license=_RESEARCH,
        sizes=frozenset({(512, 512)}),
        clean=(r"(.*)_real(\..*)", r"\1_mean\2"),
        scene=r"/([^/]*)_\d+_real\.[^/]*$",
    ),
)

DATA_SETS: dict[str, DataSet] = {data_set.name: data_set for data_set in _ALL}


def by_name(name: str) -> tuple[DataSet, str | None]:
    """Finds a data set, and the name of its variant if one is given.

    Args:
        name: Such as `kodak24` or `kodak24/crops`.

    Raises:
        UserError: If there is no such data set or variant.
    """
    base, _, variant = name.partition("/")
    if base not in DATA_SETS:
        raise UserError(f"The data sets are {', '.join(DATA_SETS)}. Received: {name}")
    known = [found.name for found in DATA_SETS[base].variants]
    if variant and variant not in known:
        names = ", ".join(f"{base}/{found}" for found in known) or f"{base}, without variants"
        raise UserError(f"There is {names}. Received: {name}")
    return DATA_SETS[base], variant or None
