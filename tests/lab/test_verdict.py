"""Verdicts: what passes, what does not, and their way through JSON."""

import json
import math

from lab.verdict import Check, StudyRow, Verdict, judge_arms


def test_a_verdict_is_reproduced_only_when_every_check_passes():
    good, bad = Check("a", 1.0, 0.5, 2.0), Check("b", 3.0, high=2.0)
    assert Verdict.of(good).outcome == "reproduced"
    assert Verdict.of(good, bad).outcome == "not reproduced"
    assert Verdict.not_comparable("too short", good).outcome == "not comparable"
    assert Verdict.of().outcome == "not comparable", "no number, no verdict"


def test_nan_never_passes():
    assert not Check("a", math.nan).passed


def test_a_verdict_survives_json_with_infinities():
    verdict = Verdict.of(Check("a", math.inf, low=2.0, note="n"), Check("b", math.nan), Check("c", 1.0, 1.0, 1.0))
    again = Verdict.from_json(json.loads(json.dumps(verdict.to_json())))
    assert again.checks[0] == verdict.checks[0] and again.checks[2] == verdict.checks[2]
    assert math.isnan(again.checks[1].value) and again.outcome == verdict.outcome
    assert [c.threshold for c in verdict.checks] == ["≥ 2", "any number", "= 1"]


def test_arms_are_judged_by_whether_each_of_their_runs_ends_as_expected():
    rows = [
        StudyRow("small", None, "reproduced", "reproduced"),
        StudyRow("small", None, "reproduced", "reproduced"),
        StudyRow("large", None, "not reproduced", "not reproduced"),
        StudyRow("large", None, "reproduced", "not reproduced"),
        StudyRow("", None, "not comparable"),
    ]
    small, large = judge_arms(rows)
    assert small.passed and not large.passed and large.note == "1 of 2 not reproduced"
