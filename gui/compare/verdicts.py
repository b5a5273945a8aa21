"""The claim over all runs of a comparison that are drawn, then each run's own verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QTreeWidgetItem

from gui.compare.differs import tree_of
from gui.compare.grouping import Grouping
from gui.compare.members import verdict_together
from gui.compare.prepare import Prepared
from gui.library.columns import written
from gui.library.tree import VERDICT_COLOUR
from gui.theme import Theme
from gui.views.text import tip


class Verdicts:
    """The verdicts, in ``tree``."""

    def __init__(self, theme: Theme) -> None:
        self.tree = tree_of("Verdicts")
        self.tree.setColumnCount(3)
        self.tree.setHeaderHidden(True)
        self.theme = theme

    def show_runs(self, found: Prepared, grouping: Grouping) -> None:
        """Judge the runs of the groups that are drawn."""
        self.tree.clear()
        numbers = [number for group in sorted(grouping.shown) for number in grouping.groups[group]]
        runs = [found.members[number] for number in numbers]
        outcomes = Counter(str(run.verdict.get("outcome") or "not judged") for run in runs)
        if runs:
            together = verdict_together(runs, [found.rows[number] for number in numbers])
            counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
            self._add(f"{len(runs)} runs together", together.to_json(), said=[together.reason, f"Each alone: {counts}"])
        for group in sorted(grouping.shown):
            many = len(grouping.groups[group]) > 1
            for number in grouping.groups[group]:
                own = found.members[number]
                name = grouping.names[group] + f", seed {own.header['seed']}" * many
                self._add(name.removeprefix(", "), own.verdict)  # a lone group has no name
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def _add(self, name: str, verdict: Mapping[str, Any], said: Sequence[str] = ()) -> None:
        """A row, its checks below it, and lines of words below these."""
        outcome, reason = str(verdict.get("outcome") or "not judged"), str(verdict.get("reason") or "")
        top = QTreeWidgetItem([name, outcome, ""])
        top.setForeground(1, QColor(getattr(self.theme, VERDICT_COLOUR.get(outcome, "muted"))))
        top.setToolTip(1, reason)
        self.tree.addTopLevelItem(top)
        for check in verdict.get("checks", ()):
            item = QTreeWidgetItem(
                [str(check.get("name")), written(check.get("value")), str(check.get("threshold", ""))]
            )
            item.setForeground(1, QColor(self.theme.good if check.get("passed") else self.theme.bad))
            item.setToolTip(0, tip("\n".join(filter(None, (item.text(0), str(check.get("note", ""))))), item.text(0)))
            top.addChild(item)
        for text in filter(None, said):
            line = QTreeWidgetItem([text])
            line.setToolTip(0, text)
            top.addChild(line)
            line.setFirstColumnSpanned(True)
        top.setExpanded(bool(said))
