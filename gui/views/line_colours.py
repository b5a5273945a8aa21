"""Colours of a view's lines: those of the table in their order, unless the user chose others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QMenu

from gui.theme import Theme

NAMES = ("blue", "vermilion", "green", "purple", "sky", "orange", "yellow", "ink")  # of Theme.lines
SWATCH_PX = 14


class LineColours(QObject):
    """Which colour of the theme's table each line has."""

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.chosen: dict[str, int] = {}

    def line(self, name: str, place: int, theme: Theme) -> tuple[str, tuple[float, ...]]:
        """Colour and dash pattern of a line that is number ``place`` where nothing is chosen."""
        colour, dash = theme.line(place)
        return (theme.lines[self.chosen[name]], dash) if name in self.chosen else (colour, dash)

    def choose(self, name: str, place: int | None) -> None:
        """Give a line a colour of the table; None gives it its own back."""
        if place is None:
            self.chosen.pop(name, None)
        else:
            self.chosen[name] = place
        self.changed.emit()

    def add_menu(self, menu: QMenu, lines: Mapping[str, str], theme: Theme) -> None:
        """Put a choice for each line, by what it is called, into a view's menu."""
        if not lines:
            return
        colours = menu.addMenu("Colours")
        for name, text in lines.items():
            choices = colours.addMenu(text) if len(lines) > 1 else colours
            for place, word in enumerate(NAMES):
                action = choices.addAction(_swatch(theme.lines[place]), word)
                action.setCheckable(True)
                action.setChecked(self.chosen.get(name) == place)
                action.triggered.connect(partial(self.choose, name, place))
            own = choices.addAction("As declared")
            own.setEnabled(name in self.chosen)
            own.triggered.connect(partial(self.choose, name, None))

    def settings(self) -> dict[str, int]:
        return dict(self.chosen)

    def restore(self, settings: object) -> None:
        found = settings if isinstance(settings, dict) else {}
        self.chosen = {str(k): v for k, v in found.items() if isinstance(v, int) and 0 <= v < len(NAMES)}
        self.changed.emit()


def _swatch(colour: str) -> QIcon:
    picture = QPixmap(SWATCH_PX, SWATCH_PX)
    picture.fill(QColor(colour))
    return QIcon(picture)
