"""The right side of a comparison: what differs, numbers, their plots, verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.compare.members import Member, environment_differences, model_differences, settings, verdict_together
from gui.compare.prepare import Prepared
from gui.compare.recipe import Recipe
from gui.compare.tables import as_csv, as_latex, columns, rows
from gui.icons import put, recolour
from gui.library.columns import written
from gui.library.tree import VERDICT_COLOUR
from gui.theme import Theme
from lab.differing import differences, told_apart
from storage.numbers import Number

MOST_COLUMNS = 4  # runs whose values stand in columns of their own
LEAST_COLUMN_PX = 72
MOST_SERIES = 40
FEW = 8  # rows of a part that is open at first although it is long
STATISTICS = ("last", "min", "max", "first")


class Tabs(QTabWidget):
    """Tables over the runs that are shown."""

    numbers_chosen = Signal(list)
    shown_only = Signal(list)  # paths of the brushed runs
    message = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setDocumentMode(True)
        self.setMinimumWidth(288)  # all tabs in sight
        self._theme = theme
        self._found = Prepared(Recipe(()), [], [], {}, [], [], [])
        self._groups: Sequence[Sequence[int]] = ()
        self._colours: Sequence[str] = ()
        self._shown: set[int] = set()
        self.recipe = Recipe(())
        self.differs = _tree("What differs")
        self.differs.setRootIsDecorated(True)
        self.verdicts = _tree("Verdicts")
        self.verdicts.setRootIsDecorated(True)
        self.table = QTableWidget()
        self.table.setAccessibleName("Numbers")
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.plots: Any = None  # made when its tab is first shown: plots are heavy
        self._plots_page = QWidget()
        QVBoxLayout(self._plots_page).setContentsMargins(0, 0, 0, 0)
        self.addTab(self.differs, "Differs")
        self.addTab(self._numbers_page(theme), "Numbers")
        self.addTab(self._plots_page, "Plots")
        self.addTab(self.verdicts, "Verdict")
        self.setElideMode(Qt.TextElideMode.ElideNone)
        self.currentChanged.connect(self._show_plots)

    def _numbers_page(self, theme: Theme) -> QWidget:
        page, bar = QWidget(), QHBoxLayout()
        bar.setContentsMargins(8, 6, 8, 6)
        self.add_menu = QMenu(self)
        self.add_menu.aboutToShow.connect(self._fill_menu)
        self.export_menu = QMenu(self)
        for text, slot in (
            ("Copy for a spreadsheet", lambda: self._copy(as_csv(self.rows(), "\t"))),
            ("Copy as CSV", lambda: self._copy(as_csv(self.rows()))),
            ("Copy as LaTeX (booktabs)", lambda: self._copy(as_latex(self.rows()))),
            ("Save as CSV or LaTeX …", self._ask_save),
        ):
            self.export_menu.addAction(text).triggered.connect(lambda _=False, slot=slot: slot())
        for text, name, menu in (("Numbers", "settings", self.add_menu), ("Copy", "copy", self.export_menu)):
            button = QToolButton()
            button.setText(text)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setIconSize(QSize(16, 16))
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            button.setMenu(menu)
            put(button, name, theme, "muted")
            bar.addWidget(button)
        bar.addStretch(1)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addWidget(self.table, 1)
        return page

    @property
    def _members(self) -> Sequence[Member]:
        return self._found.members

    def show_runs(
        self,
        found: Prepared,
        recipe: Recipe,
        groups: Sequence[Sequence[int]],
        names: Sequence[str],
        colours: Sequence[str],
        shown: set[int],
    ) -> None:
        """Show the tables of the groups that are drawn."""
        self._found, self._groups, self._colours, self._shown, self.recipe = found, groups, colours, shown, recipe
        kept = [group for number, group in enumerate(groups) if number in shown]
        self._names = [name for number, name in enumerate(names) if number in shown]
        firsts = [found.members[group[0]] for group in kept]
        configs = settings(firsts)
        apart = differences(configs)
        tables: dict[str, Mapping[str, Sequence[Any]]] = {
            "Settings": {name: apart[name] for name in told_apart(configs)},
            "Model": model_differences([found.models[group[0]] for group in kept]),
            "Environment": environment_differences(firsts),
        }
        self._fill_differs(tables, _units(firsts))
        self._fill_verdicts(kept)
        self._fill_table()
        self._show_plots()

    def _fill_differs(self, tables: Mapping[str, Mapping[str, Sequence[Any]]], units: Mapping[str, str]) -> None:
        tree = self.differs
        tree.clear()
        wide = len(self._names) <= MOST_COLUMNS
        heads = ["", *(self._names if wide else ["Values"])]
        tree.setColumnCount(len(heads))
        tree.setHeaderLabels(heads)
        for title, found in tables.items():
            top = QTreeWidgetItem([f"{title}: {len(found)} differ" if found else f"{title}: the same"])
            tree.addTopLevelItem(top)
            top.setFirstColumnSpanned(True)
            for name, values in found.items():
                counts = Counter(written(value) for value in values)
                summed = ", ".join(f"{text} ({count})" if count > 1 else text for text, count in counts.items())
                unit = f" [{units[name]}]" if title == "Settings" and units.get(name) else ""
                item = QTreeWidgetItem([name + unit, *(map(written, values) if wide else [summed])])
                for column in range(item.columnCount()):
                    item.setToolTip(column, item.text(column))
                top.addChild(item)
            top.setExpanded(title != "Environment" or len(found) <= FEW)
        tree.resizeColumnToContents(0)
        room = max((tree.viewport().width() - tree.columnWidth(0)) // len(heads[1:] or [""]), LEAST_COLUMN_PX)
        for column in range(1, tree.columnCount()):  # a long value is cut, its tooltip has it whole
            tree.setColumnWidth(column, min(tree.sizeHintForColumn(column) + 8, room))

    def _fill_verdicts(self, kept: Sequence[Sequence[int]]) -> None:
        """The claim over all runs that are drawn, then each run's own."""
        self.verdicts.clear()
        members = [number for group in kept for number in group]
        runs = [self._found.members[number] for number in members]
        together = verdict_together(runs, [self._found.rows[number] for number in members]) if runs else None
        outcomes = Counter(str(run.verdict.get("outcome") or "not judged") for run in runs)
        self.verdicts.setHeaderLabels([", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()), "", ""])
        if together is not None:
            said = f"{len(runs)} runs together"
            self._add_verdict(said, together.to_json(), why=True)
        for name, group in zip(self._names, kept, strict=True):
            for number in group:
                own = self._found.members[number]
                many = f", seed {own.header['seed']}" if len(group) > 1 else ""
                self._add_verdict(name + many, own.verdict)
        self.verdicts.header().setStretchLastSection(False)
        self.verdicts.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.verdicts.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def _add_verdict(self, name: str, verdict: Mapping[str, Any], *, why: bool = False) -> None:
        outcome, reason = str(verdict.get("outcome") or "not judged"), str(verdict.get("reason") or "")
        top = QTreeWidgetItem([name, outcome, ""])
        top.setForeground(1, QColor(getattr(self._theme, VERDICT_COLOUR.get(outcome, "muted"))))
        top.setToolTip(1, reason)
        self.verdicts.addTopLevelItem(top)
        for check in verdict.get("checks", ()):
            item = QTreeWidgetItem(
                [str(check.get("name")), written(check.get("value")), str(check.get("threshold", ""))]
            )
            item.setForeground(1, QColor(self._theme.good if check.get("passed") else self._theme.bad))
            item.setToolTip(0, "\n".join(filter(None, (item.text(0), str(check.get("note", ""))))))
            top.addChild(item)
        if why and reason:
            line = QTreeWidgetItem([reason])
            line.setToolTip(0, reason)
            top.addChild(line)
            line.setFirstColumnSpanned(True)
        top.setExpanded(why)

    # numbers

    def numbers(self) -> list[Number]:
        """Those chosen, else the last value of a series that most runs have."""
        chosen = [Number.parse(text) for text in self.recipe.numbers]
        if chosen or not self._members:
            return chosen
        return [Number(self._found.number)] if self._found.number else []

    def rows(self) -> list[dict[str, Any]]:
        kept = [group for number, group in enumerate(self._groups) if number in self._shown]
        return rows(self._members, kept, self.numbers())

    def _fill_table(self) -> None:
        table = self.rows()
        names = [name for name in columns(table) if not name.startswith("± ")]
        self.table.setColumnCount(len(names))
        self.table.setHorizontalHeaderLabels(names)
        self.table.setRowCount(len(table))
        for row, values in enumerate(table):
            for column, name in enumerate(names):
                spread = values.get(f"± {name}")
                text = written(values.get(name, ""))
                known = isinstance(spread, float) and spread == spread
                item = QTableWidgetItem(f"{text} ± {written(spread)}" if known else text)
                item.setToolTip(str(values.get(name, "")))
                self.table.setItem(row, column, item)
        self.table.resizeColumnsToContents()

    def _fill_menu(self) -> None:
        self.add_menu.clear()
        chosen = [str(number) for number in self.numbers()]
        found = dict.fromkeys(name for member in self._members[:8] for name in member.source.names())
        for name in list(found)[:MOST_SERIES]:
            menu = self.add_menu.addMenu(name)
            for statistic in STATISTICS:
                text = str(Number(name, statistic))
                action = menu.addAction(statistic)
                action.setCheckable(True)
                action.setChecked(text in chosen)
                rest = [other for other in chosen if other != text]
                action.triggered.connect(lambda on, rest=rest, text=text: self._choose([*rest, text] if on else rest))
        self.add_menu.addSeparator()
        for text in chosen:
            rest = [other for other in chosen if other != text]
            self.add_menu.addAction(f"Take out {text}").triggered.connect(lambda _=False, rest=rest: self._choose(rest))
        self.add_menu.addAction("Another number …").triggered.connect(self._ask_number)

    def _choose(self, numbers: list[str]) -> None:
        self.recipe = replace(self.recipe, numbers=tuple(numbers))
        self.numbers_chosen.emit(numbers)
        self._fill_table()
        self._show_plots()

    def _ask_number(self) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Another number")
        dialog.setLabelText("mean(train_loss, 20): mean of the last 20 rows; at(train_loss, 500): value at step 500")
        dialog.textValueSelected.connect(self.add_number)
        dialog.open()

    def add_number(self, text: str) -> None:
        """Show one more number, by its text."""
        try:
            number = Number.parse(text)
        except ValueError as error:
            self.message.emit(str(error))
            return
        self._choose([*(str(known) for known in self.numbers()), str(number)])

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.message.emit("Table copied")

    def _ask_save(self) -> None:
        dialog = QFileDialog(self, "Save table", "numbers.csv", "CSV (*.csv);;LaTeX (*.tex)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(self.save_table)
        dialog.open()

    def save_table(self, path: str) -> None:
        """As LaTeX where the name says so, else as CSV."""
        text = as_latex(self.rows()) if path.endswith(".tex") else as_csv(self.rows())
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            self.message.emit(f"{path} cannot be written: {error.strerror}")
            return
        self.message.emit(f"Table saved: {path}")

    # plots

    def _show_plots(self) -> None:
        if self.currentWidget() is not self._plots_page or not self._members:
            return
        if self.plots is None:
            from gui.compare.plots import Plots

            self.plots = Plots(self._theme)
            self.plots.brushed.connect(self._brushed)
            layout = self._plots_page.layout()
            assert layout is not None
            layout.addWidget(self.plots)
        singles = [[number] for number in range(len(self._members))]
        group_of = {member: group for group, members in enumerate(self._groups) for member in members}
        colours = [self._colours[group_of[number]] for number in range(len(self._members))]
        self.plots.show_rows(rows(self._members, singles, self.numbers()), colours)

    def _brushed(self, chosen: list[int]) -> None:
        self.shown_only.emit([self._members[number].path for number in chosen])

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        recolour(self, theme)
        if self.plots is not None:
            self.plots.set_theme(theme)


def _tree(name: str) -> QTreeWidget:
    tree = QTreeWidget()
    tree.setAccessibleName(name)
    tree.setRootIsDecorated(False)
    tree.setUniformRowHeights(True)
    tree.header().setStretchLastSection(True)
    return tree


def _units(members: Sequence[Member]) -> dict[str, str]:
    return {
        name: knob.unit
        for member in members
        if member.experiment is not None
        for name, knob in member.experiment.Config.knobs().items()
        if knob.unit
    }
