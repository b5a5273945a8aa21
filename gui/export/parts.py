"""What several drawings need: the rows at a step, names and line styles, room for several runs, norms of colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gui.colour_maps import DIVERGING
from gui.theme import DASHES, LIGHT
from gui.views.text import INDEX, indices
from lab.stream import row_of, steps_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize

    from lab.differing import Places
    from lab.views import Distribution

MOST_BESIDE = 4  # runs in one row of a panel


def value_at(panel: Any, name: str) -> np.ndarray | None:
    """The latest row of a series at or before the panel's step (None: the newest); None where there is none."""
    if name not in panel.source.names():
        return None
    steps = steps_of(panel.source, name)
    row = (len(steps) if panel.step is None else int(np.searchsorted(steps, panel.step, side="right"))) - 1
    return None if row < 0 else np.asarray(row_of(panel.source, name, row), float)


def first_value(panel: Any, name: str) -> np.ndarray | None:
    """The first row of a series."""
    recorded = name in panel.source.names() and len(steps_of(panel.source, name))
    return np.asarray(row_of(panel.source, name, 0), float) if recorded else None


def matched(source: Any, x: str, y: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps that both series have, with both values."""
    (x_step, x_value), (y_step, y_value) = source.series(x), source.series(y)
    step, i, j = np.intersect1d(x_step, y_step, return_indices=True)
    return step, np.asarray(x_value)[i], np.asarray(y_value)[j]


def edges_of_bins(values: np.ndarray, spec: Distribution) -> np.ndarray:
    """Edges (bins + 1,) of a histogram of these values."""
    usable = values[np.isfinite(values) & ((values > 0) | (not spec.x_log))]
    low, high = (float(usable.min()), float(usable.max())) if usable.size else (0.1, 1.0)
    if spec.x_log:
        low, high = (low, high) if low < high else (low / 2, high * 2)
        return np.geomspace(low, high, spec.bins + 1)
    return np.linspace(low, high, spec.bins + 1) if low < high else np.linspace(low - 0.5, high + 0.5, spec.bins + 1)


def typeset(text: str) -> str:
    """A symbol as the field writes it in plain text, ``λ_max``, ``J^{0,l}``, with real subscripts and powers."""
    if "$" in text:
        return text
    return re.sub(INDEX, _raised, text)


def _raised(found: re.Match[str]) -> str:
    written = "".join(f"{sign}{{{part}}}" for sign, part in zip("_^", indices(found[0]), strict=True) if part)
    return f"$\\mathregular{{{written}}}$"


def line(index: int) -> dict[str, Any]:
    """Colour and dashes of the line number ``index`` in the figure's look."""
    from matplotlib import rcParams

    cycle = rcParams["axes.prop_cycle"].by_key()
    return {key: values[index % len(values)] for key, values in cycle.items()}


def inked(panel: Any, index: int, series: int = 0) -> dict[str, Any]:
    """Colour and dashes of a line: the look's next, or the run's own colour with dashes for the series."""
    if panel.ink is None:
        return line(index)
    from matplotlib import rcParams

    colours = len(rcParams["axes.prop_cycle"]) // len(DASHES)
    ink = line(panel.ink)["color"] if isinstance(panel.ink, int) else panel.ink
    return {**line(series * colours), "color": ink}


def run_map() -> Colormap:
    """The part of the sequential map that is seen on paper, for runs along a knob."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("runs", colormaps["viridis"](np.linspace(0, 0.9, 256)))


def inks(placed: Places) -> list[str | int | None]:
    """A colour for each place: along the sequential map, or a number of the look's; None where it has no place."""
    from matplotlib.colors import to_hex

    if placed.continuous:
        return [None if np.isnan(place) else to_hex(run_map()(place)) for place in placed.place.tolist()]
    return [int(place) for place in placed.place]


def width(share: float = 1.0) -> float:
    """Line width in points: a share of that of a curve in the figure's look."""
    from matplotlib import rcParams

    return share * rcParams["lines.linewidth"]


def dot(share: float = 1.0) -> float:
    """Area of a dot in square points, by its diameter as a share of the look's."""
    from matplotlib import rcParams

    return (share * rcParams["lines.markersize"]) ** 2


def say(axes: Axes, x: str, y: str) -> None:
    """Name both axes."""
    axes.set_xlabel(typeset(x))
    axes.set_ylabel(typeset(y))


def split(axes: Axes, rows: int, columns: int, **options: Any) -> np.ndarray:
    """``rows`` x ``columns`` axes in the place of one, whose title the first of them takes; (rows, columns)."""
    if rows * columns == 1 and not options:
        return np.array([[axes]])
    figure, place = axes.figure, axes.get_subplotspec()
    assert figure is not None
    assert place is not None
    axes.set_axis_off()
    cells = place.subgridspec(rows, columns).subplots(squeeze=False, **options)
    cells[0, 0].set_title(axes.get_title(loc="left"), loc="left")
    axes.set_title("", loc="left")
    return cells


def one_each(axes: Axes, panels: Sequence[Any]) -> list[tuple[Axes, Any]]:
    """Axes of its own for every run, side by side in rows and named where there are several."""
    rows, columns = beside(len(panels))
    cells = split(axes, rows, columns).ravel()
    for cell in cells[len(panels) :]:
        cell.set_axis_off()
    if len(panels) > 1:
        for cell, panel in zip(cells, panels, strict=False):  # the panel's title stands above the first one's name
            cell.set_title("\n".join(filter(None, (cell.get_title(loc="left"), panel.label))), loc="left")
    return list(zip(cells, panels, strict=False))


def beside(count: int) -> tuple[int, int]:
    """Rows and columns of so many runs side by side."""
    rows = max(-(-count // MOST_BESIDE), 1)
    return rows, max(-(-count // rows), 1)


def draw_bars(drawn: Sequence[tuple[Any, Any, str]], *, shared: bool, stages: Sequence[str] = ()) -> None:
    """Colour bars beside fields, each of which comes with its axes and what its bar is called.

    Args:
        drawn: Axes or a list of them, what is drawn there, and the bar's name.
        shared: All are on one scale, and have one bar.
        stages: Names of the values 1, 2, ..., where they are no quantities.
    """
    if shared and len(drawn) > 1:
        every = [axes for part, _, _ in drawn for axes in (part if isinstance(part, list) else [part])]
        drawn = [(every, *drawn[0][1:])]
    for part, shown, name in drawn:
        first = part[0] if isinstance(part, list) else part
        bar = first.figure.colorbar(shown, ax=part, label=typeset(name))
        if stages:
            bar.set_ticks(range(1, len(stages) + 1), labels=[typeset(stage) for stage in stages])
            bar.ax.tick_params(which="both", length=0)
            bar.minorticks_off()


def norm(
    values: np.ndarray, limits: tuple[float, float] | None, *, log: bool = False, centre: float | None = None
) -> Normalize:
    """Limits of the colours, as the screen has them: the data's or the declared ones, even about a centre."""
    from matplotlib.colors import LogNorm, Normalize

    usable = values[np.isfinite(values) & ((values > 0) | (not log))]
    low, high = limits or ((float(usable.min()), float(usable.max())) if usable.size else (0.1, 1.0))
    if log:
        low = max(low, high * 1e-12)
        if centre is not None and centre > 0:
            reach = max(high / centre, centre / low)
            low, high = centre / reach, centre * reach
        return LogNorm(low, high, clip=True)
    if centre is not None:
        reach = max(high - centre, centre - low)
        low, high = centre - reach, centre + reach
    return Normalize(low, high)


def stage_colours(count: int) -> dict[str, Any]:
    """Norm and map of the values 1 to ``count``, in the colours of a ribbon."""
    from matplotlib.colors import BoundaryNorm, ListedColormap

    bounds = np.arange(count + 1) + 0.5
    return {"norm": BoundaryNorm(bounds, count), "cmap": ListedColormap(LIGHT.lines[:count])}


def colour_map(centre: float | None) -> Colormap:
    """The sequential map, or with a centre the diverging one."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    return colormaps["viridis"] if centre is None else LinearSegmentedColormap.from_list("diverging", DIVERGING)
