"""How each view spec is drawn with matplotlib. One function per spec, one line in the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from gui.export.fields import draw_heatmap, draw_images, draw_matrix
from gui.export.moments import draw_bars, draw_distribution, draw_profile, draw_scatter, draw_table
from gui.export.outlined import averaged, draw_shapes
from gui.export.parts import dot, inked, matched, say, typeset, width
from gui.export.spaces import draw_flow_graph, draw_landscape
from gui.theme import LIGHT
from lab.naming import symbols
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
REFERENCES = ("--", "-.")  # dashes of the first reference line, the second, and so on


def draw(axes: Axes, spec: View, panels: Sequence[Any]) -> None:
    """Draw ``spec`` of each panel (source, config, label) into ``axes``; TypeError when no drawing is known."""
    for kind, function in DRAWINGS.items():
        if isinstance(spec, kind):
            function(axes, spec, panels)
            return
    raise TypeError(f"no drawing for {type(spec).__name__}")


def draw_curves(axes: Axes, spec: Curves, panels: Sequence[Any]) -> None:
    """Lines with a legend, bands where runs are averaged, reference lines dashed and named, spikes on the top edge."""
    count, named = 0, False
    texts: set[str] = set()
    shown = [name for name in spec.series if any(name in panel.source.names() for panel in panels)]
    crossed = len(panels) > 1 and len(shown) > 1  # runs differ in colour then, series in dashes
    panels = [replace(p, ink=n) if crossed and p.ink is None else p for n, p in enumerate(panels)]
    for panel in panels:
        for name, label, step, value, column in _lines(spec, panel, several=len(shown) > 1):
            style = inked(panel, count, spec.series.index(name) if not crossed else shown.index(name))
            text = typeset(", ".join(part for part in (label, panel.label) if part))
            text = "" if text in texts else text  # runs that a colour bar tells apart share their names
            texts.add(text)
            for single in panel.source.singles(name, column) if hasattr(panel.source, "singles") else ():
                axes.plot(single[0], _shown(spec, single[1]), **style, linewidth=width(0.4), alpha=0.45)
            axes.plot(step, _shown(spec, value), **style, label=text or None)
            edges = panel.source.edges(name, column) if hasattr(panel.source, "edges") else None
            if edges is not None:
                low, high = (_shown(spec, edge) for edge in edges)
                axes.fill_between(step, low, high, color=style["color"], alpha=0.2, linewidth=0)
            count, named = count + 1, named or bool(text)
        for name, guide in spec.guides:
            points = guide(panel.config, panel.source)
            if points is not None:
                axes.plot(*points, color=LIGHT.muted, linestyle=":", label=typeset(name))
    _reference_lines(axes, spec, panels)
    if spec.y_log:
        axes.set_yscale("log")
    if spec.x_log:
        axes.set_xscale("log")
    _marks(axes, spec, panels)
    say(axes, spec.x_label, spec.y_label)
    if crossed:
        axes.legend(handles=_crossed_names(axes, shown, panels), loc="best")
    elif named or spec.lines or spec.guides:
        axes.legend(loc="best")


def _crossed_names(axes: Axes, shown: Sequence[str], panels: Sequence[Any]) -> list[Any]:
    """One entry for each colour, one for each dash pattern, then the reference lines: not one for each pair."""
    from matplotlib.lines import Line2D

    names = symbols(panels[0].source, shown)
    inks = {panel.label: inked(panel, 0)["color"] for panel in reversed(panels) if panel.label}
    own = [Line2D([], [], color=ink, label=typeset(label)) for label, ink in reversed(inks.items())]
    own += [
        Line2D([], [], linestyle=inked(panels[0], 0, place)["linestyle"], color=LIGHT.text, label=typeset(names[name]))
        for place, name in enumerate(shown)
    ]
    marks = [line for line in axes.lines if line.get_color() in (LIGHT.text, LIGHT.muted)]
    references = {str(line.get_label()): line for line in marks if line.get_linestyle() in (*REFERENCES, ":")}
    return [*own, *(line for name, line in references.items() if not name.startswith("_"))]


def _shown(spec: Curves, value: np.ndarray) -> np.ndarray:
    """Values on a logarithmic axis: not below its floor, and none that have no logarithm."""
    if not spec.y_log:
        return value
    return np.maximum(value, spec.floor) if spec.floor else np.where(value > 0, value, np.nan)


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
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0)
    axes.set_xlabel(typeset(spec.x_label))
    names = [typeset(f"{i} {stage.label}") for i, stage in enumerate(spec.stages, 1)]
    handles = [Patch(color=LIGHT.lines[i], label=name) for i, name in enumerate(names)]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=2)


def draw_trace(axes: Axes, spec: Trace, panels: Sequence[Any]) -> None:
    """One series against another, coloured by step; the ways of seeds together, each group in its colour."""
    if averaged(panels):
        draw_shapes(axes, spec, panels)
        say(axes, spec.x_label, spec.y_label)
        axes.legend(loc="best")
        return
    points = None
    for panel in panels:
        if not set(spec.names) <= set(panel.source.names()):
            continue
        step, x, y = matched(panel.source, spec.x, spec.y)
        axes.plot(x, y, color=LIGHT.field_edge, linestyle="-", linewidth=width(0.5), zorder=1)
        points = axes.scatter(x, y, c=step, cmap="viridis", s=dot(0.6), zorder=2, linewidths=0)
    say(axes, spec.x_label, spec.y_label)
    if points is not None and axes.figure is not None:
        axes.figure.colorbar(points, ax=axes, label="step")


def stretches(step: np.ndarray, stage: np.ndarray) -> Iterator[tuple[float, float, int]]:
    """(first place, end, stage) of every stretch of rows with one stage; a stretch ends where the next begins."""
    if not len(step):
        return
    starts = np.concatenate([[0], np.flatnonzero(np.diff(stage)) + 1])
    ends = np.append(step[starts[1:]], step[-1])
    for start, end in zip(starts, ends, strict=True):
        yield step[start].item(), end.item(), int(stage[start])


def _lines(spec: Curves, panel: Any, *, several: bool) -> Iterator[tuple[str, str, np.ndarray, np.ndarray, int]]:
    """Series, label where there are several, steps, values and column of every line that has a value."""
    found = [name for name in spec.series if name in panel.source.names()]
    names = symbols(panel.source, found)
    for name in found:
        step, value = panel.source.series(name)
        label = names[name] if several else ""
        columns = np.asarray(value, float).reshape(len(step), -1)
        for k in range(columns.shape[1]):
            if np.isfinite(columns[:, k]).any():
                yield (
                    name,
                    spec.called(label, k, panel.config) if columns.shape[1] > 1 else label,
                    step,
                    columns[:, k],
                    k,
                )


def _reference_lines(axes: Axes, spec: Curves, panels: Sequence[Any]) -> None:
    drawn = set()
    for reference, dashes in zip(spec.lines, cycle(REFERENCES), strict=False):
        for panel in panels:
            value = reference.at(panel.config)
            if (reference.label, value) not in drawn:
                drawn.add((reference.label, value))
                axes.axhline(
                    value, color=LIGHT.text, linestyle=dashes, linewidth=width(0.8), label=typeset(reference.label)
                )


def _marks(axes: Axes, spec: Curves, panels: Sequence[Any]) -> None:
    steps: list[int] = []
    quiet = {"schedule"}  # bookkeeping, not something that happened to the training
    for panel in panels:
        for event in panel.source.events():
            if event["kind"] in quiet or (spec.events is not None and event["kind"] not in spec.events):
                continue
            if event["payload"].get("phase") == "end":
                continue
            steps.append(event["step"])
    edge = axes.get_xaxis_transform()  # steps across, shares of the height up: data never hide behind the marks
    axes.vlines(steps, 0.965, 1.0, color=EVENT_COLOUR, linewidth=width(0.5), transform=edge)


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
