"""One run minus another as an open run, so that every view can show the difference; and fields on a common scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from gui.compare.members import Member
from gui.open_run import OpenRun
from lab.differing import Difference
from lab.stream import Source, row_of, steps_of
from lab.verdict import Verdict
from lab.views import View


class DifferenceRun(OpenRun):
    """A run minus the reference, at the steps that both recorded."""

    def __init__(self, run: Member, reference: Member) -> None:
        super().__init__()
        self.experiment, self.config = run.experiment, run.config
        self.source = Difference(run.source, reference.source)
        self.header, self.path, self.state = dict(run.header), run.path, "finished"

    @property
    def step(self) -> int:
        return max((int(steps_of(self.source, name)[-1:].max(initial=0)) for name in self.source.names()), default=0)

    @property
    def steps(self) -> int:
        return self.step

    def checkpoints(self) -> list[int]:
        return []

    def verdict(self) -> Verdict | None:
        return None


def difference_spec(spec: View) -> View:
    """The view of a difference: linear, without thresholds, colours around zero."""
    plain = {"y_log": False, "z_log": False, "floor": None, "lines": (), "guides": (), "z_range": None, "centre": 0.0}
    there = {field.name for field in fields(spec)}
    return replace(spec, **{name: value for name, value in plain.items() if name in there})


def on_common_scale(spec: View, sources: Sequence[Source]) -> View:
    """The view with one range of colours for all sources, where it has colours and leaves their range open."""
    if not hasattr(spec, "z_range") or getattr(spec, "z_range", None) is not None:
        return spec
    name = spec.names[0]
    ends = [end for source in sources for end in _ends(source, name)]
    if not ends:
        return spec
    low, high = min(ends), max(ends)
    if getattr(spec, "z_log", False) and low <= 0:
        return spec
    centre = getattr(spec, "centre", None)
    if centre is not None:
        reach = max(abs(high - centre), abs(low - centre))
        low, high = centre - reach, centre + reach
    changes = {"z_range": (low, high)} if high > low else {}
    return replace(spec, **changes)


def _ends(source: Source, name: str) -> list[float]:
    """Least and largest value of some rows over the run: the first, the last, and those between."""
    try:
        count = len(steps_of(source, name))
        picked = np.unique(np.linspace(0, count - 1, min(count, 12)).astype(int))
        rows = [row_of(source, name, int(row)) for row in picked]
    except KeyError:
        return []
    finite = [row[np.isfinite(row)] for row in rows]
    return [float(end) for row in finite if row.size for end in (row.min(), row.max())]
