"""Lays out the panels of a recipe on a page of its size, and lets nothing cover the data."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gui.export.drawing import draw
from gui.export.insets import draw_inset
from gui.export.look import FigureError, Look, settings
from gui.export.parts import run_map, typeset
from gui.export.recipe import PAPER, PanelRecipe, Recipe, places_of
from gui.export.sources import Content
from gui.export.ticks import write_small_ranges
from gui.theme import LIGHT
from lab.differing import Places

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

MM = 1 / 25.4  # inches
PANEL = "panel"  # of which axes are a part, by their label
MOST_PIXELS = 1 << 16  # of a side; matplotlib's own limit
SMALLEST = 0.6
BESIDE: dict[str, tuple[Literal["upper left", "upper center"], tuple[float, float]]] = {
    "beside": ("upper left", (1.01, 1.0)),
    "below": ("upper center", (0.5, 0.0)),
}
DRAWING = threading.RLock()  # matplotlib's settings and fonts belong to the whole process


@contextmanager
def drawing(look: Look) -> Iterator[None]:
    """One figure at a time, in this look."""
    import matplotlib

    with DRAWING, matplotlib.rc_context(settings(look)):
        yield


@contextmanager
def _room() -> Iterator[None]:
    """Refuse a layout that leaves a panel no place, where matplotlib only warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "constrained_layout not applied")
        try:
            yield
        except UserWarning as warning:
            raise FigureError(
                "the page is too small for its type: take a larger size or a style of smaller type"
            ) from warning


def draw_page(recipe: Recipe, contents: Sequence[Content], look: Look) -> Figure:
    """A matplotlib figure of the page, laid out for good: every format shows the same.

    Raises:
        FigureError: A panel that does not fit the page, or a change that its view cannot take.
    """
    from matplotlib.figure import Figure

    if not recipe.panels:
        raise FigureError("the recipe has no panels")
    across, down = recipe.millimetres
    if max(across, down) * MM * recipe.dpi >= MOST_PIXELS:
        raise FigureError(f"{across:g} x {down:g} mm at {recipe.dpi} dpi has more than {MOST_PIXELS} pixels a side")
    places = list(places_of(recipe))
    heights = _heights(recipe, places)
    with drawing(look):
        figure = Figure(figsize=(across * MM, down * MM), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.04, hspace=0.05)  # type: ignore[union-attr] - every page has an engine
        drawn: list[tuple[Axes, Content, list[Axes]]] = []
        grid = figure.add_gridspec(len(heights), recipe.columns, height_ratios=heights)
        for number, ((row, column, span), content) in enumerate(zip(places, contents, strict=True)):
            axes = figure.add_subplot(grid[row, column : column + span])
            letter = _letter(recipe.letters, number) if len(contents) > 1 else ""
            drawn.append((axes, content, _draw_panel(axes, content, letter)))
            for own in figure.axes[figure.axes.index(axes) :]:
                own.set_label(f"{PANEL} {number}")
        _share_limits([(axes, content) for axes, content, _ in drawn])
        for axes, content, parts in drawn:
            _finish_panel(axes, content, parts)
        with _room():
            figure.draw_without_rendering()
            for _ in range(2):  # room made for one legend may push another onto its data
                if not _clear_data(figure):
                    break
                figure.draw_without_rendering()
                figure.draw_without_rendering()  # what makes room for a legend beside a plot settles at the second time
            if recipe.size in PAPER and len(heights) == 1:
                _lengthen(figure)
        for (axes, _, _), (left, _, across, _) in zip(drawn, boxes(recipe), strict=True):
            _fit_title(axes, (left + across) * figure.bbox.width)
        figure.set_layout_engine("none")  # formats differ in how they measure text; the places stay
    return figure


def _fit_title(axes: Axes, right: float) -> None:
    """Set a title smaller where it would go beyond its panel's part of the page, down to SMALLEST of its size."""
    from matplotlib.text import Text

    said = axes.get_title(loc="left")
    for title in axes.get_children():
        if isinstance(title, Text) and said and title.get_text() == said:
            box = title.get_window_extent()
            share = (right - box.x0) / max(box.width, 1)
            if share < 1:
                title.set_fontsize(float(title.get_fontsize()) * max(share, SMALLEST))


def frames(figure: Figure) -> list[tuple[float, float, float, float]]:
    """Left, top, width and height of what every panel of a drawn page fills, in shares of the page."""
    from matplotlib.transforms import Bbox

    found: dict[str, list[Bbox]] = {}
    for axes in figure.axes:
        box = axes.get_tightbbox()
        if box is not None and str(axes.get_label()).startswith(PANEL):
            found.setdefault(str(axes.get_label()), []).append(box)
    across, down = figure.bbox.width, figure.bbox.height
    whole = [Bbox.union(parts) for parts in found.values()]
    return [(box.x0 / across, 1 - box.y1 / down, box.width / across, box.height / down) for box in whole]


def boxes(recipe: Recipe) -> list[tuple[float, float, float, float]]:
    """Left, top, width and height of every panel's part of the page, in shares of the page."""
    places = list(places_of(recipe))
    heights = _heights(recipe, places)
    tops = np.concatenate([[0.0], np.cumsum(heights)]) / sum(heights)
    return [
        (column / recipe.columns, float(tops[row]), span / recipe.columns, float(tops[row + 1] - tops[row]))
        for row, column, span in places
    ]


def _heights(recipe: Recipe, places: Sequence[tuple[int, int, int]]) -> list[float]:
    rows = places[-1][0] + 1
    return [*recipe.heights, *[1.0] * rows][:rows]


def _letter(style: str, number: int) -> str:
    letter = chr(ord("a") + number % 26) * (number // 26 + 1)
    return {"": "", "a": letter, "A": letter.upper(), "(a)": f"({letter})"}[style]


def _draw_panel(axes: Axes, content: Content, letter: str) -> list[Axes]:
    """Draw what was recorded, and hand back the axes of the panel: one, or one for each run."""
    figure, spec = axes.figure, content.spec
    assert figure is not None
    before = len(figure.axes)
    bold = rf"$\mathbf{{{letter}}}$" if letter else ""
    axes.set_title("   ".join(part for part in (bold, spec.title) if part), loc="left")
    draw(axes, spec, content.panels)
    return [own for own in [axes, *figure.axes[before:]] if own.axison and not hasattr(own, "_colorbar")]


def _share_limits(drawn: Sequence[tuple[Axes, Content]]) -> None:
    """Small multiples of one view show the same stretch of both axes."""
    sharing = [(axes, content) for axes, content in drawn if content.recipe.shared and axes.axison]
    for view in dict.fromkeys(content.recipe.view for _, content in sharing):
        alike = [axes for axes, content in sharing if content.recipe.view == view]
        across = [end for axes in alike for end in axes.get_xlim()]
        up = [end for axes in alike for end in axes.get_ylim()]
        for axes in alike:
            down = axes.yaxis_inverted()  # a matrix begins at the top
            axes.set(xlim=(min(across), max(across)), ylim=(max(up), min(up)) if down else (min(up), max(up)))


def _finish_panel(axes: Axes, content: Content, parts: Sequence[Axes]) -> None:
    """What the recipe wants of the drawing: limits, legend, notes, an inset."""
    recipe = content.recipe
    for own in parts:
        _limit(own, recipe)
        write_small_ranges(own)
    _place_legend(axes, recipe)
    if content.bar is not None:
        _draw_bar(axes, *content.bar)
    for note in recipe.notes:
        arrow = {"arrowstyle": "->", "color": LIGHT.text, "shrinkB": 1} if note.to else None
        axes.annotate(note.text, note.to or note.at, note.at, arrowprops=arrow)
    if recipe.inset:
        draw_inset(axes, recipe.inset, content)


def _limit(axes: Axes, recipe: PanelRecipe) -> None:
    if recipe.x != (None, None):
        axes.set_xlim(_kept(recipe.x, axes.get_xlim()))
    if recipe.y != (None, None):
        axes.set_ylim(_kept(recipe.y, axes.get_ylim()))


def _kept(wanted: tuple[float | None, float | None], present: tuple[float, float]) -> tuple[float, float]:
    low, high = (new if new is not None else old for new, old in zip(wanted, present, strict=True))
    if low == high:
        raise FigureError(f"limits {low:g} to {high:g} leave nothing to show")
    return low, high


def _draw_bar(axes: Axes, knob: str, placed: Places) -> None:
    """The colours of runs along a knob."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    norm = (LogNorm if placed.log else Normalize)(*placed.values)
    assert axes.figure is not None
    axes.figure.colorbar(ScalarMappable(norm, run_map()), ax=axes, label=typeset(knob.replace("_", " ")))


def _place_legend(axes: Axes, recipe: PanelRecipe) -> None:
    legend = axes.get_legend()
    if legend is None:
        return
    match recipe.legend:
        case "auto":
            pass
        case "none":
            legend.remove()
        case "beside" | "below":
            _put_outside(axes, legend, recipe.legend)
        case corner:
            legend.set_loc(corner)


def _put_outside(axes: Axes, legend: Legend, side: Literal["beside", "below"]) -> None:
    from matplotlib import rcParams
    from matplotlib.transforms import ScaledTranslation

    place, anchor = BESIDE[side]
    handles, names = (
        [handle for handle in legend.legend_handles if handle is not None],
        [text.get_text() for text in legend.get_texts()],
    )
    fitting = int(axes.get_window_extent().width / max(legend.get_window_extent().width, 1))
    columns = 1 if side == "beside" else max(1, min(fitting, len(names)))
    # ticks and the axis' name take lines of text, however low the plot becomes
    lines = 0.0 if side == "beside" else -3.4 * rcParams["font.size"] / 72
    down = ScaledTranslation(0, lines, axes.get_figure(root=True).dpi_scale_trans)  # type: ignore[union-attr] - these axes are in a figure
    put = axes.legend(
        handles, names, loc=place, bbox_to_anchor=anchor, bbox_transform=axes.transAxes + down, ncols=columns
    )
    put.set_gid(side)


def _lengthen(figure: Figure) -> None:
    """Make a page whose height nobody chose higher by the legends below its plots, instead of the plots lower."""
    legends = (axes.get_legend() for axes in figure.axes)
    below = [legend.get_window_extent().height for legend in legends if legend and legend.get_gid() == "below"]
    if below:
        figure.set_figheight(figure.get_figheight() + max(below) / figure.dpi)
        figure.draw_without_rendering()
        figure.draw_without_rendering()


def _clear_data(figure: Figure) -> bool:
    """Put legends that found no empty corner beside their panel, or below it where it is narrow; whether any was."""
    moved = False
    for axes in figure.axes:
        legend = axes.get_legend()
        if legend is not None and legend._get_loc() == 0 and _covers(axes, legend):  # type: ignore[attr-defined] - matplotlib's own flag
            wide = axes.get_window_extent().width > 2.5 * legend.get_window_extent().width
            _put_outside(axes, legend, "beside" if wide else "below")
            moved = True
    return moved


def _covers(axes: Axes, legend: Legend) -> bool:
    from matplotlib.collections import PolyCollection

    box = legend.get_window_extent()
    lines = (line for line in axes.lines if not str(line.get_label()).startswith("_"))
    paths: list[Any] = [line.get_transform().transform_path(line.get_path()) for line in lines]
    paths += [patch.get_transform().transform_path(patch.get_path()) for patch in axes.patches]
    bands = [part for part in axes.collections if isinstance(part, PolyCollection)]
    filled = [part.get_transform().transform_path(path) for part in bands for path in part.get_paths()]
    if any(path.intersects_bbox(box, filled=True) for path in filled):
        return True
    if any(box.overlaps(inset.get_window_extent()) for inset in axes.child_axes):
        return True
    return any(path.intersects_bbox(box, filled=False) for path in paths if len(path.vertices) > 1)
