"""Stored runs as a list, newest first, read in the background."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QFileSystemWatcher,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.background import Background
from gui.delegate import Role
from gui.lab.catalogue import RowList
from gui.runs.runs import ACTIVE, STATE_COLOUR, label, label_parts, search_text, started
from gui.theme import Theme
from gui.views.text import whole

if TYPE_CHECKING:
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without

Index = QModelIndex | QPersistentModelIndex
MOST_KNOBS = 2  # in a row
CALM_MS = 1000
AGAIN_MS = 10_000  # while a run goes on, which another process may write


def when(seconds: float, now: float | None = None) -> str:
    """A time as people say it: 14:02 today, else 3 Nov, else 3 Nov 2025."""
    if not seconds:
        return ""
    then, today = time.localtime(seconds), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    day = f"{then.tm_mday} {time.strftime('%b', then)}"
    return day if then.tm_year == today.tm_year else f"{day} {then.tm_year}"


def told(run: RunEntry) -> str:
    """When a run began and what came of it, which tells it from others of its name."""
    return ", ".join(filter(None, (when(started(run)), run.state, run.outcome, run.problem)))


class RunsModel(QAbstractListModel):
    """Stored runs, filtered by words.

    Args:
        folded: The runs of a study are one row, whose key is the study's folder.

    Attributes:
        apart: For each experiment the knobs that a row says beside its run's arm and seed.
    """

    def __init__(self, *, folded: bool = False) -> None:
        super().__init__()
        self._folded = folded
        self._sizes: Counter[str] = Counter()
        self._states: Counter[tuple[str, str]] = Counter()
        self.apart: Mapping[str, Sequence[str]] = {}
        self.all: Sequence[RunEntry] = ()
        self.rows: Sequence[RunEntry] = ()
        self.message = "Looking for runs …"

    def set_runs(self, runs: Sequence[RunEntry], words: str = "") -> None:
        if runs is self.all and runs:
            return
        self.beginResetModel()
        self.all = runs
        wanted = words.casefold().split()
        self.rows = [
            run for run in runs if all(word in f"{search_text(run)} {self._knobs(run).casefold()}" for word in wanted)
        ]
        if self._folded:
            self._states = Counter((run.study, run.state) for run in self.rows)
            self._sizes = Counter(run.study for run in self.rows)
            newest = {run.study or str(run.path): run for run in reversed(self.rows)}
            self.rows = [run for run in self.rows if newest[run.study or str(run.path)] is run]
        self.message = "No run matches" if words else "No runs yet: the ones you start are kept here"
        self.endResetModel()

    def set_message(self, message: str) -> None:
        self.beginResetModel()
        self.rows, self.message = (), message
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else max(len(self.rows), 1)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable if self.rows else Qt.ItemFlag.ItemIsEnabled

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not self.rows:
            return {Role.SECOND: self.message, Qt.ItemDataRole.DisplayRole: ""}.get(role)
        run = self.rows[index.row()]
        if self._folded and run.study:
            return self._study(run, role)
        ended = run.outcome if run.state == "finished" and run.outcome else run.state
        name, settings = label_parts(run)
        branch = "" if run.parent_step is None else f"branch at {whole(run.parent_step)}"
        below = ", ".join(filter(None, (branch, self._knobs(run), ended)))
        second = ",\n".join(filter(None, (settings, below)))
        values = {
            Qt.ItemDataRole.DisplayRole: name,
            Qt.ItemDataRole.ToolTipRole: f"{label(run)}\n{run.problem or ended}\n{run.path}\nDouble click opens it",
            Qt.ItemDataRole.AccessibleTextRole: ", ".join(filter(None, (label(run), branch, ended))),
            Role.SECOND: run.problem or second,
            Role.DOT: "bad" if run.problem else STATE_COLOUR.get(run.state, "muted"),
            Role.ASIDE: when(started(run)),
            Role.KEY: str(run.path),
        }
        return values.get(role)

    def _knobs(self, run: RunEntry) -> str:
        knobs = self.apart.get(run.experiment, ())[:MOST_KNOBS]
        return ", ".join(f"{name} {run.config[name]}" for name in knobs if name in run.config)

    def values(self, run: RunEntry) -> list[Any]:
        """Of the knobs that tell the runs of its experiment apart."""
        return [run.config.get(name) for name in self.apart.get(run.experiment, ())]

    def _study(self, newest: RunEntry, role: int) -> Any:
        name = newest.title or newest.experiment
        many = f"Study, {self._sizes[newest.study]} run{'s' * (self._sizes[newest.study] > 1)}"
        counts = ((state, self._states[newest.study, state]) for state in STATE_COLOUR)
        states = ", ".join(f"{count} {state}" for state, count in counts if count)
        values = {
            Qt.ItemDataRole.DisplayRole: name,
            Qt.ItemDataRole.ToolTipRole: f"{name}: {many.lower()}\n{newest.study}",
            Qt.ItemDataRole.AccessibleTextRole: f"{name}, {many.lower()}",
            Role.SECOND: ",\n".join(filter(None, (many, states))),
            Role.ASIDE: when(started(newest)),
            Role.KEY: newest.study,
        }
        return values.get(role)


class RecentRuns(QWidget):
    """The list, kept up to date by :meth:`refresh`, and where other processes begin and end runs in ``folder``."""

    chosen = Signal(str)  # path of a run file, or folder of a study
    listed = Signal()

    def __init__(self, scan: Callable[[], list[RunEntry]], theme: Theme, folder: Path | None = None) -> None:
        super().__init__()
        self._scan, self._folder = scan, folder
        self._watch = QFileSystemWatcher(self)
        self._watch.directoryChanged.connect(self.refresh_when_calm)
        self._again = QTimer(self, singleShot=True, interval=AGAIN_MS)
        self._again.timeout.connect(self.refresh)
        self.model = RunsModel(folded=True)
        self.list = RowList(self.model, theme, "Recent runs", lines=2)
        self.list.chosen.connect(self.chosen)
        self.background = Background(self)
        self.background.done.connect(self._take)
        self.background.failed.connect(self.model.set_message)
        self._soon = QTimer(self, singleShot=True, interval=CALM_MS)
        self._soon.timeout.connect(self.refresh)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 8)
        layout.addWidget(self.list)

    def refresh(self) -> None:
        self._soon.stop()
        self.background.follow(self._scan)

    def refresh_when_calm(self) -> None:
        """Once nothing of the kind was asked for a second: to read a live run's file takes time from its training."""
        self._soon.start()

    def set_theme(self, theme: Theme) -> None:
        self.list.set_theme(theme)

    def _take(self, runs: list[RunEntry]) -> None:
        chosen, scrolled = self.list.currentIndex().data(Role.KEY), self.list.verticalScrollBar().value()
        self.model.set_runs(runs)
        found = self.model.match(self.model.index(0), Role.KEY, chosen, 1, Qt.MatchFlag.MatchExactly) if chosen else []
        if found:  # a list that is read again every few seconds leaves the hand where it is
            self.list.setCurrentIndex(found[0])
            self.list.verticalScrollBar().setValue(scrolled)
        if self._folder is not None and not self._watch.directories() and self._folder.is_dir():
            self._watch.addPath(str(self._folder))  # it may have come into being with the first run
        if self.isVisible() and any(run.state in ACTIVE for run in runs):
            self._again.start()
        self.listed.emit()
