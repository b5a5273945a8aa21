"""Verdicts: what passes, what does not, and their way through JSON."""

import json
import math
from collections.abc import Sequence
from types import SimpleNamespace

from lab.verdict import Check, Outcome, StudyRow, Verdict, judge_arms, judge_together, unlike


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


def ended(outcome: Outcome, expected: str = "", reason: str = "") -> StudyRow:
    return StudyRow("arm", None, outcome, expected, reason=reason)


def all_reproduced(rows: Sequence[StudyRow]) -> Verdict:
    return Verdict.of(Check("share", sum(row.outcome == "reproduced" for row in rows) / len(rows), low=1.0))


def test_runs_that_are_too_short_say_nothing_against_a_claim_and_the_study_says_why():
    short, good = ended("not comparable", "reproduced", "too short"), ended("reproduced", "reproduced")
    verdict = judge_together([short, short, good], lambda rows: None)
    assert verdict.outcome == "not comparable"
    assert verdict.reason == "2 of 3 runs are not comparable: too short"
    bad = ended("not reproduced", "reproduced")
    assert judge_together([short, bad], lambda rows: None).outcome == "not reproduced", "one run refutes it"
    expected = ended("not comparable", "not comparable", "another reason")
    assert judge_together([expected, good], lambda rows: None).outcome == "reproduced"
    alone = judge_together([expected, expected], lambda rows: None)
    assert alone.outcome == "not comparable" and alone.reason == "another reason", "nobody judged anything"


def test_a_diagram_is_judged_by_its_comparable_runs_and_not_at_all_without_them():
    short = ended("not comparable", reason="not fitted")
    nothing = judge_together([short], all_reproduced, arms=False)
    assert nothing.outcome == "not comparable" and nothing.reason == "1 of 1 runs are not comparable: not fitted"
    assert judge_together([short, ended("reproduced")], all_reproduced, arms=False).outcome == "reproduced"
    assert judge_together([short, ended("not reproduced")], all_reproduced, arms=False).outcome == "not reproduced"


def test_a_failure_is_excused_by_the_first_reason_that_there_is_and_a_success_by_none():
    failed, passed = Verdict.of(Check("a", 0.0, low=1.0)), Verdict.of(Check("a", 2.0, low=1.0))
    assert failed.excused("", "").outcome == "not reproduced"
    assert failed.excused("", "too short").reason == "too short"
    assert passed.excused("too short").outcome == "reproduced"


def test_a_knob_outside_the_claims_setting_is_named_with_its_value_there():
    config = SimpleNamespace(activation="relu", walkers=10)
    assert unlike(config, {"activation": "relu"}, {"walkers": 10}) == ""
    assert unlike(config, {"activation": "sin"}) == "activation = relu: the claim's numbers were measured at sin"
    assert unlike(config, {}, {"walkers": 500}).endswith(
        "walkers = 10: the claim's numbers were measured at 500 or more"
    )
