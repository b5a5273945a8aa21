"""A figure as a small text file: which views of which runs, where on the page, how large, in what look.

It is what `export --recipe` draws, what the Figures place edits, and what every written figure carries inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_serializer

from gui.export.look import FigureError, Look, first_problem, load
from lab.compare import Band

FORMAT = "training-dynamics-figure"
SIZES = {
    "single": (85.0, 60.0),
    "1.5": (120.0, 75.0),
    "double": (178.0, 80.0),
    "slide": (254.0, 143.0),
    "poster": (420.0, 297.0),
}
"""Width and height in mm: one column, one and a half, two columns, a 16:9 slide, an A3 poster part."""
PAPER = ("single", "1.5", "double")  # of SIZES those that a journal gives a width and no height

ROW = 55.0
"""Height in mm that a row of panels needs beside others on a page of paper."""

LOOK_OF = {"slide": "slide", "poster": "poster"}  # of a size where a recipe names no style; else "journal"
MOST_BYTES = 1 << 20  # of a recipe; they have a few kilobytes

Text = Annotated[str, Field(max_length=500)]
Length = Annotated[float, Field(ge=10, le=2000)]  # mm
Limits = tuple[float | None, float | None]
Fraction = Annotated[float, Field(ge=0, le=1)]
Legend = Literal[
    "auto", "none", "upper left", "upper right", "lower left", "lower right", "beside", "below"
]  # fmt: skip
Spread = Literal["none"] | Band


class Part(BaseModel):
    """Anything in a recipe: typed, unchangeable, without fields that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Run(Part):
    """A run file. A recipe on disk names it by its path, seen from the recipe; one inside a figure by name and id."""

    file: Annotated[str, Field(min_length=1, max_length=4096)]
    id: Annotated[str, Field(max_length=200)] = ""

    @model_serializer
    def _plain(self) -> Any:
        return {"file": self.file, "id": self.id} if self.id else self.file


class Note(Part):
    """Text at a point of the data; with ``to`` an arrow leads from it to another point."""

    text: Text
    at: tuple[float, float]
    to: tuple[float, float] | None = None


class Inset(Part):
    """The same curves once more, enlarged: the part of the data, and where in the panel it stands.

    Attributes:
        place: Left, bottom, width and height as shares of the panel; where least is drawn when absent.
    """

    x: tuple[float, float]
    y: tuple[float, float] | None = None
    place: tuple[Fraction, Fraction, Fraction, Fraction] | None = None


RunOf = Annotated[Run, BeforeValidator(lambda v: {"file": v} if isinstance(v, str) else v)]
AlongText = Annotated[str, Field(pattern=r"^(step|epoch|time|(event|series) \S.*)$", max_length=200)]


class PanelRecipe(Part):
    """One view of one or several runs.

    Attributes:
        step: Where views of one moment stand; None for the newest rows.
        columns: How many columns of the page it takes.
        title, x_label, y_label, x_log, y_log: In place of the view's own; an empty text shows none.
        x, y: Limits of the axes, None where the data decide.
        shared: Panels of the same view that have it share their limits.
        labels: One for each run or group, in place of the knobs that differ.
        band: Runs that differ only in their seeds become their mean with a band: standard deviation, standard error,
            quantiles or extremes, or with all lines behind it; of logarithms where the axis is logarithmic.
        along: What curves and ribbons are laid along: step, epoch, time, event KIND (steps since the first one of a
            kind), series NAME.
        minus: A run that is subtracted from the others.
        colour: A knob that colours the runs: numbers along a map with its bar, words one colour each.
    """

    view: Text
    runs: tuple[RunOf, ...] = Field(min_length=1, max_length=2000)
    step: int | None = Field(default=None, ge=0)
    columns: int = Field(default=1, ge=1, le=12)
    title: Text | None = None
    x_label: Text | None = None
    y_label: Text | None = None
    x_log: bool | None = None
    y_log: bool | None = None
    x: Limits = (None, None)
    y: Limits = (None, None)
    shared: bool = False
    legend: Legend = "auto"
    labels: tuple[Text, ...] = Field(default=(), max_length=200)
    band: Spread = "none"
    notes: tuple[Note, ...] = Field(default=(), max_length=50)
    inset: Inset | None = None
    along: AlongText = "step"
    minus: RunOf | None = None
    colour: Text = ""


class Recipe(Part):
    """A page of panels, filled row by row.

    Attributes:
        size: A name of SIZES, or width and height in mm.
        style: A shipped style's name, a style file, or the style itself; empty takes what suits the size.
        columns: Of the page; panels follow one another from left to right.
        heights: Shares of the rows' heights; equal where empty.
        letters: How panels are counted; empty not at all. A single panel has no letter.
        dpi: Of a PNG.
        data: How the numbers behind the panels are written beside the figure.
        words: Also write a LaTeX file with a caption draft and the table of hyper-parameters.
    """

    format: Literal["training-dynamics-figure"] = FORMAT
    version: Literal[1] = 1
    panels: tuple[PanelRecipe, ...] = Field(max_length=60)
    size: Annotated[str, Field(max_length=20)] | tuple[Length, Length] = "single"
    style: Annotated[str, Field(max_length=4096)] | Look = ""
    columns: int = Field(default=1, ge=1, le=12)
    heights: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(default=(), max_length=60)
    letters: Literal["a", "A", "(a)", ""] = "a"
    dpi: int = Field(default=300, ge=36, le=2400)
    data: Literal["none", "csv", "hdf5"] = "none"
    words: bool = False

    @property
    def millimetres(self) -> tuple[float, float]:
        """Width and height of the page."""
        if not isinstance(self.size, str):
            return self.size
        if self.size not in SIZES:
            raise FigureError(f"no size is called {self.size!r}; known: {', '.join(SIZES)}")
        return SIZES[self.size]

    def look(self, folder: Path | None = None) -> Look:
        """The style; a file is sought from ``folder``."""
        if isinstance(self.style, Look):
            return self.style
        return load(self.style or LOOK_OF.get(str(self.size), "journal"), folder)

    def changed(self, **values: Any) -> Recipe:
        """A checked copy with some fields set anew."""
        return checked({**self.model_dump(), **values})

    def text(self) -> str:
        """What a recipe file holds: only what differs from the defaults."""
        head = {"format": self.format, "version": self.version}
        return _json(head | self.model_dump(mode="json", exclude_defaults=True))


def suited(size: str | tuple[float, float], rows: int, then: int) -> str | tuple[float, float]:
    """A page of paper with room for the rows that it has ``then``, where it suited the ``rows`` that it had.

    A slide, a poster, and a page whose height somebody chose stay as they are.
    """
    for name in PAPER:
        across, least = SIZES[name]
        if size in (name, (across, max(least, ROW * rows))):
            return name if ROW * then <= least else (across, ROW * then)
    return size


def places_of(recipe: Recipe) -> Iterator[tuple[int, int, int]]:
    """Row, column and span of every panel; one that the row has no room for begins the next."""
    return _places([panel.columns for panel in recipe.panels], recipe.columns)


def rows_of(spans: Sequence[int], columns: int) -> int:
    """How many rows panels that take so many columns each fill on a page."""
    return 1 + max((row for row, _, _ in _places(spans, columns)), default=0)


def _places(spans: Sequence[int], columns: int) -> Iterator[tuple[int, int, int]]:
    row = column = 0
    for wanted in spans:
        span = min(wanted, columns)
        if column + span > columns:
            row, column = row + 1, 0
        yield row, column, span
        column += span


def checked(values: Any) -> Recipe:
    """A recipe of plain values.

    Raises:
        FigureError: They are none; the line says where.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise FigureError(f"not a figure recipe: {first_problem(error)}") from None


def parse(text: str | bytes) -> Recipe:
    """A recipe from the text of its file. Raises FigureError like :func:`checked`."""
    if len(text) > MOST_BYTES:
        raise FigureError(f"not a figure recipe: it is longer than {MOST_BYTES >> 20} MB")
    try:
        return Recipe.model_validate_json(text)
    except ValidationError as error:
        raise FigureError(f"not a figure recipe: {first_problem(error)}") from None


def read(path: Path) -> Recipe:
    """The recipe in a file.

    Raises:
        FigureError: It cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            return parse(file.read(MOST_BYTES + 1))
    except OSError as error:
        raise FigureError(f"cannot read {path}: {error.strerror}") from None
    except FigureError as error:
        raise FigureError(f"{path}: {error}") from None


def write(recipe: Recipe, path: Path) -> None:
    """Keep a recipe in a file."""
    try:
        path.write_text(recipe.text(), encoding="utf-8")
    except OSError as error:
        raise FigureError(f"cannot write {path}: {error.strerror}") from None


def _json(values: dict[str, Any]) -> str:
    import json

    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"
