"""The Lab place: catalogue and recent runs left, runs in the centre, knobs and cards right, transport below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QMessageBox, QTabWidget, QToolBar, QWidget

from gui.lab.catalogue import Catalogue
from gui.lab.claim_panel import ClaimPanel
from gui.lab.forecast import Forecast
from gui.lab.knobs_panel import KnobsPanel
from gui.lab.log_panel import LogPanel
from gui.lab.measuring import Measuring
from gui.lab.recent import RecentRuns
from gui.lab.run_tab import MakePage, RunTab, StateChip
from gui.lab.run_tabs import RunTabs
from gui.lab.side_docks import LEFT, RIGHT, SideDocks
from gui.lab.verdict_panel import VerdictPanel
from gui.lab.welcome import Demo, Welcome
from gui.named import named
from gui.queue.panel import QueuePanel
from gui.runs.open_run import OpenRun
from gui.runs.runs import ACTIVE, Runs
from gui.studies.tabs import Studies
from gui.theme import Theme
from storage.errors import RunFileError

if TYPE_CHECKING:
    from gui.lab.branch_dialog import BranchDialog
    from lab.experiment import Experiment
    from lab.registry import Broken


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
        self.transport = transport
        transport.run_requested.connect(self.start)
        transport.branch_requested.connect(self.branch)
        transport.step_selected.connect(self._show_step)
        self._build_centre()
        self._build_panels()
        self.studies = Studies(self.tabs, runs, theme, ask)
        self.studies.message.connect(self.message)
        self.studies.run_chosen.connect(self.open_path)
        self.studies.changed.connect(self.recent.refresh)
        self.knobs.study_requested.connect(lambda: self.studies.ask(self.knobs.form))
        self.knobs.claim_requested.connect(lambda: self.studies.ask(self.knobs.form, claim=True))

    def _build_centre(self) -> None:
        self.welcome = Welcome(self._theme)
        self.welcome.demo_chosen.connect(self.start_demo)
        self.tabs = RunTabs(self._make_page, self._theme)
        self.tabs.addTab(self.welcome, "Welcome")
        self.chip = StateChip(self._theme)
        self.tabs.setCornerWidget(self.chip)
        self.tabs.currentChanged.connect(self._show_current)
        self.tabs.close_asked.connect(self.close_tab)
        self.setCentralWidget(self.tabs)
        bar = named(QToolBar("Transport", self, movable=False, floatable=False), "transport_bar")
        bar.toggleViewAction().setEnabled(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        bar.addWidget(self.transport)
        self.addToolBar(Qt.ToolBarArea.BottomToolBarArea, bar)

    def _build_panels(self) -> None:
        self.catalogue = Catalogue(self._theme)
        self.catalogue.selected.connect(self.choose)
        self.catalogue.list.clicked.connect(lambda _: self._ask_cost())  # the first is shown before anyone chose it
        self.recent = RecentRuns(self.runs.stored, self._theme, self.runs.folder)
        self.recent.chosen.connect(self.open_path)
        self.knobs = KnobsPanel(self._theme)
        self.knobs.run_requested.connect(self.run_or_pause)
        self.knobs.queue_requested.connect(self.put_in_queue)
        self.knobs.picked = self.picked
        self.forecast = Forecast(self.knobs, self.tabs, self.runs, self._make_page, self._theme)
        self.knobs.form_changed.connect(self.forecast.ask)
        self.queue = QueuePanel(self.runs, self._theme)
        self.queue.opened.connect(self.open_path)
        self.queue.message.connect(self.message)
        self.queue.changed.connect(self.recent.refresh)
        self.measuring = Measuring(self.runs, self)
        self.measuring.message.connect(self.message)
        self.measuring.measured.connect(self._measured)
        self.claim, self.verdict, self.log = ClaimPanel(), VerdictPanel(self._theme), LogPanel()
        self.cards = QTabWidget(documentMode=True)
        for widget, name in ((self.claim, "Claim"), (self.verdict, "Verdict"), (self.log, "Log")):
            self.cards.addTab(widget, name)
        self.docks = SideDocks(self, self._theme)
        self.docks.add("catalogue", "Catalogue", self.catalogue, LEFT)
        self.docks.add("recent", "Recent runs", self.recent, LEFT)
        self.docks.add("queue", "Queue", self.queue, LEFT)
        self.docks.add("knobs", "Knobs", self.knobs, RIGHT)
        self.docks.add("cards", "Claim, verdict, log", self.cards, RIGHT)
        self.queue.filled.connect(self.docks.show_queue)
        self.docks.settle()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.docks.window_shown()

    # experiments

    def set_experiments(self, found: Mapping[str, type[Experiment]], broken: Sequence[Broken]) -> None:
        """Fill catalogue and welcome page, and show the first experiment's knobs."""
        self.experiments = found
        self.catalogue.set_experiments(found, broken)
        self.welcome.set_experiments(found)
        if found and self.experiment is None:
            self._show_knobs(next(iter(found.values())))

    def choose(self, name: str, preset: str = "", arm: str = "") -> None:
        """Show the claim and the knobs of an experiment for a new run."""
        self._show_knobs(self.experiments[name], preset, arm)
        self._ask_cost()

    def _ask_cost(self) -> None:
        """Have the cost of what was chosen said under Run, where nothing else computes."""
        if not (self.queue.running or self.studies.running()):
            self.forecast.ask(look=False)

    def _show_knobs(self, experiment: type[Experiment], preset: str = "", arm: str = "") -> None:
        self.experiment = experiment
        self.forecast.keep_for(experiment)
        self.catalogue.show_selected(experiment.name)
        self.claim.show_experiment(experiment)
        self.knobs.show_experiment(experiment, preset, arm)

    def start_demo(self, demo: Demo) -> None:
        self.choose(demo.experiment, demo.preset, demo.arm)
        self.start()

    # runs

    def open_runs(self) -> list[OpenRun]:
        return [tab.run for tab in self.tabs.all()]

    def active_runs(self) -> list[OpenRun]:
        """Runs that still compute or wait to."""
        return self.tabs.active_runs()

    def current(self) -> OpenRun | None:
        """The run on screen."""
        tab = self.tabs.shown()
        return None if tab is None else tab.run

    def shown_runs(self) -> list[OpenRun]:
        """The run on screen and those beside it."""
        tab = self.tabs.shown()
        return [] if tab is None else [tab.run, *tab.lockstep.beside]

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

    def put_in_queue(self) -> None:
        """Let a run with the knobs of the form wait for its turn."""
        if wanted := self._wanted():
            self.queue.add(*wanted)

    def open_path(self, path: str) -> None:
        """Open a run file or the folder of a study, or show its tab where it is open already."""
        if Path(path).is_dir():
            self.studies.open_folder(Path(path))
            return
        for tab in self.tabs.all():
            if tab.run.path == path:
                self.tabs.setCurrentWidget(tab)
                return
        self.add(lambda: self.runs.open(path))

    def add_run(self, run: OpenRun) -> None:
        """Give a run a tab and show it."""
        tab = self.tabs.add_run(run)
        tab.resume_requested.connect(lambda: self.resume(tab))
        tab.branch_requested.connect(self._branch_with)
        tab.lockstep.changed.connect(lambda: self._show_beside(tab))
        run.state_changed.connect(self._state_changed)
        run.refused.connect(self.message)
        tab.page.verdict_changed.connect(self._judged)
        if hasattr(tab.page, "figure_requested"):  # pages that only judge have no views to send
            tab.page.figure_requested.connect(self.figure_requested)
        self.tabs.setCurrentWidget(tab)
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
        self.tabs.drop(tab)

    def branch(self, step: int) -> None:
        """Ask which knobs a new run from ``step`` of the one on screen changes; first those that the form has."""
        run, form = self.current(), self.knobs.form
        wanted = form.config() if form is not None else None
        if run is not None and form is not None and form.preset() != (run.header.get("preset") or form.preset()):
            wanted = run.config  # the form was left at another scene's knobs, which no branch of this run could take
        if run is not None and run.experiment is not None and wanted is not None:
            self._ask_branch(run, step, wanted, self.picked()).open()

    @Slot(object, str, dict)
    def _branch_with(self, run: OpenRun, act: str, arguments: dict[str, int]) -> None:
        """Ask for a branch of a run at the step shown, and let it begin with an action."""
        if run.experiment is not None:
            dialog = self._ask_branch(run, self.transport.slider.shown, run.config, self.picked() | arguments)
            dialog.act(act)
            dialog.open()

    def _ask_branch(self, run: OpenRun, step: int, wanted: Any, picked: dict[str, int]) -> BranchDialog:
        from gui.lab.branch_dialog import BranchDialog  # the form's own types come with the first branch

        assert run.experiment is not None, "whoever asks has looked"
        dialog = BranchDialog(step, run.experiment, run.config, wanted, self._theme, self, picked)
        dialog.given.connect(lambda step, config, acts: self.add(lambda: self.runs.branch(run, step, config, acts)))
        return dialog

    def picked(self) -> dict[str, int]:
        """What is picked in the views on screen, as arguments of actions."""
        tab = self.tabs.shown()
        selection = None if tab is None else getattr(tab.page, "selection", None)
        return {} if selection is None else selection.arguments()

    def set_beside(self, path: str) -> None:
        """Show the views of another run beside those on screen, at the same step."""
        tab = self.tabs.shown()
        if tab is None:
            return
        try:
            tab.show_beside(
                next((one.run for one in self.tabs.all() if one.run.path == path), None) or self.runs.open(path)
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
        self.tabs.drop(tab)
        self.add_run(run)

    def _show_step(self, step: int | None) -> None:
        tab = self.tabs.shown()
        if tab is not None:
            tab.page.set_step(step)

    def take(self, event: QKeyEvent) -> bool:
        """Do what a key that nothing else wanted says: arrows, Home and End move the slider, A and F fit the views."""
        tab = self.tabs.shown()
        if tab is None:
            return False
        plain = not event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier
        if plain and event.key() in (Qt.Key.Key_A, Qt.Key.Key_F):
            tab.fit("show_all" if event.key() == Qt.Key.Key_A else "follow")
            return True
        return self.transport.slider.take(event)

    def show_welcome(self) -> None:
        self.tabs.setCurrentWidget(self.welcome)

    def _show_current(self) -> None:
        tab, run = self.tabs.shown(), self.current()
        axis = getattr(tab.page, "axis", None) if tab is not None else None
        self.transport.set_run(run, None if axis is None else axis.pinned)
        self.chip.set_run(run)
        if tab is not None:
            if not self.tabs.tabBar().hasFocus():
                tab.setFocus()  # else Qt gives it to a button of its panels, and Space would press that
            if tab.lockstep.beside:
                self.transport.show_beside(tab.lockstep.beside)
        self.verdict.set_run(run, None if tab is None else tab.page.verdict)
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
        if state in ACTIVE:
            self.recent.refresh_when_calm()
        else:
            self.recent.refresh()

    def _judged(self) -> None:
        tab = self.tabs.shown()
        if tab is not None:
            self.verdict.show_verdict(tab.page.verdict)

    # measuring afterwards

    def measure(self) -> None:
        """Ask what to read from the checkpoints of the stored run on screen."""
        self.measuring.ask(self.current(), self.transport.slider.shown)

    def _measured(self, run: OpenRun) -> None:
        for tab in self.tabs.all():
            if tab.run is run:
                self.tabs.drop(tab)
        self.open_path(run.path)

    # closing

    def may_close(self) -> bool:
        """Whether the window may be closed: neither a study nor the queue runs, or the user agrees to stop them."""
        text = "Its runs stop where they are. The queue comes back with the next start, and goes on from there."
        stops = "Stop and close"
        return self.studies.may_close(self) and (
            not self.queue.running or self.ask(self, "The queue is still going on. Stop and close?", text, stops)
        )

    def finish(self) -> None:
        """The window closes: let the threads end."""
        self.forecast.stop()
        self.studies.finish()
        self.queue.finish()
        self.runs.close()  # before the threads, so that an estimate that goes on ends too
        for background in (self.forecast.background, self.measuring.background, self.recent.background):
            background.wait()

    # layout

    def restore_layout(self, state: QByteArray) -> None:
        self.docks.restore(state)

    def layout_state(self) -> QByteArray:
        self.tabs.keep_layout()
        return self.docks.state()

    def reset_layout(self) -> None:
        """Put back the window's panels, and those of the run on screen."""
        self.docks.reset(queue=bool(self.queue.model.cells))
        if (tab := self.tabs.shown()) is not None:
            tab.page.reset_layout()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for part in (self.welcome, self.catalogue, self.recent, self.queue, self.knobs, self.verdict, self.chip):
            part.set_theme(theme)
        for part in (self.tabs, self.forecast, self.transport, self.studies):
            part.set_theme(theme)
