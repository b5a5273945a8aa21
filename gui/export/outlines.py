"""Views of one moment of many runs: shapes of each, or a mean with its band, for the window and for paper. No Qt.

A kind of view comes in by one function in the table at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gui.export.parts import edges_of_bins, first_value, matched, value_at
from lab.compare import Band, summary
from lab.naming import symbol
from lab.stream import Source, steps_of
from lab.views import Bars, Distribution, Profile, Scatter, Trace

Floats = NDArray[np.float64]
Form = Literal["line", "way", "dots", "bars"]


@dataclass(frozen=True)
class Shape:
    """Points (K,) of one series of one run: a line whose places rise, a way that may turn back, dots or bars."""

    series: str
    x: Floats
    y: Floats
    form: Form = "line"


@dataclass(frozen=True)
class Moment:
    """A run at a step; None stands for its newest rows."""

    source: Source
    step: int | None


@dataclass(frozen=True)
class Outline:
    """A group's shape.

    Attributes:
        group: Number of the group.
        symbol: What the series is called.
        low, high: The band (K,); None without one.
        single: The runs' own shapes behind their mean, where all lines are asked for.
        count: Runs behind it.
    """

    group: int
    symbol: str
    shape: Shape
    low: Floats | None = None
    high: Floats | None = None
    single: Sequence[Shape] = field(default=())
    count: int = 1


@dataclass(frozen=True)
class Outlines:
    """Shapes of all groups, and what is needed to read them at another moment."""

    spec: Any
    sources: Sequence[Source]
    groups: Sequence[Sequence[int]]
    band: str
    shapes: Sequence[Outline]

    def at(self, steps: Sequence[int | None]) -> Outlines:
        """The same at a step of each run."""
        return outlines(self.spec, self.sources, self.groups, self.band, steps)


def outlines(
    spec: Any,
    sources: Sequence[Source],
    groups: Sequence[Sequence[int]],
    band: str,
    steps: Sequence[int | None] = (),
) -> Outlines:
    """Read a view of one moment.

    Args:
        spec: The view.
        sources: All runs.
        groups: Numbers of the runs that become one shape each.
        band: How; empty where each run has its own.
        steps: Where each run stands; its newest rows where none is given.
    """
    moments = [Moment(source, step) for source, step in zip(sources, steps or [None] * len(sources), strict=True)]
    drawn = SHAPES[type(spec)](spec, moments)
    found = []
    for number, group in enumerate(groups):
        by_series: dict[str, list[Shape]] = {}
        for member in group:
            for shape in drawn[member]:
                by_series.setdefault(shape.series, []).append(shape)
        for series, shapes in by_series.items():
            name = symbol(moments[group[0]].source, series)
            found.append(_together(number, name, shapes, band, log=getattr(spec, "y_log", False)))
    return Outlines(spec, sources, groups, band, found)


def _together(group: int, name: str, shapes: Sequence[Shape], band: str, *, log: bool) -> Outline:
    first = shapes[0]
    if len(shapes) == 1:
        return Outline(group, name, first)
    if not band or first.form in ("way", "dots"):
        gap = np.full(1, np.nan)
        x, y = (np.concatenate([part for pair in pairs for part in (pair, gap)])
                for pairs in ([s.x for s in shapes], [s.y for s in shapes]))  # fmt: skip
        return Outline(group, name, Shape(first.series, x, y, first.form), count=len(shapes))
    kind: Band = band  # pyright: ignore[reportAssignmentType]  # one of BANDS: a recipe is checked when it is read
    found = summary([(shape.x, shape.y) for shape in shapes], kind, log=log and first.form == "line")
    middle = Shape(first.series, found.x, found.centre, first.form)
    if band == "all lines":
        return Outline(group, name, middle, single=shapes, count=len(shapes))
    return Outline(group, name, middle, found.low, found.high, count=len(shapes))


def shared(found: Sequence[Outline]) -> set[str]:
    """Series that are the same in every group, such as a target."""
    groups = {outline.group for outline in found}
    same = set()
    for series in {outline.shape.series for outline in found}:
        own = [outline.shape for outline in found if outline.shape.series == series]
        if len(own) == len(groups) > 1 and all(_equal(own[0], other) for other in own[1:]):
            same.add(series)
    return same


def _equal(one: Shape, other: Shape) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in ((one.x, other.x), (one.y, other.y)))


def _profile(spec: Profile, moments: Sequence[Moment]) -> list[list[Shape]]:
    found = []
    for moment in moments:
        x = value_at(moment, spec.x)
        shapes = []
        for name in spec.series if x is not None else ():
            once = name in moment.source.names() and len(steps_of(moment.source, name)) == 1
            y = first_value(moment, name) if once else value_at(moment, name)  # a target is recorded once
            if x is not None and y is not None and x.shape == y.shape:
                order = np.argsort(x, kind="stable")
                shapes.append(Shape(name, x[order], y[order], "dots" if name in spec.points else "line"))
        found.append(shapes)
    return found


def _distribution(spec: Distribution, moments: Sequence[Moment]) -> list[list[Shape]]:
    """Densities over their grids; of samples histograms over bins that all runs share."""
    values = [value_at(moment, spec.series) for moment in moments]
    if spec.grid is not None:
        grids = [value_at(moment, spec.grid) for moment in moments]
        pairs = zip(grids, values, strict=True)
        return [[Shape(spec.series, *_sorted(x, y))] if x is not None and y is not None else [] for x, y in pairs]
    there = [value for value in values if value is not None]
    edges = edges_of_bins(np.concatenate(there), spec) if there else np.empty(1)
    x = np.repeat(edges, 2)[1:-1]  # a histogram's outline goes along every bin
    heights = [None if v is None else np.histogram(v[np.isfinite(v)], edges)[0].astype(float) for v in values]
    return [[] if h is None else [Shape(spec.series, x, np.repeat(h, 2))] for h in heights]


def _sorted(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def _scatter(spec: Scatter, moments: Sequence[Moment]) -> list[list[Shape]]:
    pairs = [(value_at(moment, spec.x), value_at(moment, spec.y)) for moment in moments]
    there = [(x, y) if x is not None and y is not None and x.shape == y.shape else None for x, y in pairs]
    return [[] if pair is None else [Shape(spec.y, np.ravel(pair[0]), np.ravel(pair[1]), "dots")] for pair in there]


def _trace(spec: Trace, moments: Sequence[Moment]) -> list[list[Shape]]:
    """The way up to the step, with a dot where it has come to."""
    found = []
    for moment in moments:
        if not {spec.x, spec.y} <= set(moment.source.names()):
            found.append([])
            continue
        step, x, y = matched(moment.source, spec.x, spec.y)
        stop = len(step) if moment.step is None else int(np.searchsorted(step, moment.step, side="right"))
        x, y = (np.asarray(part, float)[:stop] for part in (x, y))
        found.append([Shape(spec.y, x, y, "way"), Shape(spec.x, x[-1:], y[-1:], "dots")])
    return found


def _bars(spec: Bars, moments: Sequence[Moment]) -> list[list[Shape]]:
    values = [value_at(moment, spec.series) for moment in moments]
    return [
        []
        if value is None
        else [Shape(spec.series, np.arange(value.size, dtype=np.float64) + 0.5, np.ravel(value), "bars")]
        for value in values
    ]


SHAPES: Mapping[type, Callable[[Any, Sequence[Moment]], list[list[Shape]]]] = {
    Profile: _profile,
    Distribution: _distribution,
    Scatter: _scatter,
    Trace: _trace,
    Bars: _bars,
}
"""For each kind of view the shapes of every run."""
