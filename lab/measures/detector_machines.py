"""The machines behind the detectors; each keeps only the rows that its window still needs."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from lab.measures.detection import Detector, Found, Machine
from lab.measures.step_windows import Bools, Floats, Ints, RecentRows, window_minimum, window_starts

Threshold = float | Callable[[Any], float]
Marks = Callable[[Floats, Ints, int], tuple[Ints, Floats]]


class MergedMarks(Machine):
    """Rows that stand out against their window, merged into happenings with a start, a peak and an end.

    Args:
        detector: The definition.
        marks: (value, starts, first) -> marked rows and the reference each was compared with.
        height: (value, reference) -> the numbers of a mark or peak.
        window: Steps looked back.
        merge: Marks at most so many steps apart are one happening.
        sign: -1 looks at the series upside down.
        warm_up: Steps that the record must reach back before a mark counts.
    """

    def __init__(
        self,
        detector: Detector,
        marks: Marks,
        height: Callable[[float, float], dict[str, float]],
        *,
        window: int,
        merge: int,
        sign: int = 1,
        warm_up: int = 0,
    ) -> None:
        super().__init__(detector)
        self._marks, self._height = marks, height
        self._window, self._merge, self._sign, self._warm_up = window, merge, sign, warm_up
        self._rows = RecentRows(window)
        self._begin: int | None = None  # step of the first recorded row
        self._start: int | None = None  # step at which the open happening began
        self._last = self._peak_step = 0
        self._peak = self._reference = 0.0

    def _read(self, step: Ints, value: Floats, series: str) -> list[Found]:
        self._begin = int(step[0]) if self._begin is None else self._begin
        steps, values, first = self._rows.extend(step, self._sign * value)
        marks, references = self._marks(values, window_starts(steps, first, self._window), first)
        counts = steps[marks] - self._begin >= self._warm_up
        found: list[Found] = []
        seen = first  # rows before it are already in the open happening's peak
        for mark, reference in zip(marks[counts].tolist(), references[counts].tolist(), strict=True):
            found += self._advance(steps, values, seen, mark)
            if self._start is None:
                self._start, self._reference = int(steps[mark]), reference
                self._peak, self._peak_step = float(values[mark]), self._start
                found.append(self._found(self._start, "start", **self._height(self._peak, reference)))
            self._last, seen = int(steps[mark]), mark
        return found + self._advance(steps, values, seen, len(steps))

    def _advance(self, step: Ints, value: Floats, begin: int, mark: int) -> list[Found]:
        """Take rows [begin, mark) into the open happening, and end it at the first row past ``merge``, ``mark`` too."""
        if self._start is None:
            return []
        over = begin + int(np.searchsorted(step[begin : mark + 1], self._last + self._merge, side="right"))
        rows = value[begin : min(over, mark)]
        if len(rows) and rows.max() > self._peak:
            self._peak, self._peak_step = float(rows.max()), int(step[begin + int(rows.argmax())])
        if over >= min(mark + 1, len(step)):
            return []
        ended = self._found(int(step[over]), "end", **self._numbers())
        self._start = None
        return [ended]

    def _numbers(self) -> dict[str, Any]:
        happening = {"start_step": self._start, "peak_step": self._peak_step, "last_step": self._last}
        return self._height(self._peak, self._reference) | happening

    def unfinished(self) -> Found | None:
        if self._start is None:
            return None
        return self._found(max(self._last_step.values()), "end", open=True, **self._numbers())


class Stretches(Machine):
    """Stretches of rows on one side of a threshold that last ``records`` rows or more."""

    def __init__(
        self, detector: Detector, threshold: Threshold, config: Any, *, records: int, direction: str, hysteresis: float
    ) -> None:
        super().__init__(detector)
        self._given, self._records, self._hysteresis = threshold, records, hysteresis
        self._upward = direction == "up"
        self._first_ever = True
        self._count = 0  # rows of the stretch so far
        self._start = 0
        self._from_start = False
        self._nearest = math.inf  # of the first ``records`` rows, the one nearest to the line
        self.retune(config)

    def retune(self, config: Any) -> None:
        self.threshold = float(self._given(config)) if callable(self._given) else float(self._given)

    def _read(self, step: Ints, value: Floats, series: str) -> list[Found]:
        beyond = self._beyond(value if self._upward else -value)
        changes = np.flatnonzero(np.diff(beyond, prepend=self._count > 0))
        bounds = [0, *changes[changes > 0].tolist(), len(beyond)]
        found: list[Found] = []
        for begin, end in pairwise(bounds):
            if beyond[begin]:
                found += self._grow(step[begin:end], value[begin:end])
            elif self._count:
                found += self._end(int(step[begin]), float(value[begin]))
            self._first_ever = False
        return found

    def _beyond(self, value: Floats) -> Bools:
        """Which rows count; between the line and the hysteresis behind it a row goes with the one before it."""
        line = self.threshold if self._upward else -self.threshold
        above = value > line
        if not self._hysteresis:
            return above
        decided = np.flatnonzero(above | (value <= line - self._hysteresis * abs(line)))
        if not len(decided):
            return np.full(len(value), self._count > 0)
        last = np.searchsorted(decided, np.arange(len(value)), side="right") - 1
        return np.where(last >= 0, above[decided[last]], self._count > 0)

    def _grow(self, step: Ints, value: Floats) -> list[Found]:
        if not self._count:
            self._start, self._nearest, self._from_start = int(step[0]), math.inf, self._first_ever
        missing = self._records - self._count
        self._count += len(step)
        if missing <= 0:
            return []
        first = value[:missing] if self._upward else -value[:missing]
        self._nearest = min(self._nearest, float(first.min()))
        if self._count < self._records:
            return []
        numbers: dict[str, Any] = {"value": value[missing - 1], "from_start": self._from_start}
        if self._records > 1:
            numbers["minimum" if self._upward else "maximum"] = self._nearest if self._upward else -self._nearest
        return [self._event(int(step[missing - 1]), "start", **numbers)]

    def _end(self, step: int, value: float) -> list[Found]:
        lasted, self._count = self._count, 0
        return [self._event(step, "end", value=value, length=step - self._start)] if lasted >= self._records else []

    def unfinished(self) -> Found | None:
        if self._count < self._records:
            return None
        last = max(self._last_step.values())
        return self._event(last, "end", open=True, length=last - self._start)

    def _event(self, step: int, phase: str, **numbers: Any) -> Found:
        up = self._upward == (phase == "start")
        numbers |= {"threshold": self.threshold, "direction": "up" if up else "down", "start_step": self._start}
        return self._found(step, phase, **numbers)


class Flat(Machine):
    """Stretches over which the range of the last ``window`` steps' values stays small against their size."""

    def __init__(self, detector: Detector, *, window: int, tolerance: float) -> None:
        super().__init__(detector)
        self._window, self._tolerance = window, tolerance
        self._rows = RecentRows(window)
        self._begin: int | None = None
        self._start: int | None = None

    def _read(self, step: Ints, value: Floats, series: str) -> list[Found]:
        self._begin = int(step[0]) if self._begin is None else self._begin
        steps, values, first = self._rows.extend(step, value)
        starts = window_starts(steps, first, self._window)
        low = np.minimum(window_minimum(values, starts, first), value)
        high = np.maximum(-window_minimum(-values, starts, first), value)
        size = np.maximum(np.abs(low), np.abs(high))
        with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is not flat
            flat = (high - low <= self._tolerance * size) & np.isfinite(size)
        # a row alone in its window says nothing about the steps before it
        flat &= (step - self._begin >= self._window) & (starts < first + np.arange(len(step)))
        found: list[Found] = []
        for row in np.flatnonzero(np.diff(flat, prepend=self._start is not None)).tolist():
            if flat[row]:
                self._start = int(steps[starts[row]])
                numbers = {"start_step": self._start, "low": low[row], "high": high[row]}
                found.append(self._found(int(step[row]), "start", **numbers))
            else:
                found.append(self._end(int(step[row]), value=value[row]))
                self._start = None
        return found

    def _end(self, step: int, **numbers: Any) -> Found:
        assert self._start is not None
        return self._found(step, "end", start_step=self._start, length=step - self._start, **numbers)

    def unfinished(self) -> Found | None:
        return None if self._start is None else self._end(max(self._last_step.values()), open=True)


class Gap(Machine):
    """Two series, judged at the steps that both have: one is there first, the other closes in later."""

    def __init__(self, detector: Detector, *, level: float, gap: float) -> None:
        super().__init__(detector)
        self._level, self._gap = level, gap
        empty: tuple[Ints, Floats] = (np.empty(0, np.int64), np.empty(0, np.float64))
        self._waiting = dict.fromkeys(detector.inputs, empty)
        self._start: int | None = None
        self._over = False

    def _read(self, step: Ints, value: Floats, series: str) -> list[Found]:
        steps, values = self._waiting[series]
        self._waiting[series] = np.concatenate([steps, step]), np.concatenate([values, value])
        (train_step, train), (test_step, test) = (self._waiting[name] for name in self._detector.inputs)
        both, in_train, in_test = np.intersect1d(train_step, test_step, assume_unique=True, return_indices=True)
        if not len(both):
            return []
        for name, (
            steps,
            values,
        ) in self._waiting.items():  # steps increase: what lies before a joint row finds no partner
            later = steps > both[-1]
            self._waiting[name] = steps[later], values[later]
        return self._judge(both, train[in_train], test[in_test])

    def _judge(self, step: Ints, train: Floats, test: Floats) -> list[Found]:
        there, near = train >= self._level, test >= train - self._gap
        found: list[Found] = []
        if self._start is None and there.any():
            row = int(there.argmax())
            self._start, self._over = int(step[row]), bool(near[row])
            if not self._over:
                found.append(self._found(self._start, "start", train=train[row], test=test[row]))
        closed = there & near
        if self._start is not None and not self._over and closed.any():
            row, self._over = int(closed.argmax()), True
            numbers = {"train": train[row], "test": test[row], "start_step": self._start}
            found.append(self._found(int(step[row]), "end", **numbers, delay=int(step[row]) - self._start))
        return found

    def unfinished(self) -> Found | None:
        if self._start is None or self._over:
            return None
        return self._found(max(self._last_step.values()), "end", open=True, start_step=self._start)
