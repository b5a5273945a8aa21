"""A study in the window: progress, the overview of its runs, its phase diagram or line, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from gui.background import Background, InOrder
from gui.dialogs import ask_to_save
from gui.lab.verdict_panel import VerdictPanel
from gui.named import named
from gui.runs.local import duration
from gui.studies.drawing import StudyDrawing
from gui.studies.grid import StudyGrid, Tile
from gui.studies.tiles import curve_of, file_of, tiles
from gui.style import font
from gui.theme import Theme
from gui.views.scale import Scale, finite_range
from lab.config import ConfigError
from lab.studies.board import Board
from lab.studies.cluster import Cluster
from lab.studies.diagram import numbers_of
from lab.studies.machine import worker_devices
from lab.studies.pool import Pool, Workers
from lab.studies.study import Study, StudyError
from lab.verdict import StudyRow, Verdict

INTERVAL = 500  # ms between looks at the board
AT_ONCE = 8  # runs read before the page shows them
GLANCES = 4  # looks at the board between two at the curves of the runs that go on
BY_VERDICT = "verdict"


class StudyPage(QWidget):
    """Runs a study and shows how far it is; a tile or a cell opens its run."""

    opened = Signal(str)
    message = Signal(str)
    change_asked = Signal()
    changed = Signal()  # runs were begun, or the last of them ended

    def __init__(self, board: Board, theme: Theme, scheduler: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.board, self._theme = board, theme
        self.scheduler = scheduler  # what starts next computes on its workers; empty: on this machine
        self.workers: Workers | None = None
        self._connecting, self._place = False, ""
        self.curves: dict[str, np.ndarray] = {}
        self._rows: list[StudyRow] = []
        self._read = 0
        self.grid, self.drawing = StudyGrid(theme), StudyDrawing(board, theme)
        self.grid.opened.connect(self.opened)
        self.grid.menu_asked.connect(self._ask_points)
        self.grid.removal_asked.connect(self.remove)
        self.points_menu = QMenu(self)
        self.drawing.opened.connect(self.opened)
        self.verdict = VerdictPanel(theme, "The verdict over the runs appears here as they finish.")
        self._build()
        self._background = Background(self)
        self._background.done.connect(self._gathered)
        self._background.failed.connect(self.message)
        self._glance, self._glances = Background(self), 0
        self._glance.done.connect(self._glanced)
        self._glance.failed.connect(self.message)
        self._writing = InOrder(self)
        self._writing.done.connect(self._say)
        self._writing.failed.connect(self.message)
        self._scheduler = Background(self)
        self._scheduler.done.connect(self._connected)
        self._scheduler.failed.connect(self._not_connected)
        self._timer = QTimer(self, interval=INTERVAL)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self._was_running = False
        self.refresh()

    def _build(self) -> None:
        self.heading = QElidingLabel(self.title)
        self.heading.setToolTip(self.title)
        self.heading.setFont(font(15, bold=True))
        self.progress = QProgressBar(textVisible=False)
        self.progress.setAccessibleName("Finished runs")
        self.said = named(QElidingLabel(), "muted")
        self.trouble = named(QLabel(wordWrap=True), "error")
        self.trouble.hide()
        self.number = QComboBox()
        self.number.setAccessibleName("Shown number")
        self.number.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.number.setMaximumWidth(240)
        self.number.addItem(BY_VERDICT)
        self.number.currentTextChanged.connect(self._show)
        self.go_button, self.drain_button = QPushButton("Go on"), QPushButton("Finish running ones")
        self.cut_button, self.retry_button = QPushButton("Stop"), QPushButton("Retry failed")
        self.change_button, self.export_button = QPushButton("Change points …"), QPushButton("Export figure …")
        self.change_button.setToolTip(
            "Other values, arms or seeds, also while the study goes on; what is done stays done"
        )
        self.change_button.clicked.connect(self.change_asked)
        self.go_button.clicked.connect(self.start)
        self.drain_button.setToolTip("Start no more runs; those that go on come to their end")
        self.drain_button.clicked.connect(self.drain)
        self.cut_button.setToolTip("Stop all runs where they are; they can go on from there")
        self.cut_button.clicked.connect(self.stop)
        self.retry_button.clicked.connect(self.retry)
        self.export_button.clicked.connect(self._ask_where)
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self.heading, 1)
        steering = self.go_button, self.drain_button, self.cut_button, self.retry_button
        for button in (*steering, self.change_button, self.export_button):
            bar.addWidget(button)
        below = QHBoxLayout()
        below.setSpacing(12)
        below.addWidget(self.progress, 1)
        below.addWidget(self.said, 1)
        below.addWidget(QLabel("Show"))
        below.addWidget(self.number)
        across = QSplitter(Qt.Orientation.Horizontal)
        across.addWidget(self.grid)
        across.addWidget(self.drawing)
        across.setSizes([300, 400])
        self.parts = QSplitter(Qt.Orientation.Vertical)
        self.parts.addWidget(across)
        self.parts.addWidget(self.verdict)
        self.parts.setSizes([460, 140])
        self.drawing.choose()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(8)
        layout.addLayout(bar)
        layout.addLayout(below)
        layout.addWidget(self.trouble)
        layout.addWidget(self.parts, 1)

    # steering

    @property
    def title(self) -> str:
        return f"{self.board.experiment.title} – study of {len(self.board.cells)} runs"

    def start(self) -> None:
        """Run what is missing, on this machine's workers or on the scheduler's."""
        self.board.go_on()
        if self.running:
            return
        waiting = self.board.count("waiting", "elsewhere")
        self._place = self.scheduler
        if waiting and self.scheduler:
            self._connecting = True
            self._scheduler.start(partial(Cluster, self.board, self.scheduler))
        elif waiting:
            threads = max(cell.point.config.threads for cell in self.board.cells)
            self._begin(Pool(self.board, worker_devices(self.board.study.device, waiting, threads=threads)))
        self.refresh()

    def _begin(self, workers: Workers) -> None:
        self.workers = workers
        workers.start()
        self._timer.start()

    @Slot(object)
    def _connected(self, cluster: Workers) -> None:
        self._connecting = False
        self._begin(cluster)
        self.refresh()

    @Slot(str)
    def _not_connected(self, problem: str) -> None:
        self._connecting = False
        self.message.emit(problem.partition(": ")[2])
        self.refresh()

    def drain(self) -> None:
        self.board.drain()
        self.refresh()

    def stop(self) -> None:
        if self.workers is not None:
            self.workers.cut()

    def retry(self, keys: list[str] | None = None) -> None:
        """Let failed points wait again, all of them or some."""
        self.board.retry(keys or None)
        self.start()

    def change(self, study: Study) -> None:
        """Go on with other points; what is done or running stays as it is."""
        if self._do(partial(self.board.change, study)):
            self.start()

    def remove(self, keys: list[str]) -> None:
        """Take points out, except running ones. Their files stay."""
        self._do(partial(self.board.remove, keys))

    def reorder(self, keys: list[str], *, last: bool = False) -> None:
        """Let waiting points start next, or after all others."""
        self._do(partial(self.board.reorder, keys, last=last))

    def _do(self, change: Callable[[], None]) -> bool:
        try:
            change()
        except (StudyError, ConfigError) as error:
            self.message.emit(str(error))
            return False
        self._read = -1  # what is done may be another set
        self.heading.setText(self.title)
        self.heading.setToolTip(self.title)
        self.drawing.choose()
        self._timer.start()
        self.refresh()
        return True

    @Slot(list, QPoint)
    def _ask_points(self, keys: list[str], at: QPoint) -> None:
        """The context menu of some tiles."""
        cells = [cell for cell in self.board.cells if cell.point.key in keys]
        states = {cell.state for cell in cells}
        menu = self.points_menu
        menu.clear()
        if len(cells) == 1 and (path := file_of(cells[0])):
            menu.addAction("Open", partial(self.opened.emit, path))
        for text, there, method in (
            ("Start next", "waiting" in states, partial(self.reorder, keys)),
            ("Start last", "waiting" in states, partial(self.reorder, keys, last=True)),
            ("Retry", "failed" in states, partial(self.retry, keys)),
            ("Take out of the study", bool(states - {"running"}), partial(self.remove, keys)),
        ):
            menu.addAction(text, method).setEnabled(there)
        menu.popup(at)

    @property
    def running(self) -> bool:
        return self._connecting or (self.workers is not None and not self.workers.join(0))

    def close_study(self, timeout: float = 20.0) -> None:
        """Stop workers and readers; what is done stays done."""
        self._timer.stop()
        self._scheduler.wait()
        if self.workers is not None:
            self.workers.cut()
            self.workers.join(timeout)
        self._background.wait()
        self._glance.wait()
        self._writing.wait()

    # showing

    @Slot()
    def refresh(self) -> None:
        board = self.board
        finished, failed, running = board.count("finished"), board.count("failed"), board.count("running")
        self.progress.setMaximum(max(1, len(board.cells)))
        self.progress.setValue(finished + failed)
        left = board.seconds_left() if self.running else None
        words = [
            f"{finished} of {len(board.cells)} finished",
            f"{running} running" if running else "",
            f"{failed} failed" if failed else "",
            f"{duration(left)} left" if left else "",
            ("connecting to " if self._connecting else "on ") + self._place if self._place and self.running else "",
        ]
        self.said.setText(", ".join(word for word in words if word))
        self.said.setToolTip(self.said.text())
        self.trouble.setText(self.workers.problem if self.workers is not None else "")
        self.trouble.setVisible(bool(self.trouble.text()))
        waiting = board.count("waiting", "elsewhere")
        self.go_button.setVisible(bool(waiting) and (not self.running or board.draining))
        self.drain_button.setVisible(self.running and not board.draining and bool(waiting))
        self.cut_button.setVisible(self.running)
        self.retry_button.setVisible(bool(failed))
        self.export_button.setVisible(self.drawing.possible and finished > 0)
        turned = self.running is not self._was_running  # then the verdict so far is the verdict, or the other way round
        if finished + failed != self._read or turned:
            self._read = finished + failed
            self._background.start(self._gather)
        if self._glances % GLANCES == 0:
            self._glance.start(self._curves_so_far)
        self._glances += 1
        self._show_tiles()
        if turned:
            self._was_running = not self._was_running
            self.changed.emit()
        if not self.running and not waiting:
            self._timer.stop()

    def _gather(self) -> tuple[dict[str, np.ndarray], list[StudyRow], Verdict | None]:
        """In a thread: numbers and small curves of a few runs that have finished; the verdict after the last."""
        cells = self.board.unread()[:AT_ONCE]
        rows = self.board.read(cells)
        verdict = None if self.board.unread() else self.board.verdict()
        return {cell.point.key: curve_of(str(cell.path), self.board.experiment) for cell in cells}, rows, verdict

    def _curves_so_far(self) -> dict[str, np.ndarray]:
        """In a thread: small curves of a few runs that go on, and of those that were stopped."""
        cells = [cell for cell in self.board.cells if cell.state not in ("finished", "failed") and cell.path.exists()]
        cells = [cell for cell in cells if cell.state == "running" or cell.point.key not in self.curves]
        return {cell.point.key: curve_of(str(cell.path), self.board.experiment) for cell in cells[:AT_ONCE]}

    @Slot(object)
    def _glanced(self, curves: dict[str, np.ndarray]) -> None:
        self.curves |= curves
        self._show_tiles()

    @Slot(object)
    def _gathered(self, found: tuple[dict[str, np.ndarray], list[StudyRow], Verdict | None]) -> None:
        curves, self._rows, verdict = found
        self.curves |= curves
        if verdict is None:
            self._background.start(self._gather)
        else:
            going_on = self.running and self.board.count("waiting", "running", "elsewhere") > 0
            self.verdict.show_verdict(verdict, so_far=going_on)
        fresh = self.number.count() == 1
        for name in numbers_of(self._rows):
            if self.number.findText(name) < 0:
                self.number.addItem(name)
        if fresh and self.drawing.possible and self.number.count() > 1:
            declared = [spec.number for spec in self.board.experiment.study_views]
            self.number.setCurrentText(
                next((n for n in declared if self.number.findText(n) > 0), self.number.itemText(1))
            )
        self._show()

    @Slot()
    def _show(self) -> None:
        number = self.number.currentText()
        if number != BY_VERDICT:
            self.drawing.show_number(number, self._rows)
        self._show_tiles()

    def _show_tiles(self) -> None:
        number = self.number.currentText()
        shown, columns = tiles(self.board, number, self.curves)
        self.grid.show_tiles(shown, columns, self._scale(number, shown))

    def _scale(self, number: str, shown: Sequence[Tile | None]) -> Scale | None:
        """The diagram's where it shows the same number."""
        if number == BY_VERDICT:
            return None
        if (scale := self.drawing.scale_of(number)) is not None:
            return scale
        return Scale.over(*finite_range(np.array([tile.value for tile in shown if tile] or [math.nan])))

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for part in (self.grid, self.drawing, self.verdict):
            part.set_theme(theme)

    # export

    def _ask_where(self) -> None:
        kinds = "PDF (*.pdf);;SVG (*.svg);;PNG (*.png)"
        ask_to_save(self, "Export the figure", "study.pdf", kinds, self.export)

    def export(self, path: str) -> None:
        """Write the shown diagram and its numbers; says what was written, or what stood in the way."""
        self.message.emit(f"Drawing {path} …")
        self._writing.start(partial(_written, self.board, self.number.currentText(), Path(path)))

    @Slot(object)
    def _say(self, words: str) -> None:
        self.message.emit(words)


def _written(board: Board, number: str, out: Path) -> str:
    """Write the diagram and its numbers; what was written, or what stood in the way."""
    from gui.export.diagram import write_diagram
    from gui.export.look import FigureError

    try:
        return "Written: " + ", ".join(str(file) for file in write_diagram(board, number, out, data=True))
    except FigureError as error:
        return str(error)
