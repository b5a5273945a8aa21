"""View specs: how series are shown, as data. The window draws them with pyqtgraph and a figure with matplotlib.

A new view is one class here, one widget in gui/views and one line in that folder's table.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Line:
    """A horizontal reference line, for example 2/η. ``value`` may depend on the config in force."""

    label: str
    value: float | Callable[[Any], float]

    def at(self, config: Any) -> float:
        return float(self.value(config) if callable(self.value) else self.value)


@dataclass(frozen=True)
class View:
    """What every view has: a title, and a sentence that says what to look for."""

    title: str = field(kw_only=True)
    help: str = field(default="", kw_only=True)

    @property
    def id(self) -> str:
        """Name of the view on the command line and in saved layouts."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    @property
    def names(self) -> tuple[str, ...]:
        """Every series the view needs."""
        value = getattr(self, "series", ())
        return (value,) if isinstance(value, str) else tuple(value)


@dataclass(frozen=True)
class Curves(View):
    """Scalar series against the step.

    Attributes:
        series: Names of scalar series (T,); a vector series (T, k) draws k lines.
        y_label: Symbol and unit.
        y_log: True logarithmic axis; values at or below ``floor`` are drawn on it.
        floor: Smallest value a logarithmic axis shows.
        lines: Reference lines.
        events: Kinds of event that get a mark; None for all.
        guides: Straight guides drawn over the data, each a named function (config, source) -> (steps, values) or None.
    """

    series: tuple[str, ...]
    y_label: str = field(default="", kw_only=True)
    x_label: str = field(default="step", kw_only=True)
    y_log: bool = field(default=False, kw_only=True)
    x_log: bool = field(default=False, kw_only=True)
    floor: float | None = field(default=None, kw_only=True)
    lines: tuple[Line, ...] = field(default=(), kw_only=True)
    events: tuple[str, ...] | None = field(default=None, kw_only=True)
    guides: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Stage:
    """One stage of a ribbon: its number is its place in ``Ribbon.stages``, counted from 1; 0 means none."""

    label: str
    help: str = ""


@dataclass(frozen=True)
class Ribbon(View):
    """A strip along the step axis whose colour says which stage the run is in.

    Attributes:
        series: Integer series (T,), 0 for no stage, else the stage's number.
        stages: Labels in order.
    """

    series: str
    stages: tuple[Stage, ...] = field(kw_only=True)


@dataclass(frozen=True)
class Trace(View):
    """One scalar series against another, coloured by step: a phase plot.

    Attributes:
        x: Series on the horizontal axis (T,).
        y: Series on the vertical axis (T,); rows are matched by step.
    """

    x: str
    y: str
    x_label: str = field(default="", kw_only=True)
    y_label: str = field(default="", kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.x, self.y)
