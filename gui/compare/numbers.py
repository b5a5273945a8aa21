"""The table of numbers of a comparison: which ones, and how they leave the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.compare.grouping import Grouping
from gui.compare.prepare import Prepared
from gui.compare.recipe import Recipe
from gui.compare.tables import as_csv, as_latex, columns, rows
from gui.dialogs import ask_to_save
from gui.icons import put
from gui.library.columns import written
from gui.library.menus import ask_for_number
from gui.theme import Theme
from storage.numbers import Number

MOST_SERIES = 40
STATISTICS = ("last", "min", "max", "first")


class Numbers(QWidget):
    """One row a group, with the numbers that are chosen."""

    chosen = Signal(list)
    message = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._found, self._grouping, self.recipe = Prepared(Recipe(()), [], [], {}, [], [], []), Grouping(), Recipe(())
        self.table = QTableWidget()
        self.table.setAccessibleName("Numbers")
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.add_menu, self.export_menu = QMenu(self), QMenu(self)
        self.add_menu.aboutToShow.connect(self._fill_menu)
        for text, slot in (
            ("Copy for a spreadsheet", lambda: self._copy(as_csv(self.rows(), "\t"))),
            ("Copy as CSV", lambda: self._copy(as_csv(self.rows()))),
            ("Copy as LaTeX (booktabs)", lambda: self._copy(as_latex(self.rows()))),
            ("Save as CSV or LaTeX …", self._ask_save),
        ):
            self.export_menu.addAction(text).triggered.connect(lambda _=False, slot=slot: slot())
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 6, 8, 6)
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
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(bar)
        layout.addWidget(self.table, 1)

    def show_runs(self, found: Prepared, recipe: Recipe, grouping: Grouping) -> None:
        """Show the numbers of the groups that are drawn."""
        self._found, self.recipe, self._grouping = found, recipe, grouping
        self._fill_table()

    def numbers(self) -> list[Number]:
        """Those chosen, else the last value of a series that most runs have."""
        chosen = [Number.parse(text) for text in self.recipe.numbers]
        if chosen or not self._found.members:
            return chosen
        return [Number(self._found.number)] if self._found.number else []

    def rows(self) -> list[dict[str, Any]]:
        kept = [self._grouping.groups[group] for group in sorted(self._grouping.shown)]
        return rows(self._found.members, kept, self.numbers())

    def single_rows(self) -> list[dict[str, Any]]:
        """The same with one row for every run, hidden ones too."""
        return rows(self._found.members, [[run] for run in range(len(self._found.members))], self.numbers())

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
        found = dict.fromkeys(name for member in self._found.members[:8] for name in member.source.names())
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
        self.add_menu.addAction("Another number …").triggered.connect(
            lambda: ask_for_number(self, "Another number", self.add)
        )

    def _choose(self, numbers: Sequence[str]) -> None:
        self.recipe = replace(self.recipe, numbers=tuple(numbers))
        self._fill_table()
        self.chosen.emit(list(numbers))

    def add(self, text: str) -> None:
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
        ask_to_save(self, "Save table", "numbers.csv", "CSV (*.csv);;LaTeX (*.tex)", self.save)

    def save(self, path: str) -> None:
        """As LaTeX where the name says so, else as CSV."""
        text = as_latex(self.rows()) if path.endswith(".tex") else as_csv(self.rows())
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            self.message.emit(f"{path} cannot be written: {error.strerror}")
            return
        self.message.emit(f"Table saved: {path}")
