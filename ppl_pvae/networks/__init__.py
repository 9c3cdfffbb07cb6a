"""Encoders, decoders, likelihoods, and the record `Nets` that a program receives."""

from ppl_pvae.networks.clamp import soft_clamp
from ppl_pvae.networks.convolution import ImageSizeError
from ppl_pvae.networks.likelihoods import LIKELIHOODS, Likelihood, shortest
from ppl_pvae.networks.linear import Linear, Size, linear
from ppl_pvae.networks.nets import DECODERS, ENCODERS, WIDTHS, Nets, scaled_inputs, scaled_outputs

__all__ = [
    "DECODERS",
    "ENCODERS",
    "ImageSizeError",
    "LIKELIHOODS",
    "Likelihood",
    "Linear",
    "Nets",
    "Size",
    "WIDTHS",
    "linear",
    "scaled_inputs",
    "scaled_outputs",
    "shortest",
    "soft_clamp",
]
