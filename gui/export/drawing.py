"""How each view spec is drawn with matplotlib. One function per spec, one line in the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gui.export.fields import draw_heatmap, draw_images, draw_matrix
from gui.export.moments import draw_bars, draw_distribution, draw_profile, draw_scatter, draw_table
from gui.export.spaces import draw_flow_graph, draw_landscape
from gui.theme import LIGHT
from lab.views import (
    Bars,
    Curves,
    Distribution,
    FlowGraph,
    Heatmap,
    ImageGrid,
    Landscape,
    Matrix,
    Profile,
    Ribbon,
    Scatter,
    Table,
    Trace,
    View,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EVENT_COLOUR = LIGHT.muted


def draw(axes: Axes, spec: View, panels: Sequence[Any]) -> None:
    """Draw ``spec`` of each panel (source, config, label) into ``axes``; TypeError when no drawing is known."""
    for kind, function in DRAWINGS.items():
        if isinstance(spec, kind):
            function(axes, spec, panels)
            return
    raise TypeError(f"no drawing for {type(spec).__name__}")


def draw_curves(axes: Axes, spec: Curves, panels: Sequence[Any]) -> None:
    """Lines with a legend, reference lines dashed and named, spikes marked on the top edge."""
    count = 0
    for panel in panels:
        for label, step, value in _lines(spec, panel):
            colour, dashes = LIGHT.line(count)
            if spec.y_log:
                value = np.maximum(value, spec.floor) if spec.floor else np.where(value > 0, value, np.nan)
            text = ", ".join(part for part in (label, panel.label) if part)
            axes.plot(step, value, color=colour, dashes=dashes or (None, None), label=text, linewidth=0.9)
            count += 1
        for name, guide in spec.guides:
            points = guide(panel.config, panel.source)
            if points is not None:
                axes.plot(*points, color=LIGHT.muted, linestyle=":", linewidth=0.9, label=name)
    _reference_lines(axes, spec, panels)
    if spec.y_log:
        axes.set_yscale("log")
    if spec.x_log:
        axes.set_xscale("log")
    _marks(axes, spec, panels)
    axes.set_xlabel(spec.x_label)
    axes.set_ylabel(spec.y_label)
    if count > 1 or spec.lines or spec.guides:
        axes.legend(loc="best")


def draw_ribbon(axes: Axes, spec: Ribbon, panels: Sequence[Any]) -> None:
    """One strip a run: a coloured bar for every stretch of one stage."""
    from matplotlib.patches import Patch

    for row, panel in enumerate(panels):
        if spec.series not in panel.source.names():
            continue
        step, stage = panel.source.series(spec.series)
        for start, end, number in stretches(step, np.asarray(stage).astype(int)):
            if 1 <= number <= len(spec.stages):
                axes.barh(row, end - start, left=start, height=0.8, color=LIGHT.lines[number - 1])
    axes.set_yticks(range(len(panels)), [panel.label for panel in panels])
    axes.set_xlabel("step")
    handles = [Patch(color=LIGHT.lines[i], label=f"{i + 1} {stage.label}") for i, stage in enumerate(spec.stages)]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=2)


def draw_trace(axes: Axes, spec: Trace, panels: Sequence[Any]) -> None:
    """One series against another, coloured by step."""
    points = None
    for panel in panels:
        if not set(spec.names) <= set(panel.source.names()):
            continue
        step, x, y = matched(panel.source, spec.x, spec.y)
        axes.plot(x, y, color=LIGHT.field_edge, linewidth=0.4, zorder=1)
        points = axes.scatter(x, y, c=step, cmap="viridis", s=3, zorder=2, linewidths=0)
    axes.set_xlabel(spec.x_label)
    axes.set_ylabel(spec.y_label)
    if points is not None and axes.figure is not None:
        axes.figure.colorbar(points, ax=axes, label="step")


def stretches(step: np.ndarray, stage: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """(first step, end step, stage) of every stretch of rows with one stage; a stretch ends where the next begins."""
    if not len(step):
        return
    starts = np.concatenate([[0], np.flatnonzero(np.diff(stage)) + 1])
    ends = np.append(step[starts[1:]], step[-1])
    for start, end in zip(starts, ends, strict=True):
        yield int(step[start]), int(end), int(stage[start])


def matched(source: Any, x: str, y: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps that both series have, with both values."""
    (x_step, x_value), (y_step, y_value) = source.series(x), source.series(y)
    step, i, j = np.intersect1d(x_step, y_step, return_indices=True)
    return step, np.asarray(x_value)[i], np.asarray(y_value)[j]


def _lines(spec: Curves, panel: Any) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    several = len(spec.series) > 1
    for name in spec.series:
        if name not in panel.source.names():
            continue
        step, value = panel.source.series(name)
        attrs = panel.source.attrs(name)
        label = (attrs.get("symbol") or attrs.get("label") or name) if several else ""
        columns = np.asarray(value, float).reshape(len(step), -1)
        for k in range(columns.shape[1]):
            yield (f"{label} {k}".strip() if columns.shape[1] > 1 else label), step, columns[:, k]


def _reference_lines(axes: Axes, spec: Curves, panels: Sequence[Any]) -> None:
    drawn = set()
    for line in spec.lines:
        for panel in panels:
            value = line.at(panel.config)
            if (line.label, value) not in drawn:
                drawn.add((line.label, value))
                axes.axhline(value, color=LIGHT.text, linestyle="--", linewidth=0.8, label=line.label)


def _marks(axes: Axes, spec: Curves, panels: Sequence[Any]) -> None:
    quiet = {"schedule"}  # bookkeeping, not something that happened to the training
    for panel in panels:
        for event in panel.source.events():
            if event["kind"] in quiet or (spec.events is not None and event["kind"] not in spec.events):
                continue
            if event["payload"].get("phase") == "end":
                continue
            axes.axvline(event["step"], color=EVENT_COLOUR, linewidth=0.4, alpha=0.5, zorder=0)


DRAWINGS: dict[type[View], Callable[[Any, Any, Sequence[Any]], None]] = {
    Curves: draw_curves,
    Ribbon: draw_ribbon,
    Trace: draw_trace,
    Heatmap: draw_heatmap,
    Matrix: draw_matrix,
    ImageGrid: draw_images,
    Distribution: draw_distribution,
    Scatter: draw_scatter,
    Profile: draw_profile,
    Bars: draw_bars,
    Table: draw_table,
    Landscape: draw_landscape,
    FlowGraph: draw_flow_graph,
}
