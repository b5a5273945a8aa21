"""Views whose values are colours, drawn with matplotlib: heatmaps, matrices, image grids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gui.export.parts import colour_map, draw_bars, norm, one_each, say, split, stage_colours, value_at, width
from lab.naming import symbol
from lab.views import Heatmap, ImageGrid, Matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_COLUMNS = 2000  # of a heatmap's readings; more are finer than any printer


def draw_heatmap(axes: Axes, spec: Heatmap, panels: Sequence[Any]) -> None:
    """Every reading at its true step, every row at its true coordinate; one picture for each run."""
    from matplotlib.ticker import MaxNLocator

    drawn: list[tuple[Any, Any, str]] = []
    for cell, panel in one_each(axes, panels):
        if spec.series not in panel.source.names():
            continue
        step, value = panel.source.series(spec.series)
        value = np.asarray(value, float).reshape(len(step), -1)
        rows = value_at(panel, spec.rows) if spec.rows else None
        rows = np.arange(value.shape[1], dtype=float) if rows is None else rows
        order = np.argsort(rows, kind="stable")
        step, value = _thinned(step, value, spec.centre)
        if spec.x_log:
            step = np.maximum(step, 1)
        colours = norm(value, spec.z_range, log=spec.z_log, centre=spec.centre)
        shown = (
            np.where(value > 0, value, np.where(np.isnan(value), np.nan, float(colours.vmin or 0.0)))
            if spec.z_log
            else value
        )
        options = {"norm": colours, "cmap": colour_map(spec.centre), "shading": "nearest", "rasterized": True}
        mesh = cell.pcolormesh(step, rows[order], shown[:, order].T, **options)
        if spec.contours and min(value.shape) > 1:
            cell.contour(
                step, rows[order], value[:, order].T, sorted(spec.contours), colors="white", linewidths=width(0.7)
            )
        if spec.x_log:
            cell.set_xscale("log")
        if not np.any(rows % 1):
            cell.yaxis.set_major_locator(MaxNLocator(integer=True))
        say(cell, spec.x_label, spec.y_label)
        drawn.append((cell, mesh, spec.z_label or symbol(panel.source, spec.series)))
    draw_bars(drawn, shared=spec.z_range is not None)


def _thinned(step: np.ndarray, value: np.ndarray, centre: float | None) -> tuple[np.ndarray, np.ndarray]:
    """At most MOST_COLUMNS readings, each the largest of its stretch, or the farthest from the centre."""
    every = -(-len(step) // MOST_COLUMNS)
    if every == 1:
        return step, value
    starts = np.arange(0, len(step), every)
    top = np.fmax.reduceat(value, starts, axis=0)
    if centre is None:
        return step[starts], top
    bottom = np.fmin.reduceat(value, starts, axis=0)
    return step[starts], np.where(centre - bottom > top - centre, bottom, top)


def draw_matrix(axes: Axes, spec: Matrix, panels: Sequence[Any]) -> None:
    """The matrix at the panel's step, reordered where the view declares an order; many heads as small multiples."""
    drawn: list[tuple[Any, Any, str]] = []
    for cell, panel in one_each(axes, panels):
        value = value_at(panel, spec.series)
        if value is None or not value.size:
            continue
        value = value.reshape((1,) * (4 - value.ndim) + value.shape)
        layers, heads, count, width = value.shape
        order = value_at(panel, spec.order) if spec.order else None
        rows = np.arange(count) if order is None else order.astype(int)
        columns = rows if count == width else np.arange(width)
        if spec.stages:
            options: dict[str, Any] = stage_colours(len(spec.stages))
        else:
            colours = norm(value, spec.z_range, log=spec.z_log, centre=spec.centre)
            options = {"norm": colours, "cmap": colour_map(spec.centre)}
        many = layers * heads > 1
        grid = split(cell, layers, heads, sharex=True, sharey=True) if many else np.array([[cell]])
        aspect = "equal" if count == width and spec.rows is None else "auto"
        for (layer, head), tile in np.ndenumerate(grid):
            tile.imshow(value[layer, head][np.ix_(rows, columns)], aspect=aspect, **options)
            if many:
                tile.set(xticks=[], yticks=[])
                tile.set_xlabel(f"head {head}" if layer == layers - 1 else "")
                tile.set_ylabel(f"layer {layer}" if head == 0 and layers > 1 else "")
        if not many:
            _name_cells(grid[0, 0], spec, panel, rows, columns)
            _draw_over(grid[0, 0], spec, panel, value[0, 0][np.ix_(rows, columns)], rows)
        drawn.append((grid.ravel().tolist(), grid[0, 0].images[0], spec.z_label))
    names = [stage.label for stage in spec.stages]
    draw_bars(drawn, shared=bool(names) or spec.z_range is not None, stages=names)


def _name_cells(tile: Axes, spec: Matrix, panel: Any, rows: np.ndarray, columns: np.ndarray) -> None:
    from matplotlib.ticker import MaxNLocator

    numbers = value_at(panel, spec.numbers) if spec.numbers else None
    for axis, shown, series in ((tile.yaxis, rows, spec.rows), (tile.xaxis, columns, spec.columns)):
        things = shown if numbers is None or len(numbers) != len(shown) else numbers.astype(int)[shown]
        places = value_at(panel, series) if series else None
        if spec.labels:
            axis.set_ticks(range(len(shown)), [spec.labels[i] if i < len(spec.labels) else str(i) for i in shown])
        elif places is not None:
            axis.set_ticks(range(len(shown)), [f"{places[i]:.3g}" for i in shown])
        else:
            axis.set_major_locator(MaxNLocator(integer=True))
            axis.set_major_formatter(lambda at, _, things=things: _named(things, at))
    ordered = ", ordered" if spec.order and value_at(panel, spec.order) is not None else ""
    across = ordered if len(rows) == len(columns) else ""
    say(tile, spec.x_label and spec.x_label + across, spec.y_label and spec.y_label + ordered)


def _named(things: np.ndarray, at: float) -> str:
    """What stands at a place of an axis of cells; nothing between cells and beside them."""
    return str(things[round(at)]) if 0 <= round(at) < len(things) and abs(at - round(at)) < 1e-6 else ""


def _draw_over(tile: Axes, spec: Matrix, panel: Any, value: np.ndarray, rows: np.ndarray) -> None:
    """Contours, and a dash across each row at the column that ``marks`` names."""
    if spec.contours and min(value.shape) > 1:
        tile.contour(
            value, sorted(spec.contours), colors="white" if spec.centre is None else "black", linewidths=width(0.7)
        )
    marks = value_at(panel, spec.marks) if spec.marks else None
    if marks is None:
        return
    places = value_at(panel, spec.columns) if spec.columns else None
    places = np.arange(value.shape[1]) if places is None else places
    for row, mark in enumerate(marks[rows]):
        if places[0] <= mark <= places[-1]:
            across = np.interp(mark, places, np.arange(len(places)))
            for colour, thick in (("black", 2.2), ("white", 1.2)):
                tile.plot(
                    [across, across], [row - 0.42, row + 0.42], color=colour, linestyle="-", linewidth=width(thick)
                )


def draw_images(axes: Axes, spec: ImageGrid, panels: Sequence[Any]) -> None:
    """The images at the panel's step in reading order, with their numbers."""
    for cell, panel in one_each(axes, panels):
        images = value_at(panel, spec.series)
        if images is None or not images.size:
            continue
        labels = value_at(panel, spec.labels) if spec.labels else None
        area = cell.get_window_extent()
        columns = int(np.clip(np.ceil(np.sqrt(len(images) * area.width / area.height)), 1, len(images)))
        colours = norm(images, spec.z_range)
        for number, tile in enumerate(split(cell, -(-len(images) // columns), columns).ravel()):
            tile.set(xticks=[], yticks=[])
            tile.spines[:].set_visible(False)
            if number >= len(images):
                continue
            tile.imshow(images[number], cmap="gray", norm=colours)
            if labels is not None and number < len(labels):
                tile.set_xlabel(f"{labels[number]:.3g}", labelpad=1.5)
