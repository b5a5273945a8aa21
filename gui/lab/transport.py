"""The bar under the views: run, pause, step, stop, branch, and the one slider over every view."""

import contextlib
from collections.abc import Sequence

from PySide6.QtCore import QElapsedTimer, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QToolButton, QWidget

from gui.icons import put, recolour
from gui.lab.slider import StepSlider
from gui.runs.open_run import OpenRun
from gui.still_label import StillLabel
from gui.style import font
from gui.theme import Theme
from gui.views.history import History
from gui.views.marks import marked
from gui.views.text import whole

UPDATE_MS = 100
PLAY_MS = 33
WHOLE_RUN_S = 20.0  # seconds in which a stored run plays at speed 1
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
SLOW = (0.0, 0.02, 0.1, 0.5)  # seconds after every step
FINAL = ("finished", "stopped", "failed", "interrupted")


def time_left(seconds: float) -> str:
    """Remaining time in words: ``3 min left``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s left"
    if seconds < 5400:
        return f"{round(seconds / 60)} min left"
    return f"{seconds / 3600:.1f} h left"


class Choice(QComboBox):
    """A box whose entries begin with no letter: letters are commands, also while it has the focus."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.text().strip() and event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.ignore()
        else:
            super().keyPressEvent(event)


class Transport(QWidget):
    """Commands to a run, and the step that is shown."""

    run_requested = Signal()
    branch_requested = Signal(int)
    step_selected = Signal(object)  # int, or None to follow the newest step

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.run: OpenRun | None = None
        self._history: History | None = None
        self._pulled = False  # the events of a run that is over are read once
        self._beside: Sequence[OpenRun] = ()
        self.setObjectName("transport")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.run_button = self._button("run", "Run (Space)", self.run_or_pause)
        self.step_button = self._button("step", "One step (.)", self.one_step)
        self.stop_button = self._button("stop", "Stop (Ctrl+.)", self.stop)
        self.branch_button = self._button("branch", "Branch here (B)", self.branch)
        self.slow_box = self._choice("Slow motion: wait after every step", [_slow_text(s) for s in SLOW])
        self.slow_box.currentIndexChanged.connect(self._slow_chosen)
        self.counter = StillLabel()
        self.counter.setFont(font(13))
        self.counter.setMinimumWidth(150)
        self.slider = StepSlider(theme)
        self.slider.moved.connect(self._slider_moved)
        self.previous_button = self._button("chevron-left", "Previous event ([)", self.previous_event)
        self.next_button = self._button("chevron-right", "Next event (])", self.next_event)
        self.play_button = self._button("run", "Play the recorded run (P)", self.play_or_hold)
        self.speed_box = self._choice("Speed of playing", [f"×{speed:g}" for speed in SPEEDS])
        self.speed_box.setCurrentIndex(SPEEDS.index(1.0))
        self.loop_button = self._button("loop", "Play again from the start (L)", None)
        self.follow_button = self._button("follow", "Follow the newest step (End)", self.follow)
        for button in (self.loop_button, self.follow_button):
            button.setCheckable(True)
        self._lay_out()
        self._timer = QTimer(self, interval=UPDATE_MS)
        self._timer.timeout.connect(self.refresh)
        self._play_timer = QTimer(self, interval=PLAY_MS)
        self._play_timer.timeout.connect(self._play_on)
        self._clock = QElapsedTimer()
        self._place = 0.0
        self.set_theme(theme)
        self.set_run(None)

    def _button(self, icon: str, tip: str, slot) -> QToolButton:
        button = QToolButton()
        button.setToolTip(tip)
        button.setAccessibleName(tip.rsplit(" (", 1)[0])
        button.setIconSize(QSize(18, 18))
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        put(button, icon, self.theme)
        if slot is not None:
            button.clicked.connect(slot)
        return button

    def _choice(self, name: str, texts: list[str]) -> QComboBox:
        box = Choice()
        box.setToolTip(name)
        box.setAccessibleName(name)
        box.addItems(texts)
        return box

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(4)
        for widget in (self.run_button, self.step_button, self.stop_button, self.branch_button, self.slow_box):
            layout.addWidget(widget)
        layout.addSpacing(8)
        layout.addWidget(self.counter)
        layout.addWidget(self.previous_button)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.next_button)
        layout.addSpacing(8)
        for widget in (self.play_button, self.speed_box, self.loop_button, self.follow_button):
            layout.addWidget(widget)

    # The run.

    @Slot(object)
    def set_run(self, run: OpenRun | None, step: int | None = None) -> None:
        """Show and command another run, or none; its views stand at ``step``, or follow the newest."""
        if self.run is not None:
            self.run.state_changed.disconnect(self._state_changed)
        self._hold()
        self._beside = ()
        self.run, self._history = run, History(run) if run is not None else None
        self._pulled = False
        self.slider.show_step(step)
        if run is not None:
            run.state_changed.connect(self._state_changed)
        self._state_changed()

    def show_beside(self, runs: Sequence[OpenRun]) -> None:
        """Let the slider reach over these runs too, which go along with the one that is commanded."""
        self._beside = runs
        self._state_changed()

    @Slot()
    def _state_changed(self, _: str = "") -> None:
        self._pulled = False
        self.refresh()
        run = self.run
        live = run is not None and run.live
        running = live and run is not None and run.state == "running"
        put(self.run_button, "pause" if running else "run", self.theme, "accent")
        text = "Pause" if running else "Go on" if live else "Run"
        self.run_button.setToolTip(f"{text} (Space)")
        self.run_button.setAccessibleName(text)
        if not live and (self.step_button.hasFocus() or self.stop_button.hasFocus()):
            self.run_button.setFocus()  # else Qt gives it to the next one, and Space would branch
        for widget in (self.step_button, self.stop_button, self.slow_box):
            widget.setEnabled(live)
        for widget in (self.slider, self.previous_button, self.next_button, self.play_button, self.follow_button):
            widget.setEnabled(run is not None)
        self._timer.start() if self._going_on else self._timer.stop()

    @property
    def _shown(self) -> list[OpenRun]:
        return [] if self.run is None else [self.run, *self._beside]

    @property
    def _going_on(self) -> bool:
        return any(run.state not in FINAL for run in self._shown)

    @Slot()
    def refresh(self) -> None:
        """Bring counter, progress and marks up to date."""
        run, history = self.run, self._history
        if run is None or history is None:
            self.slider.show_run(1, 0, [])
            self.counter.setText("")
            self.branch_button.setEnabled(False)
            return
        if self._going_on or not self._pulled:
            # a file that another process writes may be unreadable just now; the next tick tries again
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                history.pull()
                self._pulled = True
        reached, steps = max(one.reached for one in self._shown), max(one.steps for one in self._shown)
        self.slider.show_run(steps, reached, marked(history.events))
        if not self._going_on:
            self._timer.stop()
        text = f"{whole(self.slider.shown)} / {whole(steps)}"
        if run.step < run.reached:
            text += f"   back at {whole(run.step)}"
        elif run.live and run.state == "running" and run.rate > 0 and run.steps > run.step:
            text += f"   {time_left((run.steps - run.step) / run.rate)}"
        self.counter.setText(text)
        if (wide := self.counter.needed().width()) > self.counter.minimumWidth():
            self.counter.setMinimumWidth(wide)
        self.counter.setAccessibleName(f"Step {text}")
        start = self._branch_start()
        self.branch_button.setEnabled(start is not None)
        self.branch_button.setToolTip(self._branch_tip(start))
        self.follow_button.setChecked(self.slider.step is None)

    def _branch_tip(self, start: int | None) -> str:
        """A branch begins at exactly the step shown; where no checkpoint lies there, the way to it is recomputed."""
        if start is None:
            return "Branch here (B): possible once a checkpoint is stored"
        shown = self.slider.shown
        far = "" if start == shown else f", recomputed from the checkpoint at {whole(start)}"
        return f"Branch here (B): a new run from step {whole(shown)} with the knobs of the form{far}"

    def _branch_start(self) -> int | None:
        stored = self.run.checkpoints() if self.run is not None else []
        return max((step for step in stored if step <= self.slider.shown), default=None)

    # Commands.

    @Slot()
    def run_or_pause(self) -> None:
        """Pause a running run, let a paused one go on, or ask for a new one."""
        if self.run is None or not self.run.live:
            self.run_requested.emit()
        elif self.run.state == "running":
            self.run.pause()
        else:
            self.run.go()

    @Slot()
    def one_step(self) -> None:
        if self.run is not None and self.run.live:
            self.run.step_once()

    @Slot()
    def stop(self) -> None:
        if self.run is not None and self.run.live:
            self.run.stop()

    @Slot()
    def branch(self) -> None:
        """Ask for a branch at the step shown."""
        if self._branch_start() is not None:
            self.branch_requested.emit(self.slider.shown)

    @Slot(int)
    def _slow_chosen(self, index: int) -> None:
        if self.run is not None and self.run.live:
            self.run.slow(SLOW[index])

    # The slider.

    @Slot(object)
    def _slider_moved(self, step: int | None) -> None:
        self.step_selected.emit(step)
        self.refresh()

    @Slot()
    def previous_event(self) -> None:
        self.slider.previous_event()

    @Slot()
    def next_event(self) -> None:
        self.slider.next_event()

    @Slot()
    def follow(self) -> None:
        """Show the newest step, also as the run goes on."""
        self._hold()
        self.slider.select(None)
        self.refresh()

    @Slot()
    def play_or_hold(self) -> None:
        """Move the slider through what is recorded, or stop doing so."""
        if self._play_timer.isActive():
            self._hold()
        elif self.run is not None and self.slider.reached > 0:
            self._place = float(0 if self.slider.shown >= self.slider.reached else self.slider.shown)
            self._clock.start()
            self._play_timer.start()
            put(self.play_button, "pause", self.theme)

    def _hold(self) -> None:
        self._play_timer.stop()
        put(self.play_button, "run", self.theme)

    @property
    def playing(self) -> bool:
        return self._play_timer.isActive()

    @Slot()
    def _play_on(self) -> None:
        seconds = self._clock.restart() / 1000
        self._place += seconds * SPEEDS[self.speed_box.currentIndex()] * self.slider.steps / WHOLE_RUN_S
        if self._place < self.slider.reached:
            self.slider.select(int(self._place))
        elif self.loop_button.isChecked():
            self._place = 0.0
            self.slider.select(0)
        else:
            self.slider.select(self.slider.reached)
            self._hold()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # keys, not shortcuts: the window's own commands for the same keys would be ambiguous with them
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        keys = {
            Qt.Key.Key_Space: self.run_or_pause,
            Qt.Key.Key_Period: self.stop if control else self.one_step,
            Qt.Key.Key_B: self.branch,
            Qt.Key.Key_BracketLeft: self.previous_event,
            Qt.Key.Key_BracketRight: self.next_event,
            Qt.Key.Key_P: self.play_or_hold,
            Qt.Key.Key_L: self.loop_button.toggle,
        }
        if (command := keys.get(Qt.Key(event.key()))) is not None:
            command()
        else:
            super().keyPressEvent(event)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.slider.set_theme(theme)
        recolour(self, theme)


def _slow_text(seconds: float) -> str:
    return f"{seconds:g} s a step" if seconds else "full speed"
