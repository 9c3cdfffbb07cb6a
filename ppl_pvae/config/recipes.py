"""Settings as TOML: recipes, and the record that a run keeps of its own."""

import dataclasses
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from ppl_pvae.config.settings import Settings, from_mapping
from ppl_pvae.errors import UserError

__all__ = ["read_about", "read_recipe", "read_toml", "to_toml"]


def read_recipe(path: Path) -> Settings:
    """The settings in a TOML file; its table `about` is passed over: the `config.toml` of a run is a recipe too.

    Raises
    ------
    UserError
        If the file is not there, is no TOML, or holds something that is no setting.
    """
    content = read_toml(path)
    try:
        return from_mapping({key: value for key, value in content.items() if key != "about"})
    except UserError as error:
        raise UserError(f"in the recipe {path}: {error}") from None


def read_about(path: Path) -> dict[str, Any]:
    """The table `about` of a run's `config.toml`: versions, sizes, the program's text; empty in other recipes.

    Raises
    ------
    UserError
        If the file is not there or is no TOML.
    """
    return read_toml(path).get("about", {})


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds.

    Raises
    ------
    UserError
        If the file is not there, is no text or no TOML.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read the recipe {path}: {getattr(error, 'strerror', None) or 'it is no text'}."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"the recipe {path} is no valid TOML: {error}.") from None
    return content


def to_toml(settings: Settings, about: Mapping[str, Any] | None = None, *, only: Collection[str] | None = None) -> str:
    """The settings as TOML; in the table `about` whatever else is worth keeping (versions, the program's text).

    `only` names the settings that are worth keeping; all of them where it is None.
    """
    kept = (n for n in dataclasses.asdict(settings) if only is None or n in only)
    values = {name: value for name in kept if (value := getattr(settings, name)) is not None}
    return tomli_w.dumps(values | ({"about": about} if about else {}), multiline_strings=True)
