"""Draws recipes, or one view of stored runs, and writes them: PDF and SVG with real text, PNG; the numbers beside them.

The same input gives the same bytes. Run ids, recipe and app version go into the file's metadata.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gui.export.inside import SUFFIXES, metadata, recipe_of
from gui.export.look import FigureError, load
from gui.export.numbers import write_numbers
from gui.export.page import draw_page, drawing
from gui.export.recipe import LOOK_OF, SIZES, PanelRecipe, Recipe, Run, read
from gui.export.sources import Content, Find, Panel, carried, finder, opened
from gui.export.svg_fonts import with_fonts
from gui.export.words import write_words
from lab.request import runs_folder
from lab.views import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SIZES", "FigureError", "Panel", "read_recipe", "render", "write_again", "write_figure", "write_recipe"]


def write_figure(
    files: Sequence[Path],
    view: str,
    out: Path,
    *,
    size: str = "single",
    data: bool = False,
    words: bool = False,
    dpi: int = 300,
) -> list[Path]:
    """Draw ``view`` of the runs in ``files`` into ``out``; returns the files written.

    Args:
        files: Run files of one experiment.
        view: The view's id.
        out: Path ending in .pdf, .svg or .png.
        size: A key of SIZES.
        data: Also write the numbers as CSV beside the figure.
        words: Also write a caption draft and the table of hyper-parameters, as LaTeX.
        dpi: Of a PNG.

    Raises:
        FigureError: Unknown view, size or ending, files of different experiments, nothing recorded for the view.
    """
    panel = PanelRecipe(view=view, runs=tuple(Run(file=str(path.absolute())) for path in files))
    recipe = Recipe(panels=(panel,), size=size, dpi=dpi, data="csv" if data else "none", words=words)
    return write_recipe(recipe, out)


def write_recipe(recipe: Recipe, out: Path, *, folder: Path | None = None, find: Find | None = None) -> list[Path]:
    """Draw a recipe into ``out``; returns the files written.

    Args:
        recipe: What to draw.
        out: Path ending in .pdf, .svg or .png.
        folder: Where the recipe's relative paths start; the working folder when absent.
        find: Gives the file of a run that is not where the recipe says.

    Raises:
        FigureError: One line that says what is wrong with the recipe, its runs or ``out``.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise FigureError(f"figures are .pdf, .svg or .png, not {out.suffix or 'without an ending'!r}")
    folder = folder or Path()
    look = recipe.look(folder)
    with opened(recipe, folder, find) as contents:
        figure = draw_page(recipe, contents, look)
        title = ", ".join(dict.fromkeys(content.spec.title for content in contents))
        about = metadata(out.suffix.lower(), carried(recipe, contents, folder), title)
        with drawing(look):
            written = io.BytesIO()
            figure.savefig(written, format=out.suffix[1:].lower(), dpi=recipe.dpi, metadata=about)
            content = written.getvalue()
            if out.suffix.lower() == ".svg":
                content = with_fonts(content)
        try:
            out.write_bytes(content)
            beside = write_numbers(recipe.data, contents, out)
            return [out, *beside, *([write_words(recipe, contents, out)] if recipe.words else [])]
        except OSError as error:
            raise FigureError(f"cannot write {error.filename or out}: {error.strerror}") from None


def read_recipe(path: Path) -> Recipe:
    """The recipe in a recipe file or inside a figure. Raises FigureError when there is none."""
    return recipe_of(path) if path.suffix.lower() in SUFFIXES else read(path)


def write_again(path: Path, out: Path, places: Sequence[Path], **beside: Any) -> list[Path]:
    """Draw the recipe in a file or figure into ``out``; returns the files written.

    Args:
        path: A recipe file or a figure.
        out: Path ending in .pdf, .svg or .png.
        places: Folders and run files in which runs are sought that are not where the recipe says. The recipe's folder
            and the runs folder are looked through after them.
        beside: ``data`` and ``words`` in place of the recipe's own.

    Raises:
        FigureError: Like :func:`write_recipe`.
    """
    recipe = read_recipe(path).changed(**beside)
    return write_recipe(recipe, out, folder=path.parent, find=finder([*places, path.parent, runs_folder()]))


def render(spec: View, panels: Sequence[Panel], size: str = "single") -> Figure:
    """A matplotlib figure of a view; several runs are overlaid."""
    panel = PanelRecipe(view=spec.id, runs=(Run(file="-"),))
    recipe = Recipe(panels=(panel,), size=size)
    return draw_page(recipe, [Content(panel, spec, panels)], load(LOOK_OF.get(size, "journal")))
