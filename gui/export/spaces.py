"""Loss sections and information flow drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gui.export.parts import colour_map, dot, draw_bars, line, norm, one_each, say, value_at, width
from gui.flow_edges import Edges, Frame, bent, checked, masked_edges, strongest_edges
from gui.theme import LIGHT
from lab.naming import symbol
from lab.views import FlowGraph, Landscape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize

POINT = LIGHT.lines[1]
SHARE = 0.1  # of the strongest edge: weaker ones are not drawn, as on screen at first
MARKS = (5, 4, 6, 3)  # lines' colours for marked tokens, as on screen
WIDEST = 2.6  # in curves' widths
Place = tuple[int, int, int, int]


def draw_landscape(axes: Axes, spec: Landscape, panels: Sequence[Any]) -> None:
    """The section at the panel's step as colours and named contour lines, the way up to there, its last point."""
    drawn: list[tuple[Any, Any, str]] = []
    for cell, panel in one_each(axes, panels):
        values, x, y = (value_at(panel, name) for name in (spec.series, spec.x, spec.y))
        if values is None or x is None or y is None:
            continue
        colours = norm(values, spec.z_range, log=spec.z_log, centre=spec.centre)
        shown = np.ma.masked_invalid(np.where(np.isnan(values), np.nan, np.clip(values, colours.vmin, colours.vmax)))
        mesh = cell.pcolormesh(
            x, y, shown, norm=colours, cmap=colour_map(spec.centre), shading="gouraud", rasterized=True, zorder=0
        )
        _contours(cell, x, y, shown, colours, spec.z_log)
        _way(cell, spec, panel)
        cell.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()))
        say(cell, symbol(panel.source, spec.x), symbol(panel.source, spec.y))
        share = value_at(panel, spec.outside) if spec.outside else None
        if share is not None and np.isfinite(share).all():
            said = f"{100 * float(np.ravel(share)[0]):.3g} % of the movement outside"
            box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2}
            text = cell.text(
                0.02, 0.97, said, transform=cell.transAxes, va="top", fontsize="small", bbox=box, clip_on=True
            )
            text.set_in_layout(False)  # it stands in the plot, and must not push narrow plots off the page
        drawn.append((cell, mesh, spec.z_label or symbol(panel.source, spec.series)))
    draw_bars(drawn, shared=spec.z_range is not None)


def _contours(
    axes: Axes, x: np.ndarray, y: np.ndarray, values: np.ma.MaskedArray, colours: Normalize, log: bool
) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator

    usable = values.compressed()
    low, high = (float(usable.min()), float(usable.max())) if usable.size else (0.0, 0.0)
    if not low < high:
        return
    few = log and high < 1e6 * low
    locator = LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=12) if log else MaxNLocator(9)
    levels = [level for level in locator.tick_values(low, high) if low < level < high]
    if levels:
        # dark on the bright half of the colours
        inks = ["black" if colours(level) > 0.6 else "white" for level in levels]
        lines = axes.contour(x, y, values, levels, colors=inks, linewidths=width(0.5), alpha=0.7)
        for text in axes.clabel(lines, fmt="%.3g", fontsize="x-small") or ():
            text.set_in_layout(False)  # as the share above


def _way(axes: Axes, spec: Landscape, panel: Any) -> None:
    if spec.trajectory is None or spec.trajectory not in panel.source.names():
        return
    step, way = panel.source.series(spec.trajectory)
    way = np.asarray(way, float)[: len(step) if panel.step is None else np.searchsorted(step, panel.step, side="right")]
    axes.plot(way[:, 0], way[:, 1], color="black", linestyle="-", linewidth=width(2))
    axes.plot(way[:, 0], way[:, 1], color="white", linestyle="-", linewidth=width())
    axes.plot(way[-1:, 0], way[-1:, 1], "o", color=POINT, markeredgecolor="white", markersize=dot(1.6) ** 0.5)


def draw_flow_graph(axes: Axes, spec: FlowGraph, panels: Sequence[Any]) -> None:
    """Tokens by layers at the panel's step; edges as wide as their weight, masked ones crossed, marked tokens named."""
    for cell, panel in one_each(axes, panels):
        row = value_at(panel, spec.series)
        if row is None:
            continue
        weights = checked(row)
        layers, heads, tokens = weights.shape[:3]
        edges = strongest_edges(weights, range(heads), SHARE)
        # a frame whose heights are minus the layer, so that layers stand upwards
        frame = Frame((-0.5, -float(layers), float(tokens), float(layers)), layers, 0.0, float(tokens), heads)
        cell.vlines(np.arange(tokens), 0, layers, color=LIGHT.edge, linewidth=width(0.5), zorder=0)
        _marks(cell, spec, panel, tokens, layers)
        _edges(cell, edges, frame)
        _masked(cell, spec, panel, frame)
        across, up = np.meshgrid(np.arange(tokens), np.arange(layers + 1))
        cell.scatter(
            across, up, s=min(14.0, 500 / tokens), color=LIGHT.muted, edgecolors="white", linewidths=0.3, zorder=4
        )
        _names(cell, spec, panel, tokens, layers)
        if edges.hidden:
            cell.set_xlabel(f"the {len(edges)} strongest of {len(edges) + edges.hidden} edges")


def _edges(axes: Axes, edges: Edges, frame: Frame) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D

    if not len(edges):
        return
    points = bent(frame.curves(edges.places)) * [1, -1]
    share = np.abs(edges.weights) / edges.strongest
    heads = edges.places[:, 1]
    colours = [line(head)["color"] for head in heads.tolist()]
    dashes = ["--" if weight < 0 else "-" for weight in edges.weights.tolist()]
    curves = LineCollection(
        list(points),
        colors=colours,
        linewidths=width() * (0.3 + WIDEST * share),
        alpha=0.25 + 0.7 * share,
        linestyles=dashes,
    )
    axes.add_collection(curves, autolim=False)
    if len(np.unique(heads)) > 1:
        keys = [Line2D([], [], color=line(head)["color"], label=f"head {head}") for head in np.unique(heads).tolist()]
        axes.legend(handles=keys, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _marks(axes: Axes, spec: FlowGraph, panel: Any, tokens: int, layers: int) -> None:
    places = value_at(panel, spec.marks) if spec.marks else None
    long = max(map(len, spec.mark_labels), default=0) > 80 / tokens  # neighbours' names would meet
    for number, at in enumerate(np.ravel(places).tolist() if places is not None else ()):
        if 0 <= at < tokens:
            colour = LIGHT.lines[MARKS[number % len(MARKS)]]
            axes.axvspan(at - 0.35, at + 0.35, color=colour, alpha=0.25, linewidth=0, zorder=0)
            name = spec.mark_labels[number] if number < len(spec.mark_labels) else ""
            slanted: dict[str, Any] = {"rotation": 30, "ha": "left"} if long else {"ha": "center"}
            axes.text(at, layers + 0.18, name, va="bottom", fontsize="small", **slanted)


def _masked(axes: Axes, spec: FlowGraph, panel: Any, frame: Frame) -> None:
    masked = masked_edges(panel.source.events(), spec, panel.step)
    places = [(layer, h, target, source) for layer, head, target, source in masked for h in _heads(head, frame)]
    if places:
        points = bent(frame.curves(np.array(places))) * [1, -1]
        for curve in points:
            axes.plot(*curve.T, color=LIGHT.muted, linestyle=":", linewidth=width(0.8))
        axes.plot(*points[:, points.shape[1] // 2].T, "x", color=LIGHT.bad, markersize=5, markeredgewidth=1.2)


def _heads(head: int | None, frame: Frame) -> range:
    return range(frame.heads) if head is None else range(head, head + 1)


def _names(axes: Axes, spec: FlowGraph, panel: Any, tokens: int, layers: int) -> None:
    numbers = value_at(panel, spec.tokens) if spec.tokens else None
    names = [f"{number:.0f}" for number in np.ravel(numbers)] if numbers is not None else list(map(str, range(tokens)))
    every = -(-tokens // 24)
    axes.set_xticks(np.arange(0, tokens, every), names[:tokens:every])
    between = [(n + 0.5, f"layer {n}") for n in range(layers)]
    axes.set_yticks(*zip((0, "input"), *between, (layers, "output"), strict=True))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlim=(-0.7, tokens - 0.3), ylim=(-0.2, layers + 0.5))
