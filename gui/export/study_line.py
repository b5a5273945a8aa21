"""A study's number against one knob drawn with matplotlib: means with their band over seeds, and as a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gui.export.parts import typeset
from gui.theme import OKABE_ITO
from lab.experiment import Experiment
from lab.studies.diagram import is_log
from lab.studies.lines import StudyCurve
from lab.views import StudyLine

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_curves(
    axes: Axes,
    spec: StudyLine,
    curves: Sequence[StudyCurve],
    levels: Sequence[tuple[str, float]],
    experiment: type[Experiment],
) -> None:
    """Lines at the knob's true values; the band is a standard deviation to each side."""
    for number, curve in enumerate(curves):
        colour = OKABE_ITO[number % len(OKABE_ITO)]
        axes.fill_between(curve.x, curve.mean - curve.spread, curve.mean + curve.spread, color=colour, alpha=0.25, lw=0)
        axes.plot(curve.x, curve.mean, color=colour, marker="o", markersize=3, label=curve.label)
    for label, height in levels:
        axes.axhline(height, color="#5B6472", linestyle="--", linewidth=0.8, label=label)
    if any(curve.label for curve in curves) or levels:
        axes.legend(loc="best")
    if all(is_log(experiment, spec.x, curve.x) for curve in curves):
        axes.set_xscale("log")
    knob = experiment.Config.knobs()[spec.x]
    axes.set(xlabel=typeset(knob.symbol or knob.label), ylabel=typeset(spec.y_label) or spec.number)
    if spec.y_range is not None:
        margin = 0.04 * (spec.y_range[1] - spec.y_range[0])
        axes.set_ylim(spec.y_range[0] - margin, spec.y_range[1] + margin)


def write_curves(spec: StudyLine, curves: Sequence[StudyCurve], path: Path) -> Path:
    """The numbers behind the lines."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([spec.by or "arm", spec.x, "mean", "spread", "runs"])
        for curve in curves:
            for x, mean, spread, count in zip(curve.x, curve.mean, curve.spread, curve.count, strict=True):
                writer.writerow([curve.label, *(repr(float(value)) for value in (x, mean, spread)), int(count)])
    return path
