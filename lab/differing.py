"""What tells runs apart: settings that differ, groups, places in a colour map, one run minus another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.stream import Event, Rows, Source, rising, row_of, steps_of
from lab.views import Table, View

SEEDS = ("seed", "data_seed", "init_seed", "order_seed")
ABSENT = "\N{EN DASH}"
"""Stands for a knob that a run does not have."""


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted names."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def differences(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Dotted names of settings that differ, each with its value in every config; ``ABSENT`` where there is none."""
    flats = [flat(config) for config in configs]
    names = dict.fromkeys(name for config in flats for name in config)
    table = {name: [config.get(name, ABSENT) for config in flats] for name in names}
    return {name: values for name, values in table.items() if any(not _same(values[0], v) for v in values[1:])}


def _same(one: Any, other: Any) -> bool:
    return one == other or (one != one and other != other)


def told_apart(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Knobs that tell the runs apart, those with most values first, seeds last."""
    found = differences(configs)
    counts = {name: len({repr(value) for value in values}) for name, values in found.items()}
    return sorted(found, key=lambda name: (name in SEEDS, -counts[name]))


def grouped(configs: Sequence[Mapping[str, Any]], by: Iterable[str]) -> dict[tuple[Any, ...], list[int]]:
    """Numbers of the runs that have equal values of these knobs, in the order of their first runs."""
    names = list(by)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, config in enumerate(configs):
        values = flat(config)
        key = tuple(_hashable(values.get(name, ABSENT)) for name in names)
        groups.setdefault(key, []).append(number)
    return groups


def rank(value: Any) -> tuple[int, float, str]:
    """To sort settings by: numbers by their size, then words, then runs that have no such knob."""
    if isinstance(value, int | float):
        return 0, float(value), ""
    return (2 if value in (ABSENT, None) else 1), 0.0, str(value)


def over_seeds(configs: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Runs that differ in nothing but their seeds, together."""
    return list(grouped(configs, [name for name in differences(configs) if name not in SEEDS]).values())


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Places:
    """Where runs stand in a colour map.

    Attributes:
        continuous: Whether ``place`` is 0 to 1 along a sequential map; else it counts categories from 0.
        place: One for each run; NaN where the run does not have the knob.
        values: The categories in order, or the ends of the map.
        log: Whether places go by ratio.
    """

    continuous: bool
    place: NDArray[np.float64]
    values: tuple[Any, ...]
    log: bool = False


def places(values: Sequence[Any]) -> Places:
    """Numbers of three or more values go along a sequential map, by ratio where they span a decade; others count."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)]
    distinct = sorted(set(numbers))
    if len(distinct) >= 3 and len(numbers) == sum(v not in (ABSENT, None) for v in values):
        low, high = distinct[0], distinct[-1]
        log = low > 0 and high >= 10 * low
        scale = math.log if log else float
        span = scale(high) - scale(low)
        place = [(scale(v) - scale(low)) / span if v in distinct else math.nan for v in values]
        return Places(True, np.array(place), (low, high), log)
    keys = [_hashable(value) for value in values]
    order = list(
        dict.fromkeys(sorted(keys, key=lambda key: (isinstance(key, str), str(key)) if key != ABSENT else (2, "")))
    )
    if all(isinstance(key, int | float) for key in order):
        order.sort()
    return Places(False, np.array([float(order.index(key)) for key in keys]), tuple(order))


class Difference:
    """One run minus another at the steps that both recorded: a source, so every view can show it.

    Args:
        run: From this one is subtracted; the difference lies where it does along any axis.
        reference: What is subtracted.
        places: Series that say where values stand; they are the run's own.
    """

    def __init__(self, run: Source, reference: Source, places: Iterable[str] = ()) -> None:
        self.run, self._reference, self._places = run, reference, {*places}

    def names(self) -> list[str]:
        others = set(self._reference.names())
        return [name for name in self.run.names() if name in others]

    def attrs(self, name: str) -> Mapping[str, str]:
        attrs = dict(self.run.attrs(name))
        if name in self._places:
            return attrs
        return attrs | {
            key: f"\N{GREEK CAPITAL LETTER DELTA}{attrs[key]}" for key in ("symbol", "label") if attrs.get(key)
        }

    def series(self, name: str, start: int = 0) -> Rows:
        """Steps (T,) and differences (T, ...); KeyError where one has no such series or the shapes differ."""
        if name in self._places:
            return self.run.series(name, start)
        step, rows, others = self._matched(name)
        _, value = self.run.series(name)
        _, reference = self._reference.series(name)
        if value.shape[1:] != reference.shape[1:]:
            raise KeyError(name)
        kept = slice(start, None)
        return step[kept], value[rows[kept]].astype(float) - reference[others[kept]].astype(float)

    def row(self, name: str, index: int) -> NDArray[np.float64]:
        """The values (...) of one row, without reading the others."""
        if name in self._places:
            return np.asarray(row_of(self.run, name, index), float)
        _, rows, others = self._matched(name)
        value = np.asarray(row_of(self.run, name, int(rows[index])), float)
        reference = np.asarray(row_of(self._reference, name, int(others[index])), float)
        if value.shape != reference.shape:
            raise KeyError(name)
        return value - reference

    def steps(self, name: str, start: int = 0) -> NDArray[np.int64]:
        return steps_of(self.run, name, start) if name in self._places else self._matched(name)[0][start:]

    def events(self, start: int = 0) -> list[Event]:
        return self.run.events(start)

    def _matched(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Common steps, and the rows of both runs that hold them."""
        (one, rows), (other, others) = (_holding(steps_of(source, name)) for source in (self.run, self._reference))
        step, at, beside = np.intersect1d(one, other, assume_unique=True, return_indices=True)
        return step, rows[at], others[beside]


def _holding(step: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Steps, rising, and the rows that hold them: a run that went back takes steps again, and the later row holds."""
    rows = np.flatnonzero(rising(step))
    return step[rows], rows


def difference_view(spec: View) -> View:
    """How the difference of two runs is shown: linear, without thresholds and ways, colours around zero."""
    plain: dict[str, Any] = {"y_log": False, "z_log": False, "floor": None, "lines": (), "guides": (), "z_range": None}
    plain |= {"centre": 0.0, "contours": (), "trajectory": None, "outside": None, "order": None, "marks": None}
    plain |= {"y_range": None, "initial": False}
    if isinstance(spec, Table):
        plain["rows"] = tuple(replace(row, expected=None) for row in spec.rows)
    there = {field.name for field in fields(spec)}
    return replace(spec, **{name: value for name, value in plain.items() if name in there})


def on_common_scale(spec: View, sources: Sequence[Source]) -> View:
    """The view with one range of colours for all sources, where it has colours and leaves their range open."""
    if not hasattr(spec, "z_range") or getattr(spec, "z_range", None) is not None:
        return spec
    log = bool(getattr(spec, "z_log", False))
    ends = [end for source in sources for end in _ends(source, spec.names[0], positive=log)]
    if not ends:
        return spec
    low, high = min(ends), max(ends)
    centre = getattr(spec, "centre", None)
    if centre is not None and not log:
        reach = max(abs(high - centre), abs(low - centre))
        low, high = centre - reach, centre + reach
    changes: dict[str, Any] = {"z_range": (low, high)} if high > low else {}
    return replace(spec, **changes)


def _ends(source: Source, name: str, *, positive: bool) -> list[float]:
    """Least and largest value, above 0 where ``positive``, of the first row, the last, and some between."""
    try:
        count = len(steps_of(source, name))
        picked = np.unique(np.linspace(0, count - 1, min(count, 12)).astype(int))
        rows = [np.asarray(row_of(source, name, int(row)), float) for row in picked]
    except (KeyError, IndexError):
        return []
    usable = [row[np.isfinite(row) & ((row > 0) | (not positive))] for row in rows]
    return [float(end) for row in usable if row.size for end in (row.min(), row.max())]
