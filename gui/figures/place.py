"""The Figures place: runs and views left, the page at true size in the centre, its controls right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QSplitter, QVBoxLayout, QWidget

from gui.background import Background
from gui.dialogs import ask_to_open, ask_to_save
from gui.export.look import FigureError
from gui.export.look import save as save_look
from gui.export.recipe import Recipe, rows_of, suited, write
from gui.figures import work
from gui.figures.bar import Bar
from gui.figures.chooser import Chooser
from gui.figures.controls import OWN, Controls
from gui.figures.history import Edits
from gui.figures.preview import Preview
from gui.icons import recolour
from gui.named import named
from gui.theme import Theme

if TYPE_CHECKING:
    from storage.catalogue import RunEntry

SOON = 60  # ms after the last change before the page is drawn
OPENS = "Figures and recipes (*.json *.pdf *.svg *.png);;All files (*)"
STYLES = "Figure style (*.json)"
WRITES = "PDF (*.pdf);;SVG (*.svg);;PNG (*.png)"


class FiguresPlace(QWidget):
    """Composes a figure. What the page shows is drawn from the recipe in a thread, by what also writes the files."""

    message = Signal(str)

    def __init__(self, folder: Path, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.folder = folder
        self.edits = Edits(self)
        self.edits.changed.connect(self._show)
        self.chooser, self.preview, self.controls = Chooser(theme), Preview(theme), Controls()
        self.chooser.add_requested.connect(self._add)
        self.bar = Bar(self.edits.stack, theme)
        self.addActions([self.bar.undo, self.bar.redo])
        self.bar.pressed.connect(self._press)
        self.bar.export_requested.connect(self.export_file)
        self.preview.chosen.connect(self._choose)
        self.preview.moved.connect(self.move_panel)
        self.preview.removed.connect(self.remove_panel)
        self.controls.page_changed.connect(self._page_changed)
        self.controls.look_changed.connect(self._look_changed)
        self.controls.panel_changed.connect(self._panel_changed)
        self.controls.open_style_requested.connect(
            lambda: ask_to_open(self, "Open style", STYLES, self.open_style, folder=str(self.folder))
        )
        self.controls.save_style_requested.connect(
            lambda: ask_to_save(self, "Save style", "", STYLES, self.save_style, folder=str(self.folder))
        )
        self.problem = named(QLabel(wordWrap=True), "error")
        self.problem.setContentsMargins(16, 4, 16, 8)
        self.problem.hide()
        self._past = False  # whether the problem that is shown was there before the drawing that is under way
        self.background = Background(self)
        self.background.done.connect(self._drawn)
        self.background.failed.connect(self._say)
        self.writing, self.asking = Background(self), Background(self)
        for background in (self.writing, self.asking):
            background.done.connect(self._answered)
            background.failed.connect(self._say)
        self._soon = QTimer(self, interval=SOON, singleShot=True)
        self._soon.timeout.connect(self.draw)
        self._lay_out()
        self._show()

    def _lay_out(self) -> None:
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(self.preview)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(scroll, 1)
        column.addWidget(self.problem)
        splitter = QSplitter()
        splitter.setHandleWidth(1)
        for widget, share in ((self.chooser, 0), (centre, 1), (self.controls, 0)):
            splitter.addWidget(widget)
            splitter.setStretchFactor(splitter.count() - 1, share)
        splitter.setSizes([264, 704, 312])
        self.chooser.setMinimumWidth(224)
        self.controls.setMinimumWidth(296)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)

    # for the window

    @property
    def recipe(self) -> Recipe:
        return self.edits.recipe

    def set_runs(self, runs: Sequence[RunEntry]) -> None:
        self.chooser.set_runs(runs)

    def add_panel(self, view: str, files: Sequence[str], step: int | None = None, band: str = "none") -> None:
        """Put a view of run files on the page, behind the others."""
        self.add_panels([{"view": view, "runs": list(files), "step": step, "band": band}])

    def add_panels(self, new: Sequence[dict[str, Any]]) -> None:
        """Put panels on the page, behind the others."""
        panels = [*(panel.model_dump() for panel in self.recipe.panels), *new]
        values: dict[str, Any] = {"panels": panels}
        if len(panels) >= 2 > len(self.recipe.panels) and self.recipe.size == "single":
            values |= {"size": "double", "columns": 2}  # two panels side by side are what most papers show
        self._suit(values)
        self._change("Add panel" if len(new) == 1 else f"Add {len(new)} panels", values)
        self._choose(len(self.recipe.panels) - 1)

    def set_theme(self, theme: Theme) -> None:
        self.preview.theme = theme
        self.chooser.set_theme(theme)
        recolour(self, theme)
        self.preview.update()

    def finish(self) -> None:
        """The window closes: let the threads end."""
        self._soon.stop()
        self.chooser.finish()
        for background in (self.background, self.writing, self.asking):
            background.wait()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._soon.start()

    # changes

    def _add(self, runs: Sequence[RunEntry], view: str, seeds: bool) -> None:
        self.add_panel(view, [str(run.path) for run in runs], band="SD" if seeds else "none")

    def remove_panel(self, panel: int) -> None:
        values: dict[str, Any] = {
            "panels": [item.model_dump() for i, item in enumerate(self.recipe.panels) if i != panel]
        }
        self._suit(values)
        self._change("Remove panel", values)

    def move_panel(self, panel: int, place: int) -> None:
        """Take a panel out and put it in at a place."""
        panels = [item.model_dump() for item in self.recipe.panels]
        panels.insert(place, panels.pop(panel))
        self._change("Move panel", {"panels": panels})
        self._choose(place)

    def _page_changed(self, field: str, value: Any) -> None:
        if field == "style" and value == OWN:
            value = self.recipe.look().model_dump()
        values = {field: value}
        if field in ("columns", "size"):
            self._suit(values)
        self._change(f"Change {field}", values, field)

    def _look_changed(self, field: str, value: Any) -> None:
        self._change(f"Change {field}", {"style": {**self.recipe.look().model_dump(), field: value}}, f"look {field}")

    def _panel_changed(self, field: str, value: Any) -> None:
        panels = [panel.model_dump() for panel in self.recipe.panels]
        panels[self.preview.panel] |= {field: value or None if field == "inset" else value}
        self._change(f"Change {field}", {"panels": panels}, f"panel {self.preview.panel} {field}")

    def _change(self, text: str, values: dict[str, Any], field: str = "") -> None:
        try:
            self.edits.change(text, field, **values)
        except FigureError as error:
            self._say(str(error))

    def _suit(self, values: dict[str, Any]) -> None:
        """Let the page grow with the rows of its panels, and shrink again."""
        before = [panel.columns for panel in self.recipe.panels]
        after = [panel.get("columns", 1) for panel in values["panels"]] if "panels" in values else before
        rows = rows_of(before, self.recipe.columns)
        then = rows_of(after, values.get("columns", self.recipe.columns))
        values["size"] = suited(values.get("size", self.recipe.size), rows, then)

    def _choose(self, panel: int) -> None:
        self.preview.choose(panel)
        self.controls.show_recipe(self.recipe, self.preview.panel)
        self.bar.buttons["remove"].setEnabled(self.preview.panel >= 0)

    def _show(self) -> None:
        self.preview.show_recipe(self.recipe)
        self._choose(self.preview.panel)
        self.bar.show_page(self.recipe.millimetres, empty=not self.recipe.panels)
        self._soon.start()

    # drawing

    def draw(self) -> None:
        """Draw the page in the background; a change that comes meanwhile is drawn next."""
        self._past = True
        if not self.recipe.panels or not self.isVisible():
            self._say("")
            return
        recipe, folder, dpi = self.recipe, self.folder, self.preview.dpi
        self.background.start(lambda: work.picture(recipe, folder, dpi))

    def _drawn(self, page: work.Page) -> None:
        self.preview.show_page(page)
        if self._past:
            self._say("")

    def _say(self, problem: str) -> None:
        self._past = False
        problem = problem.removeprefix("FigureError: ")  # a sentence for people, unlike other errors' names
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))

    # files

    def _press(self, name: str) -> None:
        match name:
            case "open":
                self.open_file()
            case "save":
                self.save_file()
            case "remove":
                self.remove_panel(self.preview.panel)
            case "words" | "table":
                self.copy_words(table=name == "table")

    def open_file(self) -> None:
        ask_to_open(self, "Open figure or recipe", OPENS, self.open_path, folder=str(self.folder))

    def save_file(self) -> None:
        ask_to_save(self, "Save recipe", "", "Figure recipe (*.json)", self.save_path, folder=str(self.folder))

    def export_file(self) -> None:
        ask_to_save(self, "Export figure", "", WRITES, self.export_path, folder=str(self.folder))

    def open_path(self, path: str) -> None:
        """Take a recipe, or a figure's own, with its runs where they are now."""
        folder = self.folder
        self.message.emit(f"Opening {Path(path).name} …")
        self.asking.start(lambda: _answer(lambda: work.located(Path(path), folder), self._opened))

    def _opened(self, recipe: Recipe) -> None:
        self.edits.open(recipe)
        self._choose(0)

    def save_path(self, path: str) -> None:
        try:
            write(self.recipe, Path(path))
        except FigureError as error:
            self._say(str(error))
        else:
            self.message.emit(f"Recipe saved: {path}")

    def open_style(self, path: str) -> None:
        """Draw the page in the style of a file."""
        self._change("Change style", {"style": path})

    def save_style(self, path: str) -> None:
        """Keep the page's style in a file, for other figures."""
        try:
            save_look(self.recipe.look(self.folder), Path(path))
        except FigureError as error:
            self._say(str(error))
        else:
            self.message.emit(f"Style saved: {path}")

    def export_path(self, path: str) -> None:
        """Write the figure in the background."""
        recipe, folder = self.recipe, self.folder
        self.writing.start(lambda: _answer(lambda: work.write(recipe, Path(path), folder), self._written))

    def _written(self, files: list[Path]) -> None:
        self.message.emit(f"Written: {', '.join(map(str, files))}")

    def copy_words(self, *, table: bool) -> None:
        """Copy a caption draft, or the table of hyper-parameters."""
        recipe, folder = self.recipe, self.folder
        self.asking.start(lambda: _answer(lambda: work.words(recipe, folder, table=table), self._copied))

    def _copied(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.message.emit("Copied as text for LaTeX")

    def _answered(self, answer: tuple[Callable[[Any], None], Any]) -> None:
        then, result = answer
        then(result)


def _answer(work: Callable[[], Any], then: Callable[[Any], None]) -> tuple[Callable[[Any], None], Any]:
    """Called outside the window's thread: the result, and who takes it inside."""
    return then, work()
