"""The main window: places, commands, theme, closing. What the places do is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSettings, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QMainWindow,
    QMessageBox,
)

from gui import icons, style
from gui.actions import COMMANDS, make_actions
from gui.closing import Closing
from gui.device_chip import DeviceChip
from gui.dialogs import ask_to_open
from gui.finder import Findable, Finder
from gui.lab.pictures import WindowPictures
from gui.lab.place import LabPlace, ask
from gui.lab.recent import told
from gui.lab.run_tab import MakePage
from gui.library import Library
from gui.passing import Passing
from gui.places import Places
from gui.remembered import remember, restore
from gui.runs.runs import Runs, label
from gui.shortcuts import Shortcuts
from gui.theme import DARK, LIGHT, THEMES, Theme
from gui.top_bar import TopBar

if TYPE_CHECKING:
    from lab.experiment import Experiment
    from lab.registry import Broken


class MainWindow(QMainWindow):
    """The window.

    Args:
        runs: Makes, opens and lists runs.
        make_page: Gives the widget that shows the views of a run.
        transport: The bar under the views, like gui.lab.transport.Transport.
        settings: Where the window's layout is remembered.
        ask: Asks before a run is stopped; tests answer for the user.
    """

    appeared = Signal()  # the first paint is done: now is the time for what is slow

    def __init__(
        self,
        runs: Runs,
        make_page: MakePage,
        transport: Any,
        settings: QSettings,
        ask: Callable[..., bool] = ask,
    ) -> None:
        super().__init__()
        self.setWindowTitle("Training Dynamics Lab")
        self.setAcceptDrops(True)
        self.resize(1280, 800)
        self.setMinimumSize(880, 560)
        self.runs, self.settings, self.ask = runs, settings, ask
        self.theme = THEMES.get(str(settings.value("theme", "")), LIGHT)
        self._dress()
        self.actions_by_id = make_actions(self, self.theme)
        runs.device = str(settings.value("device", "cpu"))
        self.device = DeviceChip(runs.devices, runs.device, self.theme)
        self.device.chosen.connect(self._choose_device)
        self.bar = TopBar(self.actions_by_id, self.device, self.theme)
        self.setMenuWidget(self.bar)
        self.lab = LabPlace(runs, make_page, transport, self.theme, ask)
        self.lab.message.connect(self.say)
        self.lab.current_changed.connect(self._enable)
        self.lab.welcome.open_requested.connect(self.open_file)
        self.library = Library(self.theme, ask, self._form_values)
        self.library.chosen.connect(self.open_path)
        self.library.message.connect(self.say)
        self.library.refresh_requested.connect(self.lab.recent.refresh)
        self.library.folders_changed.connect(self._watch)
        self.library.numbers_wanted.connect(self._want_numbers)
        self.library.settings_taken.connect(self._take_settings)
        self.lab.recent.listed.connect(self._list_runs)
        self.places = Places(self.lab, self.library, runs.folder, self.theme)
        self.places.message.connect(self.say)
        self.places.went.connect(lambda name: self.actions_by_id[name].setChecked(True))
        self.places.open_requested.connect(self.open_path)
        self.setCentralWidget(self.places)
        self.passing = Passing(self)
        self.pictures = WindowPictures(self)
        self.closing = Closing(self.lab, self.close, self.say, ask)
        self._painted = False
        restore(self)
        self._enable()

    # what the window shows

    def set_experiments(self, found: Mapping[str, type[Experiment]], broken: Sequence[Broken]) -> None:
        self.lab.set_experiments(found, broken)
        self.lab.queue.restore()

    def saved(self) -> list[str]:
        """What is safe on disk, a line for each open run."""
        return [f"{run.path} holds the run up to step {run.step}." for run in self.lab.open_runs() if run.path]

    def say(self, text: str) -> None:
        """A passing message at the bottom."""
        self.passing.say(text)

    def _list_runs(self) -> None:
        self.library.set_runs(self.lab.recent.model.all, self.runs.left)
        self.places.list_runs()
        if self.runs.left:
            self.lab.recent.refresh()

    def _form_values(self) -> tuple[str, dict[str, Any]]:
        form = self.lab.knobs.form
        config = None if form is None else form.config()
        return ("", {}) if form is None or config is None else (form.experiment.name, config.model_dump(mode="json"))

    def _take_settings(self, run: Any, values: dict[str, Any]) -> None:
        """Put settings of a stored run into the form of a new one; all others stay as they are there."""
        if run.experiment not in self.lab.experiments:
            self.say(f"This app has no experiment called {run.experiment}.")
            return
        experiment, before = self._form_values()
        self.lab.choose(run.experiment, run.preset or "", run.arm or "")
        form = self.lab.knobs.form
        known = {} if form is None else form.rows
        kept = before if experiment == run.experiment else {}
        if form is not None:
            form.set_values({name: value for name, value in {**kept, **values}.items() if name in known})
        self.lab.show_welcome()
        self.places.go_lab()
        self.say(f"{len(values)} settings taken over; the form shows them.")

    def _watch(self, folders: list[str]) -> None:
        self.runs.watched = [Path(folder) for folder in folders]
        self.settings.setValue("watched", folders)
        self.lab.recent.refresh()

    def _want_numbers(self, numbers: list[Any]) -> None:
        if numbers != self.runs.numbers:
            self.runs.numbers = numbers
            self.lab.recent.refresh()

    def _enable(self) -> None:
        run = self.lab.current()
        there = {"": True, "run": run is not None, "live": run is not None and run in self.lab.active_runs()}
        for command in COMMANDS:
            self.actions_by_id[command.id].setEnabled(there[command.needs])

    # places and layout

    def open_study(self) -> None:
        self.places.go_lab()
        self.lab.studies.ask_folder()

    def new_study(self) -> None:
        self.places.go_lab()
        self.lab.studies.ask(self.lab.knobs.form)

    def run_claim(self) -> None:
        self.places.go_lab()
        self.lab.studies.ask(self.lab.knobs.form, claim=True)

    def toggle_catalogue(self) -> None:
        self.lab.docks.toggle("catalogue")

    def toggle_recent(self) -> None:
        self.lab.docks.toggle("recent")

    def toggle_queue(self) -> None:
        self.lab.docks.toggle("queue")

    def toggle_knobs(self) -> None:
        self.lab.docks.toggle("knobs")

    def toggle_cards(self) -> None:
        self.lab.docks.toggle("cards")

    def reset_layout(self) -> None:
        self.places.go_lab()
        self.lab.reset_layout()

    def show_welcome(self) -> None:
        self.places.go_lab()
        self.lab.show_welcome()

    def toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def switch_theme(self) -> None:
        self.set_theme(LIGHT if self.theme.dark else DARK)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self.settings.setValue("theme", theme.name)
        self._dress()
        icons.recolour(self, theme)
        self.places.set_theme(theme)

    def _choose_device(self, device: str) -> None:
        self.runs.device = device
        self.settings.setValue("device", device)
        self.lab.forecast.ask()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if QApplication.focusWidget() is None:
            self.setFocus()  # else the first button would wear a focus ring that nobody asked for

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self.appeared.emit)

    def _dress(self) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        style.apply(app, self.theme, Path(self.settings.fileName()).parent / "glyphs", self)

    # files

    def open_file(self) -> None:
        kinds = "Run files (*.h5 *.hdf5);;All files (*)"
        ask_to_open(self, "Open run file", kinds, self.open_path, folder=str(self.runs.folder), many=True)

    def open_paths(self, paths: Sequence[str]) -> None:
        for path in paths:
            self.open_path(path)

    def open_path(self, path: str) -> None:
        self.places.go_lab()
        self.lab.open_path(path)

    def reveal_folder(self) -> None:
        self.runs.folder.mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.runs.folder)))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Files open; folders, and whatever is dropped on the library, are listed from now on."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        listed = [path for path in paths if Path(path).is_dir() or self.places.currentWidget() is self.library]
        if listed:
            self.library.folder_menu.set_folders([*self.library.folder_menu.folders, *listed])
            self.places.go_library()
        files = [path for path in paths if path not in listed]
        if files and self.places.comparing:
            self.places.comparison.add(files)
        else:
            self.open_paths(files)

    # runs

    def one_step(self) -> None:
        if run := self.lab.current():
            run.step_once()

    def stop(self) -> None:
        if run := self.lab.current():
            run.stop()

    def go_to_step(self) -> None:
        if (run := self.lab.current()) and self.lab.transport.slider.step is not None:
            run.go_to(self.lab.transport.slider.step)

    def checkpoint(self) -> None:
        if run := self.lab.current():
            run.checkpoint()

    # help

    def show_finder(self) -> None:
        self._pop_up(Finder(self.findables(), self.theme, self))

    def show_beside(self) -> None:
        """Ask which run to set beside the one on screen: those of its experiment first."""
        shown = self.lab.current()
        if shown is None:
            return
        name = str(shown.header.get("experiment", ""))
        stored = sorted(self.lab.recent.model.all, key=lambda run: run.experiment != name)
        items = [
            Findable(label(run), "run", told(run), lambda path=str(run.path): self.lab.set_beside(path))
            for run in stored
            if str(run.path) != shown.path
        ]
        if items:
            self._pop_up(Finder(items, self.theme, self, "A run to set beside this one"))
        else:
            self.say("There is no other run yet.")

    def overlay(self) -> None:
        """Compare the run on screen with those beside it."""
        paths = [run.path for run in self.lab.shown_runs() if run.path]
        if paths:
            self.places.compare(paths)
        else:
            self.say("The run has no file yet.")

    def _pop_up(self, finder: Finder) -> None:
        corner = self.mapToGlobal(self.rect().topLeft())
        finder.move(corner.x() + (self.width() - finder.width()) // 2, corner.y() + self.bar.height() + 8)
        finder.show()

    def findables(self) -> list[Findable]:
        """What Ctrl+P offers: experiments, stored runs, commands that can be used now."""
        items = [
            Findable(cls.title, "experiment", cls.claim, lambda name=name: self._choose(name))
            for name, cls in self.lab.experiments.items()
        ]
        for run in self.lab.recent.model.all:
            items.append(Findable(label(run), "run", told(run), lambda path=str(run.path): self.open_path(path)))
        for command in COMMANDS:
            action = self.actions_by_id[command.id]
            if action.isEnabled() and command.id != "finder":
                keys = action.shortcut().toString()
                items.append(Findable(command.text.rstrip(" …"), "command", keys, action.trigger))
        return items

    def _choose(self, name: str) -> None:
        self.places.go_lab()
        self.lab.choose(name)

    def show_shortcuts(self) -> None:
        overlay = Shortcuts(self)
        overlay.adjustSize()
        overlay.move(self.mapToGlobal(self.rect().center()) - overlay.rect().center())
        overlay.show()

    def show_about(self) -> None:
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("About")
        box.setText("Training Dynamics Lab")
        box.setInformativeText(
            f"How neural networks train: published phenomena, live, recorded and judged.\n\n{self.runs.folder}"
        )
        box.open()

    # keys and closing

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Plain keys that no focused field, button or list wanted."""
        plain = not event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier
        key = "Space" if event.key() == Qt.Key.Key_Space else event.text().upper()
        for command in COMMANDS if plain and self.isEnabled() else ():
            if command.plain and command.shortcut == key:
                self.actions_by_id[command.id].trigger()
                return
        if not self.isEnabled() or not self.lab.isVisible() or not self.lab.take(event):
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.closing.may_close():
            event.ignore()
            return
        remember(self)
        self.places.finish()
        self.device.background.wait()
        event.accept()
