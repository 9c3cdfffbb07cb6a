"""Grids: what a recipe may say, which cells it has, what they are called, and what is refused."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from ppl_pvae.config import Grid, cells_of, grid_to_toml, over, read_grid, validate
from ppl_pvae.config.settings import Settings
from ppl_pvae.errors import UserError

FOUR = {"program": ("rectified-gaussian",), "prior": ("learned", "fixed"), "pays": ("latent", "code")}


def written(tmp_path, text):
    path = tmp_path / "grid.toml"
    path.write_text(text)
    return path


def test_all_combinations_of_every_block():
    grid = Grid(({"program": ("poisson",), "beta": (0.1, 1.0), "seed": (0, 1, 2)}, {**FOUR, "units": (8, 64)}))
    cells = cells_of(grid)
    assert len(cells) == 2 * 3 + 4 * 2
    assert len({cell.name for cell in cells}) == len(cells)
    found = {(c.settings.program, c.settings.prior, c.settings.pays, c.settings.units) for c in cells}
    assert ("rectified-gaussian", "fixed", "code", 8) in found
    # The dearest first, and what shares a compilation side by side.
    assert [cell.settings.units for cell in cells] == sorted((cell.settings.units for cell in cells), reverse=True)
    kinds = [(c.settings.units, c.settings.program, c.settings.prior, c.settings.pays) for c in cells]
    assert len([1 for a, b in pairwise(kinds) if a != b]) == len(set(kinds)) - 1


def test_names_say_what_is_not_usual_and_stay_when_the_grid_grows():
    one = cells_of(Grid(({"units": (64,), "beta": (0.01,)},)))
    assert [cell.name for cell in one] == ["poisson-K64-b0.01-s0"]
    more = cells_of(Grid(({"units": (64,), "beta": (0.01, 1.0), "encoder_bias": (True, False), "seed": (0, 1)},)))
    assert one[0] in more
    assert "poisson-no_encoder_bias-K64-b1-s1" in {cell.name for cell in more}
    control = cells_of(Grid(({"program": ("rectified-gaussian",), "prior": ("fixed",), "encoder_bias": (False,)},)))
    assert control[0].name == "rectified-gaussian-no_encoder_bias-fixed_prior-K512-b1-s0"


def test_long_names_are_cut_and_stay_apart():
    settings = {"log_rate_from": (-4.25,), "weight_scale": (0.0625,), "anneal_from": (0.00125,), "clip_norm": (123.5,)}
    settings |= {"final_learning_rate": (0.000125, 0.000126), "largest_log_gain": (4.5,), "prior_speed": (12.5,)}
    names = [cell.name for cell in cells_of(Grid((settings,)))]
    assert len(set(names)) == 2
    assert max(map(len, names)) <= 120


def test_a_cell_starts_from_half_of_the_usual_steps():
    steps = {c.settings.units: c.settings.steps for c in cells_of(Grid(({"units": (32, 64, 512, 2048)},)))}
    assert steps == {32: 5000, 64: 3550, 512: 1250, 2048: 1250}
    for units, first in steps.items():
        assert 2 * first == validate(Settings(units=units)).steps
    assert {c.settings.steps for c in cells_of(Grid(({**FOUR, "units": (32, 512)},)))} == {1250}
    assert cells_of(Grid(({"steps": (70,)},)))[0].settings.steps == 70


def test_a_recipe_is_read_and_written(tmp_path):
    path = written(
        tmp_path,
        'betas = [0.1, 1]\nmax_doublings = 2\n[[grid]]\nprograms = ["poisson"]\nunits = 64\n'
        '[[grid]]\nprograms = "rectified-gaussian"\npays = ["latent", "code"]\nbetas = 4\nseeds = [0, 1]\n',
    )
    grid = read_grid(path)
    assert grid.max_doublings == 2
    assert grid.blocks == (
        {"beta": (0.1, 1), "program": ("poisson",), "units": (64,)},
        {"beta": (4,), "program": ("rectified-gaussian",), "pays": ("latent", "code"), "seed": (0, 1)},
    )
    again = read_grid(written(tmp_path, grid_to_toml(grid)))
    assert again == grid
    assert cells_of(again) == cells_of(grid)


def test_lists_replace_those_of_every_block_and_common_cells_are_fitted_once(tmp_path):
    text = "[[grid]]\nunits = [8, 16]\nseeds = [0, 1]\n[[grid]]\nunits = [32, 64]\nseeds = 0\n"
    grid = over(read_grid(written(tmp_path, text)), {"units": (8,), "beta": (0.5, 1.0)})
    names = {cell.name for cell in cells_of(grid)}
    assert names == {f"poisson-K8-b{beta}-s{seed}" for beta in ("0.5", "1") for seed in (0, 1)}
    assert len(cells_of(grid)) == 4
    assert read_grid(written(tmp_path, grid_to_toml(grid))) == grid


def test_programs_are_picked_from_the_blocks_that_have_them(tmp_path):
    """What other blocks say of other programs is in nobody's way; a program of no block takes the place of all."""
    text = (
        "betas = 1\nunits = 8\n[[grid]]\nprograms = ['poisson']\nspike_price = [0, 0.5]\n"
        "[[grid]]\nprograms = 'rectified-gaussian'\npays = ['latent', 'code']\n"
    )
    grid = read_grid(written(tmp_path, text))
    assert {cell.settings.program for cell in cells_of(over(grid, {"program": ("poisson",)}))} == {"poisson"}
    picked = cells_of(over(grid, {"program": ("poisson", "rectified-gaussian"), "units": (16,)}))
    assert [cell.settings.units for cell in picked] == [16] * 4
    (kept,) = over(read_grid(written(tmp_path, "programs = ['poisson']")), {"program": ("gaussian",)}).blocks
    assert kept["program"] == ("gaussian",)


def test_values_that_blocks_have_add_no_cells_to_a_recipe(tmp_path):
    """What one block is fitted at another is not, unless no block has it."""
    text = (
        "betas = [0.1, 1]\n[[grid]]\nunits = [8, 16]\nseeds = [0, 1]\n"
        "[[grid]]\nencoder_bias = false\nunits = 16\n[[grid]]\nunits = 16\nbetas = 0.1\nspike_price = 1.0\n"
    )
    grid = read_grid(written(tmp_path, text))
    whole = {cell.name for cell in cells_of(grid)}
    asked = ({"units": (8,)}, {"beta": (1.0,)}, {"seed": (1,)}, {"units": (16,), "seed": (0,)}, {"beta": (0.1, 1.0)})
    parts = [{cell.name for cell in cells_of(over(grid, lists))} for lists in asked]
    assert all(part <= whole for part in parts)
    assert [len(part) for part in parts] == [4, 5, 4, 5, len(whole)]
    assert {cell.settings.units for cell in cells_of(over(grid, {"units": (8, 32)}))} == {8, 32}
    assert len(cells_of(over(grid, {"units": (32,), "learning_rate": (0.1,)}))) == 7
    with pytest.raises(UserError, match=r"no table .* has units = 8, spike_price = 1\.0 together"):
        over(grid, {"units": (8,), "spike_price": (1.0,)})


def test_a_path_goes_with_its_cells(tmp_path):
    text = "path_units = 8\n[[grid]]\nunits = [8, 16]\n[[grid]]\nprograms = 'gaussian'\nunits = 8\n"
    grid = read_grid(written(tmp_path, text))
    assert over(grid, {"units": (8,)}).path_units == 8
    assert over(grid, {"units": (16,)}).path_units is None
    assert over(grid, {"program": ("gaussian",)}).path_units is None


RECIPES = sorted((Path(__file__).parents[1] / "inference").glob("*.toml"))
OF_SWEEPS = [path for path in RECIPES if "programs" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("recipe", OF_SWEEPS, ids=lambda path: path.stem)
@pytest.mark.parametrize("units", [32, 512])
def test_a_part_of_any_recipe_can_be_read_back(tmp_path, recipe, units):
    """Its record is what --resume goes on from."""
    part = over(read_grid(recipe), {"units": (units,)})
    assert cells_of(read_grid(written(tmp_path, grid_to_toml(part)))) == cells_of(part)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("betas = []", "betas is empty"),
        ("grid = []", "grid is empty"),
        ("", "it sets nothing"),
        ("max_doublings = 2", "it sets nothing"),
        ("[[grid]]", "a table [[grid]] sets nothing"),
        ("[[grid]]\nbetas = [1]\n[[grid]]", "a table [[grid]] sets nothing"),
        ("grid = 3", "tables"),
        ("betas = [1, 1]", "the cell poisson-K512-b1-s0 twice"),
        ("[[grid]]\nbetas = 1\n[[grid]]\nbetas = [0.5, 1]", "the cell poisson-K512-b1-s0 twice"),
        ("units = [[8, 16]]", "units must be a value or a list of values, got [[8, 16]]"),
        ("[[grid]]\nunits = {few = 8}", "units must be a value or a list of values"),
        ("beats = [1]", "unknown key 'beats'; did you mean 'betas'"),
        ("[[grid]]\nunit = 3", "unknown key 'unit'; did you mean 'units'"),
        ("betas = 1\nbeta = 2", "say the same"),
        ("betas = ['a']", "beta must be a number"),
        ("betas = [-1]", "beta must be >= 0"),
        ('programs = ["poison"]', "did you mean 'poisson'"),
        ('programs = ["poisson", "rectified-gaussian"]\npays = "code"', "pays means nothing to the program 'poisson'"),
        ("max_doublings = 'many'", "max_doublings must be of type int"),
        ("betas = [", "no valid TOML"),
        ("betas = 1\nmax_doublings = -1", "max_doublings must be from 0 to 20, got -1"),
        ("betas = 1\nmax_doublings = 60", "max_doublings must be from 0 to 20, got 60"),
        ("betas = 1\nmatch_distortion = nan", "match_distortion must be >= 0 and finite, got nan"),
        ("betas = 1\nmatch_distortion = -5", "match_distortion must be >= 0 and finite, got -5"),
        ("betas = 1\nunits = [8, 16]\npath_units = 9", "a number of units in the grid (8, 16), got 9"),
        ("betas = 1\npath_units = 9", "a number of units in the grid (512), got 9"),
        ("[[grid]]\nbetas = 1\nmax_doublings = 2", "max_doublings holds for the whole sweep; put it above"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(UserError, match=re.escape(said)) as problem:
        cells_of(read_grid(path))
    assert len(str(problem.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        (("a/m.py", "b/m.py"), "the programs a/m.py and b/m.py share a name, .* m-K8-b1-s0; rename one of the files"),
        (("poisson", "a/poisson.py"), "the programs poisson and a/poisson.py share a name, .*; rename one of the fil"),
        (("a/m.py", "./a/m.py"), "the programs a/m.py and ./a/m.py are one file; name it once"),
    ],
)
def test_programs_of_one_name_are_told_apart(tmp_path, monkeypatch, programs, said):
    """Both in one block, and in blocks whose common cells are merged."""
    monkeypatch.chdir(tmp_path)
    for path in ("a/m.py", "b/m.py", "a/poisson.py"):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text("")
    lists = {"units": (8,)}
    for grid in (
        Grid(({**lists, "program": programs},)),
        Grid(tuple({**lists, "program": (each,)} for each in programs), merge=True),
    ):
        with pytest.raises(UserError, match=said) as problem:
            cells_of(grid)
        assert len(str(problem.value).splitlines()) == 1


def test_values_that_a_name_does_not_tell_apart_are_named():
    with pytest.raises(UserError, match=r"both be called poisson-K512-b0\.1-s0, which differ in beta; give"):
        cells_of(Grid(({"beta": (0.1, 0.10000001)},)))


def test_a_recipe_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot read the recipe"):
        read_grid(tmp_path / "none.toml")


def test_the_recipes_that_come_with_it_are_grids(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])  # where the paths of programs begin
    names = ("quick", "paper", "controls", "examples")
    sizes = {name: len(cells_of(read_grid(Path("inference", f"{name}.toml")))) for name in names}
    assert sizes == {"quick": 48, "paper": 176, "controls": 710, "examples": 40}
