"""The page of one run: its views as linked panels that can be moved, closed and maximised."""

import os
import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QImage, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMainWindow, QMenu, QScrollArea, QToolButton, QVBoxLayout, QWidget

from gui.icons import put, recolour
from gui.panel import HEAD_PX, Panel, Title
from gui.picture import save, widget_picture
from gui.runs.open_run import OpenRun
from gui.selection import Selection
from gui.style import font
from gui.theme import Theme
from gui.views import make_view
from gui.views.axes import StepAxis
from gui.views.base import ViewWidget, readable
from gui.views.text import whole
from lab.request import instruments_asked
from lab.verdict import Verdict
from lab.views import Ribbon, View

INTERVAL = 20  # ms between turns; in each, the view that is due and has waited longest
DRAW_BUDGET = 0.005  # seconds of drawing, where several views are drawn at once, before other events get their turn
VIEW_EVERY = 0.125  # seconds between drawings of one view at least
SHARE = min(0.08 * (os.cpu_count() or 1), 0.4)  # of the window's thread that all views beside a live run may take
VERDICT_EVERY = 2.0  # seconds between verdicts while the run goes on
RIBBON_PX, LEAST_PX = 76, 150  # heights of a ribbon at most, of any other view at least
STACKED = 3  # plots in sight where runs stand side by side
FINAL = ("finished", "stopped", "failed", "interrupted")


def specs_of(run: OpenRun) -> list[View]:
    """The views of a run: those declared, and those of optional instruments that are on or were read."""
    if run.experiment is None:
        return []
    there = set(run.source.names())
    declared = [spec for spec in run.experiment.views if spec.applies(run.config)]
    if run.state == "preview":
        return [spec for spec in declared if there.issuperset(spec.names)]
    on = instruments_asked(run.also)
    there |= {s.name for i in run.experiment.instruments() if i.method in on for s in i.series}
    return declared + [spec for spec in run.experiment.also_views if there.issuperset(spec.names)]


class _Room(QScrollArea):
    """Lets views that would be too low to read be scrolled to. The keys are the slider's."""

    def __init__(self, content: QWidget) -> None:
        super().__init__(widgetResizable=True)
        self.setObjectName("page")
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()


class RunPage(QWidget):
    """Header and views of a run; one timer refreshes them, while the page is in sight and the run can change.

    Args:
        beside: The page of another run that this one goes along with: one step, one stretch, one selection.
    """

    verdict_changed = Signal(object)  # Verdict or None
    figure_requested = Signal(str, str, object)  # run file, view, step or None for the newest
    maximise_changed = Signal(str)  # id of the view that fills the page, or nothing
    close_requested = Signal()  # of a page beside another one

    def __init__(
        self, run: OpenRun, theme: Theme, parent: QWidget | None = None, *, beside: "RunPage | None" = None
    ) -> None:
        super().__init__(parent)
        self.run, self.theme = run, theme
        self.axis = StepAxis(self) if beside is None else beside.axis
        self.selection = Selection(self) if beside is None else beside.selection
        self._beside = beside is not None
        self._wide: QByteArray | None = None  # where the panels were before the page became narrow
        self.verdict: Verdict | None = None
        self._judged_at = 0.0
        self._turned: tuple[ViewWidget[Any], float] | None = None  # the last turn's view, processor time before it
        self.share = SHARE
        self._maximised: tuple[Panel, QByteArray] | None = None
        self.docks = QMainWindow(self)
        self.docks.setWindowFlags(Qt.WindowType.Widget)
        self.docks.setDockNestingEnabled(True)
        self.docks.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.panels = [self._panel(make_view(spec, run, theme, self.axis)) for spec in specs_of(run)]
        self.header = self._header()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(_Room(self.docks), 1)
        self._arrange()
        self._default_layout = self.docks.saveState()
        self._timer = QTimer(self, interval=INTERVAL)
        self._timer.timeout.connect(self._turn)
        run.state_changed.connect(self._state_changed)
        run.config_changed.connect(self._config_changed)
        self.set_theme(theme)
        self.refresh()

    @property
    def views(self) -> list[ViewWidget]:
        return [panel.view for panel in self.panels]

    def _panel(self, view: ViewWidget) -> Panel:
        panel = Panel(view, self.docks)
        view.share(self.selection)
        panel.maximise_requested.connect(self.maximise)
        panel.visibilityChanged.connect(self._visibility_changed)
        view.figure_requested.connect(lambda: self._send(view))
        return panel

    def _send(self, view: ViewWidget) -> None:
        """Ask for this view in the figure that is composed."""
        self.figure_requested.emit(self.run.path, view.spec.id, self.axis.pinned)

    def _header(self) -> QWidget:
        header = QWidget(self)
        self.title = Title(self.heading(), sizes=(15, 13, 12))
        self.outcome = QLabel(header)
        self.outcome.setFont(font(13, bold=True))
        self.panels_button = QToolButton(header)
        self.panels_button.setToolTip("Panels: show, hide, reset the layout")
        self.panels_button.setAccessibleName("Panels")
        self.panels_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.panels_button.setIconSize(QSize(16, 16))
        put(self.panels_button, "panels", self.theme, "muted")
        self.panels_button.setMenu(self._panels_menu())
        layout = QHBoxLayout(header)
        layout.setContentsMargins(12, 6, 8, 6)
        layout.setSpacing(12)
        layout.addWidget(self.title)
        layout.addStretch(1)
        layout.addWidget(self.outcome)
        layout.addWidget(self.panels_button)
        if self._beside:
            close = QToolButton(header)
            close.setToolTip("Take this run away again")
            close.setAccessibleName(close.toolTip())
            close.setIconSize(QSize(16, 16))
            put(close, "close", self.theme, "muted")
            close.clicked.connect(self.close_requested)
            layout.addWidget(close)
        return header

    def heading(self) -> str:
        """Title, preset, arm and seed in one line."""
        header = self.run.header
        title = header.get("title") or (
            self.run.experiment.title if self.run.experiment else header.get("experiment", "")
        )
        seed = header.get("seed", getattr(self.run.config, "seed", None))
        parts = [title, header.get("preset"), header.get("arm"), None if seed is None else f"seed {seed}"]
        if header.get("parent_run"):
            parts.append(f"branch at {whole(int(header['parent_step']))}")
        if self._wide is not None:  # what tells neighbours apart comes first
            parts = [*parts[2:], *parts[:2]]
        return " \N{EN DASH} ".join(str(part) for part in parts if part)

    def _panels_menu(self) -> QMenu:
        menu = QMenu(self)
        for panel in self.panels:
            menu.addAction(panel.toggleViewAction())
        menu.addSeparator()
        menu.addAction("Reset layout").triggered.connect(self.reset_layout)
        return menu

    # Layout.

    def _arrange(self, *, stacked: bool = False) -> None:
        """Ribbons across the full width on top, the rest in rows of two; views that wait have rows below, closed.

        Args:
            stacked: All under each other instead, the first few in sight.
        """
        area = Qt.DockWidgetArea.TopDockWidgetArea
        ribbons = [panel for panel in self.panels if isinstance(panel.view.spec, Ribbon)]
        plots = [panel for panel in self.panels if panel not in ribbons]
        rows = [[panel] for panel in ribbons]
        for group in ([p for p in plots if p.view.spec.primary], [p for p in plots if not p.view.spec.primary]):
            # two side by side; with an odd number the first has a row of its own
            odd = len(group) if stacked else len(group) % 2 if len(group) > 2 else 0
            rows += [[panel] for panel in group[:odd]] + [group[i : i + 2] for i in range(odd, len(group), 2)]
        above = None
        for row in rows:
            if above is None:
                self.docks.addDockWidget(area, row[0])
            else:
                self.docks.splitDockWidget(above, row[0], Qt.Orientation.Vertical)
            above = row[0]
        for row in rows:
            if len(row) == 2:
                self.docks.splitDockWidget(row[0], row[1], Qt.Orientation.Horizontal)
        firsts, heights = [row[0] for row in rows], [RIBBON_PX + HEAD_PX if row[0] in ribbons else 400 for row in rows]
        self.docks.resizeDocks(firsts, heights, Qt.Orientation.Vertical)
        for row in rows:
            if len(row) == 2:
                self.docks.resizeDocks(row, [400, 400], Qt.Orientation.Horizontal)
        for panel in ribbons:
            panel.view.setMaximumHeight(RIBBON_PX)
        for panel in plots:
            panel.view.setMinimumHeight(LEAST_PX)
        for panel in self.panels:
            panel.setVisible(panel.view.spec.primary and not (stacked and panel in plots[STACKED:]))

    def set_narrow(self, narrow: bool) -> None:
        """Stand beside other pages, or alone again with the panels as they were."""
        if narrow and self._wide is None:
            self.restore_panels()
            self._wide = self.docks.saveState()
            self._arrange(stacked=True)
            self.title.show_text(self.heading())
            self._show_outcome()
        elif not narrow and self._wide is not None:
            self.restore_panels()
            self.docks.restoreState(self._wide)
            self._wide = None
            self.title.show_text(self.heading())
            self._show_outcome()

    def divide(self, pages: int) -> None:
        """Take the share of the window's time that is left where so many pages stand side by side."""
        self.share = SHARE / pages

    @Slot()
    def reset_layout(self) -> None:
        """Put every panel back where it was at first."""
        self._maximised = None
        for panel in self.panels:
            panel.setFloating(False)
            panel.show()
        self.docks.restoreState(self._default_layout)

    @Slot(object)
    def maximise(self, panel: Panel) -> None:
        """Let one panel fill the page; again, or Esc, goes back."""
        if self._maximised is not None:
            self.restore_panels()
            return
        self._maximised = (panel, self.docks.saveState())
        for other in self.panels:
            if other is not panel:
                other.hide()
        panel.view.setMaximumHeight(16_777_215)
        panel.view.setFocus()
        self.maximise_changed.emit(panel.view.spec.id)

    @Slot()
    def restore_panels(self) -> None:
        """Go back from a maximised panel."""
        if self._maximised is not None:
            panel, state = self._maximised
            self._maximised = None
            if isinstance(panel.view.spec, Ribbon):
                panel.view.setMaximumHeight(RIBBON_PX)
            self.docks.restoreState(state)
            panel.view.setFocus()  # Qt would give it to the first button of the page
            self.maximise_changed.emit("")

    def show_maximised(self, view: str) -> None:
        """Let the panel of that view fill the page; nothing for none."""
        if view != (self.maximised.view.spec.id if self.maximised else ""):
            self.restore_panels()
            for panel in self.panels:
                if panel.view.spec.id == view:
                    self.maximise(panel)

    @property
    def maximised(self) -> Panel | None:
        return self._maximised[0] if self._maximised else None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._maximised is not None:
            self.restore_panels()
        elif event.key() != Qt.Key.Key_Escape or not self.selection.clear():
            super().keyPressEvent(event)

    def save_layout(self) -> dict[str, Any]:
        """Where the panels are, and the settings of each view, as plain data."""
        state = self._wide or (self._maximised[1] if self._maximised else self.docks.saveState())
        return {
            "docks": bytes(state.toBase64().data()).decode(),
            "views": {view.spec.id: view.settings() for view in self.views},
        }

    def restore_layout(self, layout: dict[str, Any]) -> None:
        """Take back what :meth:`save_layout` gave; parts that do not fit this run are left alone."""
        self.docks.restoreState(QByteArray.fromBase64(str(layout.get("docks", "")).encode()))
        settings = layout.get("views", {})
        for view in self.views:
            view.restore(settings.get(view.spec.id, {}))

    # Refreshing.

    @Slot()
    def refresh(self) -> None:
        """Pull and draw what is new in the views in sight."""
        self._refresh(self._in_sight(), DRAW_BUDGET)

    @Slot()
    def _turn(self) -> None:
        self._settle()
        shown, now, clock = self._in_sight(), time.perf_counter(), time.thread_time()
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
        """Learn what the view of the last turn cost: Qt painted it after the turn, so all that was spent until now."""
        if self._turned is not None:
            view, before = self._turned
            view.cost += 0.5 * (time.thread_time() - before - view.cost)  # one slow drawing says little
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
        verdict, theme = self.verdict, self.theme
        if verdict is None:
            self.outcome.setText("")
            return
        passed = sum(check.passed for check in verdict.checks)
        colours = {"reproduced": theme.good, "not reproduced": theme.bad, "not comparable": theme.muted}
        count = f" {passed}/{len(verdict.checks)}" if verdict.checks else ""
        going_on = self.run.live and not self._final
        said = f"so far{count}" if going_on and verdict.checks else f"{verdict.outcome}{count}"
        # beside others the colour says it, and the title that tells them apart has the room
        self.outcome.setText(count.strip() if self._wide is not None and count else said)
        told = verdict.reason or "\n".join(f"{c.name}: {c.threshold}" for c in verdict.checks)
        self.outcome.setToolTip("\n".join(dict.fromkeys([said, told])))
        self.outcome.setAccessibleName(said)
        colour = theme.muted if going_on else readable(colours[verdict.outcome], theme)
        self.outcome.setStyleSheet(f"color: {colour};")

    @Slot(str)
    def _state_changed(self, _: str) -> None:
        if self.isVisible():
            self._timer.start()
        if self._final:
            self._judge(now=True)

    @Slot()
    def _config_changed(self) -> None:
        self.title.show_text(self.heading())  # a branch learns its seed and parent when its file is open
        for view in self.views:
            view.invalidate()
        if self.isVisible():
            self._timer.start()

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
        for panel in self.panels:
            panel.set_theme(theme)
        recolour(self.header, theme)
        self.title.setStyleSheet(f"color: {theme.text};")
        self.docks.setStyleSheet(
            f"QMainWindow {{ background: {theme.edge}; }}"
            f"QMainWindow::separator {{ background: {theme.raised}; width: 8px; height: 8px; }}"
        )
        self._show_outcome()

    def screenshot(self, path: str | Path | None = None, scale: float = 2.0) -> QImage:
        """A picture of the page, ``scale`` pixels per point; written as PNG where a path is given."""
        image = widget_picture(self, scale, self.theme.raised)
        if path is not None:
            save(image, Path(path))
        return image
