"""Runs in order, in groups, below the runs that they branched from; and the table model of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from gui.icons import icon
from gui.library.columns import RUN, SETTINGS, SPARK, STAR, Column, name_of, order, settings, written
from gui.runs.runs import STATE_COLOUR
from gui.theme import Theme

if TYPE_CHECKING:
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without

Index = QModelIndex | QPersistentModelIndex
BRANCHES = "branches"
RUN_ROLE = Qt.ItemDataRole.UserRole + 1
VERDICT_COLOUR = {"reproduced": "good", "not reproduced": "bad"}


class Node:
    """A row: a run, or a group that has a title instead."""

    __slots__ = ("children", "number", "parent", "place", "run", "title")

    def __init__(self, run: RunEntry | None = None, title: str = "") -> None:
        self.run, self.title = run, title
        self.parent: Node | None = None
        self.place = self.number = 0
        self.children: list[Node] = []

    def runs(self) -> Iterator[RunEntry]:
        """The runs of the row itself and of all below it."""
        if self.run is not None:
            yield self.run
        for child in self.children:
            yield from child.runs()


def arrange(runs: Iterable[RunEntry], sort: Column, descending: bool, groups: Sequence[str]) -> Node:
    """The root of the tree: runs in order, in groups within groups, each group where its first run would be.

    Args:
        runs: The runs to show.
        sort: Column that they are sorted by; runs without a value come last either way.
        descending: Largest first.
        groups: Columns to group by, from the outside in; ``branches`` puts runs below the run they started from.
    """
    keyed = [(order(sort.value(run)), run) for run in runs]
    there = sorted((pair for pair in keyed if pair[0][0] != 2), key=lambda pair: pair[0], reverse=descending)
    ordered = [run for _, run in there] + [run for key, run in keyed if key[0] == 2]
    root = Node()
    _fill(root, ordered, tuple(group for group in groups if group != BRANCHES), BRANCHES in groups)
    return root


def _fill(node: Node, runs: Sequence[RunEntry], groups: Sequence[str], branches: bool) -> None:
    if not groups:
        _add(node, _branched(runs) if branches else (Node(run) for run in runs))
        return
    column = Column(groups[0])
    made: dict[str, list[RunEntry]] = {}
    loose: list[RunEntry] = []
    for run in runs:
        value = column.value(run)
        alone = groups[0] == "study" and not value
        (loose if alone else made.setdefault(written(value), [])).append(run)
    for members in made.values():
        group = Node(title=f"{column.title} {column.text(members[0]) or 'none'}")
        _fill(group, members, groups[1:], branches)
        _add(node, [group])
    if loose:  # runs of no study stand below the studies
        _fill(node, loose, groups[1:], branches)


def _branched(runs: Sequence[RunEntry]) -> list[Node]:
    """Runs below the runs that they started from; those whose parent is not there stand alone."""
    nodes = [(Node(run), run) for run in runs]
    by_id: dict[str | None, Node] = {run.run_id: node for node, run in reversed(nodes) if run.run_id}
    tops = []
    for node, run in nodes:
        above = by_id.get(run.parent_run)
        if above is None or _below(above, node):
            tops.append(node)
        else:
            node.parent = above
            above.children.append(node)
    for node, _ in nodes:
        _number(node)
    return tops


def _below(node: Node | None, top: Node) -> bool:
    """Whether ``node`` is ``top`` or below it: runs that name each other as parents make no tree."""
    while node is not None:
        if node is top:
            return True
        node = node.parent
    return False


def _add(node: Node, children: Iterable[Node]) -> None:
    node.children += children
    for child in node.children:
        child.parent = node
    _number(node)


def _number(node: Node) -> None:
    for place, child in enumerate(node.children):
        child.place = place


class RunTree(QAbstractItemModel):
    """The table: rows of :func:`arrange`, chosen columns."""

    def __init__(self, theme: Theme, columns: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.columns = [Column(key) for key in columns]
        self.differing: Mapping[str, Sequence[str]] = {}  # knobs that tell the runs of an experiment apart
        self.root = Node()
        self._nodes: list[Node] = []
        self._row_of: dict[str, Node] = {}

    def show(self, root: Node, columns: Sequence[str] | None = None) -> None:
        """Show other rows, or other columns."""
        self.beginResetModel()
        self.root, self._nodes = root, []
        if columns is not None:
            self.columns = [Column(key) for key in columns]
        waiting = list(reversed(root.children))
        while waiting:
            node = waiting.pop()
            node.number = len(self._nodes)
            self._nodes.append(node)
            waiting += reversed(node.children)
        self._row_of = {str(node.run.path): node for node in self._nodes if node.run is not None}
        self.endResetModel()

    def node(self, index: Index) -> Node:
        return self._nodes[index.internalId()] if index.isValid() else self.root

    def index_of(self, path: str, column: int = 0) -> QModelIndex:
        """The row of a run; invalid where it is not shown."""
        node = self._row_of.get(path)
        return QModelIndex() if node is None else self.createIndex(node.place, column, node.number)

    def replace(self, run: RunEntry) -> None:
        """Show a run as it is now, in its place."""
        if (node := self._row_of.get(str(run.path))) is not None:
            node.run = run
            last = len(self.columns) - 1
            self.dataChanged.emit(self.index_of(str(run.path)), self.index_of(str(run.path), last))

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008 - Qt's own signature
        children = self.node(parent).children
        inside = 0 <= row < len(children) and 0 <= column < len(self.columns)
        return self.createIndex(row, column, children[row].number) if inside else QModelIndex()

    def parent(self, index: Index = QModelIndex()) -> Any:  # noqa: B008 - Qt's own signature
        above = self.node(index).parent if index.isValid() else None
        return QModelIndex() if above is None or above is self.root else self.createIndex(above.place, 0, above.number)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return len(self.node(parent).children) if parent.column() <= 0 else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return "Star" if column.key == STAR else column.title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        node, column = self.node(index), self.columns[index.column()]
        if node.run is None:
            return self._group_data(node, column, role)
        run = node.run
        if role == Qt.ItemDataRole.DisplayRole and column.key == SETTINGS:
            return settings(run, self.differing.get(run.experiment, ()))
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(run)
        if role == RUN_ROLE:
            return run
        if role == Qt.ItemDataRole.DecorationRole and column.key == STAR and run.star:
            return icon("star", self.theme, "warn")
        if role == Qt.ItemDataRole.ForegroundRole and column.key in ("state", "verdict"):
            return QColor(getattr(self.theme, self._colour(run, column.key)))
        if role == Qt.ItemDataRole.TextAlignmentRole and column.right:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(filter(None, (name_of(run), run.problem, run.note, str(run.path))))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ("starred" if run.star else "") if column.key == STAR else column.text(run)
        return None

    def _colour(self, run: RunEntry, key: str) -> str:
        if key == "verdict":
            return VERDICT_COLOUR.get(run.outcome or "", "muted")
        return "bad" if run.problem else STATE_COLOUR.get(run.state, "muted")

    def _group_data(self, node: Node, column: Column, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            runs = list(node.runs())
            if column.key == RUN:
                return f"{node.title}  ({len(runs)})"
            if column.key == "verdict":
                passed = Counter(run.outcome for run in runs)["reproduced"]
                return f"{passed} of {len(runs)} reproduced" if any(run.outcome for run in runs) else ""
            if column.key not in (STAR, SPARK):
                same = {column.text(run) for run in runs}
                return same.pop() if len(same) == 1 else ""
        if role == Qt.ItemDataRole.ForegroundRole:
            return QColor(self.theme.text if column.key == RUN else self.theme.muted)
        if role == Qt.ItemDataRole.TextAlignmentRole and column.right:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None
