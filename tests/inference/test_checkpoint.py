"""Trees of arrays to one file and back, bit for bit, and files that are not what they say."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_array_equal

from ppl_pvae.errors import UserError
from ppl_pvae.inference.checkpoint import flatten, load_arrays, restore, save_arrays, save_checkpoint
from ppl_pvae.networks import Linear


def state():
    """A tree of what a training has: parameters in modules, a module without bias, moments, a count, a typed key."""
    params = {"encoder": Linear(jnp.arange(6.0).reshape(2, 3), None), "log_prior_rate": jnp.array([-1.0, np.pi])}
    return (jnp.asarray(3), (params, optax.adam(0.1).init(params)), jax.random.key(7))


def test_a_tree_comes_back_bit_for_bit(tmp_path):
    before = state()
    save_arrays(tmp_path / "state.npz", flatten(before))
    after = restore(jax.tree.map(lambda leaf: leaf, before), load_arrays(tmp_path / "state.npz"))
    assert jax.tree.structure(after) == jax.tree.structure(before)
    for name, value in flatten(before).items():
        assert_array_equal(flatten(after)[name], value)
        assert flatten(after)[name].dtype == value.dtype
    assert_array_equal(jax.random.normal(after[-1], (3,)), jax.random.normal(before[-1], (3,)))


def test_names_are_paths_that_a_reader_understands():
    assert set(flatten({"encoder": Linear(jnp.ones((2, 3)), jnp.ones(3))})) == {"encoder.weight", "encoder.bias"}


def test_shapes_alone_are_enough_to_restore():
    params = {"encoder": Linear(jnp.ones((2, 3)), jnp.ones(3))}
    shapes = jax.eval_shape(lambda: params)
    assert_array_equal(restore(shapes, flatten(params))["encoder"].weight, params["encoder"].weight)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [({}, "found nothing"), ({"a": np.zeros(3)}, r"a should have shape \(2,\), found \(3,\)")],
)
def test_arrays_of_another_program_are_refused(arrays, told):
    with pytest.raises(UserError, match=told):
        restore({"a": jnp.zeros(2)}, arrays)


def test_the_newest_two_are_kept(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, {"a": jnp.full(2, float(step))})
    newest, previous = (load_arrays(tmp_path / name) for name in ("checkpoint.npz", "checkpoint-previous.npz"))
    assert (int(newest["step"]), int(previous["step"])) == (3, 2)
    assert_array_equal(previous["a"], [2.0, 2.0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-previous.npz", "checkpoint.npz"]


def damaged(path, kind):
    if kind == "text":
        path.write_text("not an archive")
    elif kind == "a lone array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "pickled":
        np.savez(path, a=np.array([{"x": 1}], dtype=object))
    elif kind == "torn":
        np.savez(path, a=np.arange(1000.0))
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "a flipped bit":
        np.savez(path, a=np.arange(1000.0))
        content = bytearray(path.read_bytes())
        content[3000] ^= 1
        path.write_bytes(content)
    elif kind == "empty":
        path.touch()


@pytest.mark.parametrize("kind", ["text", "a lone array", "pickled", "torn", "a flipped bit", "empty", "missing"])
def test_a_file_that_is_no_archive_of_arrays_is_refused(kind, tmp_path):
    path = tmp_path / "checkpoint.npz"
    damaged(path, kind)
    with pytest.raises(UserError, match=r"cannot read .*checkpoint.npz"):
        load_arrays(path)
