"""From photograph to whitened, locally contrast-normalised image, with the constants and why they are what they are.

Three steps, as in the sparse-coding literature: logarithm, whitening filter, local contrast normalisation. Nothing here
is fitted to more than one photograph, so nothing passes between training and held-out photographs but what the filter
spreads over a few pixels.
"""

import numpy as np
from jaxtyping import Float, Float32, Real
from scipy import fft, ndimage

__all__ = ["CONSTANTS", "apply_filter", "filter_gain", "luminance", "radial_spectrum", "whiten"]

# Photographs are read as 0..255, so log(1 + I) spans 0..5.5 for all of them; the 1 keeps black finite.
FULL_SCALE = 255.0
# Weights of red, green and blue in luminance (ITU-R BT.709).
LUMINANCE = (0.2125, 0.7154, 0.0721)
# |f| flattens the 1/f amplitude of natural images; exp(-(f/f0)^n) takes back the corner frequencies, where there is
# noise and no image. f0 in cycles per pixel (0.5 is the Nyquist frequency), n = 4 as Olshausen & Field (1996) have it.
CUTOFF = 0.4
POWER = 4
# Standard deviation (pixels) of the neighbourhood whose contrast is divided out: nearly a 16-pixel patch, so that
# contrast differs less between patches than between parts of a photograph, and hardly changes within a patch.
CONTRAST_SD = 12.0
# Share of the median contrast added to the divisor: empty sky stays faint, and is no noise of full contrast.
CONTRAST_FLOOR = 0.1
# Pixels cut off on each side: frames, and whatever the mirrored border leaves.
CROP = 8
# Bins of the spectra, from 0 to 0.5 cycles per pixel.
FREQUENCY_BINS = 48

CONSTANTS = {
    "intensity": "log(1 + I) minus its mean over the photograph, I from 0 to 255",
    "filter": "|f| exp(-(f / f0)^n), f in cycles per pixel",
    "filter_f0": CUTOFF,
    "filter_power": POWER,
    "contrast": "b / (s + floor * median s), s^2 = Gaussian blur of b^2",
    "contrast_sd_pixels": CONTRAST_SD,
    "contrast_floor": CONTRAST_FLOOR,
    "crop_pixels": CROP,
}


def filter_gain(frequency: Float[np.ndarray, "*frequency"]) -> Float[np.ndarray, "*frequency"]:
    """Gain of the whitening filter, |f| exp(-(f/f0)^n), at frequencies in cycles per pixel (Olshausen & Field 1996)."""
    f = np.abs(frequency)
    return f * np.exp(-((f / CUTOFF) ** POWER))


def luminance(image: Real[np.ndarray, "y x colour"]) -> Float[np.ndarray, "y x"]:
    """Luminance of red, green and blue, in their units."""
    return image[:, :, :3] @ np.asarray(LUMINANCE)


def whiten(
    grey: Float[np.ndarray, "y x"],
) -> tuple[Float32[np.ndarray, "y x"], Float32[np.ndarray, "inner_y inner_x"]]:
    """Log intensity of a photograph, and the same whitened and contrast-normalised.

    Parameters
    ----------
    grey
        (y, x), intensity from 0 to 255.

    Returns
    -------
    tuple
        log(1 + I) minus its mean, (y, x); and the result, (y - 2 CROP, x - 2 CROP), in units of the local contrast.
    """
    log_intensity = np.log1p(grey.astype(np.float32))
    log_intensity -= log_intensity.mean()
    band = apply_filter(log_intensity)
    contrast = np.sqrt(ndimage.gaussian_filter(band**2, CONTRAST_SD, mode="reflect"))
    normalised = band / (contrast + CONTRAST_FLOOR * np.median(contrast) + np.finfo(np.float32).tiny)
    return log_intensity, np.ascontiguousarray(normalised[CROP:-CROP, CROP:-CROP], np.float32)


def apply_filter(image: Float32[np.ndarray, "y x"]) -> Float32[np.ndarray, "y x"]:
    """Multiply each frequency of an image by the gain of the whitening filter.

    Done on the cosine transform, which is the Fourier transform of the image mirrored at its borders: the periodic
    transform would see a jump from each border to the one opposite, and ring there.
    """
    # Index k of a cosine transform over n pixels is a frequency of k / 2n cycles per pixel.
    fy, fx = (np.arange(n) / (2 * n) for n in image.shape)
    return fft.idctn(fft.dctn(image) * filter_gain(np.hypot(fy[:, None], fx)).astype(np.float32))


def radial_spectrum(
    image: Float[np.ndarray, "y x"],
) -> tuple[Float[np.ndarray, " frequency"], Float[np.ndarray, " frequency"]]:
    """Power spectrum of an image averaged over orientations: centre (cycles per pixel) and mean power of each bin.

    A Hann window keeps the borders from showing as a cross of high frequencies. An empty bin (small images) is NaN.
    """
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in image.shape))
    power = np.abs(fft.fft2(window * (image - image.mean()))) ** 2 / np.sum(window**2)
    f = np.hypot(*np.meshgrid(*(fft.fftfreq(n) for n in image.shape), indexing="ij"))
    inside = (f > 0) & (f <= 0.5)
    bins = np.minimum((f[inside] * 2 * FREQUENCY_BINS).astype(int), FREQUENCY_BINS - 1)
    counts = np.bincount(bins, minlength=FREQUENCY_BINS)
    total_power = np.bincount(bins, power[inside], FREQUENCY_BINS)
    centres = (np.arange(FREQUENCY_BINS) + 0.5) / (2 * FREQUENCY_BINS)
    return centres, np.divide(total_power, counts, out=np.full(FREQUENCY_BINS, np.nan), where=counts > 0)
