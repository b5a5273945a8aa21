"""What differs between the runs of a comparison: settings, models, environments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTreeWidget, QTreeWidgetItem

from gui.compare.grouping import Grouping
from gui.compare.members import Member, environment_differences, model_differences, settings
from gui.compare.prepare import Prepared
from gui.library.columns import written
from lab.differing import SEEDS, differences, told_apart

MOST_COLUMNS = 4  # runs whose values stand in columns of their own
LEAST_COLUMN_PX = 88
NAME_ROOM = 60  # pixels beside a name: its indentation, a unit, the margins of the style
FEW = 8  # rows of a part that is open at first although it is long


def tree_of(name: str) -> QTreeWidget:
    """A tree of rows that fold, as the tabs beside the panels have it."""
    tree = QTreeWidget()
    tree.setAccessibleName(name)
    tree.setUniformRowHeights(True)
    tree.header().setStretchLastSection(True)
    tree.header().setTextElideMode(Qt.TextElideMode.ElideRight)  # a number that is cut off would read as another one
    return tree


class Differs:
    """The table, in ``tree``."""

    def __init__(self) -> None:
        self.tree = tree_of("What differs")
        self.tree.setObjectName("differs")

    def show_runs(self, found: Prepared, grouping: Grouping) -> None:
        """Show what differs between the groups that are drawn, by their first runs."""
        kept = [grouping.groups[group][0] for group in sorted(grouping.shown)]
        firsts = [found.members[run] for run in kept]
        configs = settings(firsts)
        apart = differences(configs)
        seeds = all(len(grouping.groups[group]) == 1 for group in grouping.shown)
        tables: dict[str, Mapping[str, Sequence[Any]]] = {
            "Settings": {name: apart[name] for name in told_apart(configs) if seeds or name not in SEEDS},
            "Model": model_differences([found.models[run] for run in kept]),
            "Environment": environment_differences(firsts),
        }
        self._fill(tables, _units(firsts), [grouping.names[group] for group in sorted(grouping.shown)])

    def _fill(
        self, tables: Mapping[str, Mapping[str, Sequence[Any]]], units: Mapping[str, str], names: Sequence[str]
    ) -> None:
        tree = self.tree
        tree.clear()
        apart = len(names) <= MOST_COLUMNS
        heads = ["", *(names if apart else ["Values"])]
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
                item = QTreeWidgetItem([name + unit, *(map(written, values) if apart else [summed])])
                for column in range(item.columnCount()):
                    item.setToolTip(column, item.text(column))
                top.addChild(item)
            top.setExpanded(title != "Environment" or len(found) <= FEW)
        names_px = [tree.fontMetrics().horizontalAdvance(name) for found in tables.values() for name in found]
        tree.setColumnWidth(0, max(names_px, default=0) + NAME_ROOM)  # headings have the whole row
        room = max((tree.viewport().width() - tree.columnWidth(0)) // len(heads[1:] or [""]), LEAST_COLUMN_PX)
        for column, head in enumerate(heads):
            tree.headerItem().setToolTip(column, head)
        for column in range(1, tree.columnCount()):  # a long value is cut, its tooltip has it whole
            wide = max(tree.sizeHintForColumn(column) + 8, tree.header().sectionSizeHint(column))
            tree.setColumnWidth(column, min(wide, room))


def _units(members: Sequence[Member]) -> dict[str, str]:
    return {
        name: knob.unit
        for member in members
        if member.experiment is not None
        for name, knob in member.experiment.Config.knobs().items()
        if knob.unit
    }
