"""The page of one run: its views as linked panels that can be moved, closed and maximised."""

import os
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QImage, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.lab.page_head import PageHead, heading
from gui.lab.panels import Panels, Room
from gui.panel import Panel
from gui.picture import save, widget_picture
from gui.runs.open_run import OpenRun
from gui.runs.runs import ACTIVE
from gui.selection import Selection
from gui.theme import Theme
from gui.views import make_view
from gui.views.axes import StepAxis
from gui.views.base import ViewWidget
from lab.request import instruments_asked
from lab.verdict import Verdict
from lab.views import View

INTERVAL = 20  # ms between turns; in each, the view that is due and has waited longest
DRAW_BUDGET = 0.005  # seconds of drawing, where several views are drawn at once, before other events get their turn
VIEW_EVERY = 0.125  # seconds between drawings of one view at least
FIRST_COST = 0.016  # seconds that a first drawing is charged at most, which loads and lays out much else
SHARE = min(0.05 * (os.cpu_count() or 1), 0.4)  # of a core that all views beside a live run may take
VERDICT_EVERY = 2.0  # seconds between verdicts while the run goes on
FINAL = ("finished", "stopped", "failed", "interrupted")


def specs_of(run: OpenRun) -> list[View]:
    """The views of a run: those declared, and those of optional instruments that are on or were read."""
    if run.experiment is None:
        return []
    there = set(run.source.names())
    if run.state == "preview":
        return [spec for spec in run.experiment.views_of(run.config, ()) if there.issuperset(spec.names)]
    on = instruments_asked(run.also)
    there |= {s.name for i in run.experiment.instruments() if i.method in on for s in i.series}
    return run.experiment.views_of(run.config, there)


class RunPage(QWidget):
    """Header and views of a run; one timer refreshes them, while the page is in sight and the run can change.

    Args:
        beside: The page of another run that this one goes along with: one step, one stretch, one selection.
    """

    verdict_changed = Signal(object)  # Verdict or None
    figure_requested = Signal(str, str, object)  # run file, view, step or None for the newest
    branch_requested = Signal(object, str, dict)  # run, the action that the branch begins with, its arguments
    maximise_changed = Signal(str)  # id of the view that fills the page, or nothing
    close_requested = Signal()  # of a page beside another one

    def __init__(
        self, run: OpenRun, theme: Theme, parent: QWidget | None = None, *, beside: "RunPage | None" = None
    ) -> None:
        super().__init__(parent)
        self.run, self.theme = run, theme
        self.axis = StepAxis(self) if beside is None else beside.axis
        self.selection = Selection(self) if beside is None else beside.selection
        self.verdict: Verdict | None = None
        self._judged_at = 0.0
        self._turned: tuple[ViewWidget[Any], float] | None = None  # the last turn's view, processor time before it
        self.share = SHARE
        self.docks = Panels([self._view(spec) for spec in specs_of(run)], self)
        self.docks.maximise_changed.connect(self.maximise_changed)
        self.docks.shown.connect(self._visibility_changed)
        self.head = PageHead(self.docks.menu(self), theme, self, beside=beside is not None)
        self.head.close_requested.connect(self.close_requested)
        self.head.title.show_text(self.heading())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.head)
        self._room = Room(self.docks)
        layout.addWidget(self._room, 1)
        self._timer = QTimer(self, interval=INTERVAL)
        self._timer.timeout.connect(self._turn)
        run.state_changed.connect(self._state_changed)
        run.config_changed.connect(self._config_changed)
        run.also_changed.connect(self._also_changed)
        self.set_theme(theme)
        self.refresh()

    def _view(self, spec: View) -> ViewWidget:
        view = make_view(spec, self.run, self.theme, self.axis)
        view.share(self.selection)
        view.figure_requested.connect(lambda: self._send(view))
        view.branch_requested.connect(lambda act, arguments: self.branch_requested.emit(self.run, act, arguments))
        return view

    @property
    def panels(self) -> list[Panel]:
        return self.docks.all

    @property
    def views(self) -> list[ViewWidget]:
        return [panel.view for panel in self.panels]

    def _send(self, view: ViewWidget) -> None:
        """Ask for this view in the figure that is composed."""
        self.figure_requested.emit(self.run.path, view.spec.id, self.axis.pinned)

    def heading(self) -> str:
        """Title, preset, arm and seed in one line."""
        return heading(self.run, narrow=self.docks.narrow)

    # Layout.

    def set_narrow(self, narrow: bool) -> None:
        """Stand beside other pages, or alone again with the panels as they were."""
        self.docks.set_narrow(narrow)
        self.head.title.show_text(self.heading())
        self._show_outcome()

    def divide(self, pages: int) -> None:
        """Take the share of the window's time that is left where so many pages stand side by side."""
        self.share = SHARE / pages

    def show_maximised(self, view: str) -> None:
        """Let the panel of that view fill the page; nothing for none."""
        self.docks.show_maximised(view)

    @property
    def maximised(self) -> Panel | None:
        return self.docks.maximised

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.docks.maximised is not None:
            self.docks.restore_all()
        elif event.key() != Qt.Key.Key_Escape or not self.selection.clear():
            super().keyPressEvent(event)

    def save_layout(self) -> dict[str, Any]:
        """Where the panels are, and the settings of each view, as plain data."""
        return {
            "docks": bytes(self.docks.state().toBase64().data()).decode(),
            "views": {view.spec.id: view.settings() for view in self.views},
        }

    def restore_layout(self, layout: dict[str, Any]) -> None:
        """Take back what :meth:`save_layout` gave; parts that do not fit this run are left alone."""
        settings = layout.get("views", {})
        self.docks.put_back(QByteArray.fromBase64(str(layout.get("docks", "")).encode()), settings)
        for view in self.views:
            view.restore(settings.get(view.spec.id, {}))

    def reset_layout(self) -> None:
        """Put every panel back where it was at first."""
        self.docks.reset()

    # Refreshing.

    @Slot()
    def refresh(self) -> None:
        """Pull and draw what is new in the views in sight."""
        self._refresh(self._in_sight(), DRAW_BUDGET)

    @Slot()
    def _turn(self) -> None:
        self._settle()
        shown, now, clock = self._in_sight(), time.perf_counter(), time.process_time()
        if self._final:
            self._refresh(shown, DRAW_BUDGET)
            if not any(view.stale for view in shown):
                self._timer.stop()
            return
        each = self.share / max(len(shown), 1)
        due = [view for view in shown if now - view.drawn_at >= max(VIEW_EVERY, view.cost / each)]
        drawn = self._refresh(due, 0.0)
        self._turned = (drawn[0], clock) if drawn else None

    def _settle(self) -> None:
        """Learn what the view of the last turn cost: Qt painted it after the turn, so all that was spent until now.

        Of all threads: without a graphics card a surface is drawn in others. Whatever else the window did meanwhile is
        charged to the view, too, so one drawing says little, and one that seems to have become much dearer less.
        """
        if self._turned is not None:
            view, before = self._turned
            charge = min(time.process_time() - before, max(4 * view.cost, FIRST_COST))
            view.cost += 0.5 * (charge - view.cost)
            self._turned = None

    def _in_sight(self) -> list[ViewWidget[Any]]:
        return [view for view in self.views if view.isVisible()] if self.isVisible() else self.views

    def _refresh(self, views: list[ViewWidget[Any]], budget: float) -> list[ViewWidget[Any]]:
        """Pull the views, and draw one that is stale and others within so many seconds; which were drawn."""
        start = time.perf_counter()
        for view in views:
            view.pull()
        for view in self.views:
            view.wait()  # a range that grew at a pull asked all of them to draw at once, past the budget
        drawn: list[ViewWidget[Any]] = []
        for view in sorted((view for view in views if view.stale), key=lambda view: view.drawn_at):
            if not drawn or time.perf_counter() - start < budget:  # who waited longest comes first
                view.draw()
                drawn.append(view)
        self._judge()
        return drawn

    @property
    def _final(self) -> bool:
        return self.run.state in FINAL

    @property
    def refreshing(self) -> bool:
        """Whether the timer is on."""
        return self._timer.isActive()

    def _judge(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._judged_at < VERDICT_EVERY:
            return
        self._judged_at = time.monotonic()
        verdict = self.run.verdict()
        if verdict != self.verdict:
            self.verdict = verdict
            self.verdict_changed.emit(verdict)
        self._show_outcome()

    def _show_outcome(self) -> None:
        going_on = self.run.state in ACTIVE
        self.head.show_outcome(self.verdict, self.theme, going_on=going_on, narrow=self.docks.narrow)

    @Slot(str)
    def _state_changed(self, _: str) -> None:
        if self.isVisible():
            self._timer.start()
        if self._final:
            self._judge(now=True)

    @Slot()
    def _config_changed(self) -> None:
        self.head.title.show_text(self.heading())  # a branch learns its seed and parent when its file is open
        for view in self.views:
            view.invalidate()
        if self.isVisible():
            self._timer.start()

    @Slot()
    def _also_changed(self) -> None:
        known = {view.spec.id for view in self.views}
        for spec in specs_of(self.run):
            if spec.id not in known:
                panel = self.docks.add(self._view(spec))
                QTimer.singleShot(0, panel, lambda panel=panel: self._room.ensureWidgetVisible(panel, 0, 0))

    @Slot(bool)
    def _visibility_changed(self, visible: bool) -> None:
        if visible and self.isVisible():
            self._timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    # For the window.

    @Slot(object)
    def set_step(self, step: int | None) -> None:
        """Put the crosshair of every view on a step; None follows the newest."""
        self.axis.pin(step)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.docks.set_theme(theme)
        self.head.set_theme(theme)
        self._show_outcome()

    def screenshot(self, path: str | Path | None = None, scale: float = 2.0) -> QImage:
        """A picture of the page, ``scale`` pixels per point; written as PNG where a path is given."""
        image = widget_picture(self, scale, self.theme.raised)
        if path is not None:
            save(image, Path(path))
        return image
