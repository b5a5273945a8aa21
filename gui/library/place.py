"""The Library place: filter on top, the table of runs, and what is known of the chosen ones at its side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QSplitter,
    QStyledItemDelegate,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from gui.background import InOrder
from gui.icons import put, recolour
from gui.library import files
from gui.library.columns import DEFAULT, RUN, SPARK, STAR, Column
from gui.library.details import Details, FormValues
from gui.library.menus import ColumnMenu, FolderMenu, GroupMenu, differing_by_experiment
from gui.library.spark import SparkDelegate
from gui.library.tree import BRANCHES, RunTree, arrange
from gui.named import named
from gui.theme import Theme

if TYPE_CHECKING:
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without
    from storage.numbers import Number

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
        self.ask, self._form = ask, form
        self.runs: Sequence[RunEntry] = ()
        self.columns, self.groups = list(DEFAULT), ["study", BRANCHES]
        self.sort, self.descending = Column("created"), True
        self._matches: Callable[[RunEntry], bool] = lambda run: True
        self._closed: set[str] = set()
        self._names: set[str] = set()
        self._series: set[str] = set()
        self._left = 0
        self.model = RunTree(theme, self.columns, self)
        self.spark, self.plain = SparkDelegate(theme), QStyledItemDelegate()
        self.work = InOrder(self)
        self.work.done.connect(self._worked)
        self.work.failed.connect(self.message)
        self._build_top(theme)
        self._build_view()
        self.details = Details(theme)
        self.details.compare_requested.connect(self.compare)
        self.details.open_requested.connect(self.open_chosen)
        self.details.labels_changed.connect(self._label)
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
        layout.addWidget(self.problem)
        layout.addWidget(split, 1)
        self._timer = QTimer(self, interval=LOOK_EVERY)
        self._timer.timeout.connect(self.refresh_requested)
        self.show_runs()

    def _build_top(self, theme: Theme) -> None:
        self.field = QLineEdit(
            placeholderText='Filter: any words, or lr > 0.01 and verdict == "reproduced"', clearButtonEnabled=True
        )
        self.field.setAccessibleName("Filter runs")
        self.field.textChanged.connect(self._search)
        self.problem = named(QLabel(wordWrap=True), "error")
        self.problem.setContentsMargins(16, 0, 16, 8)
        self.problem.hide()
        self.count = named(QLabel(), "muted")
        self.group_menu, self.column_menu, self.folder_menu = GroupMenu(self), ColumnMenu(self), FolderMenu(self)
        self.group_menu.chosen.connect(self.set_groups)
        self.column_menu.chosen.connect(self.set_columns)
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

    def _build_view(self) -> None:
        self.view = named(QTreeView(uniformRowHeights=True, allColumnsShowFocus=True), "runs")
        self.view.setAccessibleName("Runs")
        self.view.setModel(self.model)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setIconSize(QSize(16, 16))
        self.view.setIndentation(16)
        self.view.setExpandsOnDoubleClick(False)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._open_menu)
        self.view.doubleClicked.connect(self._double_clicked)
        self.view.clicked.connect(self._clicked)
        self.view.collapsed.connect(lambda index: self._closed.add(self.model.node(index).title))
        self.view.expanded.connect(lambda index: self._closed.discard(self.model.node(index).title))
        selection = self.view.selectionModel()
        selection.selectionChanged.connect(self._show_details)
        header = self.view.header()
        header.setSectionsMovable(False)
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(32)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.sectionClicked.connect(self._sort_by)
        self._lay_out_columns()
        for key, slot in (("Delete", self.bin_chosen), ("Ctrl+D", self.star_chosen)):
            QShortcut(QKeySequence(key), self.view, slot, context=Qt.ShortcutContext.WidgetShortcut)

    # what is shown

    def set_runs(self, runs: Sequence[RunEntry], left: int = 0) -> None:
        """Show these runs; ``left`` files have still to be read."""
        if runs is not self.runs or left != self._left:
            self.runs, self._left = runs, left
            self.model.differing = differing_by_experiment(runs)
            self._names = known_names(runs)
            self._series = {name for run in runs for name in run.numbers}
            self._match(self.field.text())
            self.show_runs()

    def show_runs(self) -> None:
        """Arrange anew; what was chosen and folded stays so."""
        chosen = {str(run.path) for run in self.chosen_runs()}
        top = self.view.verticalScrollBar().value()
        matching = [run for run in self.runs if self._matches(run)]
        self.model.show(arrange(matching, self.sort, self.descending, self.groups), self.columns)
        self.view.expandAll()
        for row in range(self.model.rowCount()):
            index = self.model.index(row, 0)
            if self.model.node(index).title in self._closed and self.model.node(index).run is None:
                self.view.collapse(index)
        self.choose(chosen)
        self.view.verticalScrollBar().setValue(top)
        self._count(len(matching))
        self._show_details()

    def _count(self, shown: int) -> None:
        total = len(self.runs)
        some = f"{shown} of {total} runs" if shown != total else f"{total} run{'s' if total != 1 else ''}"
        self.count.setText(f"{some}, {self._left} files to read" if self._left else some)

    def _lay_out_columns(self) -> None:
        header = self.view.header()
        for number, column in enumerate(self.model.columns):
            fixed = column.key == STAR
            header.setSectionResizeMode(
                number, QHeaderView.ResizeMode.Fixed if fixed else QHeaderView.ResizeMode.Interactive
            )
            self.view.setColumnWidth(number, column.width)
            self.view.setItemDelegateForColumn(number, self.spark if column.key == SPARK else self.plain)
        keys = [column.key for column in self.model.columns]
        self.view.setTreePosition(keys.index(RUN))
        if self.sort.key in keys:
            order = Qt.SortOrder.DescendingOrder if self.descending else Qt.SortOrder.AscendingOrder
            header.setSortIndicator(keys.index(self.sort.key), order)

    def set_columns(self, columns: Sequence[str]) -> None:
        """Show these columns; numbers that no run has yet are asked for."""
        self.columns = [key for key in columns if key != RUN]
        self.columns.insert(1 if STAR in self.columns else 0, RUN)
        self.show_runs()
        self._lay_out_columns()
        self._ask_for_numbers()

    def set_groups(self, groups: Sequence[str]) -> None:
        self.groups = list(groups)
        self.show_runs()

    def _sort_by(self, section: int) -> None:
        column = self.model.columns[section]
        self.descending = not self.descending if column == self.sort else column.key in (STAR, "created", "verdict")
        self.sort = column
        self.show_runs()
        self._lay_out_columns()

    def _ask_for_numbers(self) -> None:
        from storage.filter import numbers_in
        from storage.numbers import Number

        wanted: list[Number] = [Number.parse(key) for key in self.columns if Column(key).is_number]
        self.numbers_wanted.emit(list(dict.fromkeys([*wanted, *numbers_in(self.field.text())])))

    def _search(self, text: str) -> None:
        if self._match(text):
            self.show_runs()
            self._ask_for_numbers()

    def _match(self, text: str) -> bool:
        """Take a filter; one that is not finished yet leaves the last in force and says what is missing."""
        from storage.filter import FilterError, compiled

        try:
            wanted = compiled(text, self._names, self._series)
        except FilterError as error:
            self.problem.setText(str(error))
            self.problem.show()
            return False
        self.problem.hide()
        self._matches = lambda run: wanted(lambda name: _look(run, name))
        return True

    # what is chosen

    def chosen_runs(self) -> list[RunEntry]:
        """The chosen runs in the order of the table; a chosen group stands for its runs."""
        rows = sorted(self.view.selectionModel().selectedRows(), key=lambda index: index.internalId())
        found = {str(run.path): run for index in rows for run in self._runs_of(index)}
        return list(found.values())

    def _runs_of(self, index: QModelIndex) -> list[RunEntry]:
        node = self.model.node(index)
        return [node.run] if node.run is not None else list(node.runs())

    def choose(self, paths: set[str]) -> None:
        """Choose runs by their paths."""
        flags = QItemSelectionModel.SelectionFlag
        selection = self.view.selectionModel()
        for path in paths:
            if (index := self.model.index_of(path)).isValid():
                selection.select(index, flags.Select | flags.Rows)

    def _show_details(self) -> None:
        self.details.show_runs(self.chosen_runs(), self._form())

    def compare(self) -> None:
        """Hand the chosen runs on; a branch alone goes with the run that it started from."""
        runs = self.chosen_runs()
        if len(runs) == 1 and runs[0].parent_run:
            runs = [run for run in self.runs if run.run_id == runs[0].parent_run][:1] + runs
        if runs:
            self.compare_requested.emit([str(run.path) for run in runs])

    def open_chosen(self) -> None:
        """Open one run, compare several."""
        runs = self.chosen_runs()
        if len(runs) == 1:
            self.chosen.emit(str(runs[0].path))
        elif runs:
            self.compare()

    def _double_clicked(self, index: QModelIndex) -> None:
        if (run := self.model.node(index).run) is not None:
            self.chosen.emit(str(run.path))

    def _clicked(self, index: QModelIndex) -> None:
        run = self.model.node(index).run
        if run is not None and self.model.columns[index.column()].key == STAR:
            self._label({"star": not run.star}, [run])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.chosen_runs():
            self.open_chosen()
        else:
            super().keyPressEvent(event)

    # what is done to files

    def _label(self, change: dict[str, Any], runs: Sequence[RunEntry] | None = None) -> None:
        paths = [run.path for run in (self.chosen_runs() if runs is None else runs)]
        self.work.start(files.label(paths, change))

    def star_chosen(self) -> None:
        runs = self.chosen_runs()
        self._label({"star": not all(run.star for run in runs)}, runs)

    def bin_chosen(self) -> None:
        runs = self.chosen_runs()
        what = f"{len(runs)} runs" if len(runs) > 1 else "this run"
        if runs and self.ask(self, f"Move {what} to the bin?", "The system's bin gives them back.", "Move to the bin"):
            self.work.start(files.bin_files([run.path for run in runs]))

    def copy_chosen(self, *, checkpoints: bool) -> None:
        paths = [run.path for run in self.chosen_runs()]
        dialog = QFileDialog(self, "Copy into folder", str(paths[0].parent))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(
            lambda folder: self.work.start(files.copy(paths, Path(folder), checkpoints=checkpoints))
        )
        dialog.open()

    def tag_chosen(self) -> None:
        """Add a tag to all chosen runs."""
        runs = self.chosen_runs()
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Add tag")
        dialog.setLabelText("Tag:")
        dialog.textValueSelected.connect(lambda text: text.strip() and self._label({"tags": (text,)}, runs))
        dialog.open()

    def _worked(self, said: str) -> None:
        if said:
            self.message.emit(said)
        self.refresh_requested.emit()

    def menu(self) -> QMenu:
        """What can be done with the chosen runs; the caller shows it."""
        runs = self.chosen_runs()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        single = len(runs) == 1
        branch = single and bool(runs[0].parent_run)
        for text, slot, enabled in (
            ("Open", self.open_chosen, single),
            ("Compare with the run it branched from" if branch else "Compare", self.compare, branch or not single),
            ("", None, True),
            ("Star\tCtrl+D", self.star_chosen, True),
            ("Add tag …", self.tag_chosen, True),
            ("", None, True),
            ("Copy into folder …", lambda: self.copy_chosen(checkpoints=True), True),
            ("Copy without checkpoints …", lambda: self.copy_chosen(checkpoints=False), True),
            ("Move to the bin\tDel", self.bin_chosen, True),
        ):
            if slot is None:
                menu.addSeparator()
                continue
            action = menu.addAction(text)
            action.setEnabled(enabled and bool(runs))
            action.triggered.connect(lambda _=False, slot=slot: slot())
        menu.insertMenu(menu.actions()[2], self._figure_menu(menu))
        return menu

    def _figure_menu(self, menu: QMenu) -> QMenu:
        """The views that the chosen runs can be sent to the figure in; they belong to one experiment."""
        from lab import registry

        runs = self.chosen_runs()
        views = menu.addMenu("Send to the figure")
        names = {run.experiment for run in runs}
        try:
            known = registry.experiment(names.pop()).views if len(names) == 1 else ()
        except (registry.UnknownName, ImportError):
            known = ()
        for view in known:
            views.addAction(view.title).triggered.connect(lambda _=False, name=view.id: self._send(name, runs))
        views.setEnabled(bool(known))
        return views

    def _send(self, view: str, runs: Sequence[RunEntry]) -> None:
        band = "SD" if seeds_repeat(runs) else "none"
        self.figure_requested.emit([{"view": view, "runs": [str(run.path) for run in runs], "band": band}])

    def _open_menu(self, place: QPoint) -> None:
        self.menu().popup(self.view.viewport().mapToGlobal(place))

    # the rest

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._timer.start()
        self._show_details()

    def hideEvent(self, event: Any) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def set_theme(self, theme: Theme) -> None:
        self.model.theme = self.spark.theme = theme
        recolour(self, theme)
        self.details.set_theme(theme)
        self.view.viewport().update()

    def layout_state(self) -> dict[str, Any]:
        """Columns, groups and order, as plain data."""
        return {"columns": self.columns, "groups": self.groups, "sort": self.sort.key, "descending": self.descending}

    def restore_layout(self, state: dict[str, Any]) -> None:
        self.sort, self.descending = Column(str(state.get("sort", "created"))), bool(state.get("descending", True))
        self.groups = [str(group) for group in state.get("groups", self.groups)]
        self.set_columns([str(key) for key in state.get("columns", self.columns)])


def seeds_repeat(runs: Sequence[RunEntry]) -> bool:
    """Whether some of the runs differ only in their seeds."""
    alike = [(run.preset, run.arm) for run in runs]
    return len(set(alike)) < len(alike) and len({run.seed for run in runs}) > 1


def known_names(runs: Sequence[RunEntry]) -> set[str]:
    """Facts, and the knobs of these runs, by the names that filters use."""
    from storage.catalogue import FACTS

    return {*FACTS, *(name for run in runs for name in run.config)}


def _look(run: RunEntry, name: str | Number) -> Any:
    if not isinstance(name, str):
        return run.number(name)
    return run.fact(name) if name else run.text
