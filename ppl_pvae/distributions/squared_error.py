"""The likelihood behind the published loss ‖x − x̂‖²."""

import math

import jax.numpy as jnp
import numpyro.distributions as dist

__all__ = ["SquaredError"]


class SquaredError(dist.Normal):
    """Normal of variance ½, so that −log p(x) = (x − mean)² + ½ log π per pixel.

    The published loss is ‖x − x̂‖² + β·KL, without a factor ½: a Gaussian likelihood with σ² = ½ up to the constant
    `constant_per_pixel`, which the free energy drops and the negative ELBO keeps.

    Parameters
    ----------
    mean
        Reconstruction, any batch shape.
    """

    constant_per_pixel = 0.5 * math.log(math.pi)

    def __init__(self, mean, *, validate_args=None):
        super().__init__(mean, math.sqrt(0.5), validate_args=validate_args)

    def log_prob(self, value, intermediates=None):
        return -jnp.square(value - self.loc) - self.constant_per_pixel
