"""View specs: how series are shown, as data. The window draws them with pyqtgraph and a figure with matplotlib.

A new view is one class here, one widget in gui/views and one line in that folder's table.
"""

import re
from collections.abc import Callable, Collection, Sequence
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
    """What every view has: a title, and a sentence that says what to look for.

    Attributes:
        title: What is shown.
        help: What to look for.
        primary: Open at first; the others wait in the page's list of views.
        when: Whether a run with this config records what the view shows; None for always.
        of: What a point, a row or a line stands for: neuron, frequency, layer, token. Views of a run that say the same
            word select together; empty for a selection of the view's own.
    """

    title: str = field(kw_only=True)
    help: str = field(default="", kw_only=True)
    primary: bool = field(default=True, kw_only=True)
    when: Callable[[Any], bool] | None = field(default=None, kw_only=True)
    of: str = field(default="", kw_only=True)

    def applies(self, config: Any) -> bool:
        """Whether the view has anything to show for a run of this config."""
        return self.when is None or bool(self.when(config))

    @property
    def id(self) -> str:
        """Name of the view on the command line and in saved layouts."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    @property
    def names(self) -> tuple[str, ...]:
        """Every series the view needs."""
        value = getattr(self, "series", ())
        return (value,) if isinstance(value, str) else tuple(value)

    @property
    def places(self) -> tuple[str, ...]:
        """Series that say where values stand, not what they are: the difference of two runs keeps them."""
        return ()

    @property
    def needed(self) -> tuple[str, ...]:
        """Series without any one of which nothing can be drawn; of the others one is enough."""
        value = getattr(self, "series", ())
        return (value,) if isinstance(value, str) else ()

    def shows(self, recorded: Collection[str]) -> bool:
        """Whether a run that recorded these series has something to show here."""
        rest = {*self.names} - {*self.needed}
        some = bool(self.needed) or not rest or not rest.isdisjoint(recorded)
        return some and all(name in recorded for name in self.needed)


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
        first: Number of the first line of a vector series among what ``of`` names: 1 where layer 0 has none. None: the
            lines are counted from 1, and it is the first one of its kind.
        each: What the lines of a vector series are called under a config, such as ``m = 100``; None counts them.
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
    first: int | None = field(default=None, kw_only=True)
    each: Callable[[Any], Sequence[str]] | None = field(default=None, kw_only=True)

    def called(self, symbol: str, line: int, config: Any) -> str:
        """What a line of a vector series is called: by itself, or else by the series' symbol and its number."""
        try:
            names = self.each(config) if self.each is not None else ()
        except AttributeError:  # knobs of another version of the experiment
            names = ()
        if line < len(names):
            return names[line]
        return f"{symbol} {line + (1 if self.first is None else self.first)}".strip()


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
    x_label: str = field(default="step", kw_only=True)


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

    @property
    def needed(self) -> tuple[str, ...]:
        return (self.x, self.y)


@dataclass(frozen=True)
class Heatmap(View):
    """A vector series over the step: frequency x step, layer x step.

    Attributes:
        series: Vector series (T, K).
        rows: Series (1, K) or (T, K) whose last row gives the coordinate of each row; None counts from 0.
        y_label: Name of the rows' coordinate.
        z_label: Symbol and unit of the colour.
        z_log: Logarithmic colour.
        z_range: Limits of the colour; None follows the data.
        centre: The meaningful middle of a diverging colour map; None for a sequential one.
        contours: Values drawn as contour lines.
    """

    series: str
    rows: str | None = field(default=None, kw_only=True)
    x_label: str = field(default="step", kw_only=True)
    y_label: str = field(default="", kw_only=True)
    z_label: str = field(default="", kw_only=True)
    x_log: bool = field(default=False, kw_only=True)
    z_log: bool = field(default=False, kw_only=True)
    z_range: tuple[float, float] | None = field(default=None, kw_only=True)
    centre: float | None = field(default=None, kw_only=True)
    contours: tuple[float, ...] = field(default=(), kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.series,) if self.rows is None else (self.series, self.rows)

    @property
    def places(self) -> tuple[str, ...]:
        return self.names[1:]


@dataclass(frozen=True)
class Matrix(View):
    """A matrix series at the slider's step: cosine similarity, attention, embeddings, a map over two knobs.

    Attributes:
        series: Matrix series (T, N, M).
        order: Series (T, N) of permutations that rows, and columns of a square matrix, can be shown in.
        rows: Series (1, N) or (T, N) whose last row gives the rows' coordinates; None counts from 0.
        columns: The same for the columns, (1, M) or (T, M).
        numbers: Series (T, N): which thing (neuron, ...) each row is, where the rows are a choice of them; None counts.
        marks: Series (1, N) or (T, N): the column coordinate at which each row gets a dash, such as a predicted size.
        contours: Values drawn as contour lines.
        labels: Texts of rows and columns; None counts.
        stages: What the cells' numbers 1, 2, ... stand for, in a ribbon's colours; empty where they are quantities.
    """

    series: str
    order: str | None = field(default=None, kw_only=True)
    rows: str | None = field(default=None, kw_only=True)
    columns: str | None = field(default=None, kw_only=True)
    numbers: str | None = field(default=None, kw_only=True)
    marks: str | None = field(default=None, kw_only=True)
    contours: tuple[float, ...] = field(default=(), kw_only=True)
    z_log: bool = field(default=False, kw_only=True)
    x_label: str = field(default="", kw_only=True)
    y_label: str = field(default="", kw_only=True)
    z_label: str = field(default="", kw_only=True)
    z_range: tuple[float, float] | None = field(default=None, kw_only=True)
    centre: float | None = field(default=None, kw_only=True)
    labels: tuple[str, ...] | None = field(default=None, kw_only=True)
    stages: tuple[Stage, ...] = field(default=(), kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(
            name for name in (self.series, self.order, self.rows, self.columns, self.numbers, self.marks) if name
        )

    @property
    def places(self) -> tuple[str, ...]:
        return self.names[1:]


@dataclass(frozen=True)
class Distribution(View):
    """A vector series as a distribution at the slider's step: histogram of samples, density on a grid, or eigenvalues.

    Attributes:
        series: Samples (T, K), or the density's values on ``grid``.
        grid: Series (T, K) of the density's abscissae; None makes a histogram of ``series``.
        initial: Also show the first row, pale.
        lines: Reference values on the horizontal axis.
    """

    series: str
    grid: str | None = field(default=None, kw_only=True)
    x_label: str = field(default="", kw_only=True)
    x_log: bool = field(default=False, kw_only=True)
    y_log: bool = field(default=False, kw_only=True)
    initial: bool = field(default=True, kw_only=True)
    bins: int = field(default=50, kw_only=True)
    lines: tuple[Line, ...] = field(default=(), kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.series,) if self.grid is None else (self.series, self.grid)

    @property
    def needed(self) -> tuple[str, ...]:
        return self.names

    @property
    def places(self) -> tuple[str, ...]:
        return self.names[1:]


@dataclass(frozen=True)
class Scatter(View):
    """Points at the slider's step: orientation and amplitude of neurons, two summary numbers of each.

    Attributes:
        x: Series (T, N).
        y: Series (T, N).
        colour: Series (T, N) that colours the points; None for one colour.
        initial: Also show the first row, in the theme's second colour.
        trails: Draw the way of every point up to the slider's step.
        polar: ``x`` is an angle in radians, ``y`` a radius.
    """

    x: str
    y: str
    colour: str | None = field(default=None, kw_only=True)
    x_label: str = field(default="", kw_only=True)
    y_label: str = field(default="", kw_only=True)
    x_log: bool = field(default=False, kw_only=True)
    y_log: bool = field(default=False, kw_only=True)
    initial: bool = field(default=True, kw_only=True)
    trails: bool = field(default=False, kw_only=True)
    polar: bool = field(default=False, kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.x, self.y) if self.colour is None else (self.x, self.y, self.colour)

    @property
    def needed(self) -> tuple[str, ...]:
        return (self.x, self.y)


@dataclass(frozen=True)
class Profile(View):
    """Functions of one variable at the slider's step: target, output, residual; spectra against frequency.

    Attributes:
        x: Series (1, K) or (T, K) of abscissae; its latest row at or before the slider's step holds.
        series: Series (T, K) drawn as lines; one with a single row stays as it is (a target).
        points: Which of ``series`` are drawn as dots (data).
    """

    x: str
    series: tuple[str, ...]
    points: tuple[str, ...] = field(default=(), kw_only=True)
    x_label: str = field(default="", kw_only=True)
    y_label: str = field(default="", kw_only=True)
    x_log: bool = field(default=False, kw_only=True)
    y_log: bool = field(default=False, kw_only=True)
    lines: tuple[Line, ...] = field(default=(), kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.x, *self.series)

    @property
    def needed(self) -> tuple[str, ...]:
        return (self.x,)

    def shows(self, recorded: Collection[str]) -> bool:
        return super().shows(recorded) and not {*self.series}.isdisjoint(recorded)

    @property
    def places(self) -> tuple[str, ...]:
        return (self.x,)


@dataclass(frozen=True)
class Bars(View):
    """A vector series as bars at the slider's step, for example an accuracy per masked edge.

    Attributes:
        series: Series (T, K).
        labels: One text a bar.
        lines: Reference values on the vertical axis.
    """

    series: str
    labels: tuple[str, ...] = field(kw_only=True)
    y_label: str = field(default="", kw_only=True)
    y_range: tuple[float, float] | None = field(default=None, kw_only=True)
    lines: tuple[Line, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class TableRow:
    """One number of a table: measured, and what theory says.

    Attributes:
        series: Scalar series; with ``index`` a vector series.
        expected: Closed form from the config; None where there is none.
    """

    label: str
    series: str
    index: int | None = None
    expected: Callable[[Any], float] | None = None


@dataclass(frozen=True)
class Table(View):
    """Numbers at the slider's step, closed forms beside measured ones."""

    rows: tuple[TableRow, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.series for row in self.rows))


@dataclass(frozen=True)
class Landscape(View):
    """A loss section at the slider's step, as a surface or as contours, with the trajectory in its plane.

    Attributes:
        series: Loss on the grid (T, n, m): first axis along the second direction, second along the first.
        x: Series (T, m): coordinates along the first direction.
        y: Series (T, n): coordinates along the second direction.
        trajectory: Series (T, 2) of the parameters' coordinates in the plane; None for none.
        outside: Scalar series: share of the movement outside the plane.
        z_range: Limits of the colour; None follows the data.
        centre: The meaningful middle of a diverging colour map; None for a sequential one.
    """

    series: str
    x: str = field(kw_only=True)
    y: str = field(kw_only=True)
    trajectory: str | None = field(default=None, kw_only=True)
    outside: str | None = field(default=None, kw_only=True)
    z_log: bool = field(default=True, kw_only=True)
    z_label: str = field(default="", kw_only=True)
    z_range: tuple[float, float] | None = field(default=None, kw_only=True)
    centre: float | None = field(default=None, kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.series, self.x, self.y, self.trajectory, self.outside) if name)

    @property
    def needed(self) -> tuple[str, ...]:
        return (self.series, self.x, self.y)

    @property
    def places(self) -> tuple[str, ...]:
        return (self.x, self.y)


@dataclass(frozen=True)
class FlowGraph(View):
    """Information flow between (layer, token) nodes at the slider's step; edges as wide as their weight.

    Attributes:
        series: Edge weights (T, layers, heads, target, source), 0 to 1 and beyond for causal effects.
        tokens: Series (T, n) of token numbers shown under the nodes.
        marks: Series (T, k) of positions to stress: anchor, key.
        mark_labels: One text for each mark.
        action: The experiment's action that masks an edge, or gives it back; None when edges cannot be masked.
        clear: The experiment's action that gives all masked edges back.
    """

    series: str
    tokens: str | None = field(default=None, kw_only=True)
    marks: str | None = field(default=None, kw_only=True)
    mark_labels: tuple[str, ...] = field(default=(), kw_only=True)
    action: str | None = field(default=None, kw_only=True)
    clear: str | None = field(default=None, kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.series, self.tokens, self.marks) if name)

    @property
    def places(self) -> tuple[str, ...]:
        return self.names[1:]


@dataclass(frozen=True)
class ImageGrid(View):
    """Small images at the slider's step: samples, filters.

    Attributes:
        series: Series (T, count, height, width).
        labels: Series (T, count) of numbers under the images.
    """

    series: str
    labels: str | None = field(default=None, kw_only=True)
    z_range: tuple[float, float] | None = field(default=None, kw_only=True)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.series,) if self.labels is None else (self.series, self.labels)

    @property
    def places(self) -> tuple[str, ...]:
        return self.names[1:]


@dataclass(frozen=True)
class PhaseDiagram(View):
    """A number of a study's runs over two knobs, averaged over seeds and whatever else differs.

    Attributes:
        number: Name of a scalar series, whose last value counts, or of a check of the verdict.
        x, y: Knobs; their axes are logarithmic where the knobs are.
        contours: Values drawn as contour lines; empty for three between the extremes.
        boundary: A curve from theory: its name, and y at values of x.
    """

    number: str
    x: str = field(kw_only=True)
    y: str = field(kw_only=True)
    z_label: str = field(default="", kw_only=True)
    z_range: tuple[float, float] | None = field(default=None, kw_only=True)
    centre: float | None = field(default=None, kw_only=True)
    contours: tuple[float, ...] = field(default=(), kw_only=True)
    boundary: tuple[str, Callable[[Any], Any]] | None = field(default=None, kw_only=True)

    @property
    def knobs(self) -> tuple[str, ...]:
        return self.x, self.y


@dataclass(frozen=True)
class StudyLine(View):
    """A number of a study's runs against one knob: the mean over seeds and whatever else differs, with its spread.

    Attributes:
        number: As of a phase diagram.
        x: Knob; its axis is logarithmic where the knob is.
        by: Knob whose values have a line each; empty: arms have.
        y_label: Symbol and unit; empty for the number's name.
        lines: Reference lines, of the first run's config.
    """

    number: str
    x: str = field(kw_only=True)
    by: str = field(default="", kw_only=True)
    y_label: str = field(default="", kw_only=True)
    y_range: tuple[float, float] | None = field(default=None, kw_only=True)
    lines: tuple[Line, ...] = field(default=(), kw_only=True)

    @property
    def knobs(self) -> tuple[str, ...]:
        return (self.x,)
