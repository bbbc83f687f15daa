"""Noise as it stands in a camera's files, simulated from the sensor to the JPEG."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from mallenet_tf.common import srgb
from mallenet_tf.data.noise import camera_filters as filters
from mallenet_tf.data.noise.base import NoiseModel, check_range
from mallenet_tf.data.random_numbers import RandomGenerator

# Rows of the gray ramp on which the level is measured, and of what separates it and the image.
_RAMP_ROWS = 24
_MARGIN = 8


@dataclasses.dataclass(frozen=True)
class CameraNoise(NoiseModel):
    """Noise of a camera's photographs: mosaic, demosaicing, noise reduction, sharpening, JPEG.

    The clean image is taken back to the sensor: inverse sRGB curve, inverse color matrix, inverse
    white balance, mosaic. There it gets shot and read noise of variance `shot * q + read^2` at
    intensity q. The noise alone goes forward again, since demosaicing and all that follows is
    linear here: demosaicing, white balance, color matrix, the slope of the sRGB curve. The target
    is therefore free of demosaicing artifacts.

    The camera's noise reduction filters that noise: luma with the sum of a narrow and a wide
    Gaussian, chroma with a wider one. The noise is then scaled to the level drawn. The sum is
    sharpened, which the target is too, then rounded to 8 bits and compressed, which it is not.

    The level is the root mean square of the noise, over the three channels, on a gray ramp from
    black to white, so that it describes the camera and not what the patch shows. White noise of
    standard deviation sigma has level sigma.

    Defaults are matched to the spectra and ratios of chroma to luma of the differences between
    noisy and mean images of PolyU (Xu et al. 2018); `tools/checks/check_camera_noise.py` prints
    both. Sources: Brooks et al. 2019 (unprocessing, and the relation of shot to read noise), Guo et
    al. 2019 (CBDNet), Zhang et al. 2022 (SCUNet).

    Attributes:
        level: (lowest, highest) level in 8-bit units; its logarithm is uniform.
        shot: (lowest, highest) shot noise parameter; with the read noise that Brooks et al. found
            beside it, it decides how noise depends on brightness.
        tone: (lowest, highest) strength of the camera's tone curve, 0 to 1, beside sRGB's.
        mosaic: Share of samples with a mosaic; without, the noise at the sensor is white per
            channel.
        luma_blur: (lowest, highest) standard deviation of the narrow luma filter, in pixels.
        luma_wide: (lowest, highest) standard deviation of the wide luma filter, in pixels.
        coarse: (lowest, highest) weight of the wide luma filter, 0 to 1.
        chroma_blur: (lowest, highest) standard deviation of the chroma filter, in pixels.
        chroma: (lowest, highest) standard deviation of Cb and Cr (B - Y, R - Y) relative to luma;
            its logarithm is uniform.
        reduction: Share of samples with noise reduction.
        texture: (lowest, highest) growth of what noise reduction leaves of luma's and of chroma's
            noise, for each 8-bit unit of the image's local standard deviation.
        softness: (lowest, highest) standard deviation in pixels of a blur of the clean image:
            photographs at 1:1 are softer than those that were scaled down.
        sharpening: (lowest, highest) amount of an unsharp mask of one pixel, on half the samples.
        quality: (lowest, highest) quality of JPEG, integers from 1 to 100, both included.
        jpeg: Share of samples that are compressed.
        gray: Share of color samples that are turned gray, three equal channels.
        clean: Share of samples without noise but JPEG's, whatever the map says.
        told: (lowest, highest) ratio of the level in the map to that of the noise; its logarithm is
            uniform. A network that is told exact levels takes texture for noise where an estimate
            is too high.
        conditioned: Append a noise level map, level / 255.

    Raises:
        ValueError: If a value is out of range.
    """

    level: tuple[float, float] = (1.0, 30.0)
    shot: tuple[float, float] = (1e-4, 1e-2)
    tone: tuple[float, float] = (0.5, 1.0)
    mosaic: float = 0.9
    luma_blur: tuple[float, float] = (0.0, 0.8)
    luma_wide: tuple[float, float] = (1.0, 2.4)
    coarse: tuple[float, float] = (0.0, 0.5)
    chroma_blur: tuple[float, float] = (1.4, 4.0)
    chroma: tuple[float, float] = (0.3, 1.2)
    reduction: float = 0.85
    texture: tuple[float, float] = (0.0, 0.05)
    softness: tuple[float, float] = (0.0, 1.3)
    sharpening: tuple[float, float] = (0.0, 0.8)
    quality: tuple[int, int] = (70, 100)
    jpeg: float = 0.8
    gray: float = 0.03
    clean: float = 0.0
    told: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        check_range("level", self.level, 1e-3, 255.0)
        check_range("shot", self.shot, 1e-12, 1.0)
        for name in ("mosaic", "reduction", "jpeg", "gray", "clean"):
            check_range(name, (getattr(self, name),) * 2, 0.0, 1.0)
        for name in ("luma_blur", "luma_wide", "chroma_blur", "softness"):
            check_range(name, getattr(self, name), 0.0, 10.0)
        check_range("tone", self.tone, 0.0, 1.0)
        check_range("coarse", self.coarse, 0.0, 1.0)
        check_range("chroma", self.chroma, 1e-3, 10.0)
        check_range("texture", self.texture, 0.0, 1.0)
        check_range("sharpening", self.sharpening, 0.0, 5.0)
        check_range("quality", self.quality, 1, 100)
        check_range("told", self.told, 1e-3, 1e3)

    @property
    def level_map(self) -> str:
        """The map holds the level on a gray ramp."""
        return "camera"

    def training_pair(self, clean: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        rng = RandomGenerator(seed)
        rows, columns, channels = tf.shape(clean)[0], tf.shape(clean)[1], clean.shape[-1]
        color = tf.transpose(tf.tile(clean, [1, 1, 3 // channels]), [2, 0, 1])
        is_gray = rng.chance(1.0 if channels == 1 else self.gray)
        color = tf.where(is_gray, filters.luma(color), color)

        padded = filters.pad(color, _MARGIN)
        frequency = filters.squared_frequency(tf.shape(padded)[1], tf.shape(padded)[2])
        sharpening = rng.uniform([], *self.sharpening) * tf.cast(rng.chance(0.5), tf.float32)
        softness = filters.gaussian(rng.uniform([], *self.softness), frequency)
        image = filters.filtered(padded, softness * filters.unsharp_mask(sharpening, frequency))
        image = tf.clip_by_value(image, 0.0, 1.0)

        # The ramp goes through the same camera, below the image.
        ramp = tf.linspace(0.0, 1.0, tf.shape(image)[2])
        ramp = tf.tile(ramp[None, None, :], [3, _RAMP_ROWS + _MARGIN, 1])
        noise = self._sensor_noise(tf.concat([image, ramp], 1), rng)
        reduced = rng.chance(self.reduction)
        noise = self._reduced(noise, reduced, sharpening, is_gray, rng)
        # Noise reduction spares what varies: noise stays around edges and in textures.
        busy = tf.cast(reduced, tf.float32) * 255.0 * filters.local_deviation(image)
        busy = tf.pad(busy, [[0, 0], [0, tf.shape(noise)[1] - tf.shape(image)[1]], [0, 0]])
        luma_growth, chroma_growth = tf.unstack(rng.uniform([2], *self.texture))
        noise = filters.scale_luma_and_chroma(
            noise, 1.0 + luma_growth * busy, 1.0 + chroma_growth * busy
        )
        level = rng.log_uniform([], *self.level) / 255.0
        on_ramp = noise[:, -_RAMP_ROWS - _MARGIN // 2 : -_MARGIN // 2]
        noise *= level * tf.math.rsqrt(tf.reduce_mean(tf.square(on_ramp)) + 1e-20)
        if self.clean:
            noise *= 1.0 - tf.cast(rng.chance(self.clean), tf.float32)

        inner = (slice(None), slice(_MARGIN, _MARGIN + rows), slice(_MARGIN, _MARGIN + columns))
        target = tf.transpose(image[inner], [1, 2, 0])
        noisy = self._stored(target + tf.transpose(noise[inner], [1, 2, 0]), rng)
        noisy = tf.ensure_shape(noisy[..., :channels], clean.shape)
        target = tf.ensure_shape(target[..., :channels], clean.shape)
        if not self.conditioned:
            return noisy, target
        if self.told != (1.0, 1.0):
            level *= rng.log_uniform([], *self.told)
        return tf.concat([noisy, tf.fill(tf.shape(noisy[..., :1]), level)], -1), target

    def _sensor_noise(self, image: tf.Tensor, rng: RandomGenerator) -> tf.Tensor:
        """Returns noise of the sensor, demosaiced, as it shows in sRGB, [3, height, width].

        It is linear in the noise at the sensor: each step is replaced by its slope at the clean
        image.
        """
        # Inverse and slope of the smoothstep 3 x^2 - 2 x^3, which Brooks et al. take for the curve.
        strength = rng.uniform([], *self.tone)
        toneless = image + strength * (0.5 - tf.sin(tf.asin(1.0 - 2.0 * image) / 3.0) - image)
        tone_slope = 1.0 + strength * (6.0 * toneless * (1.0 - toneless) - 1.0)
        linear = srgb.to_linear(toneless, tf)
        to_camera, to_srgb = filters.color_matrices(rng)
        intensity = tf.maximum(tf.tensordot(to_camera, linear, 1), 0.0)
        shot = rng.log_uniform([], *self.shot)
        # Brooks et al. 2019: log(read variance) = 2.18 log(shot) + 1.2, deviation 0.26.
        read_variance = tf.exp(2.18 * tf.math.log(shot) + 1.2 + 0.26 * rng.normal([]))
        noise = rng.normal(tf.shape(image)) * tf.sqrt(shot * intensity + read_variance)
        demosaiced = filters.demosaic(noise, rng)
        noise = tf.where(rng.chance(self.mosaic), demosaiced, noise)
        return tf.tensordot(to_srgb, noise, 1) * srgb.slope(linear, tf) * tone_slope

    def _reduced(
        self,
        noise: tf.Tensor,
        reduced: tf.Tensor,
        sharpening: tf.Tensor,
        is_gray: tf.Tensor,
        rng: RandomGenerator,
    ) -> tf.Tensor:
        """Returns what noise reduction leaves and sharpening amplifies, of arbitrary strength."""
        frequency = filters.squared_frequency(tf.shape(noise)[1], tf.shape(noise)[2])
        share = tf.cast(reduced, tf.float32)
        narrow, wide, chroma = (
            filters.gaussian(share * rng.uniform([], *limits), frequency)
            for limits in (self.luma_blur, self.luma_wide, self.chroma_blur)
        )
        luma = filters.luma(noise)[0]
        parts = tf.stack([luma, luma, noise[2] - luma, noise[0] - luma])
        sharpen = filters.unsharp_mask(sharpening, frequency)
        parts = filters.filtered(parts, sharpen * tf.stack([narrow, wide, chroma, chroma]))
        size = filters.root_mean_square(parts)
        coarse = rng.uniform([], *self.coarse)
        mixed = (1.0 - coarse) * parts[:1] / size[0] + coarse * parts[1:2] / size[1]
        mixed /= filters.root_mean_square(mixed)
        ratio = rng.log_uniform([2, 1, 1], *self.chroma)
        # Without noise reduction luma and chroma keep their proportion.
        ratio = tf.where(reduced, ratio, size[2:] / size[0])
        ratio = tf.where(is_gray, 0.0, ratio)
        blue, red = tf.unstack(ratio * parts[2:] / size[2:])
        green = -(srgb.LUMA[2] * blue + srgb.LUMA[0] * red) / srgb.LUMA[1]
        return mixed + tf.stack([red, green, blue])

    def _stored(self, image: tf.Tensor, rng: RandomGenerator) -> tf.Tensor:
        """Rounds to 8 bits and compresses a share of the samples."""
        pixels = tf.cast(tf.round(tf.clip_by_value(image, 0.0, 1.0) * 255.0), tf.uint8)
        quality = rng.integers([], self.quality[0], self.quality[1] + 1)
        halved = rng.chance(0.5)
        pixels = tf.cond(
            rng.chance(self.jpeg), lambda: filters.jpeg(pixels, quality, halved), lambda: pixels
        )
        return tf.cast(pixels, tf.float32) / 255.0
