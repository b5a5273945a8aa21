"""A study drawn with matplotlib: a phase diagram at true axis values, or a line over one knob."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gui.export.inside import SUFFIXES
from gui.export.look import FigureError, load
from gui.export.page import MM, drawing
from gui.export.parts import colour_map, norm, typeset
from gui.export.recipe import LOOK_OF, SIZES
from gui.export.study_line import draw_curves, write_curves
from gui.export.ticks import write_small_ranges
from lab import environment
from lab.experiment import Experiment
from lab.studies.board import Board
from lab.studies.diagram import Diagram, diagram_of, edges, is_log, levels_of, number_of, tabulate
from lab.studies.lines import curves_of, levels_at, line_of
from lab.views import PhaseDiagram, StudyLine

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_diagram(axes: Axes, spec: PhaseDiagram, table: Diagram, experiment: type[Experiment]) -> None:
    """Cells at their knobs' values; where seeds differ their spread is in the numbers beside the figure."""
    knobs = experiment.Config.knobs()
    logs = [is_log(experiment, knob, values) for knob, values in ((spec.x, table.x), (spec.y, table.y))]
    x, y = edges(table.x, logs[0]), edges(table.y, logs[1])
    options = {"norm": norm(table.mean, spec.z_range, centre=spec.centre), "cmap": colour_map(spec.centre)}
    mesh = axes.pcolormesh(x, y, np.ma.masked_invalid(table.mean), rasterized=True, **options)
    levels = sorted(levels_of(spec, table.mean))
    if levels and min(table.mean.shape) > 1:
        masked = np.ma.masked_invalid(table.mean)
        lines = axes.contour(table.x, table.y, masked, levels, colors="#14171C", linewidths=0.7)
        axes.clabel(lines, fmt="%.3g", fontsize="small")
    if spec.boundary is not None:
        label, curve = spec.boundary
        at = np.linspace(x[0], x[-1], 200)
        axes.plot(at, curve(at), color="#14171C", linestyle="--", linewidth=1.0, label=label)
        axes.legend(loc="best")
    for log, scale in zip(logs, (axes.set_xscale, axes.set_yscale), strict=True):
        if log:
            scale("log")
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    axes.set_xlabel(typeset(knobs[spec.x].symbol or knobs[spec.x].label))
    axes.set_ylabel(typeset(knobs[spec.y].symbol or knobs[spec.y].label))
    if axes.figure is not None:
        axes.figure.colorbar(mesh, ax=axes, label=typeset(spec.z_label) or spec.number)


def write_diagram(board: Board, number: str, out: Path, *, size: str = "single", data: bool = False) -> list[Path]:
    """Draw a number of a study's finished runs over its one or two axes; returns the files written.

    Raises:
        FigureError: The study has neither one nor two axes of numbers, or no run has this number.
    """
    if size not in SIZES:
        raise FigureError(f"no size is called {size!r}; known: {', '.join(SIZES)}")
    if out.suffix.lower() not in SUFFIXES:
        raise FigureError(f"figures are .pdf, .svg or .png, not {out.suffix or 'without an ending'!r}")
    study, experiment, rows = board.study, board.experiment, board.rows()
    spec, line = diagram_of(study, experiment, number), line_of(study, experiment, number)
    if spec is None and line is None:
        raise FigureError("a study is drawn over one axis of numbers, or over two of them, each with each")
    if not any(math.isfinite(number_of(row, number)) for row in rows):
        raise FigureError(f"no finished run of this study has the number {number!r}")
    try:
        if spec is not None:
            table = tabulate(spec, [cell.point.config for cell in board.cells], rows)
            _draw(spec, board, out, size, lambda axes: draw_diagram(axes, spec, table, experiment))
            return [out, _write_csv(spec, table, out.with_suffix(".csv"))] if data else [out]
        assert line is not None
        curves, levels = curves_of(line, rows), levels_at(line, rows)
        _draw(line, board, out, size, lambda axes: draw_curves(axes, line, curves, levels, experiment))
        return [out, write_curves(line, curves, out.with_suffix(".csv"))] if data else [out]
    except OSError as error:
        raise FigureError(f"cannot write {out}: {error.strerror}") from None


def _draw(spec: PhaseDiagram | StudyLine, board: Board, out: Path, size: str, paint: Callable[[Axes], None]) -> None:
    from matplotlib.figure import Figure

    app = f"Training Dynamics Lab {environment.app_version()}"
    text = json.dumps({"app": app, "number": spec.number, "study": board.study.to_toml()})
    about: dict[str, dict[str, str | None]] = {
        ".pdf": {"Title": spec.title, "Keywords": text, "Creator": app, "CreationDate": None},
        ".svg": {"Title": spec.title, "Description": text, "Creator": app, "Date": None},
        ".png": {"Title": spec.title, "Description": text, "Software": app},
    }
    across, down = SIZES[size]
    with drawing(load(LOOK_OF.get(size, "journal"))):
        figure = Figure(figsize=(across * MM, down * MM), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(spec.title, loc="left")
        paint(axes)
        write_small_ranges(axes)
        figure.savefig(out, dpi=300, metadata=about[out.suffix.lower()])


def _write_csv(spec: PhaseDiagram, table: Diagram, path: Path) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([spec.y, spec.x, "mean", "spread", "runs"])
        for (i, j), mean in np.ndenumerate(table.mean):
            row = (table.y[i], table.x[j], mean, table.spread[i, j])
            writer.writerow([*(repr(float(value)) for value in row), int(table.count[i, j])])
    return path
