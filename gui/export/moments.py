"""Views of one moment drawn with matplotlib: distributions, scatter plots, profiles, bars, tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gui.export.outlined import averaged, draw_shapes, shapes_of
from gui.export.parts import (
    colour_map,
    dot,
    edges_of_bins,
    first_value,
    inked,
    line,
    norm,
    say,
    split,
    typeset,
    value_at,
    width,
)
from gui.theme import LIGHT
from lab.naming import symbol
from lab.views import Bars, Distribution, Line, Profile, Scatter, Table, TableRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAIL_ROWS = 400
DEPTH = 1e-8  # a density on a logarithmic axis is shown so far below its top


def draw_distribution(axes: Axes, spec: Distribution, panels: Sequence[Any]) -> None:
    """Histogram or density at the panel's step; the first row is pale behind it. Of seeds the mean outline."""
    if averaged(panels):
        draw_shapes(axes, spec, panels)
    for number, panel in enumerate(() if averaged(panels) else panels):
        rows = [(value_at(panel, spec.series), inked(panel, number)["color"], panel.label or "now")]
        if spec.initial:
            rows.insert(0, (first_value(panel, spec.series), LIGHT.field_edge, f"{panel.label} first".strip()))
        shown = [(value, colour, label) for value, colour, label in rows if value is not None]
        if not shown:
            continue
        if spec.grid is not None:
            for value, colour, label in shown:
                grid = value_at(panel, spec.grid) if value is rows[-1][0] else first_value(panel, spec.grid)
                if grid is None:
                    continue
                axes.fill_between(grid, value, color=colour, alpha=0.35, linewidth=0)
                axes.plot(grid, value, color=colour, label=label)
            continue
        edges = edges_of_bins(np.concatenate([value for value, _, _ in shown]), spec)
        for value, colour, label in shown:
            axes.hist(value[np.isfinite(value)], edges.tolist(), color=colour, alpha=0.6, label=label)
    _references(axes, spec.lines, panels, vertical=True)
    _scales(axes, spec.x_log, spec.y_log)
    if spec.y_log and spec.grid is not None:
        axes.set_ylim(bottom=max(axes.get_ylim()[0], axes.get_ylim()[1] * DEPTH))
    name = spec.x_label or (symbol(panels[0].source, spec.series) if panels else "")
    say(axes, name, "count" if spec.grid is None else "density")
    _legend(axes)


def draw_scatter(axes: Axes, spec: Scatter, panels: Sequence[Any]) -> None:
    """Points at the panel's step, those of the first row in the second colour, and their trails."""
    if spec.polar:
        axes = split(axes, 1, 1, subplot_kw={"projection": "polar"})[0, 0]
    if averaged(panels):
        draw_shapes(axes, spec, panels)
    for number, panel in enumerate(() if averaged(panels) else panels):
        x, y = value_at(panel, spec.x), value_at(panel, spec.y)
        if x is None or y is None:
            continue
        if spec.trails:
            for way in _trails(spec, panel):
                axes.plot(*way, color=LIGHT.muted, linestyle="-", alpha=0.3, linewidth=width(0.4), zorder=0)
        if spec.initial:
            start = np.stack(
                [row for row in (first_value(panel, spec.x), first_value(panel, spec.y)) if row is not None]
            )
            axes.scatter(*start, s=dot(0.7), color=line(1)["color"], alpha=0.6, linewidths=0, label="first", zorder=1)
        colour = value_at(panel, spec.colour) if spec.colour else None
        if colour is None:
            # the second colour is the first row's
            ink = inked(panel, number + (number > 0 and spec.initial))["color"]
            axes.scatter(x, y, s=dot(0.9), color=ink, linewidths=0, label=panel.label or "now", zorder=2)
            continue
        options = {"c": colour, "cmap": colour_map(None), "norm": norm(colour, None)}
        points = axes.scatter(x, y, s=dot(0.9), linewidths=0, zorder=2, label=panel.label or "now", **options)
        if axes.figure is not None:
            axes.figure.colorbar(points, ax=axes, label=typeset(symbol(panel.source, spec.colour or "")))
    _scales(axes, spec.x_log and not spec.polar, spec.y_log)
    if not spec.polar:
        say(axes, spec.x_label, spec.y_label)
    told = spec.initial or len(panels) > 1 or averaged(panels)
    if told and spec.polar:
        _legend(axes, loc="upper left", bbox_to_anchor=(1.08, 1.05))
    elif told:
        _legend(axes)


def _trails(spec: Scatter, panel: Any) -> list[np.ndarray]:
    """The way (2, T) of every point up to the panel's step, evenly thinned to TRAIL_ROWS rows."""
    (x_step, x), (y_step, y) = panel.source.series(spec.x), panel.source.series(spec.y)
    step, at_x, at_y = np.intersect1d(x_step, y_step, return_indices=True)
    stop = len(step) if panel.step is None else int(np.searchsorted(step, panel.step, side="right"))
    if not stop:
        return []
    chosen = np.unique(np.linspace(0, stop - 1, min(stop, TRAIL_ROWS)).astype(int))
    ways = np.stack([np.asarray(x, float)[at_x[chosen]], np.asarray(y, float)[at_y[chosen]]])
    return list(ways.transpose(2, 0, 1))


def draw_profile(axes: Axes, spec: Profile, panels: Sequence[Any]) -> None:
    """Lines and dots over one variable at the panel's step; a series with a single row stays as it is."""
    count = draw_shapes(axes, spec, panels)
    _references(axes, spec.lines, panels, vertical=False)
    _scales(axes, spec.x_log, spec.y_log)
    say(axes, spec.x_label, spec.y_label)
    if count > 1 or spec.lines:
        _legend(axes)


def draw_bars(axes: Axes, spec: Bars, panels: Sequence[Any]) -> None:
    """One bar for each number; those of several runs side by side, those of seeds one bar with its whisker."""
    room = 0.8 / max(len(panels), 1)
    count = 0
    for bars in shapes_of(spec, panels):
        number, value = bars.group, bars.shape.y
        count = max(count, len(value))
        places = np.arange(len(value)) + (number - (len(panels) - 1) / 2) * room
        axes.bar(places, value, room * 0.9, color=inked(panels[number], number)["color"], label=panels[number].label)
        if bars.low is not None and bars.high is not None:
            axes.vlines(places, bars.low, bars.high, color=LIGHT.text, linewidth=width(0.8))
        for single in bars.single:
            axes.plot(places, single.y, linestyle="", marker=".", markersize=1.2 * dot() ** 0.5, color=LIGHT.text)
    names = [spec.labels[i] if i < len(spec.labels) else str(i) for i in range(count)]
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if sum(map(len, names)) > 60 else {}
    axes.set_xticks(range(count), names, **slanted)
    _references(axes, spec.lines, panels, vertical=False)
    if spec.y_range:
        axes.set_ylim(*spec.y_range)
    axes.set_ylabel(typeset(spec.y_label))
    if len(panels) > 1 or spec.lines:
        _legend(axes)


def draw_table(axes: Axes, spec: Table, panels: Sequence[Any]) -> None:
    """Measured numbers and, where there are any, closed forms with the relative difference; as small as needs be."""
    from matplotlib import rcParams
    from matplotlib.transforms import Bbox

    axes.set_axis_off()
    cells = [["", *(head for panel in panels for head in _heads(panel))]]
    cells += [[row.label, *(text for panel in panels for text in _numbers(row, panel))] for row in spec.rows]
    columns = [list(column) for column in zip(*cells, strict=True) if {*column[1:]} != {"–"}]
    cells = [[typeset(text) for text in row] for row in zip(*columns, strict=True)]
    widths = [max(map(len, column)) + 2 for column in columns]
    area = axes.get_window_extent()
    points = area.width / axes.figure.dpi * 72  # type: ignore[union-attr] - these axes are in a figure
    size = min(rcParams["font.size"], points / (0.55 * sum(widths)))
    height = min(1.0, len(cells) * 1.9 * size / 72 * axes.figure.dpi / area.height)  # type: ignore[union-attr] - axes on a page
    table = axes.table(
        cells,
        colWidths=[w / sum(widths) for w in widths],
        cellLoc="right",
        edges="horizontal",
        bbox=Bbox.from_bounds(0, 1 - height, 1, height),
    )
    table.auto_set_font_size(False)
    table.set_fontsize(size)
    for (_, column), cell in table.get_celld().items():
        cell.set_linewidth(width(0.4))
        cell.set_text_props(ha="left" if column == 0 else "right")


def _heads(panel: Any) -> list[str]:
    return [f"{head} {panel.label}".strip() for head in ("measured", "closed form", "difference")]


def _numbers(row: TableRow, panel: Any) -> list[str]:
    value = value_at(panel, row.series)
    measured = math.nan if value is None else float(value.ravel()[row.index or 0])
    expected = math.nan
    if row.expected is not None:
        try:
            expected = float(row.expected(panel.config))
        except (AttributeError, ArithmeticError, ValueError):  # it holds for other settings only
            expected = math.nan
    apart = (measured - expected) / abs(expected) if expected else math.nan
    forms = ((measured, ".4g"), (expected, ".4g"), (apart, "+.2%"))
    texts = ["–" if math.isnan(v) else f"{v:{form}}" for v, form in forms]
    reach = panel.source.edges(row.series, row.index or 0) if averaged([panel]) and value is not None else None
    if reach is not None:
        texts[0] += f" ({reach[0][-1]:.4g} to {reach[1][-1]:.4g})"
    return texts


def _references(axes: Axes, lines: Sequence[Line], panels: Sequence[Any], *, vertical: bool) -> None:
    drawn = set()
    for reference in lines:
        for panel in panels:
            value = reference.at(panel.config)
            if (reference.label, value) in drawn or not math.isfinite(value):
                continue
            drawn.add((reference.label, value))
            draw = axes.axvline if vertical else axes.axhline
            draw(value, color=LIGHT.text, linestyle="--", linewidth=width(0.8), label=typeset(reference.label))


def _legend(axes: Axes, **place: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**(place or {"loc": "best"}))


def _scales(axes: Axes, x_log: bool, y_log: bool) -> None:
    if x_log:
        axes.set_xscale("log")
    if y_log:
        axes.set_yscale("log")
