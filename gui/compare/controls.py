"""The row of choices above the panels: layout, axis, band, colour, small multiples, views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget
from superqt import QFlowLayout

from gui.compare.recipe import LAYOUTS, Recipe
from gui.icons import put
from gui.named import named
from gui.theme import Theme
from lab.compare import BANDS, QUANTILES, Along
from lab.views import View

BAND_TEXT = {"": "each seed"}
BAND_TEXT |= {band: f"seeds: {'median' if band in QUANTILES else 'mean'}, {band}" for band in BANDS}


class Controls(QWidget):
    """Turns choices into another recipe."""

    chosen = Signal(object)  # Recipe

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._recipe = Recipe(())
        self._filling = False
        self.layout_box = self._box("Layout", [(layout, layout) for layout in LAYOUTS])
        self.along_box = self._box("Along", [])
        self.band_box = self._box("Seeds", [(text, band) for band, text in BAND_TEXT.items()])
        self.colour_box = self._box("Colour by", [])
        self.facet_box = self._box("Small multiples by", [])
        self.views_button = QToolButton()
        self.views_button.setText("Views")
        self.views_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.views_button.setIconSize(QSize(16, 16))
        self.views_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        put(self.views_button, "panels", theme, "muted")
        self.views_menu = QMenu(self)
        self.views_button.setMenu(self.views_menu)
        layout = QFlowLayout(self)  # a second row where one is too short
        layout.setContentsMargins(12, 8, 8, 8)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(8)
        for text, box in (
            ("", self.layout_box),
            ("along", self.along_box),
            ("", self.band_box),
            ("colour", self.colour_box),
            ("split", self.facet_box),
        ):
            pair = QWidget()
            row = QHBoxLayout(pair)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(6)
            if text:
                row.addWidget(named(QLabel(text), "muted"))
            row.addWidget(box)
            layout.addWidget(pair)
        layout.addWidget(self.views_button)

    def _box(self, name: str, items: Sequence[tuple[str, object]]) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        box.setMaximumWidth(180)
        for text, value in items:
            box.addItem(text, value)
        box.activated.connect(self._choose)
        return box

    def show_recipe(
        self, recipe: Recipe, knobs: Sequence[str], alongs: Sequence[Along], views: Sequence[View], shown: Sequence[str]
    ) -> None:
        """Offer what these runs have: knobs that differ, axes that they can be laid along, views."""
        self._recipe = recipe
        self._offer(self.along_box, [(_text(along), along) for along in alongs], recipe.along)
        self._offer(self.colour_box, [("each run", ""), *((knob, knob) for knob in knobs)], recipe.colour)
        self._offer(self.facet_box, [("none", ""), *((knob, knob) for knob in knobs)], recipe.facet)
        self.layout_box.setCurrentIndex(LAYOUTS.index(recipe.layout))
        self.band_box.setCurrentIndex(list(BAND_TEXT).index(recipe.band))
        self.band_box.setEnabled(recipe.layout == "overlay")
        self.views_menu.clear()
        for view in views:
            action = self.views_menu.addAction(view.title)
            action.setCheckable(True)
            action.setChecked(view.id in shown)
            rest = [name for name in shown if name != view.id]
            action.triggered.connect(
                lambda on, rest=rest, name=view.id: self._emit(views=tuple([*rest, name] if on else rest) or (name,))
            )

    def _offer(self, box: QComboBox, items: Sequence[tuple[str, object]], chosen: object) -> None:
        box.clear()
        for text, value in items:
            box.addItem(text, value)
        values = [value for _, value in items]
        box.setCurrentIndex(values.index(chosen) if chosen in values else 0)

    def _choose(self) -> None:
        self._emit(
            layout=self.layout_box.currentData(),
            along=self.along_box.currentData() or Along(),
            band=self.band_box.currentData(),
            colour=self.colour_box.currentData() or "",
            facet=self.facet_box.currentData() or "",
        )

    def _emit(self, **changes: object) -> None:
        self.chosen.emit(replace(self._recipe, **changes))  # pyright: ignore[reportArgumentType]  # fields of a recipe


def _text(along: Along) -> str:
    if along.kind == "event":
        return f"first {along.name} = 0"
    return along.name.replace("_", " ") if along.kind == "series" else along.kind
