"""A number of a study's runs over two of its knobs, averaged over the rest: what a phase diagram shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab.experiment import Experiment
from lab.studies.study import Study
from lab.verdict import StudyRow
from lab.views import PhaseDiagram


@dataclass(frozen=True)
class Diagram:
    """A table over two knobs.

    Attributes:
        x, y: The knobs' values, rising, shapes (M,) and (N,).
        mean: Mean of the number over the runs of a cell, shape (N, M); NaN where none has it.
        spread: Their standard deviation, 0 for a single run.
        count: How many runs a cell has.
    """

    x: np.ndarray
    y: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    count: np.ndarray


def number_of(row: StudyRow, name: str) -> float:
    """A run's number: a check of its verdict, or the last value of a series; NaN where it has none."""
    return row.checks.get(name, row.numbers.get(name, float("nan")))


def numbers_of(rows: Iterable[StudyRow]) -> list[str]:
    """Every number that some run has: checks first, series after them."""
    rows = list(rows)
    return list(dict.fromkeys([*(n for row in rows for n in row.checks), *(n for row in rows for n in row.numbers)]))


def tabulate(spec: PhaseDiagram, points: Sequence[Any], rows: Iterable[StudyRow]) -> Diagram:
    """The diagram of finished runs on the grid that all ``points`` (configs) of the study span."""
    x, y = (np.unique([float(getattr(config, knob)) for config in points]) for knob in (spec.x, spec.y))
    cells: dict[tuple[int, int], list[float]] = {}
    for row in rows:
        value = number_of(row, spec.number)
        if np.isfinite(value):
            place = [int(np.searchsorted(a, getattr(row.config, k))) for a, k in ((y, spec.y), (x, spec.x))]
            cells.setdefault((place[0], place[1]), []).append(value)
    mean = np.full((len(y), len(x)), np.nan)
    spread, count = np.zeros_like(mean), np.zeros(mean.shape, int)
    for place, values in cells.items():
        mean[place], spread[place], count[place] = np.mean(values), np.std(values), len(values)
    return Diagram(x, y, mean, spread, count)


def spanned(study: Study, experiment: type[Experiment]) -> tuple[str, str] | None:
    """The two knobs that a diagram of the study can have, across and up: its first axes with several numbers.

    In the order of the experiment's own diagram over them, where it has one.
    """
    knobs = experiment.Config.knobs()
    numeric = [axis.knob for axis in study.axes if knobs[axis.knob].kind in ("float", "int")]
    several = [axis.knob for axis in study.axes if axis.knob in numeric and len(set(axis.values)) > 1]
    if len(several) < 2 or study.combine != "outer":
        return None
    own = ((spec.x, spec.y) for spec in _diagrams(experiment) if {spec.x, spec.y} == set(several[:2]))
    return next(own, (several[0], several[1]))


def diagram_of(study: Study, experiment: type[Experiment], number: str) -> PhaseDiagram | None:
    """The experiment's own diagram over the study's knobs, or one made for them; None without two axes of numbers."""
    if (pair := spanned(study, experiment)) is None:
        return None
    for spec in _diagrams(experiment):
        if (spec.x, spec.y) == pair and spec.number == number:
            return spec
    title = f"{number.replace('_', ' ')} over {pair[0]} and {pair[1]}"
    return PhaseDiagram(number=number, x=pair[0], y=pair[1], z_label=number.replace("_", " "), title=title)


def _diagrams(experiment: type[Experiment]) -> list[PhaseDiagram]:
    return [spec for spec in experiment.study_views if isinstance(spec, PhaseDiagram)]


def levels_of(spec: PhaseDiagram, mean: np.ndarray) -> tuple[float, ...]:
    """Values of the contour lines: the declared ones, or three between the extremes."""
    if spec.contours:
        return spec.contours
    usable = mean[np.isfinite(mean)]
    if usable.size < 4 or usable.min() == usable.max():
        return ()
    return tuple(np.linspace(usable.min(), usable.max(), 5)[1:-1].tolist())


def edges(values: np.ndarray, log: bool) -> np.ndarray:
    """Edges (n + 1,) of cells about rising values: half way to the neighbours, by ratio on a logarithmic axis."""
    places = np.log10(values) if log else values
    if len(places) == 1:
        return 10 ** (places[0] + np.array([-0.5, 0.5])) if log else places[0] + np.array([-0.5, 0.5])
    middle = (places[1:] + places[:-1]) / 2
    found = np.concatenate([[2 * places[0] - middle[0]], middle, [2 * places[-1] - middle[-1]]])
    return 10**found if log else found


def is_log(experiment: type[Experiment], knob: str, values: np.ndarray) -> bool:
    """Whether the knob is compared by ratio, and its values can be."""
    return bool(experiment.Config.knobs()[knob].log and (values > 0).all())
