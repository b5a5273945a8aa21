"""One open run in the centre: a header that says its state, a red bar when it failed, and its views."""

import math
import time
from collections.abc import Callable
from typing import Any, Protocol

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.icons import pixmap
from gui.named import named
from gui.open_run import OpenRun
from gui.runs import STATE_COLOUR, title_of
from gui.theme import Theme
from lab.verdict import Verdict


class Page(Protocol):
    """What shows the views of a run: a widget that also judges it while it is in sight."""

    verdict: Verdict | None
    verdict_changed: Any  # Signal(Verdict or None)

    def set_theme(self, theme: Theme) -> None: ...

    def set_step(self, step: int | None) -> None: ...


MakePage = Callable[[OpenRun, Theme], Any]  # gives a Page that is a QWidget


class Pulse(QWidget):
    """A dot in the state's colour that breathes while the run computes."""

    def __init__(self) -> None:
        super().__init__()
        self._colour = QColor()
        self._timer = QTimer(self, interval=100)
        self._timer.timeout.connect(self.update)

    def show_state(self, state: str, theme: Theme) -> None:
        self._colour = QColor(getattr(theme, STATE_COLOUR.get(state, "muted")))
        self._timer.start() if state in ("running", "preparing") else self._timer.stop()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(12, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = QColor(self._colour)
        if self._timer.isActive():
            colour.setAlphaF(0.65 + 0.35 * math.sin(2 * math.pi * time.monotonic() / 1.6))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(self.rect().center(), 4, 4)
        painter.end()


class StateChip(QWidget):
    """The state of the run on screen, in a word and a dot."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._run: OpenRun | None = None
        self.pulse, self.word = Pulse(), named(QLabel(), "muted")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 16, 8)  # in line with the names on the tabs
        layout.setSpacing(6)
        layout.addWidget(self.pulse)
        layout.addWidget(self.word)

    def set_run(self, run: OpenRun | None) -> None:
        self._run = run
        self.show_state()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.show_state()

    def show_state(self) -> None:
        state = self._run.state if self._run else ""
        self.setVisible(bool(state))
        self.word.setText("preparing …" if state == "preparing" else state)
        self.pulse.show_state(state, self._theme)


class RunTab(QWidget):
    """Failure bar and views of one run."""

    def __init__(self, run: OpenRun, make_page: MakePage, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.run, self._theme = run, theme
        self.title = title_of(run)
        self.failure = named(QFrame(), "failure")
        self.reason = QLabel(wordWrap=True)
        self.reason.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._mark = QLabel()
        bar = QHBoxLayout(self.failure)
        bar.setContentsMargins(16, 8, 16, 8)
        bar.setSpacing(8)
        bar.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        bar.addWidget(self.reason, 1)
        self.page: Any = make_page(run, theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.failure)
        layout.addWidget(self.page, 1)
        run.state_changed.connect(self._show_state)
        self._show_state()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._show_state()
        self.page.set_theme(theme)

    def _show_state(self) -> None:
        run = self.run
        failed = run.state == "failed" or bool(run.problem)
        self.failure.setVisible(failed)
        if not failed:
            return
        step = f"{run.step:,}".replace(",", "\N{THIN SPACE}")
        saved = f"Everything up to step {step} is in {run.path}." if run.path and run.path not in run.problem else ""
        self.reason.setText(f"{run.problem or 'The run failed.'}\n{saved}".strip())
        self._mark.setPixmap(pixmap("warning", self._theme.bad, 20, self.devicePixelRatioF()))
