"""The Lab place: catalogue and recent runs left, runs in the centre, knobs and cards right, transport below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMessageBox,
    QTabWidget,
    QToolBar,
    QToolButton,
    QWidget,
)

from gui.background import Background
from gui.icons import put
from gui.lab.catalogue import Catalogue
from gui.lab.claim_panel import ClaimPanel
from gui.lab.knobs_panel import KnobsPanel
from gui.lab.log_panel import LogPanel
from gui.lab.recent import RecentRuns
from gui.lab.run_tab import MakePage, RunTab, StateChip
from gui.lab.verdict_panel import VerdictPanel
from gui.lab.welcome import Demo, Welcome
from gui.named import named
from gui.queue.panel import QueuePanel
from gui.runs.open_run import OpenRun
from gui.runs.runs import ACTIVE, Runs, short_title_of, title_of
from gui.studies.tabs import Studies
from gui.theme import Theme
from storage.errors import RunFileError

if TYPE_CHECKING:
    from gui.forms import Form
    from gui.lab.preview import Preview
    from lab.experiment import Experiment
    from lab.registry import Broken

LAYOUT_VERSION = 1  # a stored layout of another version is not restored


def ask(parent: QWidget, title: str, text: str, yes: str) -> bool:
    """Whether the user agrees to something that puts a run at stake."""
    box = QMessageBox(QMessageBox.Icon.NoIcon, title, title, parent=parent)
    box.setInformativeText(text)
    agree = box.addButton(yes, QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.exec()
    return box.clickedButton() is agree


class LabPlace(QMainWindow):
    """Runs experiments and shows runs."""

    message = Signal(str)
    current_changed = Signal()
    figure_requested = Signal(str, str, object)  # run file, view, step or None

    def __init__(
        self, runs: Runs, make_page: MakePage, transport: Any, theme: Theme, ask: Callable[..., bool] = ask
    ) -> None:
        super().__init__()
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockNestingEnabled(True)
        self.runs, self._make_page, self._theme, self.ask = runs, make_page, theme, ask
        self.experiments: Mapping[str, type[Experiment]] = {}
        self.experiment: type[Experiment] | None = None
        self.preview: Preview | None = None
        self._preview_page: Any = None
        self.page_layouts: dict[str, dict[str, Any]] = {}  # by experiment
        self.transport = transport
        transport.run_requested.connect(self.start)
        transport.branch_requested.connect(self.branch)
        transport.step_selected.connect(self._show_step)
        self._build_centre()
        self._build_docks()
        self.studies = Studies(self.tabs, runs, theme, ask)
        self.studies.message.connect(self.message)
        self.studies.run_chosen.connect(self.open_path)
        self.studies.changed.connect(self.recent.refresh)
        self.knobs.study_requested.connect(lambda: self.studies.ask(self.knobs.form))
        self.knobs.claim_requested.connect(lambda: self.studies.ask(self.knobs.form, claim=True))
        self._initial = self.saveState(LAYOUT_VERSION)

    def _build_centre(self) -> None:
        self.welcome = Welcome(self._theme)
        self.welcome.demo_chosen.connect(self.start_demo)
        self.tabs = QTabWidget(documentMode=True, movable=True, tabBarAutoHide=True)
        self.tabs.tabBar().setElideMode(Qt.TextElideMode.ElideNone)
        self.tabs.addTab(self.welcome, "Welcome")
        self.chip = StateChip(self._theme)
        self.tabs.setCornerWidget(self.chip)
        self.tabs.currentChanged.connect(self._show_current)
        self.setCentralWidget(self.tabs)
        bar = named(QToolBar("Transport", self, movable=False, floatable=False), "transport_bar")
        bar.toggleViewAction().setEnabled(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        bar.addWidget(self.transport)
        self.addToolBar(Qt.ToolBarArea.BottomToolBarArea, bar)

    def _build_docks(self) -> None:
        self.catalogue = Catalogue(self._theme)
        self.catalogue.selected.connect(self.choose)
        self.recent = RecentRuns(self.runs.stored, self._theme)
        self.recent.chosen.connect(self.open_path)
        self.knobs = KnobsPanel(self._theme)
        self.knobs.run_requested.connect(self.run_or_pause)
        self.knobs.form_changed.connect(self.ask_cost)
        self.knobs.queue_requested.connect(self.put_in_queue)
        self.knobs.picked = self.picked
        self.queue = QueuePanel(self.runs, self._theme)
        self.queue.opened.connect(self.open_path)
        self.queue.message.connect(self.message)
        self.queue.changed.connect(self.recent.refresh)
        self._cost = Background(self)
        self._cost.done.connect(self._show_cost)
        self._measuring = Background(self)
        self._measuring.done.connect(self._measured)
        self._measuring.failed.connect(self.message)
        self._cost_timer = QTimer(self, interval=700, singleShot=True)
        self._cost_timer.timeout.connect(self._estimate)
        self.claim, self.verdict, self.log = ClaimPanel(), VerdictPanel(self._theme), LogPanel()
        self.cards = QTabWidget(documentMode=True)
        for widget, name in ((self.claim, "Claim"), (self.verdict, "Verdict"), (self.log, "Log")):
            self.cards.addTab(widget, name)
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        self.docks = {
            "catalogue": self._dock("catalogue", "Catalogue", self.catalogue, left),
            "recent": self._dock("recent", "Recent runs", self.recent, left),
            "queue": self._dock("queue", "Queue", self.queue, left),
            "knobs": self._dock("knobs", "Knobs", self.knobs, right),
            "cards": self._dock("cards", "Claim, verdict, log", self.cards, right),
        }
        self.docks["queue"].hide()
        self.queue.filled.connect(self._show_queue)
        self._sized = False

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._sized:  # Qt sizes docks only once they are shown
            self._sized = True
            self._size_docks()

    def _size_docks(self) -> None:
        docks, down, across = self.docks, Qt.Orientation.Vertical, Qt.Orientation.Horizontal
        self.resizeDocks([docks["catalogue"], docks["knobs"]], [248, 320], across)
        self.resizeDocks([docks["catalogue"], docks["recent"]], [420, 240], down)
        self.resizeDocks([docks["knobs"], docks["cards"]], [480, 240], down)

    def _dock(self, name: str, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = named(QDockWidget(title, self), name)
        dock.setWidget(widget)
        widget.setMinimumWidth(208 if area is Qt.DockWidgetArea.LeftDockWidgetArea else 304)
        dock.setTitleBarWidget(DockTitle(dock, title, self._theme))
        self.addDockWidget(area, dock)
        return dock

    # experiments

    def set_experiments(self, found: Mapping[str, type[Experiment]], broken: Sequence[Broken]) -> None:
        """Fill catalogue and welcome page, and show the first experiment's knobs."""
        self.experiments = found
        self.catalogue.set_experiments(found, broken)
        self.welcome.set_experiments(found)
        if found and self.experiment is None:
            self.choose(next(iter(found)))

    def choose(self, name: str, preset: str = "", arm: str = "") -> None:
        """Show the claim and the knobs of an experiment for a new run."""
        self._show_knobs(self.experiments[name], preset, arm)

    def _show_knobs(self, experiment: type[Experiment], preset: str = "", arm: str = "") -> None:
        self.experiment = experiment
        if self.preview is not None and self.preview.experiment is not experiment:
            self._drop_preview()
        self.catalogue.show_selected(experiment.name)
        self.claim.show_experiment(experiment)
        self.knobs.show_experiment(experiment, preset, arm)

    def start_demo(self, demo: Demo) -> None:
        self.choose(demo.experiment, demo.preset, demo.arm)
        self.start()

    # runs

    def open_runs(self) -> list[OpenRun]:
        return [tab.run for tab in self._tabs()]

    def active_runs(self) -> list[OpenRun]:
        """Runs that still compute or wait to."""
        return [run for run in self.open_runs() if run.live and run.state in ACTIVE]

    def current(self) -> OpenRun | None:
        """The run on screen."""
        tab = self.tabs.currentWidget()
        return tab.run if isinstance(tab, RunTab) else None

    def shown_runs(self) -> list[OpenRun]:
        """The run on screen and those beside it."""
        tab = self.tabs.currentWidget()
        return [tab.run, *tab.lockstep.beside] if isinstance(tab, RunTab) else []

    def run_or_pause(self) -> None:
        """Pause or continue the run whose knobs are shown; start a new one where none of them is live."""
        run = self.knobs.run
        if run is None or not run.live or run.state not in ACTIVE:
            self.start()
        elif run.state == "running":
            run.pause()
        elif run.state == "paused":
            run.go()

    def start(self) -> None:
        """Run with the knobs of the form."""
        if wanted := self._wanted():
            self.add_run(self.runs.start(*wanted))

    def _wanted(self) -> tuple[type[Experiment], Any, str, str, tuple[str, ...]] | None:
        """Experiment, knobs, preset, arm and optional instruments of the form; None while a knob is wrong."""
        form = self.knobs.form
        config = form.config() if form is not None else None
        if form is None or config is None:
            if form is not None:
                form.focus_first_error()
            return None
        return form.experiment, config, form.preset(), form.arm(), form.also.chosen()

    def _show_queue(self) -> None:
        if self.docks["queue"].isHidden():
            self.docks["queue"].show()
            names = ("catalogue", "recent", "queue")
            self.resizeDocks([self.docks[name] for name in names], [300, 180, 230], Qt.Orientation.Vertical)

    def put_in_queue(self) -> None:
        """Let a run with the knobs of the form wait for its turn."""
        if wanted := self._wanted():
            self.queue.add(*wanted)

    def open_path(self, path: str) -> None:
        """Open a run file or the folder of a study, or show its tab where it is open already."""
        if Path(path).is_dir():
            self.studies.open_folder(Path(path))
            return
        for tab in self._tabs():
            if tab.run.path == path:
                self.tabs.setCurrentWidget(tab)
                return
        self.add(lambda: self.runs.open(path))

    def add_run(self, run: OpenRun) -> None:
        """Give a run a tab and show it, its panels as the user last left those of the experiment."""
        self._keep_layouts()
        tab = RunTab(run, self._make_page, self._theme)
        if run.experiment is not None and (layout := self.page_layouts.get(run.experiment.name)):
            tab.page.restore_layout(layout)
        index = self.tabs.addTab(tab, short_title_of(run))
        tab.resume_requested.connect(lambda: self.resume(tab))
        close = named(QToolButton(), "tiny")
        close.setAccessibleName("Close this run")
        close.setToolTip("Close this run  (Ctrl+W)")
        close.setIconSize(QSize(16, 16))
        put(close, "close", self._theme, "muted")
        close.clicked.connect(lambda: self.close_tab(self.tabs.indexOf(tab)))
        self.tabs.tabBar().setTabButton(index, self.tabs.tabBar().ButtonPosition.RightSide, close)
        self.tabs.setTabToolTip(index, f"{title_of(run)}\n{run.path}".strip())
        tab.lockstep.changed.connect(lambda: self._show_beside(tab))
        run.state_changed.connect(self._state_changed)
        tab.page.verdict_changed.connect(self._judged)
        if hasattr(tab.page, "figure_requested"):  # pages that only judge have no views to send
            tab.page.figure_requested.connect(self.figure_requested)
        self.tabs.setCurrentIndex(index)
        tab.setFocus()  # not a button of its panels: Space is for the run
        self.cards.setCurrentWidget(self.verdict)

    def close_tab(self, index: int = -1) -> None:
        tab = self.tabs.widget(index if index >= 0 else self.tabs.currentIndex())
        for page in self.studies.pages():
            if page is tab:
                self.studies.close(page)
        if not isinstance(tab, RunTab):
            return
        if tab.run in self.active_runs():
            text = "It is still going on. What it has recorded stays in its file, and it can be resumed."
            if not self.ask(self, f"Stop {tab.title}?", text, "Stop and close"):
                return
            tab.run.stop()
        self._keep_layouts()
        self.tabs.removeTab(self.tabs.indexOf(tab))
        tab.deleteLater()

    def branch(self, step: int) -> None:
        """Ask which knobs a new run from ``step`` of the one on screen changes; first those that the form has."""
        run, form = self.current(), self.knobs.form
        wanted = form.config() if form is not None else None
        if run is None or run.experiment is None or wanted is None:
            return
        from gui.lab.branch_dialog import BranchDialog  # the form's own types come with the first branch

        picked = self.picked()
        dialog = BranchDialog(step, run.experiment, run.config, wanted, self._theme, self, picked)
        dialog.given.connect(lambda step, config, acts: self.add(lambda: self.runs.branch(run, step, config, acts)))
        dialog.open()

    def picked(self) -> dict[str, int]:
        """What is picked in the views on screen, as arguments of actions."""
        tab = self.tabs.currentWidget()
        selection = getattr(tab.page, "selection", None) if isinstance(tab, RunTab) else None
        return {} if selection is None else selection.arguments()

    def set_beside(self, path: str) -> None:
        """Show the views of another run beside those on screen, at the same step."""
        tab = self.tabs.currentWidget()
        if not isinstance(tab, RunTab):
            return
        try:
            tab.show_beside(
                next((one.run for one in self._tabs() if one.run.path == path), None) or self.runs.open(path)
            )
        except (RunFileError, ValueError) as error:
            self.message.emit(str(error))

    def _show_beside(self, tab: RunTab) -> None:
        if self.tabs.currentWidget() is tab:
            self.transport.show_beside(tab.lockstep.beside)

    def replay(self) -> None:
        """Run the one on screen again from its start, its turned knobs and actions at their steps."""
        if (run := self.current()) is not None:
            self.add(lambda: self.runs.replay(run))

    def add(self, start: Callable[[], OpenRun]) -> None:
        """Give a run that ``start`` makes a tab; say why where it cannot."""
        try:
            self.add_run(start())
        except (RunFileError, ValueError) as error:
            self.message.emit(str(error))

    def resume(self, tab: RunTab) -> None:
        """Go on with a run that was stopped, interrupted or failed: a live run takes the place of its tab."""
        try:
            run = self.runs.resume(tab.run)
        except (RunFileError, ValueError) as error:
            self.message.emit(str(error))
            return
        self.tabs.removeTab(self.tabs.indexOf(tab))
        tab.deleteLater()
        self.add_run(run)

    def _show_step(self, step: int | None) -> None:
        tab = self.tabs.currentWidget()
        if isinstance(tab, RunTab):
            tab.page.set_step(step)

    def move_step(self, event: QKeyEvent) -> bool:
        """Let an arrow, Home or End that nothing else wanted move the slider; whether it did."""
        return self.current() is not None and self.transport.slider.take(event)

    def show_welcome(self) -> None:
        self.tabs.setCurrentWidget(self.welcome)

    def _tabs(self) -> list[RunTab]:
        return [tab for i in range(self.tabs.count()) if isinstance(tab := self.tabs.widget(i), RunTab)]

    def _show_current(self) -> None:
        run = self.current()
        tab = self.tabs.currentWidget()
        axis = getattr(tab.page, "axis", None) if isinstance(tab, RunTab) else None
        self.transport.set_run(run, None if axis is None else axis.pinned)
        self.chip.set_run(run)
        if isinstance(tab, RunTab) and not self.tabs.tabBar().hasFocus():
            tab.setFocus()  # else Qt gives it to a button of its panels, and Space would press that
        if isinstance(tab, RunTab) and tab.lockstep.beside:
            self.transport.show_beside(tab.lockstep.beside)
        self.verdict.set_run(run, tab.page.verdict if isinstance(tab, RunTab) else None)
        self.log.set_run(run)
        if run is not None:
            self.knobs.show_run(run)
            self.claim.show_experiment(run.experiment)
            if run.experiment is not None:
                self.catalogue.show_selected(run.experiment.name)
        elif self.experiment is not None and self.knobs.run is not None:
            self._show_knobs(self.experiment)
        self.current_changed.emit()

    def _state_changed(self, state: str) -> None:
        self.chip.show_state()
        self.verdict.show_verdict(self.verdict.verdict)  # "so far" only while it goes on
        self.current_changed.emit()
        self.recent.refresh()

    def _judged(self) -> None:
        tab = self.tabs.currentWidget()
        if isinstance(tab, RunTab):
            self.verdict.show_verdict(tab.page.verdict)

    # cost

    def ask_cost(self) -> None:
        """Ask what the run would take, once the user has stopped typing. Never beside a run: both would be slowed."""
        form = self.knobs.form
        if form is not None:
            form.set_estimate("")
        self._cost_timer.start() if self.isVisible() and not self.active_runs() else self._cost_timer.stop()

    def _estimate(self) -> None:
        form = self.knobs.form
        if form is not None and form.config() is not None and not self.active_runs():
            experiment, config = form.experiment, form.config()
            if experiment.previews and not (self.preview and self.preview.of(experiment, config)):
                self._cost.start(lambda: (form, config, self.runs.preview(experiment, config)))
            else:
                also = form.also.chosen()
                self._cost.start(lambda: (form, config, self.runs.estimate(experiment, config, also)))

    def _show_cost(self, answer: tuple[Form, Any, Any]) -> None:
        form, config, found = answer
        if form is not self.knobs.form or form.config() != config:
            return
        if isinstance(found, str):
            form.set_estimate(found)
        else:
            self._show_preview(form.experiment, config, found)
            self._estimate()  # what it costs is asked after what it looks like

    def _show_preview(self, experiment: type[Experiment], config: Any, series: dict[str, Any]) -> None:
        """What the run would start from, in a tab of its own that follows the knobs."""
        if self.preview is not None and self.preview.fits(experiment, series):
            self.preview.take(config, series)
            return
        front = self.tabs.currentWidget() in (self.welcome, self._preview_page)
        self._drop_preview()
        from gui.lab.preview import Preview  # brings numpy, which the first paint does without

        self.preview = Preview(experiment, config, series)
        self._preview_page = self._make_page(self.preview, self._theme)
        self.tabs.insertTab(1, self._preview_page, "Before training")
        if front:
            self.tabs.setCurrentWidget(self._preview_page)

    def _drop_preview(self) -> None:
        if self._preview_page is not None:
            page, self._preview_page, self.preview = self._preview_page, None, None
            self.tabs.removeTab(self.tabs.indexOf(page))
            page.deleteLater()

    # measuring afterwards

    def measure(self) -> None:
        """Ask what to read from the checkpoints of the stored run on screen."""
        run = self.current()
        if run is None or run.experiment is None or run in self.active_runs() or not run.checkpoints():
            self.message.emit("Only a run that is over, with checkpoints in its file, can be measured afterwards.")
            return
        if not any(item.optional for item in run.experiment.instruments()):
            self.message.emit(f"{run.experiment.title} can measure no more afterwards. {run.experiment.also_note}")
            return
        step = self.transport.slider.shown
        from gui.lab.measure_dialog import MeasureDialog  # the form's own types come with it

        dialog = MeasureDialog(run.experiment, len(run.checkpoints()), step, self)
        dialog.given.connect(lambda also, at: self._measure(run, also, at))
        dialog.open()

    def _measure(self, run: OpenRun, also: tuple[str, ...], at: tuple[int, ...]) -> None:
        self.message.emit("Measuring … the run opens again when it is done.")
        self._measuring.start(lambda: (run, self.runs.measure(run, also, at)))

    def _measured(self, answer: tuple[OpenRun, str]) -> None:
        run, problem = answer
        if problem:
            self.message.emit(problem)
            return
        for tab in self._tabs():
            if tab.run is run:
                self.tabs.removeTab(self.tabs.indexOf(tab))
                tab.deleteLater()
        self.open_path(run.path)

    def _keep_layouts(self) -> None:
        """Remember the panels of the run on screen for later runs of its experiment."""
        tab = self.tabs.currentWidget()
        if isinstance(tab, RunTab) and tab.run.experiment is not None and tab.page.isVisible():
            self.page_layouts[tab.run.experiment.name] = tab.page.save_layout()

    def may_close(self) -> bool:
        """Whether the window may be closed: neither a study nor the queue runs, or the user agrees to stop them."""
        text = "Its runs stop where they are. The queue comes back with the next start, and goes on from there."
        stops = "Stop and close"
        return self.studies.may_close(self) and (
            not self.queue.running or self.ask(self, "The queue is still going on. Stop and close?", text, stops)
        )

    def finish(self) -> None:
        """The window closes: let the threads end."""
        self._cost_timer.stop()
        self.studies.finish()
        self.queue.finish()
        self.runs.close()  # before the threads, so that an estimate that goes on ends too
        for background in (self._cost, self._measuring, self.recent.background):
            background.wait()

    # layout

    def restore_layout(self, state: QByteArray) -> None:
        self._sized = self.restoreState(state, LAYOUT_VERSION)

    def layout_state(self) -> QByteArray:
        self._keep_layouts()
        return self.saveState(LAYOUT_VERSION)

    def reset_layout(self) -> None:
        self.restoreState(self._initial, LAYOUT_VERSION)
        for name, dock in self.docks.items():
            dock.setVisible(name != "queue" or bool(self.queue.model.cells))
        self._size_docks()

    def toggle(self, name: str) -> None:
        self.docks[name].setVisible(self.docks[name].isHidden())

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        parts = (
            self.welcome,
            self.catalogue,
            self.recent,
            self.queue,
            self.knobs,
            self.verdict,
            self.chip,
            *self._tabs(),
        )
        for part in parts:
            part.set_theme(theme)
        if self._preview_page is not None:
            self._preview_page.set_theme(theme)
        self.transport.set_theme(theme)
        self.studies.set_theme(theme)


class DockTitle(QWidget):
    """A quiet title bar: heading, and a cross that hides the panel."""

    def __init__(self, dock: QDockWidget, title: str, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel_title")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        close = named(QToolButton(), "tiny")
        close.setAccessibleName(f"Hide {title}")
        close.setToolTip(f"Hide {title}")
        close.setIconSize(QSize(16, 16))
        close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        put(close, "close", theme, "muted")
        close.clicked.connect(dock.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 6, 8, 4)
        layout.addWidget(named(QLabel(title.upper()), "heading"))
        layout.addStretch(1)
        layout.addWidget(close)
