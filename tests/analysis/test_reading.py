"""What was labelled comes back as it was."""

from dataclasses import fields

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ppl_pvae.analysis import Posterior, datatree, open_tree, posterior_of, write_tree
from tests.analysis.conftest import planted_posterior


@pytest.mark.parametrize("kind", ["poisson", "rectified", "gaussian"])
@pytest.mark.parametrize("shape", [(16, 16), None])
def test_a_written_posterior_is_read_back(kind, shape, tmp_path):
    p = planted_posterior(kind, shape=shape, linear=shape is not None)
    write_tree(tmp_path / "posterior.nc", datatree(p))
    with open_tree(tmp_path / "posterior.nc") as tree:
        again = posterior_of(tree)
    for field in fields(Posterior):
        before, after = getattr(p, field.name), getattr(again, field.name)
        if isinstance(before, np.ndarray):
            assert_array_equal(after, before, err_msg=field.name)
        else:
            assert after == before, field.name
