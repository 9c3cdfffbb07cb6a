"""The images of a sweep: read once each, and the same that its finished cells were fitted to."""

from collections.abc import Mapping
from typing import NamedTuple

from ppl_pvae.config import Cell, about_guess, about_trade, is_program_file, read_about, read_program_file
from ppl_pvae.data import digest, load
from ppl_pvae.errors import UserError, warn_caller
from ppl_pvae.sweeps.whole import Sweep

__all__ = ["Images", "images_of", "remark_on"]


class Images(NamedTuple):
    """What a sweep has to know of its data: pixels of an image, letters that other images would not have, and (y, x)
    where that is a guess."""

    pixels: int
    digest: str
    guessed_shape: tuple[int, int] | None


def images_of(sweep: Sweep) -> dict[str, Images]:
    """The images of every cell; reads each data set once, so that what cannot be read is said before anything.

    Raises
    ------
    UserError
        If data cannot be read, or cells that are there were fitted to others.
    """
    known: dict[tuple, Images] = {}
    for cell in sweep.cells:
        which = _data_of(cell)
        if which not in known:
            name, patch_size, seed = which
            data = load(name, patch_size=patch_size, seed=seed)
            known[which] = Images(data.train.shape[1], digest(data), data.guessed_shape)
    found = {cell.name: known[_data_of(cell)] for cell in sweep.cells}
    for cell in sweep.cells:
        _check_unchanged(sweep, cell, found[cell.name])
    return found


def remark_on(sweep: Sweep, images: Mapping[str, Images]) -> None:
    """Warn of what can be fitted and hardly be meant, once for all cells; their workers say nothing of it."""
    by_data: dict[str, list[Cell]] = {}
    for cell in sweep.cells:
        by_data.setdefault(cell.settings.data or "natural", []).append(cell)
    remarks = [about_trade(cell.settings for cell in sweep.cells)]
    for data, cells in by_data.items():
        remarks.append(about_guess([cell.settings for cell in cells], data, images[cells[0].name].guessed_shape))
    for remark in filter(None, remarks):
        warn_caller(remark)


def _check_unchanged(sweep: Sweep, cell: Cell, images: Images) -> None:
    """Make sure that a cell which is there was fitted to these images, and by the program that the file holds now."""
    record = sweep.folder(cell) / "config.toml"
    if not record.is_file():
        return
    about = read_about(record)
    if about.get("data_digest") != images.digest:
        raise UserError(f"{sweep.out} was begun with other images of {cell.settings.data}; give --out anew.")
    program = cell.settings.program
    if is_program_file(program) and about.get("program_text") != read_program_file(program).text:
        raise UserError(f"{sweep.out} was begun with another text of {program}; give --out another directory.")


def _data_of(cell: Cell) -> tuple[str, int, int]:
    return cell.settings.data or "natural", cell.settings.patch_size, cell.settings.data_seed
