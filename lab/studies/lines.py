"""A number of a study's runs against one of its knobs, a line for each value of another: what a study line shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lab.differing import SEEDS
from lab.experiment import Experiment
from lab.studies.diagram import number_of
from lab.studies.study import Study
from lab.verdict import StudyRow
from lab.views import StudyLine


@dataclass(frozen=True)
class StudyCurve:
    """One line.

    Attributes:
        label: The arm, or the value of the knob that tells lines apart; empty for the only one.
        x: The knob's values, rising, shape (M,).
        mean: Mean of the number over the runs there, shape (M,).
        spread: Their standard deviation (n - 1), 0 for a single run.
        count: How many runs there are.
    """

    label: str
    x: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    count: np.ndarray


def line_of(study: Study, experiment: type[Experiment], number: str) -> StudyLine | None:
    """The experiment's own line over the study's one axis of numbers, or one made for it; None without such an axis.

    Beside that axis and seeds a study may have one other, whose values have a line each.
    """
    known = experiment.Config.knobs()
    several = [axis.knob for axis in study.axes if len(set(axis.values)) > 1 and axis.knob not in SEEDS]
    across = [knob for knob in several if known[knob].kind in ("float", "int")]
    if len(across) != 1 or len(several) > 2 or study.combine != "outer":
        return None
    (x,), by = across, next((knob for knob in several if knob not in across), "")
    for spec in experiment.study_views:
        if isinstance(spec, StudyLine) and (spec.x, spec.number) == (x, number) and by in ("", spec.by):
            return replace(spec, by=by)
    said = number.replace("_", " ")
    return StudyLine(number=number, x=x, by=by, y_label=said, title=f"{said} over {x}")


def label_of(spec: StudyLine, config: Any, arm: str) -> str:
    """The line that a run belongs to."""
    return str(getattr(config, spec.by)) if spec.by else arm


def levels_at(spec: StudyLine, rows: Sequence[StudyRow]) -> list[tuple[str, float]]:
    """Names and heights of the reference lines, at the first run's config."""
    return [(line.label, line.at(rows[0].config)) for line in spec.lines]


def curves_of(spec: StudyLine, rows: Iterable[StudyRow]) -> list[StudyCurve]:
    """The lines of finished runs, in the order in which the runs bring their labels."""
    found: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        value, x = number_of(row, spec.number), float(getattr(row.config, spec.x))
        if np.isfinite(value):
            found.setdefault(label_of(spec, row.config, row.arm), {}).setdefault(x, []).append(value)
    return [_curve(label if len(found) > 1 or spec.by else "", at) for label, at in found.items()]


def _curve(label: str, at: dict[float, list[float]]) -> StudyCurve:
    x = sorted(at)
    spread = [float(np.std(at[value], ddof=1)) if len(at[value]) > 1 else 0.0 for value in x]
    mean, count = [float(np.mean(at[value])) for value in x], [len(at[value]) for value in x]
    return StudyCurve(label, np.array(x), np.array(mean), np.array(spread), np.array(count))
