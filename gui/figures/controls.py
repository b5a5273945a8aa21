"""The right column: the page, its look, the chosen panel. Every control says what it changed; none keeps a state."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton

from gui.export import look
from gui.export.recipe import SIZES, Legend, PanelRecipe, Recipe, rows_of, suited
from gui.figures.cycle import Cycle
from gui.figures.fields import Fields
from gui.figures.texts import (
    fonts_of,
    notes_of,
    notes_text,
    numbers_of,
    numbers_text,
    pair_of,
    pair_text,
    whole_of,
)

BANDS = {
    "none": "every run a line",
    "SD": "mean, SD",
    "SE": "mean, SE",
    "quartiles": "median, quartiles",
    "10-90 %": "median, 10 to 90 %",
    "5-95 %": "median, 5 to 95 %",
    "2.5-97.5 %": "median, 2.5 to 97.5 %",
    "min-max": "mean, smallest to largest",
    "all lines": "mean, and every run thin",
}
SIZE_NAMES = {
    "single": "One column",
    "1.5": "One and a half columns",
    "double": "Two columns",
    "slide": "Slide 16:9",
    "poster": "Poster A3",
}
OWN = "own"
PANEL = (
    "panel_title",
    "band",
    "along",
    "colour",
    "step",
    "span",
    "legend",
    "labels",
    "x",
    "x_label",
    "x_log",
    "y",
    "y_label",
    "y_log",
    "shared",
    "inset",
    "notes",
)


class Controls(Fields):
    """Emits what the user wants changed: of the page, of its look, or of the chosen panel."""

    page_changed = Signal(str, object)  # field, value
    look_changed = Signal(str, object)
    panel_changed = Signal(str, object)
    open_style_requested = Signal()
    save_style_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._build_page()
        self._build_look()
        self._build_panel()
        self._column.addStretch(1)

    # the three groups

    def _build_page(self) -> None:
        form, page = self._group("PAGE"), lambda name: lambda value: self.page_changed.emit(name, value)
        self._add(form, "size", "Size", self._choice({**SIZE_NAMES, OWN: "Own size"}, self._size_chosen))
        for name, label in (("across", "Width"), ("down", "Height")):
            self._add(form, name, label, self._number(10, 2000, "mm", lambda _: self._own_size()))
        self._add(form, "columns", "Columns", self._number(1, 12, "", page("columns"), 0), "Of panels on the page")
        heights = self._line("equal", lambda text: page("heights")(numbers_of(text)))
        self._add(form, "heights", "Row heights", heights, "Shares of the rows' heights from the top: 2, 1")
        letters = {"a": "a b c", "A": "A B C", "(a)": "(a) (b) (c)", "": "none"}
        self._add(form, "letters", "Letters", self._choice(letters, page("letters")))
        self._add(form, "dpi", "PNG", self._number(36, 2400, "dpi", page("dpi"), 0))
        data = {"none": "not written", "csv": "CSV", "hdf5": "HDF5"}
        self._add(form, "data", "Numbers", self._choice(data, page("data")), "Written beside the figure")

    def _build_look(self) -> None:
        form, say = self._group("STYLE"), lambda name: lambda value: self.look_changed.emit(name, value)
        names = {"": "Suits the size", **{name: name.capitalize() for name in look.shipped()}, OWN: "Own style"}
        self._add(form, "style", "Style", self._choice(names, lambda value: self.page_changed.emit("style", value)))
        files = QHBoxLayout()
        for text, asked in (("Open …", self.open_style_requested), ("Save …", self.save_style_requested)):
            button = QPushButton(text)
            button.setAccessibleName(f"{text.split()[0]} style file")
            button.clicked.connect(asked)
            files.addWidget(button)
        form.addRow("Style file", files)
        fonts = self._line("DejaVu Sans", lambda text: say("fonts")(fonts_of(text)))
        self._add(form, "fonts", "Fonts", fonts, "The first that this machine has; separated by commas")
        maths = {name: name for name in get_args(look.Maths)}
        self._add(
            form, "maths", "Formulas", self._choice(maths, say("maths")), "Fonts of formulas between dollar signs"
        )
        for name, label in (("text", "Text"), ("title", "Titles"), ("line", "Lines"), ("axis", "Axes")):
            self._add(form, name, label, self._number(0.1, 200, "pt", say(name)))
        self.cycle = Cycle()
        self.cycle.changed.connect(lambda colours: self._said(say("colours"), colours))
        form.addRow("Colours", self.cycle)
        frames = {"open": "left and below", "box": "a box"}
        self._add(form, "frame", "Frame", self._choice(frames, say("frame")))
        self._add(form, "grid", "Grid", self._tick(say("grid")))

    def _build_panel(self) -> None:
        form, say = self._group("PANEL"), lambda name: lambda value: self.panel_changed.emit(name, value)
        self._add(form, "panel_title", "Title", self._line("the view's", lambda text: say("title")(text or None)))
        self._add(form, "band", "Seeds", self._choice(BANDS, say("band")), "How runs that differ in seeds are shown")
        along = self._line("step", lambda text: say("along")(text or "step"))
        self._add(form, "along", "Along", along, "step, epoch, time, event spike, series norm: what curves lie along")
        self._add(form, "colour", "Colour by", self._line("each run", say("colour")), "A knob that colours the runs")
        step = self._line("newest", lambda text: self.panel_changed.emit("step", whole_of(text)))
        self._add(form, "step", "Step", step, "Where views of one moment stand")
        self._add(
            form, "span", "Spans", self._number(1, 12, "", say("columns"), 0), "Columns of the page that it takes"
        )
        legends = {name: name for name in get_args(Legend)}
        self._add(form, "legend", "Legend", self._choice(legends, say("legend")))
        self._add(form, "labels", "Names", self._line("by what differs; one; two", self._labels_said))
        for axis in "xy":
            limits = self._line("from, to", lambda text, axis=axis: self.panel_changed.emit(axis, pair_of(text)))
            self._add(form, axis, f"Limits {axis}", limits, "Two numbers; leave one out where the data decide")
            name = self._line(
                "the view's", lambda text, axis=axis: self.panel_changed.emit(f"{axis}_label", text or None)
            )
            self._add(
                form, f"{axis}_label", f"Label {axis}", name, "What the axis is called; $\\lambda$ sets a formula"
            )
            scales = {None: "the view's", True: "logarithmic", False: "linear"}
            self._add(form, f"{axis}_log", f"Scale {axis}", self._choice(scales, say(f"{axis}_log")))  # type: ignore[arg-type] - keys are data
        self._add(form, "shared", "Same limits", self._tick(say("shared")), "As other panels of this view that have it")
        inset = self._line("x from, to", lambda text: self.panel_changed.emit("inset", text and {"x": pair_of(text)}))
        self._add(form, "inset", "Inset", inset, "A part of the curves, enlarged")
        self._add(
            form,
            "notes",
            "Note",
            self._line("x, y, text", lambda text: say("notes")(notes_of(text))),
            "Text at a point of the data",
        )

    def _labels_said(self, text: str) -> None:
        self.panel_changed.emit("labels", [part.strip() for part in text.split(";")] if text else [])

    def _size_chosen(self, size: str) -> None:
        self._own_size() if size == OWN else self.page_changed.emit("size", size)

    def _own_size(self) -> None:
        self.page_changed.emit("size", [self.value("across"), self.value("down")])

    # showing a recipe

    def show_recipe(self, recipe: Recipe, panel: int) -> None:
        """Show a recipe's values and those of one of its panels."""
        self._filling = True
        own = recipe.style if isinstance(recipe.style, str) else OWN
        box = self.fields["style"]
        if own.endswith(".json") and isinstance(box, QComboBox) and box.findData(own) < 0:
            box.addItem(Path(own).stem, own)
        rows = rows_of([panel.columns for panel in recipe.panels], recipe.columns)
        self._fill("size", next((name for name in SIZES if suited(name, 1, rows) == recipe.size), OWN))
        across, down = recipe.millimetres
        for name, value in (("across", across), ("down", down), ("style", own)):
            self._fill(name, value)
        for name in ("columns", "letters", "dpi", "data"):
            self._fill(name, getattr(recipe, name))
        style = recipe.look()
        for name in ("text", "title", "line", "axis", "frame", "grid", "maths"):
            self._fill(name, getattr(style, name))
        self._fill("fonts", ", ".join(style.fonts))
        self._fill("heights", numbers_text(recipe.heights))
        self.cycle.show_colours(style.colours)
        there = 0 <= panel < len(recipe.panels)
        for name in PANEL:
            self.fields[name].setEnabled(there)
        if there:
            self._show_panel(recipe.panels[panel])
        self._filling = False

    def _show_panel(self, panel: PanelRecipe) -> None:
        texts = {"panel_title": panel.title or "", "step": "" if panel.step is None else str(panel.step)}
        texts |= {"labels": "; ".join(panel.labels), "x": pair_text(panel.x), "y": pair_text(panel.y)}
        texts |= {"along": "" if panel.along == "step" else panel.along, "colour": panel.colour}
        texts |= {"x_label": panel.x_label or "", "y_label": panel.y_label or ""}
        texts["inset"] = pair_text(panel.inset.x) if panel.inset else ""
        texts["notes"] = notes_text(panel.notes)
        for name, value in texts.items():
            self._fill(name, value)
        for name in ("band", "legend", "x_log", "y_log", "shared"):
            self._fill(name, getattr(panel, name))
        self._fill("span", panel.columns)
