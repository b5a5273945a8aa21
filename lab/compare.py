"""Several runs on one axis, and many lines as one with a band. Numpy only; no window, no files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lab.stream import Event, Source, rising

Floats = NDArray[np.float64]
Band = Literal["SD", "SE", "quartiles", "10-90 %", "5-95 %", "2.5-97.5 %", "min-max", "all lines"]
BANDS: tuple[Band, ...] = get_args(Band)
QUANTILES: Mapping[str, tuple[float, float]] = {
    "quartiles": (0.25, 0.75),
    "10-90 %": (0.1, 0.9),
    "5-95 %": (0.05, 0.95),
    "2.5-97.5 %": (0.025, 0.975),
}
"""Bands between two quantiles, interpolated between the runs; their line is the median."""
MOST_POINTS = 4000
"""Points of a common axis, beyond which rows are put together in bins."""
BATCH_KNOBS, SAMPLE_KNOBS = ("batch_size", "batch"), ("samples", "train_samples", "n_train")


@dataclass(frozen=True)
class Along:
    """What the runs are laid along.

    Attributes:
        kind: "step"; "epoch"; "time" in seconds that the run went on; "series" against the value of one; "event" in
            steps since the first event of a kind.
        name: The series, or the kind of event.
    """

    kind: Literal["step", "epoch", "time", "series", "event"] = "step"
    name: str = ""

    @property
    def common(self) -> bool:
        """Whether runs meet at the same places of the axis, so that their rows there are subtracted."""
        return self.kind in ("step", "epoch", "event")

    @property
    def label(self) -> str:
        """What the axis is called."""
        if self.kind == "event":
            return f"steps since the first {self.name}"
        return {"time": "time (s)", "series": self.name.replace("_", " ")}.get(self.kind, self.kind)


class NotAligned(ValueError):
    """A run has nothing to be laid along the axis by; the message says what is missing."""


def laid_along(along: Along, step: NDArray[np.int64], run: Source, config: Mapping[str, Any]) -> Floats:
    """Abscissa (T,) of rows that were recorded at ``step`` (T,).

    Raises:
        NotAligned: The run recorded no such series, event, epoch or clock.
    """
    if along.kind == "event":
        first = next((e["step"] for e in sorted(run.events(), key=_step) if e["kind"] == along.name), None)
        if first is None:
            raise NotAligned(f"no event {along.name}")
        return step.astype(float) - first
    if along.kind == "epoch" and "epoch" not in run.names():
        return np.multiply(step, _epochs_a_step(config), dtype=np.float64)
    if along.kind in ("series", "epoch"):
        name = along.name if along.kind == "series" else "epoch"
        try:
            at, value = run.series(name)
        except KeyError:
            raise NotAligned(f"no series {name}") from None
        if value.ndim != 1 or not len(at):
            raise NotAligned(f"{name} is no scalar series")
        return np.interp(step, at, value, left=np.nan, right=np.nan)
    if along.kind == "time":
        return np.interp(step, *_elapsed(run))
    return step.astype(float)


class Laid:
    """A run whose rows lie along something else than its steps.

    Args:
        source: Its rows.
        along: What.
        config: Its knobs.
        place: What says where they lie, where that is another source.
    """

    def __init__(self, source: Source, along: Along, config: Mapping[str, Any], *, place: Source | None = None) -> None:
        self.source, self._along, self._config = source, along, config
        self._place = source if place is None else place

    def names(self) -> list[str]:
        return self.source.names()

    def attrs(self, name: str) -> Mapping[str, str]:
        return self.source.attrs(name)

    def series(self, name: str, start: int = 0) -> tuple[Any, NDArray[Any]]:
        """Places on the axis (T,) and values (T, ...); NotAligned where there are none."""
        step, value = self.source.series(name)
        holding = rising(step)
        x = self._x(step[holding])
        there = np.isfinite(x)
        return x[there][start:], value[holding][there][start:]

    def events(self, start: int = 0) -> list[Any]:
        events = self.source.events(start)
        x = self._x(np.array([event["step"] for event in events], np.int64))
        return [{**event, "step": at} for event, at in zip(events, x.tolist(), strict=True) if np.isfinite(at)]

    def _x(self, step: NDArray[np.int64]) -> Floats:
        return laid_along(self._along, step, self._place, self._config)


def _step(event: Event) -> int:
    return event["step"]


def _epochs_a_step(config: Mapping[str, Any]) -> float:
    batch = next((config[name] for name in BATCH_KNOBS if config.get(name)), None)
    samples = next((config[name] for name in SAMPLE_KNOBS if config.get(name)), None)
    if not isinstance(batch, int | float) or not isinstance(samples, int | float):
        raise NotAligned("no series epoch, and no batch and sample size to tell it by")
    return batch / samples


def _elapsed(run: Source) -> tuple[Floats, Floats]:
    """Steps and the seconds that the run had gone on by then; time between sessions does not count."""
    clock: Callable[[], tuple[np.ndarray, np.ndarray]] | None = getattr(run, "clock", None)
    step, at = clock() if clock is not None else (np.empty(0), np.empty(0))
    if len(step) < 2:
        raise NotAligned("no clock was recorded")
    rises = np.diff(step) > 0
    seconds = np.concatenate([[0.0], np.cumsum(np.where(rises, np.diff(at), 0.0))])
    kept = np.concatenate([[True], rises])
    return step[kept].astype(float), seconds[kept]


@dataclass(frozen=True)
class Summary:
    """Several lines as one.

    Attributes:
        x: Common abscissae (G,).
        centre: Mean, or median for quantiles, (G,).
        low, high: The band (G,); equal to the centre where one run is left.
        count: Runs that have a value there, (G,).
    """

    x: Floats
    centre: Floats
    low: Floats
    high: Floats
    count: NDArray[np.int64]


def summary(lines: Sequence[tuple[Floats, Floats]], band: Band, *, log: bool = False) -> Summary:
    """Mean and band of lines ``(x, y)``, each with rising x.

    Lines of equal x are reduced row by row. Others are read on the union of their x, between their rows on a straight
    line and beyond their ends not at all. Where the union has more than :data:`MOST_POINTS` points, rows are put
    together in as many bins: each line's mean goes into the centre, its extremes into the min-max band, so that no
    spike is lost there.

    Args:
        lines: At least one; NaN counts as missing.
        band: SD (n - 1), SE, quantiles around the median, min-max; "all lines" has the mean alone.
        log: Means of logarithms, as a logarithmic axis shows them: centre and band are then geometric; values that are
            not positive count as missing.
    """
    x, values, lows, highs = _on_common_axis(lines)
    if log:
        values, lows, highs = (np.where(part > 0, part, np.nan) for part in (values, lows, highs))
        values = np.log(values)
    there = np.isfinite(values)
    count = there.sum(axis=0)
    values = np.where(there, values, np.nan)
    filled = count > 0
    centre, low, high = (np.full(len(x), np.nan) for _ in range(3))
    some = values[:, filled]
    centre[filled] = np.nanmedian(some, axis=0) if band in QUANTILES else np.nanmean(some, axis=0)
    if band in QUANTILES:
        low[filled], high[filled] = np.nanquantile(some, QUANTILES[band], axis=0)
    elif band == "min-max":
        low[filled], high[filled] = np.nanmin(lows[:, filled], axis=0), np.nanmax(highs[:, filled], axis=0)
    elif band == "all lines":
        low, high = centre.copy(), centre.copy()
    else:
        freedom = np.maximum(count[filled] - 1, 1)
        spread = np.sqrt(np.nansum((some - centre[filled]) ** 2, axis=0) / freedom)
        spread = spread / np.sqrt(count[filled]) if band == "SE" else spread
        low[filled], high[filled] = centre[filled] - spread, centre[filled] + spread
    if log:
        centre = np.exp(centre)
        low, high = (low, high) if band == "min-max" else (np.exp(low), np.exp(high))
    return Summary(x, centre, low, high, count)


def _on_common_axis(lines: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats, Floats, Floats]:
    """Common x (G,), and values, minima and maxima (lines, G)."""
    first = lines[0][0]
    if len(first) <= MOST_POINTS and all(np.array_equal(first, x) for x, _ in lines[1:]):
        values = np.stack([y for _, y in lines]).astype(float)
        return first, values, values, values
    apart = [first, *(x for x, _ in lines[1:] if not np.array_equal(first, x))]
    places = [x[np.isfinite(x)] for x in apart]
    if max(map(len, places)) <= MOST_POINTS:  # else there is no need to know them all, which would take the longest
        union = np.unique(np.concatenate(places))
        if len(union) <= MOST_POINTS:
            values = np.stack([np.interp(union, x, y, left=np.nan, right=np.nan) for x, y in lines])
            return union, values, values, values
    ends = [end for x in places if len(x) for end in (x[0], x[-1])]
    edges = np.linspace(min(ends), np.nextafter(max(ends), np.inf), MOST_POINTS + 1)
    parts = [_binned(x, y, edges) for x, y in lines]
    values, lows, highs = np.stack(parts, axis=1)
    return (edges[:-1] + edges[1:]) / 2, values, lows, highs


def _binned(x: Floats, y: Floats, edges: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, minimum and maximum (G,) of a line's rows in each bin; between rows that are far apart, a straight line."""
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = x[kept], y[kept]
    place = np.searchsorted(edges, x, side="right") - 1
    middle = (edges[:-1] + edges[1:]) / 2
    if not len(x):
        nothing = np.full(len(middle), np.nan)
        return nothing, nothing, nothing
    mean = np.interp(middle, x, y, left=np.nan, right=np.nan)
    low, high = mean.copy(), mean.copy()
    bins, starts, sizes = np.unique(place, return_index=True, return_counts=True)
    mean[bins] = np.add.reduceat(y, starts) / sizes
    low[bins], high[bins] = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    return mean, low, high
