"""Does a rectified code turn sparse when it is told relative to its learned prior, as the Poisson code is?

Yes, without a bias of the encoder, too: K = 64, zeros .01, .01, .14, .44, .79, .87, .97, .99 and activity 710 to .56 an
image over β = .01 to 8, converged. `python -m ppl_pvae.sweep --config inference/relative.toml`, one cell of it
`python -m ppl_pvae.fit --program models/relative.py --units 64 --no-encoder-bias`
"""

from functools import partial

import numpyro

from ppl_pvae.distributions import RectifiedNormal
from ppl_pvae.models import rectified_gaussian
from ppl_pvae.models.gaussian import learned_normal, posterior_normal

model = partial(rectified_gaussian.model, pays="code")


def guide(x, nets):
    mean, _ = learned_normal(nets)
    with numpyro.plate("image", len(x)):
        loc, scale = posterior_normal(x, nets)
        numpyro.sample("z", RectifiedNormal(mean + loc, scale, pays="code").to_event(1))
