"""The Library place: filter on top, the table of runs, and what is known of the chosen ones at its side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSplitter, QToolButton, QVBoxLayout, QWidget

from gui.icons import put, recolour
from gui.library.actions import RunActions
from gui.library.columns import DEFAULT, RUN, STAR, Column
from gui.library.details import Details, FormValues
from gui.library.filter_field import FilterField
from gui.library.menus import ColumnMenu, FolderMenu, GroupMenu, differing_by_experiment
from gui.library.table import RunTable
from gui.library.tree import BRANCHES, RunTree, arrange
from gui.named import named
from gui.theme import Theme

if TYPE_CHECKING:
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without

LOOK_EVERY = 4000  # ms between looks at the folders while the place is in sight


class Library(QWidget):
    """Finds, groups and labels runs. Enter or a double click opens one, or compares several.

    Args:
        theme: Colours.
        ask: Asks before files are moved to the bin.
    """

    chosen = Signal(str)
    compare_requested = Signal(list)  # paths
    figure_requested = Signal(list)  # panels, as a figure's recipe takes them
    settings_taken = Signal(object, dict)  # run, knobs
    refresh_requested = Signal()
    numbers_wanted = Signal(list)  # numbers that the files must be read for
    folders_changed = Signal(list)
    message = Signal(str)

    def __init__(self, theme: Theme, ask: Callable[..., bool], form: Callable[[], FormValues]) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._form = form
        self.runs: Sequence[RunEntry] = ()
        self.columns, self.groups = list(DEFAULT), ["study", BRANCHES]
        self.sort, self.descending = Column("created"), True
        self._left: int | None = None
        self.model = RunTree(theme, self.columns, self)
        self.commands = RunActions(self, self.chosen_runs, lambda: self.runs, ask)
        self.commands.open_requested.connect(self.chosen)
        self.commands.compare_requested.connect(self.compare_requested)
        self.commands.figure_requested.connect(self.figure_requested)
        self.commands.done.connect(self._worked)
        self.commands.failed.connect(self.message)
        self._build_top(theme)
        self._build_view(theme)
        self.details = Details(theme)
        self.details.compare_requested.connect(self.commands.compare)
        self.details.open_requested.connect(self.commands.open)
        self.details.labels_changed.connect(self.commands.label)
        self.details.settings_taken.connect(self.settings_taken)
        split = QSplitter()
        split.setChildrenCollapsible(False)
        split.setHandleWidth(1)
        split.addWidget(self.view)
        split.addWidget(self.details)
        split.setStretchFactor(0, 1)
        split.setSizes([900, 300])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self.top)
        layout.addWidget(self.field.problem)
        layout.addWidget(split, 1)
        self._timer = QTimer(self, interval=LOOK_EVERY)
        self._timer.timeout.connect(self.refresh_requested)
        self.show_runs()

    def _build_top(self, theme: Theme) -> None:
        self.field = FilterField()
        self.field.changed.connect(self._filtered)
        self.count = named(QLabel(), "muted")
        self.group_menu, self.column_menu, self.folder_menu = (
            GroupMenu(self, lambda: self.runs, lambda: self.groups),
            ColumnMenu(self, lambda: self.runs, lambda: self.columns),
            FolderMenu(self),
        )
        self.group_menu.chosen.connect(self.set_groups)
        self.column_menu.chosen.connect(self._take_columns)
        self.column_menu.refused.connect(self.message)
        self.folder_menu.chosen.connect(self.folders_changed)
        self.top = QHBoxLayout()
        self.top.setContentsMargins(16, 12, 12, 8)
        self.top.setSpacing(8)
        self.top.addWidget(self.field, 1)
        self.top.addWidget(self.count)
        for text, name, menu in (
            ("Group", "panels", self.group_menu),
            ("Columns", "settings", self.column_menu),
            ("Folders", "folder", self.folder_menu),
        ):
            button = QToolButton(popupMode=QToolButton.ToolButtonPopupMode.InstantPopup)
            button.setText(text)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setIconSize(QSize(16, 16))
            button.setMenu(menu)
            put(button, name, theme, "muted")
            self.top.addWidget(button)

    def _build_view(self, theme: Theme) -> None:
        self.view = RunTable(self.model, theme)
        self.view.customContextMenuRequested.connect(self._open_menu)
        self.view.opened.connect(self.chosen)
        self.view.entered.connect(self.commands.open)
        self.view.starred.connect(lambda run: self.commands.label({"star": not run.star}, [run]))
        self.view.selectionModel().selectionChanged.connect(self._show_details)
        self.view.header().sectionClicked.connect(self._sort_by)
        self.view.lay_out(self.sort.key, self.descending)
        for key, slot in (("Delete", self.commands.bin), ("Ctrl+D", self.commands.star)):
            QShortcut(QKeySequence(key), self.view, slot, context=Qt.ShortcutContext.WidgetShortcut)

    # what is shown

    def set_runs(self, runs: Sequence[RunEntry], left: int = 0) -> None:
        """Show these runs; ``left`` files have still to be read."""
        if runs is not self.runs or left != self._left:
            self.runs, self._left = runs, left
            self.model.differing = differing_by_experiment(runs)
            self.field.set_runs(runs)
            self.show_runs()

    def show_runs(self) -> None:
        """Arrange anew; what was chosen and folded stays so."""
        matching = [run for run in self.runs if self.field.matches(run)]
        self.view.show_rows(arrange(matching, self.sort, self.descending, self.groups), self.columns)
        self._count(len(matching))
        self._show_details()

    def _count(self, shown: int) -> None:
        total = len(self.runs)
        some = f"{shown} of {total} runs" if shown != total else f"{total} run{'s' if total != 1 else ''}"
        if self._left is None:  # the folders have not been looked at yet
            some = "Looking for runs …"
        self.count.setText(f"{some}, {self._left} files to read" if self._left else some)

    def set_columns(self, columns: Sequence[str]) -> None:
        """Show these columns; numbers that no run has yet are asked for."""
        self.columns = [key for key in columns if key != RUN]
        self.columns.insert(1 if STAR in self.columns else 0, RUN)
        self.show_runs()
        self.view.lay_out(self.sort.key, self.descending)
        self._ask_for_numbers()

    def _take_columns(self, columns: Sequence[str]) -> None:
        """Show what was ticked; a new column is scrolled to."""
        fresh = [key for key in columns if key not in self.columns]
        self.set_columns(columns)
        if fresh:
            self.view.bring_into_sight(fresh[-1])

    def set_groups(self, groups: Sequence[str]) -> None:
        self.groups = list(groups)
        self.show_runs()

    def _sort_by(self, section: int) -> None:
        column = self.model.columns[section]
        self.descending = not self.descending if column == self.sort else column.key in (STAR, "created", "verdict")
        self.sort = column
        self.show_runs()
        self.view.lay_out(self.sort.key, self.descending)

    def _ask_for_numbers(self) -> None:
        from storage.numbers import Number

        wanted: list[Number] = [Number.parse(key) for key in self.columns if Column(key).is_number]
        self.numbers_wanted.emit(list(dict.fromkeys([*wanted, *self.field.numbers()])))

    def _filtered(self) -> None:
        self.show_runs()
        self._ask_for_numbers()

    # what is chosen

    def chosen_runs(self) -> list[RunEntry]:
        """The chosen runs in the order of the table; a chosen group stands for its runs."""
        return self.view.chosen_runs()

    def choose(self, paths: set[str]) -> None:
        """Choose runs by their paths."""
        self.view.choose(paths)

    def _show_details(self) -> None:
        self.details.show_runs(self.chosen_runs(), self._form())

    def _worked(self, said: str) -> None:
        if said:
            self.message.emit(said)
        self.refresh_requested.emit()

    def _open_menu(self, place: QPoint) -> None:
        self.commands.menu().popup(self.view.viewport().mapToGlobal(place))

    # the rest

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._timer.start()
        self._show_details()

    def hideEvent(self, event: Any) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def set_theme(self, theme: Theme) -> None:
        self.view.set_theme(theme)
        recolour(self, theme)
        self.details.set_theme(theme)

    def layout_state(self) -> dict[str, Any]:
        """Columns, groups and order, as plain data."""
        return {"columns": self.columns, "groups": self.groups, "sort": self.sort.key, "descending": self.descending}

    def restore_layout(self, state: dict[str, Any]) -> None:
        self.sort, self.descending = Column(str(state.get("sort", "created"))), bool(state.get("descending", True))
        self.groups = [str(group) for group in state.get("groups", self.groups)]
        self.set_columns([str(key) for key in state.get("columns", self.columns)])
