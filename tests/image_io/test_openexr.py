"""OpenEXR files keep what is not a pixel of the picture."""

import numpy as np
import OpenEXR

from mallenet_tf.image_io import read_picture, write_picture
from mallenet_tf.image_io.formats import conversion_warnings
from tests.helpers.sample_pictures import samples


def test_exr_keeps_its_header_and_other_channels(tmp_path):

    plane = samples(1, np.float16)[..., 0]
    depth = samples(1, np.float32)[..., 0]
    header = {"compression": OpenEXR.PIZ_COMPRESSION, "type": OpenEXR.scanlineimage, "owner": "me"}
    channels = {name: plane for name in "RGB"} | {"depth.Z": depth}
    OpenEXR.File(header, channels).write(str(tmp_path / "a.exr"))
    picture = read_picture(tmp_path / "a.exr")
    picture.pixels[...] *= np.float16(0.5)
    write_picture(tmp_path / "b.exr", picture)
    with OpenEXR.File(str(tmp_path / "b.exr"), separate_channels=True) as file:
        assert file.header()["owner"] == "me"
        assert file.header()["compression"] == OpenEXR.PIZ_COMPRESSION
        found = file.channels()
        np.testing.assert_array_equal(found["depth.Z"].pixels, depth)
        np.testing.assert_array_equal(found["G"].pixels, plane * np.float16(0.5))
        assert found["R"].pixels.dtype == np.float16
    assert any("other channels" in note for note in conversion_warnings("b.tif", picture))
