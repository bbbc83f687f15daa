"""Finds, reads and writes image and video files, for training and for denoising alike.

Names are imported on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "file_search": ["list_images"],
        "image_reader": [
            "UnreadableImageError",
            "decode_image",
            "load_images",
            "read_image",
            "read_picture",
        ],
        "image_writer": ["write_image", "write_picture"],
        "panels": ["row_of_panels"],
        "pairs": ["list_pairs", "load_pairs"],
        "pixels": ["check_image", "is_gray", "quantize"],
        "video_sequences": ["list_sequences"],
    },
)
