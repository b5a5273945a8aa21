"""Detectors: what happened in a series, and when, as events that carry the numbers that decided.

A detector is data: a frozen dataclass that names a series and the parameters of a definition. ``start`` makes a
machine that is fed rows as they are recorded and returns what it found. A machine looks back only, so an event never
depends on later rows, and feeding rows one by one or all at once finds the same events: live, in replay and in a
verdict. Windows are counted in steps, since a series may be recorded every k steps. Rows with NaN count as not
recorded.

A happening that lasts gives two events of one kind: ``phase`` "start" when it begins and "end" when it is over. A
resumed run rebuilds a machine by feeding it the rows recorded so far.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from lab.measures.detection import Detector, Found, Machine, SeriesDetector
from lab.measures.detector_machines import Flat, Gap, MergedMarks, Stretches, Threshold
from lab.measures.step_windows import Floats, Ints, above_window_median, window_minimum

__all__ = [
    "Crossing",
    "Detector",
    "Found",
    "GapClosing",
    "Interval",
    "Jump",
    "Machine",
    "Plateau",
    "Spike",
    "SustainedCrossing",
    "crossings",
    "intervals",
    "recovery_steps",
    "spikes",
]


def _require(fine: bool, name: str, value: object, need: str) -> None:
    if not fine:
        raise ValueError(f"{name} is {value!r}; it must be {need}")


@dataclass(frozen=True)
class Spike(SeriesDetector):
    """A value above ``factor`` x the median of the previous ``window`` steps' values.

    Marks within ``merge`` steps are one spike. Nothing fires before the record reaches back ``window`` steps, nor
    where the median is not positive. The end is known ``merge`` steps after the last mark; it carries the peak and
    its height over the median before the spike. Record at least every ``window`` steps: a window without a row has no
    median. The defaults are those with which Adam's spikes are counted (Bai et al. 2025, arXiv 2506.04805).
    """

    kind: ClassVar[str] = "spike"
    _: KW_ONLY
    factor: float = 3.0
    window: int = 100
    merge: int = 100

    def __post_init__(self) -> None:
        _require(self.factor > 1, "factor", self.factor, "above 1")
        _require(self.window >= 1, "window", self.window, "at least 1 step")
        _require(self.merge >= 0, "merge", self.merge, "at least 0 steps")

    def start(self, config: Any = None) -> Machine:
        def marks(value: Floats, starts: Ints, first: int) -> tuple[Ints, Floats]:
            return above_window_median(value, starts, first, self.factor)

        def height(value: float, median: float) -> dict[str, float]:
            return {"value": value, "median": median, "height": value / median}

        return MergedMarks(self, marks, height, window=self.window, merge=self.merge, warm_up=self.window)


@dataclass(frozen=True)
class Jump(SeriesDetector):
    """A rise by ``size`` or more over the lowest of the previous ``window`` steps' values.

    ``direction`` "down" looks for drops. Marks within ``merge`` steps are one jump. Meant for accuracies.
    """

    kind: ClassVar[str] = "jump"
    _: KW_ONLY
    size: float = 0.2
    window: int = 100
    merge: int = 100
    direction: str = "up"

    def __post_init__(self) -> None:
        _require(self.size > 0, "size", self.size, "positive")
        _require(self.window >= 1, "window", self.window, "at least 1 step")
        _require(self.merge >= 0, "merge", self.merge, "at least 0 steps")
        _require(self.direction in ("up", "down"), "direction", self.direction, "'up' or 'down'")

    def start(self, config: Any = None) -> Machine:
        sign = 1 if self.direction == "up" else -1

        def marks(value: Floats, starts: Ints, first: int) -> tuple[Ints, Floats]:
            lowest = window_minimum(value, starts, first)
            with np.errstate(invalid="ignore"):  # inf - inf is no rise
                rows = np.flatnonzero(value[first:] - lowest >= self.size)
            return first + rows, lowest[rows]

        def height(value: float, lowest: float) -> dict[str, float]:
            return {"value": sign * value, "from": sign * lowest, "height": value - lowest}

        return MergedMarks(self, marks, height, window=self.window, merge=self.merge, sign=sign)


@dataclass(frozen=True)
class Crossing(SeriesDetector):
    """A stretch with the value above ``threshold`` (``direction`` "down": below it).

    It ends at the first row back at the threshold, or behind it by ``hysteresis`` (a share of its size, so that noise
    at the line is one stretch and not many). ``length`` in steps runs from the first row above to the first row back.
    A run that begins above says so in ``from_start``. The threshold may be a function of the config, such as ``lambda
    config: 2 / config.lr``.
    """

    kind: ClassVar[str] = "crossing"
    threshold: Threshold
    _: KW_ONLY
    direction: str = "up"
    hysteresis: float = 0.0

    def __post_init__(self) -> None:
        _require(self.direction in ("up", "down"), "direction", self.direction, "'up' or 'down'")
        _require(self.hysteresis >= 0, "hysteresis", self.hysteresis, "at least 0")

    def start(self, config: Any = None) -> Machine:
        sides = {"direction": self.direction, "hysteresis": self.hysteresis}
        return Stretches(self, self.threshold, config, records=1, **sides)


@dataclass(frozen=True)
class SustainedCrossing(SeriesDetector):
    """The minimum over ``records`` successive records lies above ``threshold`` ("down": the maximum below it).

    Known, and so placed, at the last of those records; ``start_step`` is the first of them, and ``length`` counts
    from it.
    """

    kind: ClassVar[str] = "sustained_crossing"
    threshold: Threshold
    _: KW_ONLY
    records: int = 3
    direction: str = "up"

    def __post_init__(self) -> None:
        _require(self.records >= 1, "records", self.records, "at least 1")
        _require(self.direction in ("up", "down"), "direction", self.direction, "'up' or 'down'")

    def start(self, config: Any = None) -> Machine:
        return Stretches(self, self.threshold, config, records=self.records, direction=self.direction, hysteresis=0.0)


@dataclass(frozen=True)
class Plateau(SeriesDetector):
    """Over the last ``window`` steps, this one included, the values' range is <= ``tolerance`` x their largest size.

    Known once the record reaches back ``window`` steps; ``start_step`` is the first row of the flat stretch. It ends
    with the first row whose window is wider than that.
    """

    kind: ClassVar[str] = "plateau"
    _: KW_ONLY
    window: int = 100
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        _require(self.window >= 1, "window", self.window, "at least 1 step")
        _require(self.tolerance >= 0, "tolerance", self.tolerance, "at least 0")

    def start(self, config: Any = None) -> Machine:
        return Flat(self, window=self.window, tolerance=self.tolerance)


@dataclass(frozen=True)
class GapClosing(Detector):
    """Grokking: test accuracy comes within ``gap`` of train accuracy, which had reached ``level`` before it.

    Judged at the steps at which both series are recorded. "start" is the first of them with train >= level; when test
    is within the gap there already, nothing was delayed and nothing is found. "end" is the first later one with train
    >= level and test >= train - gap; ``delay`` is the number of steps between the two.
    """

    kind: ClassVar[str] = "gap_closing"
    train: str = "train_accuracy"
    test: str = "test_accuracy"
    _: KW_ONLY
    level: float = 0.99
    gap: float = 0.05

    def __post_init__(self) -> None:
        _require(self.gap >= 0, "gap", self.gap, "at least 0")
        _require(self.train != self.test, "test", self.test, "another series than train")

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.train, self.test)

    def start(self, config: Any = None) -> Machine:
        return Gap(self, level=self.level, gap=self.gap)


@dataclass(frozen=True)
class Interval:
    """A happening from its start to its end; ``end`` is None where the series stops before it is over.

    Attributes:
        start: Its first step.
        end: The first step after it (spikes and jumps: its last marked step), or None.
        numbers: The payload of its end event; while it is open, what that would hold at the last row.
    """

    start: int
    end: int | None
    numbers: dict[str, Any]

    @property
    def length(self) -> int | None:
        """Length in steps, None while open."""
        return None if self.end is None else self.end - self.start


def intervals(detector: Detector, *rows: tuple[Any, Any], config: Any = None) -> list[Interval]:
    """Apply a detector to recorded series, for verdicts.

    Args:
        detector: The definition.
        rows: ``(step, value)`` of each of the detector's inputs, in their order, shapes (T,).
        config: Resolves thresholds that are functions of it.
    """
    machine = detector.start(config)
    found: list[Found] = []
    for name, (step, value) in zip(detector.inputs, rows, strict=True):
        found += machine.feed(step, value, name)
    result: list[Interval] = []
    for item in found:
        if item.payload["phase"] == "end":
            result.append(Interval(item.payload["start_step"], item.payload.get("last_step", item.step), item.payload))
    last = machine.unfinished()
    return result if last is None else [*result, Interval(last.payload["start_step"], None, last.payload)]


def spikes(step: Any, value: Any, *, factor: float = 3.0, window: int = 100, merge: int = 100) -> list[Interval]:
    """Spikes of a series (see Spike); ``numbers["height"]`` is the peak over the median before the spike."""
    return intervals(Spike("value", factor=factor, window=window, merge=merge), (step, value))


def crossings(step: Any, value: Any, threshold: float, *, direction: str = "up", records: int = 1) -> list[Interval]:
    """Stretches above (or below) a threshold that last at least ``records`` records, with their lengths in steps."""
    return intervals(SustainedCrossing("value", threshold, records=records, direction=direction), (step, value))


def recovery_steps(step: Any, value: Any, spike: Interval, level: float = 1.2) -> int | None:
    """Steps from a spike's peak until the value is back at ``level`` x the median before it, or None if it never is.

    Args:
        step: Recorded steps, shape (T,).
        value: The series in which the spike was found, shape (T,).
        spike: One of ``spikes``.
        level: Multiple of the median that counts as back.
    """
    step, value = np.asarray(step), np.asarray(value)
    back = (step > spike.numbers["peak_step"]) & (value <= level * spike.numbers["median"])
    return int(step[back.argmax()]) - spike.numbers["peak_step"] if back.any() else None
