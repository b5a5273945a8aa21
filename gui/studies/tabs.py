"""The studies of the window: asks for them, opens them from folders, and keeps their pages among the tabs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QSize, Signal
from PySide6.QtWidgets import QApplication, QTabWidget, QToolButton

from gui.background import Background
from gui.dialogs import ask_for_folder
from gui.icons import put
from gui.named import named
from gui.runs.runs import Runs
from gui.theme import Theme

if TYPE_CHECKING:  # they bring plots, HDF5, pydantic and numpy, and the window is seen before
    from gui.forms import Form
    from gui.studies.form import Basis, StudyForm
    from gui.studies.page import StudyPage
    from lab.studies.board import Board
    from lab.studies.study import Study

Ask = Callable[..., bool]


class Studies(QObject):
    """Makes and shows studies in the tabs of the Lab place."""

    message = Signal(str)
    run_chosen = Signal(str)
    scheduler_chosen = Signal(str)
    changed = Signal()  # runs were begun, or the last of them ended

    def __init__(self, tabs: QTabWidget, runs: Runs, theme: Theme, ask: Ask) -> None:
        super().__init__(tabs)
        self.scheduler = ""  # where studies compute; empty for this machine
        self._tabs, self._runs, self._theme, self._ask = tabs, runs, theme, ask
        self._pages: list[StudyPage] = []
        self._opening = Background(self)
        self._opening.done.connect(self._opened)
        self._opening.failed.connect(lambda problem: self.message.emit(problem.partition(": ")[2] or problem))

    def pages(self) -> list[StudyPage]:
        return list(self._pages)

    def running(self) -> list[StudyPage]:
        return [page for page in self.pages() if page.running]

    def ask(self, form: Form | None, *, claim: bool = False) -> None:
        """Ask which runs a study from the form's knobs is to have."""
        if form is None or form.config() is None:
            if form is not None:
                form.focus_first_error()
            return
        from gui.studies.form import Basis

        self._show_form(Basis.of_form(form, self._runs.device, claim=claim)).chosen.connect(self.start)

    def ask_change(self, page: StudyPage) -> None:
        """Ask which points a study is to have from now on."""
        from gui.studies.form import Basis

        basis = Basis.of_study(page.board.experiment, page.board.study)
        self._show_form(basis).chosen.connect(page.change)

    def _show_form(self, basis: Basis) -> StudyForm:
        from gui.studies.form import StudyForm

        dialog = StudyForm(basis, self._theme, self._runs, self.scheduler, self._tabs.window())
        dialog.where_asked.connect(self.ask_scheduler)
        self.scheduler_chosen.connect(dialog.set_scheduler)
        dialog.open()
        return dialog

    def ask_scheduler(self) -> None:
        """Ask where studies compute."""
        from gui.studies.scheduler import SchedulerDialog

        dialog = SchedulerDialog(self.scheduler, QApplication.activeModalWidget() or self._tabs.window())
        dialog.chosen.connect(self.set_scheduler)
        dialog.open()

    def set_scheduler(self, scheduler: str) -> None:
        """From now on studies compute there; one that runs goes on where it is."""
        self.scheduler = scheduler
        for page in self.pages():
            page.scheduler = scheduler
        self.scheduler_chosen.emit(scheduler)

    def start(self, study: Study) -> None:
        """Carry a study out; one that was begun before goes on where it was."""
        self._open(study, self._runs.folder / "studies" / study.folder_name, go=True)

    def ask_folder(self) -> None:
        ask_for_folder(
            self._tabs,
            "Open a study",
            lambda folder: self.open_folder(Path(folder)),
            folder=str(self._runs.folder / "studies"),
        )

    def open_folder(self, folder: Path) -> None:
        """Show the study in a folder; it goes on when asked to."""
        from lab.studies.study import FILE, Study, StudyError

        try:
            study = Study.from_toml((folder / FILE).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            self.message.emit(f"{folder} holds no {FILE}: it is not the folder of a study.")
        except StudyError as error:
            self.message.emit(f"{folder / FILE}: {error}")
        else:
            self._open(study, folder, go=False)

    def _open(self, study: Study, folder: Path, *, go: bool) -> None:
        for page in self.pages():
            if page.board.folder == folder:
                self._tabs.setCurrentWidget(page)
                return
        self._opening.start(lambda: (_board(study, folder), go))

    def _opened(self, answer: tuple[Board, bool]) -> None:
        from gui.studies.page import StudyPage

        board, go = answer
        page = StudyPage(board, self._theme, self.scheduler)
        self._pages.append(page)
        page.opened.connect(self.run_chosen)
        page.message.connect(self.message)
        page.changed.connect(self.changed)
        page.change_asked.connect(lambda: self.ask_change(page))
        index = self._tabs.addTab(page, f"{board.experiment.title} – study")
        self._tabs.setTabToolTip(index, str(board.folder))
        close = named(QToolButton(), "tiny")
        close.setAccessibleName("Close this study")
        close.setToolTip("Close this study  (Ctrl+W)")
        close.setIconSize(QSize(16, 16))
        put(close, "close", self._theme, "muted")
        close.clicked.connect(lambda: self.close(page))
        self._tabs.tabBar().setTabButton(index, self._tabs.tabBar().ButtonPosition.RightSide, close)
        self._tabs.setCurrentIndex(index)
        if go:
            page.start()

    def close(self, page: StudyPage) -> None:
        """Take a study off the tabs, after asking where it still runs."""
        text = "Its runs stop where they are. The study can be opened again and goes on from there."
        if page.running and not self._ask(page, f"Stop {page.title}?", text, "Stop and close"):
            return
        self._pages.remove(page)
        self._tabs.removeTab(self._tabs.indexOf(page))
        page.close_study()
        page.deleteLater()

    def may_close(self, window: Any) -> bool:
        """Whether the window may be closed: no study runs, or the user agrees to stop them."""
        text = "What is done stays done, and runs stop where they are. The study can be opened again and goes on."
        return not self.running() or self._ask(
            window, "A study is still going on. Stop and close?", text, "Stop and close"
        )

    def finish(self) -> None:
        """The window closes."""
        self._opening.wait()
        for page in self.pages():
            page.close_study()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for page in self.pages():
            page.set_theme(theme)


def _board(study: Study, folder: Path) -> Board:
    """Reads the files of a study that was begun: not for the window's thread."""
    from lab import registry
    from lab.studies.board import Board

    return Board(study, registry.experiment(study.experiment), folder)
