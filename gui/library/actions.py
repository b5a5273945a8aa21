"""What can be done with the chosen runs of the library: opened, compared, labelled, copied, binned, put on a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QInputDialog, QMenu, QWidget

from gui.background import InOrder
from gui.dialogs import ask_for_folder
from gui.library import files
from gui.library.columns import name_of

if TYPE_CHECKING:
    from lab.views import View
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without


class RunActions(QObject):
    """Acts on what ``chosen`` gives; files are changed in the background, one after the other.

    Args:
        parent: Over which dialogs and menus open.
        chosen: The chosen runs. everything: All runs.
        ask: Asks before files are moved to the bin.
    """

    open_requested = Signal(str)
    compare_requested = Signal(list)  # paths
    figure_requested = Signal(list)  # panels, as a figure's recipe takes them
    done = Signal(object)  # what to say
    failed = Signal(str)

    def __init__(
        self,
        parent: QWidget,
        chosen: Callable[[], list[RunEntry]],
        everything: Callable[[], Sequence[RunEntry]],
        ask: Callable[..., bool],
    ) -> None:
        super().__init__(parent)
        self._parent, self.chosen, self._everything, self.ask = parent, chosen, everything, ask
        self.work = InOrder(self)
        self.work.done.connect(self.done)
        self.work.failed.connect(self.failed)

    def compare(self) -> None:
        """Hand the chosen runs on; a branch alone goes with the run that it started from."""
        runs = self.chosen()
        if len(runs) == 1 and runs[0].parent_run:
            runs = [run for run in self._everything() if run.run_id == runs[0].parent_run][:1] + runs
        if runs:
            self.compare_requested.emit([str(run.path) for run in runs])

    def open(self) -> None:
        """Open one run, compare several."""
        runs = self.chosen()
        if len(runs) == 1:
            self.open_requested.emit(str(runs[0].path))
        elif runs:
            self.compare()

    def label(self, change: dict[str, Any], runs: Sequence[RunEntry] | None = None) -> None:
        """Write a star, tags or a note into the files."""
        paths = [run.path for run in (self.chosen() if runs is None else runs)]
        self.work.start(files.label(paths, change))

    def star(self) -> None:
        runs = self.chosen()
        self.label({"star": not all(run.star for run in runs)}, runs)

    def bin(self) -> None:
        runs = self.chosen()
        if not runs:
            return
        what, back = (f"{len(runs)} runs", "them") if len(runs) > 1 else (name_of(runs[0]), "it")
        question = (f"Move {what} to the bin?", f"The system's bin gives {back} back.", "Move to the bin")
        if self.ask(self._parent, *question):
            self.work.start(files.bin_files([run.path for run in runs]))

    def copy(self, *, checkpoints: bool) -> None:
        paths = [run.path for run in self.chosen()]
        ask_for_folder(
            self._parent,
            "Copy into folder",
            lambda folder: self.work.start(files.copy(paths, Path(folder), checkpoints=checkpoints)),
            folder=str(paths[0].parent),
        )

    def tag(self) -> None:
        """Add a tag to all chosen runs."""
        runs = self.chosen()
        dialog = QInputDialog(self._parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Add tag")
        dialog.setLabelText("Tag:")
        dialog.textValueSelected.connect(lambda text: text.strip() and self.label({"tags": (text,)}, runs))
        dialog.open()

    def menu(self) -> QMenu:
        """All of it; the caller shows it."""
        runs = self.chosen()
        menu = QMenu(self._parent)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        single = len(runs) == 1
        branch = single and bool(runs[0].parent_run)
        for text, slot, enabled in (
            ("Open", self.open, single),
            ("Compare with the run it branched from" if branch else "Compare", self.compare, branch or not single),
            ("", None, True),
            ("Star\tCtrl+D", self.star, True),
            ("Add tag …", self.tag, True),
            ("", None, True),
            ("Copy into folder …", lambda: self.copy(checkpoints=True), True),
            ("Copy without checkpoints …", lambda: self.copy(checkpoints=False), True),
            ("Move to the bin\tDel", self.bin, True),
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
        runs = self.chosen()
        views = menu.addMenu("Send to the figure")
        try:
            known = views_of(runs)
        except UnknownView:
            known = []
        for view in known:
            views.addAction(view.title).triggered.connect(lambda _=False, name=view.id: self._send(name, runs))
        views.setEnabled(bool(known))
        return views

    def _send(self, view: str, runs: Sequence[RunEntry]) -> None:
        band = "SD" if seeds_repeat(runs) else "none"
        self.figure_requested.emit([{"view": view, "runs": [str(run.path) for run in runs], "band": band}])


class UnknownView(Exception):
    """Runs whose views are not known; one line that says why."""


def views_of(runs: Sequence[RunEntry], *, also: bool = False) -> list[View]:
    """Views that some of the runs have something to show in.

    Args:
        runs: Of one experiment.
        also: With those of optional instruments; which run read them, its file alone knows.

    Raises:
        UnknownView: The runs are of several experiments, or of one that is not known here.
    """
    from lab import registry

    names = {run.experiment for run in runs}
    if len(names) != 1:
        raise UnknownView("A view belongs to one experiment: choose runs of one")
    try:
        cls = registry.experiment(names.pop())
    except (registry.UnknownName, ImportError) as error:
        raise UnknownView(str(error)) from None
    configs = []
    for text in dict.fromkeys(run.config_text for run in runs):
        try:
            configs.append(cls.Config.parse(json.loads(text)))
        except ValueError:  # knobs of another version of the experiment: any view may be theirs
            return list(cls.every_view() if also else cls.views)
    declared = [view for view in cls.views if any(view.applies(config) for config in configs)]
    return [*declared, *(cls.also_views if also else ())]


def seeds_repeat(runs: Sequence[RunEntry]) -> bool:
    """Whether some of the runs differ only in their seeds."""
    alike = [(run.preset, run.arm) for run in runs]
    return len(set(alike)) < len(alike) and len({run.seed for run in runs}) > 1
