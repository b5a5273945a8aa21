"""What the Figures place asks for outside the window's thread: the page drawn, written, put into words, looked up."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

from PySide6.QtGui import QImage

from gui.export.recipe import Recipe, checked


class Page(NamedTuple):
    """A drawn page, and what each panel fills of it: left, top, width and height in shares of the page."""

    picture: QImage
    frames: list[tuple[float, float, float, float]]


def picture(recipe: Recipe, folder: Path, dpi: float) -> Page:
    """The page as it will be written."""
    from gui.export.page import draw_page, drawing, frames
    from gui.export.sources import opened

    look = recipe.look(folder)
    with opened(recipe, folder) as contents:
        figure = draw_page(recipe, contents, look)
        with drawing(look):
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=dpi)
            return Page(QImage.fromData(buffer.getvalue()), frames(figure))


def write(recipe: Recipe, path: Path, folder: Path) -> list[Path]:
    """Write the figure and what goes beside it; returns the files."""
    from gui.export.figure import write_recipe

    return write_recipe(recipe, path, folder=folder)


def words(recipe: Recipe, folder: Path, *, table: bool) -> str:
    """A caption draft, or the table of hyper-parameters, for LaTeX."""
    from gui.export import words
    from gui.export.sources import opened

    with opened(recipe, folder) as contents:
        return words.table(contents) if table else words.latex(words.caption(recipe, contents))


def located(path: Path, runs: Path) -> Recipe:
    """The recipe in a file, its runs by their whole paths."""
    from gui.export.figure import read_recipe
    from gui.export.sources import files, finder

    recipe = read_recipe(path)
    find = finder([path.parent, runs])
    panels = []
    for panel in recipe.panels:
        found: dict[str, Any] = {"runs": [str(file.absolute()) for file in files(panel, path.parent, find)]}
        if panel.minus is not None:
            alone = panel.model_copy(update={"runs": (panel.minus,)})
            found["minus"] = str(files(alone, path.parent, find)[0].absolute())
        panels.append({**panel.model_dump(), **found})
    return checked({**recipe.model_dump(), "panels": panels})
