"""Which studies are a line over one knob, and what its points are."""

from typing import Any

import numpy as np
import pytest

from lab.studies.lines import curves_of, levels_at, line_of
from lab.studies.study import Study
from lab.verdict import StudyRow
from lab.views import Line, StudyLine
from tests.fakes import Tiny

RATES = {"knob": "lr", "values": [0.1, 1.0]}
WIDTHS = {"knob": "width", "values": [2, 4]}
OWN = StudyLine("norm", x="width", title="Norm of wide ones", by="lr", lines=(Line("twice", lambda c: 2 * c.width),))


class Lined(Tiny):
    study_views = (OWN,)


def study(*axes: dict[str, Any], **values: Any) -> Study:
    return Study.of(experiment="tests.fakes:", axes=axes, **values)


def row(width: int, seed: int, value: float, arm: str = "stable") -> StudyRow:
    return StudyRow(arm, Tiny.configure(values={"width": width, "seed": seed}), "reproduced", "", {"norm": value})


def test_a_study_over_one_knob_of_numbers_is_a_line_whatever_its_seeds():
    spec = line_of(study(WIDTHS, {"knob": "seed", "values": [0, 1]}), Tiny, "norm")
    assert spec is not None and (spec.number, spec.x, spec.by) == ("norm", "width", "")
    assert line_of(study(WIDTHS, RATES), Tiny, "norm") is None, "that is a diagram"
    assert line_of(study(seeds=[0, 1]), Tiny, "norm") is None
    assert line_of(study(RATES, WIDTHS, combine="zip"), Tiny, "norm") is None


def test_an_experiments_own_line_is_taken_for_its_number_alone():
    own = line_of(study(WIDTHS), Lined, "norm")
    assert own is not None and own.title == OWN.title and own.by == "", "without the axis of its lines"
    other = line_of(study(WIDTHS), Lined, "train_loss")
    assert other is not None and other.title == "train loss over width"


def test_points_are_means_over_seeds_with_their_standard_deviation_and_arms_have_lines():
    spec = StudyLine("norm", x="width", title="Norm")
    rows = [row(4, 0, 5.0), row(2, 0, 1.0), row(2, 1, 3.0), row(2, 2, float("nan")), row(2, 0, 7.0, "unstable")]
    stable, unstable = curves_of(spec, rows)
    np.testing.assert_array_equal(stable.x, [2, 4])
    np.testing.assert_array_equal(stable.mean, [2.0, 5.0])
    np.testing.assert_allclose(stable.spread, [np.sqrt(2), 0.0])
    np.testing.assert_array_equal(stable.count, [2, 1])
    assert (stable.label, unstable.label, unstable.mean[0]) == ("stable", "unstable", 7.0)
    assert [curve.label for curve in curves_of(spec, rows[:4])] == [""], "one line needs no name"
    assert levels_at(OWN, rows) == [("twice", pytest.approx(8.0))]
