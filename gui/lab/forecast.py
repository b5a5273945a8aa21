"""What a run of the form's knobs would take and start from, asked in the background as they are shown and turned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from gui.background import Background
from gui.lab.knobs_panel import KnobsPanel
from gui.lab.run_tab import MakePage
from gui.lab.run_tabs import RunTabs
from gui.lab.welcome import Welcome
from gui.runs.runs import Runs
from gui.theme import Theme

if TYPE_CHECKING:
    from gui.forms import Form
    from gui.lab.preview import Preview
    from lab.experiment import Experiment

REST = 700  # ms without another change before anything is asked


class Forecast(QObject):
    """Puts the cost under Run, and what the run starts from into a tab of its own.

    Attributes:
        preview: What the tab "Before training" shows; None without one.
    """

    def __init__(self, knobs: KnobsPanel, tabs: RunTabs, runs: Runs, make_page: MakePage, theme: Theme) -> None:
        super().__init__(tabs)
        self._knobs, self._tabs, self._runs, self._make_page, self._theme = knobs, tabs, runs, make_page, theme
        self.preview: Preview | None = None
        self._look = True
        self._page: Any = None
        self.background = Background(self)
        self.background.done.connect(self._show)
        self._timer = QTimer(self, interval=REST, singleShot=True)
        self._timer.timeout.connect(self._ask)

    def ask(self, *, look: bool = True) -> None:
        """Ask once the user has stopped typing. Never beside a run: both would be slowed.

        Args:
            look: Also what a run starts from; else only what it costs.
        """
        self._look = look
        self._knobs.set_estimate("")
        self._timer.start() if self._tabs.isVisible() and not self._tabs.active_runs() else self._timer.stop()

    @property
    def waiting(self) -> bool:
        """Whether it will ask as soon as the knobs have rested."""
        return self._timer.isActive()

    def _ask(self) -> None:
        form = self._knobs.form
        if form is not None and form.config() is not None and not self._tabs.active_runs():
            experiment, config = form.experiment, form.config()
            if self._look and experiment.previews and not (self.preview and self.preview.of(experiment, config)):
                self.background.start(lambda: (form, config, self._runs.preview(experiment, config)))
            else:
                also = form.also.chosen()
                self.background.start(lambda: (form, config, self._runs.estimate(experiment, config, also)))

    def _show(self, answer: tuple[Form, Any, Any]) -> None:
        form, config, found = answer
        if form is not self._knobs.form or form.config() != config:
            return
        if isinstance(found, str):
            self._knobs.set_estimate(found)
        else:
            self._show_preview(form.experiment, config, found)
            self._ask()  # what it costs is asked after what it looks like

    def _show_preview(self, experiment: type[Experiment], config: Any, series: dict[str, Any]) -> None:
        if self.preview is not None and self.preview.fits(experiment, series):
            self.preview.take(config, series)
            return
        front = self._tabs.currentWidget() is self._page or isinstance(self._tabs.currentWidget(), Welcome)
        self.drop()
        from gui.lab.preview import Preview  # brings numpy, which the first paint does without

        self.preview = Preview(experiment, config, series)
        self._page = self._make_page(self.preview, self._theme)
        self._tabs.insertTab(1, self._page, "Before training")
        if front:
            self._tabs.setCurrentWidget(self._page)

    def keep_for(self, experiment: type[Experiment]) -> None:
        """Another experiment's form is shown: what a run of the former would start from goes away."""
        if self.preview is not None and self.preview.experiment is not experiment:
            self.drop()

    def drop(self) -> None:
        """Take the tab away, once the event loop turns.

        Another tab's removal may have led here, and Qt's tab bar does not bear a removal within a removal.
        """
        if self._page is not None:
            page, self._page, self.preview = self._page, None, None
            QTimer.singleShot(0, self, lambda: self._remove(page))

    def _remove(self, page: QWidget) -> None:
        if self._tabs.currentWidget() is page:  # else Qt shows the next tab, whose run would take the knobs over
            self._tabs.setCurrentIndex(0)
        self._tabs.removeTab(self._tabs.indexOf(page))
        page.deleteLater()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        if self._page is not None:
            self._page.set_theme(theme)

    def stop(self) -> None:
        """Ask nothing more."""
        self._timer.stop()
