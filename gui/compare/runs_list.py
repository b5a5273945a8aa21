"""The runs of a comparison: colour, what tells each apart, verdict; a tick shows or hides it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QHeaderView, QMenu, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from gui.compare.grouping import Grouping
from gui.compare.members import Member
from gui.library.tree import VERDICT_COLOUR
from gui.search_field import SearchField
from gui.theme import Theme

MARKS = {"reproduced": "\N{CHECK MARK}", "not reproduced": "\N{MULTIPLICATION X}"}
MEMBER = Qt.ItemDataRole.UserRole + 1


class RunsList(QWidget):
    """One row a group; its runs below it where there are several."""

    shown_changed = Signal(list, bool)  # paths, whether they are drawn
    reference_chosen = Signal(int)
    open_requested = Signal(str)
    removed = Signal(list)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._members: Sequence[Member] = ()
        self.field = SearchField("Filter these runs", "Filter these runs")
        self.field.textChanged.connect(self._filter)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName("Runs of the comparison")
        self.tree.setColumnCount(2)
        self.tree.setHeaderHidden(True)
        self.tree.setIndentation(14)
        self.tree.setUniformRowHeights(True)
        self.tree.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().setStretchLastSection(False)
        self.tree.itemChanged.connect(self._ticked)
        self.tree.itemActivated.connect(self._activated)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(self._open_menu)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.field)
        layout.addWidget(self.tree)

    def show_runs(
        self, members: Sequence[Member], grouping: Grouping, hidden: Sequence[str], reference: int | None
    ) -> None:
        """Show groups of runs; the reference is named as such, where there is one."""
        self._members = members
        self.tree.blockSignals(True)
        self.tree.clear()
        for group, name, colour in zip(grouping.groups, grouping.names, grouping.colours, strict=True):
            many = len(group) > 1
            name = name or str(members[group[0]].header["title"])
            top = self._item(name, list(group), hidden)
            top.setIcon(0, swatch(colour, self.devicePixelRatioF()))
            self.tree.addTopLevelItem(top)
            for number in group if many else ():
                seed = members[number].header["seed"]
                top.addChild(self._item(f"seed {seed}", [number], hidden))
            if reference in group:
                top.setText(1, "ref.")  # a whole word would take its room from all names
                top.setToolTip(1, "reference: the others minus this one")
        self.tree.blockSignals(False)
        self._filter(self.field.text())

    def _item(self, text: str, numbers: list[int], hidden: Sequence[str]) -> QTreeWidgetItem:
        runs = [self._members[number] for number in numbers]
        outcomes = [str(run.verdict.get("outcome") or "") for run in runs]
        passed = sum(outcome == "reproduced" for outcome in outcomes)
        many = f"{passed}/{len(runs)}" if any(outcomes) else f"n={len(runs)}"
        said = MARKS.get(outcomes[0], "") if len(runs) == 1 else many
        item = QTreeWidgetItem([text, said])
        ink = VERDICT_COLOUR.get(outcomes[0], "muted") if len(runs) == 1 else "muted"
        item.setForeground(1, QColor(getattr(self._theme, ink)))
        item.setToolTip(1, outcomes[0] if len(runs) == 1 else f"{passed} of {len(runs)} reproduced")
        item.setData(0, MEMBER, numbers)
        drawn = [run.path not in hidden for run in runs]
        part = Qt.CheckState.Checked if all(drawn) else Qt.CheckState.Unchecked
        item.setCheckState(0, Qt.CheckState.PartiallyChecked if any(drawn) and not all(drawn) else part)
        files = (f"{run.header['title'] or run.header['experiment']}, {run.path}" for run in runs)
        item.setToolTip(0, "\n".join([text, *files]))
        return item

    def paths(self, item: QTreeWidgetItem) -> list[str]:
        return [self._members[number].path for number in item.data(0, MEMBER)]

    def _ticked(self, item: QTreeWidgetItem, column: int) -> None:
        if column == 0 and item.checkState(0) != Qt.CheckState.PartiallyChecked:
            self.shown_changed.emit(self.paths(item), item.checkState(0) == Qt.CheckState.Checked)

    def _activated(self, item: QTreeWidgetItem) -> None:
        self.open_requested.emit(self.paths(item)[0])

    def _filter(self, text: str) -> None:
        words = text.casefold().split()
        for row in range(self.tree.topLevelItemCount()):
            if (item := self.tree.topLevelItem(row)) is not None:
                said = " ".join([item.text(0), item.text(1), *self.paths(item)]).casefold()
                item.setHidden(not all(word in said for word in words))

    def menu(self) -> QMenu:
        """What can be done with the chosen rows; the caller shows it."""
        chosen = self.tree.selectedItems()
        paths = [path for item in chosen for path in self.paths(item)]
        everything = [member.path for member in self._members]
        others = [path for path in everything if path not in paths]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        entries = (
            ("Show only these", lambda: (self.shown_changed.emit(paths, True), self.shown_changed.emit(others, False))),
            ("Show all", lambda: self.shown_changed.emit(everything, True)),
            ("Use as reference", lambda: self.reference_chosen.emit(chosen[0].data(0, MEMBER)[0])),
            ("Open in the Lab", lambda: self.open_requested.emit(paths[0])),
            ("Take out of the comparison", lambda: self.removed.emit(paths)),
        )
        for text, slot in entries:
            action = menu.addAction(text)
            action.setEnabled(bool(paths) or text == "Show all")
            action.triggered.connect(lambda _=False, slot=slot: slot())
        return menu

    def _open_menu(self, place: QPoint) -> None:
        self.menu().popup(self.tree.viewport().mapToGlobal(place))

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme


def swatch(colour: str, scale: float) -> QIcon:
    """A dot in the colour of a run."""
    picture = QPixmap(round(14 * scale), round(14 * scale))
    picture.setDevicePixelRatio(scale)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(2, 2, 10, 10)
    painter.end()
    return QIcon(picture)
