"""A comparison as a small text file: which runs, laid along what, coloured and grouped how. No Qt."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lab.compare import BANDS, Along

Layout = Literal["overlay", "side by side", "difference"]
LAYOUTS: tuple[Layout, ...] = ("overlay", "side by side", "difference")
KIND = "training-dynamics-comparison"
STEP = Along()
KINDS = ("step", "epoch", "time", "series", "event")


class RecipeError(ValueError):
    """A file that is no comparison; one line that says why."""


@dataclass(frozen=True)
class Recipe:
    """What is compared, and how.

    Attributes:
        runs: Paths of run files.
        layout: overlay, side by side, or difference from ``reference``.
        along: What the runs are laid along.
        colour: Knob that colours the runs; empty gives each its own.
        band: How runs that differ in seeds alone become one line; empty keeps every line.
        facet: Knob with a small multiple for each of its values; empty for none.
        reference: Number of the run that others are compared with.
        hidden: Paths of runs that are listed, not drawn.
        views: Ids of the views that are shown; empty for those open at first.
        numbers: Numbers of the table, scatter and parallel coordinates.
    """

    runs: tuple[str, ...]
    layout: Layout = "overlay"
    along: Along = STEP
    colour: str = ""
    band: str = "SD"
    facet: str = ""
    reference: int = 0
    hidden: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    def with_run(self, path: str, *, shown: bool) -> Recipe:
        """The same with one run shown or hidden."""
        hidden = [other for other in self.hidden if other != path]
        return replace(self, hidden=tuple(hidden if shown else [*hidden, path]))


def save(recipe: Recipe, path: str | os.PathLike[str]) -> None:
    """Write a comparison; runs below its folder are named relative to it, so that the folder can move."""
    folder = Path(path).absolute().parent

    def near(run: str) -> str:
        full = Path(run).absolute()
        return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else str(full)

    data = asdict(recipe) | {"runs": [near(run) for run in recipe.runs], "hidden": [near(run) for run in recipe.hidden]}
    Path(path).write_text(json.dumps({"kind": KIND, **data}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: str | os.PathLike[str]) -> Recipe:
    """Read a comparison.

    Raises:
        RecipeError: The file cannot be read, or is none.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path} is no comparison: {error}") from None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise RecipeError(f"{path} is no comparison: its kind is not {KIND}")
    try:
        return _recipe(data, path.absolute().parent)
    except (TypeError, ValueError, KeyError) as error:
        raise RecipeError(f"{path} is no comparison: {error}") from None


def is_recipe(path: str | os.PathLike[str]) -> bool:
    """Whether a file looks like a comparison."""
    return Path(path).suffix == ".json"


def _recipe(data: Mapping[str, Any], folder: Path) -> Recipe:
    along = data.get("along", {})
    recipe = Recipe(
        runs=tuple(str(folder / run) for run in _texts(data["runs"])),
        layout=_one_of(LAYOUTS, data.get("layout", "overlay")),
        along=Along(_one_of(KINDS, along.get("kind", "step")), str(along.get("name", ""))),
        colour=str(data.get("colour", "")),
        band=_one_of(("", *BANDS), data.get("band", "SD")),
        facet=str(data.get("facet", "")),
        reference=int(data.get("reference", 0)),
        hidden=tuple(str(folder / run) for run in _texts(data.get("hidden", ()))),
        views=_texts(data.get("views", ())),
        numbers=_texts(data.get("numbers", ())),
    )
    if not recipe.runs:
        raise ValueError("it names no runs")
    if not 0 <= recipe.reference < len(recipe.runs):
        raise ValueError(f"reference {recipe.reference} is none of its {len(recipe.runs)} runs")
    return recipe


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError("a list of texts is wanted")
    return tuple(str(value) for value in values)


def _one_of(known: Sequence[Any], value: Any) -> Any:
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(map(repr, known))}")
    return value
