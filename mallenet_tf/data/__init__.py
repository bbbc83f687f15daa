"""Training data: sources, noise models, augmentation, and the pipeline that joins them.

Names are imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "noise.base": ["NoiseModel"],
        "noise.camera": ["CameraNoise"],
        "noise.gaussian": ["GaussianNoise", "add_gaussian_noise"],
        "noise.jpeg": ["JpegNoise"],
        "noise.poisson_gaussian": ["PoissonGaussianNoise"],
        "noise.random_choice": ["RandomChoice"],
        "noise.varying": ["VaryingNoise"],
        "pipeline": ["describe", "training_dataset", "window_pair"],
        "sources.base": ["SampleShape", "Source", "VideoSource"],
        "sources.drawings": ["Drawings"],
        "sources.frame_sequences": ["FrameSequences"],
        "sources.image_folder": ["ImageFolder", "PairFolder"],
        "sources.leaves": ["Leaves"],
        "sources.moving_scenes": ["MovingScenes"],
        "sources.prepared_images": [
            "PreparedImages",
            "open_records",
            "prepared_images",
            "prepared_mix",
        ],
    },
)
