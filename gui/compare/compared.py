"""A panel over several runs: what every kind of overlay has in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QGuiApplication, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QLabel, QMenu, QVBoxLayout, QWidget

from gui.compare.axis import SharedAxis
from gui.theme import Theme
from gui.views.base import readable
from gui.views.plot import Canvas, Names
from lab.compare import Along

MOST_NAMES = 8  # groups that are named beside their lines and in the read-out


@dataclass(frozen=True)
class Groups:
    """What is drawn of a comparison.

    Attributes:
        colours: One for each group. names: The same.
        shown: Numbers of the groups that are drawn.
        configs: Theirs; a threshold is drawn where all of them agree on it.
    """

    colours: Sequence[str]
    names: Sequence[str]
    shown: set[int]
    configs: Sequence[object]


class Compared(QWidget):
    """One panel.

    Args:
        spec: What it shows.
        theme: Colours.
        axis: The common axis of all panels.
        along: What the runs are laid along there.
        canvas: Where it draws.
        title: In place of the view's own.
    """

    maximise_requested = Signal()
    figure_requested = Signal()
    readout_changed = Signal(str)

    def __init__(self, spec: Any, theme: Theme, axis: SharedAxis, along: Along, canvas: Canvas, title: str) -> None:
        super().__init__()
        self.spec, self.theme, self.axis, self.along, self.title = spec, theme, axis, along, title or spec.title
        self.groups = Groups((), (), set(), ())
        self.setAccessibleName(self.title)
        self.setMinimumSize(160, 120)
        self.canvas, self.box = canvas, canvas.box
        self.canvas.setAccessibleName(self.title)
        self.names = Names(canvas)
        self._note = QLabel(self)
        self._note.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(canvas)
        self._note.raise_()
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.draw)
        axis.values_changed.connect(self._soon.start)
        self.box.menu_requested.connect(self._open_menu)
        self.box.sigRangeChangedManually.connect(self._moved_by_hand)
        canvas.double_clicked.connect(self.maximise_requested)
        canvas.hovered.connect(self._hovered)
        canvas.left.connect(self._left)
        QShortcut(QKeySequence("A"), self, self.show_all, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)

    @abstractmethod
    def show_contents(self, contents: Any, groups: Groups) -> None:
        """Show what was read for this panel."""

    @abstractmethod
    @Slot()
    def draw(self) -> None:
        """Draw now."""

    @abstractmethod
    @Slot()
    def show_all(self) -> None:
        """Show all data."""

    @abstractmethod
    def numbers(self) -> str:
        """What is drawn, as tab-separated text with every digit."""

    @abstractmethod
    def _held_by_hand(self) -> None:
        """The user panned or zoomed."""

    @abstractmethod
    def _hovered(self, x: float, y: float) -> None:
        """The pointer is at these box coordinates."""

    def say(self, text: str) -> None:
        """Say in place what is missing."""
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def ink(self, group: int) -> str:
        """The colour of a group's name."""
        return readable(self.groups.colours[group], self.theme)

    @Slot(object)
    def _moved_by_hand(self, _: object) -> None:
        self._held_by_hand()

    @Slot()
    def _left(self) -> None:
        self.axis.hover(None)

    def menu(self) -> QMenu:
        """The menu of the right mouse button; the caller shows it."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        clipboard = QGuiApplication.clipboard()
        menu.addAction("Copy picture").triggered.connect(lambda: clipboard.setPixmap(self.grab()))
        menu.addAction("Copy numbers").triggered.connect(lambda: clipboard.setText(self.numbers()))
        menu.addAction("Send to the figure").triggered.connect(self.figure_requested)
        menu.addSeparator()
        menu.addAction("Show all\tA").triggered.connect(self.show_all)
        menu.addAction("Maximise").triggered.connect(self.maximise_requested)
        return menu

    @Slot(QPointF)
    def _open_menu(self, place: QPointF) -> None:
        self.menu().popup(place.toPoint())

    def _paint(self) -> None:
        self.canvas.set_theme(self.theme)
        self._note.setStyleSheet(f"color: {self.theme.muted}; background: transparent; padding: 8px 72px;")

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self._paint()
        self._soon.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._note.setGeometry(0, 0, self.width(), 32)
        self._soon.start()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._soon.start()
