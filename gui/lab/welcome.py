"""The first minute: three experiments to start with one click, a run to open, and what this is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gui.icons import put
from gui.named import named
from gui.theme import Theme

if TYPE_CHECKING:
    from lab.experiment import Experiment

WHAT = (
    "A lab for how neural networks train. Each experiment is one published phenomenon: press Run, watch it happen, "
    "turn a knob while it goes on, and read whether the paper's claim holds. Every run is kept as one file."
)


@dataclass(frozen=True)
class Demo:
    """A card: an experiment's preset and arm, and what one will see."""

    experiment: str
    preset: str
    arm: str
    title: str
    text: str


DEMOS = (
    Demo(
        "adam-spikes",
        "quadratic",
        "spikes",
        "A spike on a parabola",
        "See Adam's loss explode on a plain parabola, in 20 seconds",
    ),
    Demo(
        "adam-spikes",
        "network",
        "spikes",
        "Spikes in a network",
        "Watch a network's curvature cross 2/η just before its loss spikes",
    ),
    Demo(
        "adam-spikes", "network", "beta2-0.9", "The control", "Shorten the optimiser's memory and the spikes are gone"
    ),
)


class Picture(QWidget):
    """A drawing from resources/pictures in the theme's colours."""

    def __init__(self, name: str, theme: Theme) -> None:
        super().__init__()
        self._name, self.theme = name, theme
        self.setMinimumHeight(96)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(240, 112)

    def paintEvent(self, event: QPaintEvent) -> None:
        path = files("resources").joinpath("pictures", f"{self._name}.svg")
        svg = path.read_text(encoding="utf-8")
        for word, colour in (
            ("ACCENT", self.theme.lines[0]),
            ("ALARM", self.theme.lines[1]),
            ("MUTED", self.theme.muted),
        ):
            svg = svg.replace(word, colour)
        painter = QPainter(self)
        QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(self.rect()))
        painter.end()


class Card(QFrame):
    """A picture and a sentence; a click, Enter or Space starts it."""

    chosen = Signal(object)

    def __init__(self, demo: Demo, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("card")
        self.demo = demo
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(f"{demo.title}: {demo.text}")
        self.picture = Picture(f"{demo.experiment}-{demo.preset}-{demo.arm}", theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self.picture)
        head = named(QLabel(demo.title, wordWrap=True), "title")
        text = QLabel(demo.text, wordWrap=True)
        layout.addWidget(head)
        layout.addWidget(text)
        layout.addStretch(1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.rect().contains(event.position().toPoint()):
            self.chosen.emit(self.demo)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self.demo)
        else:
            super().keyPressEvent(event)


class Welcome(QWidget):
    """The page shown while no run is open."""

    demo_chosen = Signal(object)
    open_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self.cards: list[Card] = []
        self._row = QHBoxLayout()
        self._row.setSpacing(16)
        opener = QPushButton("Open a run file …")
        put(opener, "open", theme)
        opener.clicked.connect(self.open_requested)
        inner = QVBoxLayout()
        inner.setSpacing(16)
        inner.addStretch(2)
        inner.addWidget(named(QLabel("Training Dynamics Lab"), "display"))
        what = named(QLabel(WHAT, wordWrap=True), "muted")
        what.setMaximumWidth(640)
        inner.addWidget(what)
        inner.addSpacing(8)
        inner.addLayout(self._row)
        below = QHBoxLayout()
        below.addWidget(opener)
        self.hint = named(QLabel("or drop one here. Pick an experiment on the left to turn its knobs first."), "muted")
        below.addWidget(self.hint)
        below.addStretch(1)
        inner.addLayout(below)
        inner.addStretch(3)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(40, 24, 40, 24)
        outer.addStretch(1)
        outer.addLayout(inner, 100)
        outer.addStretch(1)

    def set_experiments(self, found: Mapping[str, type[Experiment]]) -> None:
        """Show the cards whose experiments are there."""
        for card in self.cards:
            card.deleteLater()
        self.cards = []
        for demo in DEMOS:
            cls = found.get(demo.experiment)
            if cls is None or demo.preset not in cls.presets or demo.arm not in cls.arms:
                continue
            card = Card(demo, self._theme)
            card.setMaximumWidth(320)
            card.chosen.connect(self.demo_chosen)
            self._row.addWidget(card, 1)
            self.cards.append(card)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for card in self.cards:
            card.picture.theme = theme
            card.picture.update()
