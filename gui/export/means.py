"""Runs that differ only in their seeds as one source: their mean, or median, and how far they lie apart."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from lab.stream import Rows

SEEDS = ("seed", "data_seed", "init_seed", "order_seed")
Spread = Literal["sd", "se", "quantiles", "min-max"]
WORDS: dict[str, tuple[str, str]] = {
    "sd": ("mean", "one standard deviation"),
    "se": ("mean", "one standard error of the mean"),
    "quantiles": ("median", "the middle half of the runs"),
    "min-max": ("mean", "all runs, from the smallest to the largest"),
}
"""What the line and the band of each kind show."""


def groups(configs: Sequence[Any]) -> list[list[int]]:
    """Places of the configs that are alike but for their seeds, in order of their first."""
    found: dict[str, list[int]] = {}
    for place, config in enumerate(configs):
        found.setdefault(repr(sorted(without_seeds(config).items())), []).append(place)
    return list(found.values())


def without_seeds(config: Any) -> dict[str, Any]:
    """The knobs that are no seeds."""
    return {name: value for name, value in config.model_dump().items() if name not in SEEDS}


class Mean:
    """Several runs as one source, over the steps that all of them reached.

    Runs that read a series at other steps than their siblings are interpolated linearly to the steps of all.

    Attributes:
        members: The runs.
    """

    def __init__(self, members: Sequence[Any], spread: Spread) -> None:
        self.members, self._spread = list(members), spread

    def names(self) -> list[str]:
        first, *others = (source.names() for source in self.members)
        return [name for name in first if all(name in other for other in others)]

    def attrs(self, name: str) -> Mapping[str, str]:
        return self.members[0].attrs(name)

    def events(self, start: int = 0) -> list[Any]:
        """None: what happened to one of the runs did not happen to all."""
        return []

    def series(self, name: str, start: int = 0) -> Rows:
        step, values = self._values(name)
        middle = np.median(values, axis=0) if self._spread == "quantiles" else np.mean(values, axis=0)
        return step[start:], middle[start:]

    def edges(self, name: str, column: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Lower and upper edge of the band (T,) of a series, or of one column of a vector series; None for one run."""
        _, values = self._values(name)
        values = values.reshape(*values.shape[:2], -1)[:, :, column]
        if len(values) < 2:
            return None
        if self._spread == "min-max":
            return values.min(axis=0), values.max(axis=0)
        if self._spread == "quantiles":
            low, high = np.quantile(values, (0.25, 0.75), axis=0)
            return low, high
        # the sample's deviation: n - 1, for a handful of seeds is no whole population
        reach = values.std(axis=0, ddof=1) / (np.sqrt(len(values)) if self._spread == "se" else 1.0)
        return values.mean(axis=0) - reach, values.mean(axis=0) + reach

    @functools.cache  # noqa: B019 - lives as long as the figure is drawn
    def _values(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Common steps (T,) and values (runs, T, ...)."""
        rows = [source.series(name) for source in self.members]
        step = functools.reduce(np.union1d, [row[0] for row in rows])
        step = step[(step >= max(row[0][0] for row in rows)) & (step <= min(row[0][-1] for row in rows))]
        return step, np.stack([_at(step, *row) for row in rows])


def _at(step: np.ndarray, read: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Values (S, ...) at the wanted steps (S,), of readings at steps (T,) with values (T, ...)."""
    value = np.asarray(value, float)
    place = np.searchsorted(read, step).clip(0, len(read) - 1)
    if np.array_equal(read[place], step):
        return value[place]
    columns = value.reshape(len(read), -1).T
    return np.stack([np.interp(step, read, column) for column in columns], axis=1).reshape(len(step), *value.shape[1:])
