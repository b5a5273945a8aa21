"""Runs that differ only in their seeds as one source: their mean, or median, and how far they lie apart."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lab.compare import QUANTILES, Band, Summary, summary
from lab.views import Bars, Curves, Distribution, Profile, Scatter, Table, Trace, View

SEEDS = ("seed", "data_seed", "init_seed", "order_seed")
WORDS: dict[str, tuple[str, str]] = {
    "SD": ("mean", "one standard deviation"),
    "SE": ("mean", "one standard error of the mean"),
    **{
        band: ("median", f"the runs between their {100 * low:g} % and {100 * high:g} % quantiles")
        for band, (low, high) in QUANTILES.items()
    },
    "min-max": ("mean", "all runs, from the smallest to the largest"),
    "all lines": ("mean", "none; every run is a thin line"),
}
"""What the line and the band of each kind show."""
SUMMED_UP = (Curves, Profile, Bars, Distribution, Scatter, Trace, Table)


def summed_up(spec: View) -> bool:
    """Whether seeds are drawn together in a view; a mean of stages, or of fields cell by cell, means nothing."""
    return isinstance(spec, SUMMED_UP)


def groups(configs: Sequence[Any], done: Sequence[str]) -> list[list[int]]:
    """Places of the configs that are alike but for their seeds, in order of their first.

    Args:
        configs: One for each run.
        done: What tells their interventions apart.
    """
    found: dict[str, list[int]] = {}
    for place, (config, said) in enumerate(zip(configs, done, strict=True)):
        found.setdefault(repr((sorted(without_seeds(config).items()), said)), []).append(place)
    return list(found.values())


def without_seeds(config: Any) -> dict[str, Any]:
    """The knobs that are no seeds."""
    return {name: value for name, value in config.model_dump().items() if name not in SEEDS}


class Mean:
    """Several runs as one source, over the steps that all of them reached.

    Args:
        members: The runs.
        spread: What the band shows; views of one moment read the runs themselves, and sum up their shapes.
        log: Geometric mean and band, as they look on a logarithmic axis.
    """

    def __init__(self, members: Sequence[Any], spread: Band, *, log: bool = False) -> None:
        self.members, self.log = list(members), log
        self.spread: Band = spread
        self._summed: dict[str, list[Summary]] = {}

    def names(self) -> list[str]:
        """Series that all runs have."""
        return self._names

    @functools.cached_property
    def _names(self) -> list[str]:
        """A file counts the rows of each series to name them, hence once."""
        first, *others = (source.names() for source in self.members)
        return [name for name in first if all(name in other for other in others)]

    def attrs(self, name: str) -> Mapping[str, str]:
        return self.members[0].attrs(name)

    def events(self, start: int = 0) -> list[Any]:
        """None: what happened to one of the runs did not happen to all."""
        return []

    def series(self, name: str, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
        columns = self._columns(name)
        middle = np.stack([column.centre for column in columns], axis=1)
        scalar = self.members[0].series(name)[1].ndim == 1
        return columns[0].x[start:], (middle[:, 0] if scalar else middle)[start:]

    def edges(self, name: str, column: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Lower and upper edge of the band (T,) of a series, or of one column of a vector series; None for one run."""
        found = self._columns(name)[column]
        alone = len(self.members) < 2 or self.spread == "all lines"
        return None if alone else (found.low, found.high)

    def singles(self, name: str, column: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Every run's own line, where all lines are asked for."""
        if len(self.members) < 2 or self.spread != "all lines":
            return []
        read = [source.series(name) for source in self.members]
        return [(step, np.asarray(value, float).reshape(len(step), -1)[:, column]) for step, value in read]

    def _columns(self, name: str) -> list[Summary]:
        if name not in self._summed:
            self._summed[name] = self._sum_up(name)
        return self._summed[name]

    def _sum_up(self, name: str) -> list[Summary]:
        """Each column of the series, summed up where every run has a reading or lies between two."""
        read = [source.series(name) for source in self.members]
        rows = [(step.astype(float), np.asarray(value, float).reshape(len(step), -1)) for step, value in read]
        found = []
        for k in range(rows[0][1].shape[1]):
            one = summary([(step, value[:, k]) for step, value in rows], self.spread, log=self.log)
            begin, end = max(step[0] for step, _ in rows), min(step[-1] for step, _ in rows)
            kept = (one.x >= begin) & (one.x <= end)
            found.append(Summary(one.x[kept], one.centre[kept], one.low[kept], one.high[kept], one.count[kept]))
        return found
