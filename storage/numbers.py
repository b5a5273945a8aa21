"""Numbers that sum up a run: one statistic of one scalar series, always named together, as in ``last(train_loss)``."""

import math
import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

KEPT = ("last", "min", "max")
"""Statistics that the index keeps of every scalar series; others are read from the files when they are asked for."""
STATISTICS = {"first": False, "last": False, "min": False, "max": False, "mean": True, "at": True}
"""What can be asked, and whether it takes a whole number: rows for the mean, a step for ``at``."""


class _Source(Protocol):
    def series(self, name: str, start: int = 0) -> tuple[NDArray[np.int64], np.ndarray]: ...


@dataclass(frozen=True)
class Number:
    """One statistic of one series.

    Attributes:
        series: Name of a scalar series.
        statistic: first, last, min, max (NaN left out), mean of the last ``count`` rows, or the value at a step: that
            of the newest row at or before ``count``.
        count: Rows or step, where the statistic takes one.
    """

    series: str
    statistic: str = "last"
    count: int | None = None

    def __post_init__(self) -> None:
        if self.statistic not in STATISTICS:
            raise ValueError(f"{self.statistic} is no statistic; there are {', '.join(STATISTICS)}")
        if STATISTICS[self.statistic] != (self.count is not None):
            needs = "needs a whole number" if STATISTICS[self.statistic] else "takes no number"
            raise ValueError(f"{self.statistic} {needs}: mean(train_loss, 20), at(train_loss, 500), last(train_loss)")

    def __str__(self) -> str:
        rest = "" if self.count is None else f", {self.count}"
        return f"{self.statistic}({self.series}{rest})"

    @classmethod
    def parse(cls, text: str) -> "Number":
        """Back from its text.

        Raises:
            ValueError: It is none.
        """
        match = re.fullmatch(r"\s*(\w+)\(\s*([^,()]+?)\s*(?:,\s*(\d{1,18})\s*)?\)\s*", text)
        if match is None:
            raise ValueError(f"{text!r} is no number of a run; write last(train_loss) or mean(train_loss, 20)")
        statistic, series, count = match.groups()
        return cls(series, statistic, None if count is None else int(count))

    def of(self, step: NDArray[np.int64], value: np.ndarray) -> float:
        """The number, from steps (T,) and values (T,); NaN where it is not defined."""
        if not len(step):
            return math.nan
        if self.statistic in ("first", "last"):
            return float(value[0 if self.statistic == "first" else -1])
        if self.statistic == "at":
            row = int(np.searchsorted(step, self.count or 0, side="right")) - 1
            return float(value[row]) if row >= 0 else math.nan
        if self.statistic == "mean":
            return float(np.mean(value[-max(self.count or 1, 1) :], dtype=float))
        pick = np.fmin if self.statistic == "min" else np.fmax
        return float(pick.reduce(value))


def number_of(run: _Source, number: Number) -> float | None:
    """The number of a run; None where it has no such scalar series."""
    try:
        step, value = run.series(number.series)
    except KeyError:
        return None
    return number.of(step, value) if value.ndim == 1 and value.dtype.kind in "biuf" else None
