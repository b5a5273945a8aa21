"""Did the phenomenon appear, by which number: checks on recorded series or on the runs of a study, with thresholds."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["reproduced", "not reproduced", "not comparable"]

EXIT_CODES: dict[Outcome, int] = {"reproduced": 0, "not reproduced": 3, "not comparable": 4}


@dataclass(frozen=True)
class Check:
    """One number and where it has to lie: ``low <= value <= high``. NaN never passes."""

    name: str
    value: float
    low: float = -math.inf
    high: float = math.inf
    note: str = ""

    @property
    def passed(self) -> bool:
        return bool(self.low <= self.value <= self.high)

    @property
    def threshold(self) -> str:
        """The threshold in words."""
        if self.low == self.high:
            return f"= {self.low:.4g}"
        if math.isinf(self.high) and math.isinf(self.low):
            return "any number"
        if math.isinf(self.high):
            return f"≥ {self.low:.4g}"
        return f"≤ {self.high:.4g}" if math.isinf(self.low) else f"{self.low:.4g} to {self.high:.4g}"


@dataclass(frozen=True)
class Verdict:
    """Reproduced when every check passes; not comparable when the claim says nothing about such a run."""

    checks: tuple[Check, ...]
    reason: str = ""  # why not comparable; empty otherwise

    @property
    def outcome(self) -> Outcome:
        if self.reason or not self.checks:
            return "not comparable"
        return "reproduced" if all(check.passed for check in self.checks) else "not reproduced"

    @classmethod
    def of(cls, *checks: Check) -> "Verdict":
        return cls(checks)

    @classmethod
    def not_comparable(cls, reason: str, *checks: Check) -> "Verdict":
        return cls(checks, reason)

    def excused(self, *reasons: str) -> "Verdict":
        """Not comparable, for the first of the reasons that is not empty, where it would be "not reproduced".

        Such a run can show the claim but not refute it.
        """
        reason = next(filter(None, reasons), "")
        return Verdict(self.checks, reason) if reason and self.outcome == "not reproduced" else self

    @classmethod
    def within(cls, name: str, value: float, low: float, high: float) -> "Verdict":
        return cls((Check(name, value, low, high),))

    def to_json(self) -> dict[str, Any]:
        """Plain data: an absent limit is None, a value that is not finite is text that ``float`` takes back."""
        checks = [
            {
                "name": c.name,
                "value": c.value if math.isfinite(c.value) else str(c.value),
                "low": c.low if math.isfinite(c.low) else None,
                "high": c.high if math.isfinite(c.high) else None,
                "note": c.note,
                "passed": c.passed,
                "threshold": c.threshold,
            }
            for c in self.checks
        ]
        return {"outcome": self.outcome, "reason": self.reason, "checks": checks}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Verdict":
        checks = (
            Check(
                str(item["name"]),
                float(item["value"]),
                -math.inf if item.get("low") is None else float(item["low"]),
                math.inf if item.get("high") is None else float(item["high"]),
                str(item.get("note", "")),
            )
            for item in data["checks"]
        )
        return cls(tuple(checks), str(data.get("reason", "")))


def unlike(config: Any, same: Mapping[str, Any], least: Mapping[str, float] | None = None) -> str:
    """Which knob is another one than where a claim's numbers were measured, in words; empty when none is.

    Args:
        config: A run's knobs.
        same: Knobs and their values there.
        least: Knobs that may be larger than there.
    """
    for name, value in same.items():
        if getattr(config, name) != value:
            return f"{name} = {getattr(config, name)}: the claim's numbers were measured at {value}"
    for name, value in (least or {}).items():
        if getattr(config, name) < value:
            return f"{name} = {getattr(config, name):g}: the claim's numbers were measured at {value:g} or more"
    return ""


@dataclass(frozen=True)
class StudyRow:
    """A finished run of a study, reduced to numbers.

    Attributes:
        config: The knobs that it began with.
        outcome: Its own verdict.
        expected: What the claim predicts for its arm; empty without one.
        numbers: The last value of every scalar series, by the series' name.
        checks: The values of its own verdict's checks, by the check's name.
        reason: Why it is not comparable; empty otherwise.
    """

    arm: str
    config: Any
    outcome: Outcome
    expected: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    checks: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def of(
        cls, expected: Outcome | None, arm: str, config: Any, verdict: Verdict, numbers: Mapping[str, float]
    ) -> "StudyRow":
        """A run and its own verdict, beside what is expected of its arm."""
        checks = {c.name: c.value for c in verdict.checks}
        return cls(arm, config, verdict.outcome, expected or "", numbers, checks, verdict.reason)


def judge_arms(rows: Sequence[StudyRow]) -> tuple[Check, ...]:
    """One check for every arm: all its runs end as the claim predicts."""
    found = []
    for arm in dict.fromkeys(row.arm for row in rows if row.expected):
        runs = [row for row in rows if row.arm == arm]
        right = sum(row.outcome == row.expected for row in runs)
        note = f"{right} of {len(runs)} {runs[0].expected}"
        found.append(Check(f"{arm}: share that ends as expected", right / len(runs), 1.0, 1.0, note))
    return tuple(found)


def judge_together(
    rows: Sequence[StudyRow], together: Callable[[Sequence[StudyRow]], Verdict | None], *, arms: bool = True
) -> Verdict:
    """The claim over several finished runs; those that are not comparable say nothing against it.

    Args:
        rows: The runs.
        together: What the experiment says of comparable runs together; None where its claim compares none of these.
        arms: Judge each arm too; no arm predicts anything for knobs other than its own.
    """
    comparable = [row for row in rows if row.outcome != "not comparable"]
    own = together(comparable) if comparable else None
    checks = judge_arms(rows) if arms else ()
    if own is not None:
        checks += own.checks
        if own.reason:
            return Verdict.not_comparable(own.reason, *checks)
    open_rows = [row for row in rows if row.outcome == "not comparable" != row.expected]
    undecided = ""
    if open_rows:
        reasons = Counter(row.reason for row in open_rows).most_common(1)
        undecided = f"{len(open_rows)} of {len(rows)} runs are not comparable: {reasons[0][0]}"
    if not (checks and comparable):
        said = undecided or next((row.reason for row in rows if row.reason), "")
        said = said or "the claim says nothing about these runs together; run its arms"
        return Verdict.not_comparable(said, *checks)
    refuted = any(arms and row.expected and row.outcome != row.expected for row in comparable)
    refuted = refuted or (own is not None and own.outcome == "not reproduced")
    return Verdict.of(*checks) if refuted else Verdict.of(*checks).excused(undecided)
