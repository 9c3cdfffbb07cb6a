"""Does a rectified code turn sparse when it is told relative to its learned prior, as the Poisson code is?

Its mean is m + μ(x), so that m moves the code where the encoder has no bias, too. A sweep over β of it:
`python -m ppl_pvae.sweep --config inference/relative.toml`, one cell of it:
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
