"""How a figure looks: fonts, sizes, lines and colours, as a small file. Every drawing takes its sizes from it."""

from __future__ import annotations

import logging
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gui.theme import DASHES, LIGHT, OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

Points = Annotated[float, Field(gt=0, le=200)]
Maths = Literal["dejavusans", "dejavuserif", "stix", "stixsans", "cm"]
Colour = Annotated[str, Field(pattern="^#[0-9A-Fa-f]{6}$")]
FALLBACK = "DejaVu Sans"  # ships with matplotlib, so that every machine draws the same


CYCLES: dict[str, tuple[str, ...]] = {
    "Okabe-Ito": (*OKABE_ITO[:6], LIGHT.text),
    "Tol bright": ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB"),
    "Tol high contrast": ("#004488", "#DDAA33", "#BB5566", "#000000"),
    "Tol muted": ("#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499"),
    "Black and grey": ("#000000", "#777777", "#B4B4B4"),
}
"""Colours of lines that stay apart for colour-blind readers (Okabe and Ito, 2008; Tol, 2021), and in black print."""


class FigureError(ValueError):
    """A figure that cannot be drawn, read or written; one line that says why."""


class Look(BaseModel):
    """Lengths in points. The defaults suit one column of a journal.

    Attributes:
        fonts: The first that this machine has is used; signs that it lacks come from the next.
        maths: matplotlib's own fonts for formulas between dollar signs; no LaTeX is needed.
        text: Labels, ticks and legends; ``title`` is for panel titles.
        line: Width of curves; ``axis`` of axes and ticks; ``marker`` the diameter of dots.
        colours: Of lines in order; when they are used up, dash patterns begin.
        frame: Axes left and below only, or a box.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    fonts: tuple[Annotated[str, Field(max_length=100)], ...] = Field(default=(FALLBACK,), max_length=8)
    maths: Maths = "dejavusans"
    text: Points = 7.0
    title: Points = 8.0
    line: Points = 1.0
    axis: Points = 0.6
    marker: Points = 3.0
    colours: tuple[Colour, ...] = Field(default=CYCLES["Okabe-Ito"], min_length=1, max_length=32)
    grid: bool = False
    frame: Literal["open", "box"] = "open"


def shipped() -> dict[str, Look]:
    """The styles that come with the app, by name."""
    found = sorted(files("resources").joinpath("styles").iterdir(), key=lambda item: item.name)
    return {item.name.removesuffix(".json"): Look.model_validate_json(item.read_text("utf-8")) for item in found}


def load(name: str, folder: Path | None = None) -> Look:
    """A shipped style by its name, or one from a file; relative paths start at ``folder``.

    Raises:
        FigureError: No such style, or a file that is none.
    """
    known = shipped()
    if name in known:
        return known[name]
    if not name.endswith(".json"):
        raise FigureError(f"no style is called {name!r}; known: {', '.join(known)}, or a .json file")
    path = (folder or Path()) / name
    try:
        return Look.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FigureError(f"cannot read the style {path}: {error.strerror}") from None
    except ValidationError as error:
        raise FigureError(f"{path} is no style: {first_problem(error)}") from None


def save(look: Look, path: Path) -> None:
    """Write a style to a file that :func:`load` takes.

    Raises:
        FigureError: It cannot be written.
    """
    try:
        path.write_text(look.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise FigureError(f"cannot write the style {path}: {error.strerror}") from None


def first_problem(error: ValidationError) -> str:
    """Where and why a file is not what it should be, in one line."""
    item = error.errors()[0]
    where = ".".join(map(str, item["loc"]))
    return f"{where}: {item['msg']}" if where else item["msg"]


def settings(look: Look) -> dict[RcKeyType, Any]:
    """matplotlib's settings for a look, and those that every figure has: text stays text, the same bytes every time."""
    from cycler import cycler

    open_frame = look.frame == "open"
    cycle = [(colour, dashes) for dashes in DASHES for colour in look.colours]
    return {
        "font.family": _present(look.fonts),
        "font.size": look.text,
        "mathtext.fontset": look.maths,
        "axes.titlesize": look.title,
        "axes.labelsize": look.text,
        "xtick.labelsize": look.text,
        "ytick.labelsize": look.text,
        "legend.fontsize": look.text,
        "axes.prop_cycle": cycler(color=[c for c, _ in cycle], linestyle=[(0, d) if d else "-" for _, d in cycle]),
        "axes.grid": look.grid,
        "grid.color": LIGHT.edge,
        "grid.linewidth": look.axis,
        "axes.axisbelow": True,
        "axes.spines.top": not open_frame,
        "axes.spines.right": not open_frame,
        "axes.linewidth": look.axis,
        "axes.edgecolor": LIGHT.text,
        "axes.labelcolor": LIGHT.text,
        "text.color": LIGHT.text,
        "xtick.color": LIGHT.text,
        "ytick.color": LIGHT.text,
        "axes.unicode_minus": True,
        "axes.formatter.limits": (-4, 5),
        "axes.formatter.use_mathtext": True,
        "lines.linewidth": look.line,
        "lines.markersize": look.marker,
        "xtick.major.width": look.axis,
        "ytick.major.width": look.axis,
        "xtick.minor.width": 0.7 * look.axis,
        "ytick.minor.width": 0.7 * look.axis,
        "xtick.major.size": 0.4 * look.text,
        "ytick.major.size": 0.4 * look.text,
        "xtick.minor.size": 0.22 * look.text,
        "ytick.minor.size": 0.22 * look.text,
        "legend.frameon": False,
        "legend.handlelength": 1.6,
        "legend.borderaxespad": 0.3,
        "pdf.fonttype": 42,  # TrueType: text stays text
        "svg.fonttype": "none",
        "svg.hashsalt": "training-dynamics-lab",
        "path.simplify": True,
        "path.simplify_threshold": 0.1,
        "text.usetex": False,
    }


def _present(fonts: tuple[str, ...]) -> list[str]:
    """Those of the fonts that are installed; the one that always is comes last."""
    from matplotlib import font_manager

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # its search for weights is no news to a user
    installed = set(font_manager.get_font_names())
    return [*(name for name in fonts if name in installed and name != FALLBACK), FALLBACK]
