"""Distributions of codes and images, their KL divergences, and the differentiable Poisson count."""

from ppl_pvae.distributions.closed_forms import categorical_kl
from ppl_pvae.distributions.count_draws import draw_counts
from ppl_pvae.distributions.count_sums import count_kl, has_count_sum
from ppl_pvae.distributions.count_totals import total_of
from ppl_pvae.distributions.gumbel_poisson import gumbel_softmax_poisson
from ppl_pvae.distributions.kl import base_of, has_closed_form, poisson_kl, unit_kl, without_mask
from ppl_pvae.distributions.laws import follows, has_own, is_users
from ppl_pvae.distributions.moments import mean_of, variance_of
from ppl_pvae.distributions.negative_binomial import NegativeBinomial
from ppl_pvae.distributions.negative_binomial_kl import negative_binomial_kl
from ppl_pvae.distributions.poisson import Poisson, is_poisson, log_rate_of
from ppl_pvae.distributions.poisson_sampler import poisson_counts
from ppl_pvae.distributions.rectified import RectifiedNormal, rectified_kl
from ppl_pvae.distributions.soft_poisson import soft_poisson, soft_poisson_from_log
from ppl_pvae.distributions.squared_error import SquaredError
from ppl_pvae.distributions.unit_gamma import log_unit_gamma

__all__ = [
    "NegativeBinomial",
    "Poisson",
    "RectifiedNormal",
    "SquaredError",
    "base_of",
    "categorical_kl",
    "count_kl",
    "draw_counts",
    "follows",
    "gumbel_softmax_poisson",
    "has_closed_form",
    "has_count_sum",
    "has_own",
    "is_poisson",
    "is_users",
    "log_rate_of",
    "log_unit_gamma",
    "negative_binomial_kl",
    "mean_of",
    "poisson_counts",
    "poisson_kl",
    "rectified_kl",
    "soft_poisson",
    "soft_poisson_from_log",
    "total_of",
    "unit_kl",
    "variance_of",
    "without_mask",
]
