"""What detectors are made of: a definition that is data, a machine that reads rows, and the events it finds."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from lab.measures.step_windows import Floats, Ints


@dataclass(frozen=True)
class Found:
    """One event: the step at which it was known, what it is, and its numbers (JSON-able)."""

    step: int
    kind: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class Detector(ABC):
    """A definition with its parameters; ``start`` makes the machine that applies it."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """Names of the series to feed."""

    @abstractmethod
    def start(self, config: Any = None) -> "Machine":
        """A machine at its beginning; ``config`` resolves thresholds that are functions of it."""

    def parameters(self) -> dict[str, Any]:
        """What is stored with every event: the fields, without those that only a config resolves."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if not callable(value)}


@dataclass(frozen=True)
class SeriesDetector(Detector):
    """A detector of one series."""

    series: str

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.series,)


class Machine(ABC):
    """Reads the rows of a detector's series in order and returns the events they complete."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._last_step: dict[str, int] = {}

    def feed(self, step: Any, value: Any, series: str | None = None) -> list[Found]:
        """Read rows ``step (k,)``, ``value (k,)``; ``series`` says whose they are where a detector has several inputs.

        Raises:
            ValueError: The shapes differ, the steps do not increase, or the series is not an input.
        """
        series = self._detector.inputs[0] if series is None else series
        step, value = np.atleast_1d(np.asarray(step, np.int64)), np.atleast_1d(np.asarray(value, np.float64))
        if series not in self._detector.inputs:
            raise ValueError(
                f"series {series!r} is not an input; this detector reads {', '.join(self._detector.inputs)}"
            )
        if step.ndim != 1 or step.shape != value.shape:
            raise ValueError(f"rows of one number each are needed, got steps {step.shape} and values {value.shape}")
        if not len(step):
            return []
        last = self._last_step.get(series)
        if (last is not None and step[0] <= last) or np.any(np.diff(step) <= 0):
            raise ValueError(f"steps of {series!r} must increase, got {step[0]}..{step[-1]} after {last}")
        self._last_step[series] = int(step[-1])
        recorded = ~np.isnan(value)
        return self._read(step[recorded], value[recorded], series) if recorded.any() else []

    def retune(self, config: Any) -> None:
        """A knob turned: thresholds that are functions of the config take their new value from the next row on."""

    def unfinished(self) -> Found | None:
        """What is going on at the last row, as the end event it would get if the series stopped there, or None.

        The machine is unchanged; the payload says ``"open": True``.
        """
        return None

    @abstractmethod
    def _read(self, step: Ints, value: Floats, series: str) -> list[Found]:
        """Events of new rows, none of them NaN, at least one."""

    def _found(self, step: int, phase: str, **numbers: Any) -> Found:
        payload = {**self._detector.parameters(), "phase": phase, **numbers}
        return Found(int(step), self._detector.kind, {name: _jsonable(item) for name, item in payload.items()})


def _jsonable(item: Any) -> Any:
    """Plain Python numbers; infinities by name, since JSON has none."""
    if isinstance(item, np.generic):
        item = item.item()
    return str(item) if isinstance(item, float) and not math.isfinite(item) else item
