"""The queue of runs: what goes on and what waits, in an order that can be changed, a few at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.icons import put, recolour
from gui.inset import inset
from gui.lab.catalogue import RowList
from gui.named import named
from gui.queue.model import QueueModel
from gui.runs.runs import Runs
from gui.theme import Theme

if TYPE_CHECKING:  # they bring pydantic, which the first paint does without
    from lab.config import Config
    from lab.experiment import Experiment
    from lab.studies.cells import Cell
    from lab.studies.pool import Pool
    from lab.studies.run_queue import RunQueue

INTERVAL = 400  # ms between looks at the queue
MOST = 8  # runs at once
STOPPING = 20.0  # seconds that running ones get to end when the window closes


class QueuePanel(QWidget):
    """Shows the queue and steers it. Worker processes carry it out, beside the run on screen.

    Args:
        runs: Tells the folder and the device of new runs.
    """

    opened = Signal(str)  # run file
    message = Signal(str)
    changed = Signal()  # a run began or ended
    filled = Signal()  # there is something to see

    def __init__(self, runs: Runs, theme: Theme) -> None:
        super().__init__()
        self._runs = runs
        self.queue: RunQueue | None = None
        self.pool: Pool | None = None
        self._saved: list[Mapping[str, Any]] = []  # of the last session, until :meth:`restore`
        self._states: list[str] = []
        self.model = QueueModel(self._words)
        self.model.dragged.connect(self._dragged)
        self.list = RowList(self.model, theme, "Queue of runs")
        self.list.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.list.chosen.connect(self._open)
        self.list.selectionModel().currentChanged.connect(lambda: self._enable())
        self._build(theme)
        self._timer = QTimer(self, interval=INTERVAL)
        self._timer.timeout.connect(self.refresh)
        self._enable()

    def _build(self, theme: Theme) -> None:
        self.up = self._button("chevron-up", "Earlier  (Alt+Up)", theme, lambda: self._move(-1))
        self.down = self._button("chevron-down", "Later  (Alt+Down)", theme, lambda: self._move(1))
        self.again = self._button("loop", "Try again, from its last checkpoint", theme, self._retry)
        self.out = self._button("close", "Take it out; its file stays  (Delete)", theme, self._remove)
        self.clear = QPushButton("Clear")
        self.clear.setToolTip("Take what has finished off the list; the runs stay in the library")
        self.clear.clicked.connect(self._clear)
        self.go = QPushButton("Hold")
        self.go.clicked.connect(self._hold_or_go)
        self.limit = QSpinBox(minimum=1, maximum=MOST)
        self.limit.setAccessibleName("Runs at once")
        self.limit.valueChanged.connect(self._apply)
        self.limit.setMaximumWidth(52)
        inset(self.limit)
        self.holds = QCheckBox("Failure holds")
        self.holds.setChecked(True)
        self.holds.setToolTip("When a run fails, hold the rest; without the tick it is skipped and the next one starts")
        self.holds.toggled.connect(self._apply)
        above, choices = QHBoxLayout(), QHBoxLayout()
        above.setSpacing(0)
        for button in (self.up, self.down, self.again, self.out):
            above.addWidget(button)
        above.addStretch(1)
        above.addWidget(self.clear)
        above.addSpacing(8)
        above.addWidget(self.go)
        choices.setSpacing(8)
        choices.addWidget(named(QLabel("At once"), "muted"))
        choices.addWidget(self.limit)
        choices.addWidget(self.holds, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.list, 1)
        layout.addLayout(above)
        layout.addLayout(choices)

    def _button(self, icon: str, tip: str, theme: Theme, slot: Any) -> QToolButton:
        button = named(QToolButton(), "tiny")
        button.setToolTip(tip)
        button.setAccessibleName(tip.partition("  (")[0])
        button.setIconSize(QSize(16, 16))
        put(button, icon, theme)
        button.clicked.connect(slot)
        if keys := tip.partition("  (")[2].rstrip(")"):
            shortcut = QShortcut(QKeySequence(keys), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)
        return button

    # what is in it

    def add(self, experiment: type[Experiment], config: Config, preset: str, arm: str, also: tuple[str, ...]) -> None:
        """Put a run at the end; it starts when its turn comes."""
        from lab.request import Request

        knobs = config.model_dump(mode="json")
        device = self._runs.device
        self._made().add(
            Request(experiment=experiment.name, config=knobs, preset=preset, arm=arm, device=device, also=also)
        )
        self.filled.emit()
        self._go()

    def saved(self) -> list[Mapping[str, Any]]:
        """What waits for the next session, as plain values."""
        return self._saved if self.queue is None else [*self._saved, *self.queue.saved()]

    def keep(self, saved: Iterable[Mapping[str, Any]]) -> None:
        """Take what the last session left; :meth:`restore` puts it into the queue once the window is seen."""
        self._saved = list(saved)

    def restore(self) -> None:
        """Show what the last session left. It waits until the user lets it go on."""
        if self._saved:
            saved, self._saved = self._saved, []
            queue = self._made()
            queue.drain()
            queue.restore(saved)
            if queue.cells:
                self.filled.emit()
            self.refresh()

    def _made(self) -> RunQueue:
        if self.queue is None:
            from lab.studies.run_queue import RunQueue

            self.queue = RunQueue(self._runs.folder)
            self._apply()
        return self.queue

    def _words(self, cell: Cell) -> tuple[str, str]:
        assert self.queue is not None
        return self.queue.title(cell), self.queue.settings(cell)

    # steering

    @property
    def running(self) -> bool:
        return self.pool is not None and not self.pool.join(0)

    @Slot()
    def _apply(self) -> None:
        if self.queue is not None:
            self.queue.limit, self.queue.on_failure = self.limit.value(), "hold" if self.holds.isChecked() else "skip"

    def _go(self) -> None:
        self._timer.start()
        self.refresh()

    def _staff(self, queue: RunQueue) -> None:
        """Have workers at it, as long as anything waits."""
        if queue.count("waiting") and not queue.draining and not self.running:
            from lab.studies.pool import Pool

            self.pool = Pool(queue, [""] * MOST)  # a run's device was chosen with it
            self.pool.start()

    @Slot()
    def _hold_or_go(self) -> None:
        assert self.queue is not None  # the button is off without one
        self.queue.go_on() if self.queue.draining else self.queue.drain()
        self._go()

    def _current(self) -> Cell | None:
        row = self.list.currentIndex().row()
        return self.model.cells[row] if 0 <= row < len(self.model.cells) else None

    def _move(self, by: int) -> None:
        row = self.list.currentIndex().row()
        self._dragged(row, row + by if by < 0 else row + by + 1)

    @Slot(int, int)
    def _dragged(self, row: int, before: int) -> None:
        keys = [cell.point.key for cell in self.model.cells]
        if self.queue is None or not 0 <= row < len(keys) or before < 0:
            return
        key, rest = keys[row], keys[:row] + keys[row + 1 :]
        rest.insert(before - (before > row), key)
        self.queue.reorder(rest)
        self.refresh()

    def _remove(self) -> None:
        if self.queue is not None and (cell := self._current()) is not None:
            self.queue.remove(cell)
            if self.pool is not None:
                self.pool.stop(cell)
            self.refresh()

    @Slot()
    def _clear(self) -> None:
        assert self.queue is not None  # the button is off without one
        for cell in self.queue.cells:
            if cell.state == "finished":
                self.queue.remove(cell)
        self.refresh()

    def _retry(self) -> None:
        if self.queue is not None and (cell := self._current()) is not None:
            self.queue.retry([cell.point.key])
            self.queue.go_on()
            self._go()

    def _open(self, key: str) -> None:
        cell = next(cell for cell in self.model.cells if cell.point.key == key)
        if cell.state == "waiting":
            self.message.emit("This run has not begun.")
        else:
            self.opened.emit(str(cell.path))

    # showing

    @Slot()
    def refresh(self) -> None:
        """Show how far everything is."""
        if self.queue is None:
            return
        self._staff(self.queue)
        cells, current = self.queue.cells, self._current()
        if self.model.show_cells(cells) and current in cells:
            self.list.setCurrentIndex(self.model.index(cells.index(current)))
        states = [cell.state for cell in cells]
        if states != self._states:
            if states.count("failed") > self._states.count("failed") and "waiting" in states and self.queue.draining:
                self.message.emit("A run of the queue failed, so the rest waits. Go on starts it.")
            self._states = states
            self.changed.emit()
        self._enable()
        if not self.running:
            self._timer.stop()

    def _enable(self) -> None:
        cell, states = self._current(), self._states
        row, last = self.list.currentIndex().row(), len(self.model.cells) - 1
        waits = cell is not None and cell.state == "waiting"
        self.up.setEnabled(waits and row > 0)
        self.down.setEnabled(waits and row < last)
        self.again.setEnabled(cell is not None and cell.state == "failed")
        self.out.setEnabled(cell is not None)
        self.clear.setVisible("finished" in states)
        held = self.queue is not None and self.queue.draining
        self.go.setText("Go on" if held else "Hold")
        self.go.setToolTip("Start what waits" if held else "Start nothing more; what is running comes to its end")
        if "waiting" not in states and self.go.hasFocus():
            self.list.setFocus()  # Qt would give it to the number of runs at once
        self.go.setEnabled("waiting" in states)

    def set_theme(self, theme: Theme) -> None:
        self.list.set_theme(theme)
        recolour(self, theme)

    def finish(self) -> None:
        """The window closes: stop what runs, where it is."""
        self._timer.stop()
        if self.pool is not None:
            self.pool.cut()
            self.pool.join(STOPPING)
