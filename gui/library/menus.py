"""Menus of the library: what to group by, which columns to show, which folders to watch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QInputDialog, QMenu, QWidget

from gui.dialogs import ask_for_folder
from gui.library.columns import FACTS, RUN, SPARK, STAR, Column, written
from gui.library.tree import BRANCHES

if TYPE_CHECKING:
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without

GROUPS = ("study", "experiment", "preset", "arm", "seed", "state", "verdict", "device")
ENOUGH = 300
MOST = 40  # entries of one menu
STATISTICS = ("last", "min", "max")


class _LateMenu(QMenu):
    """A menu that is made when it opens.

    Args:
        parent: Over which it opens.
        runs: Gives the runs that are listed.
        ticked: Gives what is chosen now.
    """

    chosen = Signal(list)
    refused = Signal(str)

    def __init__(
        self, parent: QWidget, runs: Callable[[], Sequence[RunEntry]], ticked: Callable[[], Sequence[str]]
    ) -> None:
        super().__init__(parent)
        self._runs, self._ticked = runs, ticked
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        self.clear()
        self._fill()

    @abstractmethod
    def _fill(self) -> None:
        """Add the entries."""

    def _tick(self, menu: QMenu, text: str, key: str, within: Sequence[str]) -> QAction:
        """An entry that puts ``key`` at the end of a list, or takes it out."""
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(key in within)
        rest = [item for item in within if item != key]
        action.triggered.connect(lambda on: self.chosen.emit([*rest, key] if on else rest))
        return action


class GroupMenu(_LateMenu):
    """Groups, from the outside in the order in which they are ticked."""

    def _fill(self) -> None:
        groups = self._ticked()
        for key in GROUPS:
            self._tick(self, FACTS[key][0], key, groups)
        knobs = self.addMenu("Knob")
        for name in differing(self._runs())[:MOST]:
            self._tick(knobs, name, name, groups)
        knobs.setEnabled(not knobs.isEmpty())
        self.addSeparator()
        self._tick(self, "Branches below their run", BRANCHES, groups)
        self.addAction("No groups").triggered.connect(lambda: self.chosen.emit([]))


class ColumnMenu(_LateMenu):
    """Facts, knobs that differ first, and numbers of every scalar series."""

    def _fill(self) -> None:
        columns, runs = self._ticked(), self._runs()
        for key, (title, _) in FACTS.items():
            if key != RUN:
                text = {STAR: "Star", SPARK: "First view, small"}.get(key, title)
                self._tick(self, text, key, columns)
        self.addSeparator()
        knobs = self.addMenu("Knobs")
        different = differing(runs)
        for name in different[:MOST]:
            self._tick(knobs, name, name, columns)
        knobs.addSeparator()
        same = knobs.addMenu("Equal in all runs")
        for name in sorted({name for run in runs for name in run.config} - set(different)):
            self._tick(same, name, name, columns)
        numbers = self.addMenu("Numbers")
        for series in sorted({name for run in runs for name in run.numbers})[:MOST]:
            menu = numbers.addMenu(series)
            for statistic in STATISTICS:
                self._tick(menu, statistic, f"{statistic}({series})", columns)
        numbers.addAction("Another number …").triggered.connect(self._ask)
        for key in columns:
            if Column(key).is_number and key.partition("(")[0] not in STATISTICS:
                self._tick(numbers, key, key, columns)

    def _ask(self) -> None:
        ask_for_number(self.parentWidget(), "Column of a number", self._take)

    def _take(self, text: str) -> None:
        from storage.filter import unknown
        from storage.numbers import Number

        try:
            number = Number.parse(text)
        except ValueError as error:
            self.refused.emit(str(error))
            return
        series = {name for run in self._runs() for name in run.numbers}
        if number.series not in series:
            self.refused.emit(unknown(number.series, series, "series"))
            return
        self.chosen.emit([*self._ticked(), str(number)])


def ask_for_number(parent: QWidget | None, title: str, then: Callable[[str], None]) -> None:
    """Ask for a number by its text, and say what such a text looks like."""
    dialog = QInputDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    dialog.setLabelText("mean(train_loss, 20): mean of the last 20 rows; at(train_loss, 500): value at step 500")
    dialog.textValueSelected.connect(then)
    dialog.open()


class FolderMenu(_LateMenu):
    """Folders that are watched beside the app's own."""

    def __init__(self, parent: QWidget) -> None:
        self.folders: list[str] = []
        super().__init__(parent, lambda: (), lambda: self.folders)

    def _fill(self) -> None:
        self.addAction("Watch a folder …").triggered.connect(self._ask)
        self.addSeparator()
        for folder in self.folders:
            rest = [other for other in self.folders if other != folder]
            self.addAction(f"Forget {folder}").triggered.connect(lambda _=False, rest=rest: self.set_folders(rest))

    def set_folders(self, folders: Sequence[str]) -> None:
        self.folders = list(dict.fromkeys(folders))
        self.chosen.emit(self.folders)

    def _ask(self) -> None:
        ask_for_folder(self.parentWidget(), "Watch a folder", lambda folder: self.set_folders([*self.folders, folder]))


def differing_by_experiment(runs: Sequence[RunEntry]) -> dict[str, list[str]]:
    """For each experiment the knobs, seeds aside, that its newest few hundred runs differ in."""
    by: dict[str, list[RunEntry]] = {}
    for run in runs:
        members = by.setdefault(run.experiment, [])
        if len(members) < ENOUGH:
            members.append(run)
    return {name: [knob for knob in differing(members) if knob != "seed"] for name, members in by.items()}


def differing(runs: Sequence[RunEntry]) -> list[str]:
    """Knobs that have more than one value among the runs, those with most values first."""
    values: dict[str, set[str]] = {}
    for run in runs:
        for name, value in run.config.items():
            values.setdefault(name, set()).add(written(value))
    return sorted((name for name, found in values.items() if len(found) > 1), key=lambda name: -len(values[name]))
