"""The Figures place as a person uses it: runs to panels, changes seen and undone, saved, exported, reopened."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QToolButton

from gui.delegate import Role
from gui.export import look
from gui.export.inside import recipe_of
from gui.export.recipe import read
from gui.figures import work
from gui.figures.place import FiguresPlace
from gui.lab.run_page import RunPage
from gui.runs.stored import StoredRun
from gui.theme import LIGHT
from storage.catalogue import scan
from storage.writer import RunWriter
from tests.fakes import Tiny
from tests.gui.export.small import EXPERIMENT, tiny_run

LEFT = Qt.MouseButton.LeftButton


class Page:
    """The place on screen, and what a person does to it."""

    def __init__(self, qtbot, folder: Path) -> None:
        self.qtbot, self.place = qtbot, FiguresPlace(folder, LIGHT)
        qtbot.addWidget(self.place)
        self.place.resize(1280, 720)
        self.place.show()
        self.place.set_runs(scan(folder))
        self.chooser, self.controls, self.preview = self.place.chooser, self.place.controls, self.place.preview

    @property
    def recipe(self):
        return self.place.recipe

    def select(self, words: str) -> None:
        self.chooser.field.setText(words)
        self.chooser.runs.setFocus()
        self.qtbot.keyClick(self.chooser.runs, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)

    def add(self, view: str) -> None:
        self.chooser.views.setCurrentIndex(self.chooser.views.findText(view))
        self.qtbot.mouseClick(self.chooser.add, LEFT)

    def pick(self, name: str, text: str) -> None:
        box = self.controls.fields[name]
        assert isinstance(box, QComboBox)
        box.setCurrentIndex(box.findText(text))
        box.activated.emit(box.currentIndex())

    def type(self, name: str, text: str) -> None:
        field: Any = self.controls.fields[name]
        self.controls.ensureWidgetVisible(field)
        field.setFocus()
        field.selectAll()
        self.qtbot.keyClicks(field, text)
        self.qtbot.keyClick(field, Qt.Key.Key_Return)

    def drawn(self) -> None:
        """Wait until the page shows the present recipe."""
        before = self.preview.image.cacheKey()
        self.qtbot.waitUntil(lambda: self.preview.image.cacheKey() != before, timeout=60_000)


@pytest.fixture
def page(qtbot, tmp_path):
    for seed in range(3):
        tiny_run(tmp_path / f"{seed}.h5", seed=seed)
    made = Page(qtbot, tmp_path)
    yield made
    made.place.finish()


def test_the_page_shows_the_picture_that_is_written(page, qtbot, tmp_path):
    page.select("")
    assert page.chooser.hint.text() == "3 runs"
    page.add("Loss")
    page.drawn()
    assert (page.recipe.panels[0].view, len(page.recipe.panels[0].runs)) == ("loss", 3)
    assert page.recipe.panels[0].band == "SD"  # they differ in their seeds alone
    shown = page.preview.image
    assert shown.width() == pytest.approx(85 / 25.4 * page.preview.dpi, abs=1)  # true size, pixel by pixel
    page.place.edits.change("", dpi=round(page.preview.dpi))
    out = tmp_path / "figure.png"
    with qtbot.waitSignal(page.place.message, timeout=60_000):
        page.place.export_path(str(out))
    written = QImage(str(out)).convertToFormat(shown.format())
    assert written.size() == shown.size()
    differing = sum(
        written.pixel(x, y) != shown.pixel(x, y)
        for x in range(0, shown.width(), 3)
        for y in range(0, shown.height(), 3)
    )
    assert differing == 0


def test_changes_reach_the_recipe_and_can_be_undone(page):
    page.select("1.h5")
    page.add("Loss")
    page.type("panel_title", "My loss")
    page.type("x", "5, 40")
    page.type("notes", "10, 0.5, here")
    page.pick("legend", "below")
    page.pick("y_log", "linear")
    page.pick("style", "Journal-serif")
    page.type("line", "2.5")
    panel = page.recipe.panels[0]
    assert (panel.title, panel.x, panel.legend, panel.y_log) == ("My loss", (5, 40), "below", False)
    assert (panel.notes[0].text, panel.notes[0].at) == ("here", (10, 0.5))
    assert page.recipe.look().line == 2.5 and page.recipe.look().maths == "stix"
    for _ in range(3):
        page.place.bar.buttons["undo"].click()
    assert page.recipe.style == "" and page.recipe.panels[0].y_log is None
    page.place.bar.buttons["redo"].click()
    assert page.recipe.panels[0].y_log is False


def test_what_is_not_admissible_is_said_and_changes_nothing(page):
    page.select("1.h5")
    page.add("Loss")
    page.type("step", "many")
    assert "step" in page.place.problem.text() and page.recipe.panels[0].step is None
    page.type("x", "3, 3")
    page.qtbot.waitUntil(lambda: "nothing to show" in page.place.problem.text(), timeout=60_000)
    page.type("x", "3, 9")
    page.qtbot.waitUntil(lambda: not page.place.problem.text(), timeout=60_000)


def test_panels_are_dragged_chosen_and_taken_away(page, qtbot):
    page.select("0.h5")
    page.add("Loss")
    page.add("Sharpness")
    assert (page.recipe.size, page.recipe.columns) == ("double", 2)
    first, second = (page.preview.box(i).center().toPoint() for i in range(2))
    qtbot.mousePress(page.preview, LEFT, pos=first)
    qtbot.mouseMove(page.preview, (first + second) / 2)
    qtbot.mouseMove(page.preview, second + QPoint(5, 5))
    qtbot.mouseRelease(page.preview, LEFT, pos=second)
    assert [panel.view for panel in page.recipe.panels] == ["sharpness", "loss"]
    qtbot.keyClick(page.preview, Qt.Key.Key_Left)
    assert [panel.view for panel in page.recipe.panels] == ["loss", "sharpness"]
    qtbot.keyClick(page.preview, Qt.Key.Key_Delete)
    assert [panel.view for panel in page.recipe.panels] == ["sharpness"]


def test_the_wheel_scrolls_the_controls_and_changes_none_of_them(page, qtbot):
    page.select("0.h5")
    page.add("Loss")
    before, controls = page.recipe, page.place.controls
    for name in ("text", "size", "columns"):
        field = controls.fields[name]
        at = QPointF(field.rect().center())
        turn = QPoint(0, -120)
        wheel = QWheelEvent(
            at, field.mapToGlobal(at), turn, turn, Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(field, wheel)
        assert not wheel.isAccepted()  # it goes on to the column
        assert field.focusPolicy() == Qt.FocusPolicy.StrongFocus
    assert page.recipe == before


def test_the_frame_of_a_panel_surrounds_what_is_drawn_of_it(page, qtbot):
    page.select("0.h5")
    page.add("Loss")
    page.add("Sharpness")
    page.pick("legend", "beside")
    qtbot.waitUntil(lambda: page.preview.frame(1) != page.preview.box(1), timeout=60_000)
    first, second = (page.preview.frame(panel) for panel in range(2))
    assert first.right() <= second.left() + 7  # three points of air on both sides
    assert first != page.preview.box(0)
    image, area = page.preview.image, page.preview.page
    scale = image.width() / area.width()
    inked = [
        QPointF(area.x() + x / scale, area.y() + y / scale)
        for x in range(0, image.width(), 3)
        for y in range(0, image.height(), 3)
        if QColor(image.pixel(x, y)).lightness() < 200
    ]
    assert len(inked) > 50
    assert all(first.contains(point) or second.contains(point) for point in inked)


def test_the_page_grows_and_shrinks_with_its_rows_unless_somebody_chose_its_height(page, tmp_path):
    panel = {"view": "loss", "runs": [str(tmp_path / "0.h5")]}
    page.place.add_panels([panel] * 7)
    assert (page.recipe.columns, page.recipe.millimetres) == (2, (178, 220))
    page.drawn()
    assert not page.place.problem.text()
    for _ in range(3):
        page.place.remove_panel(0)
    assert page.recipe.millimetres == (178, 110)
    page.place.controls.page_changed.emit("columns", 1)
    assert page.recipe.millimetres == (178, 220)
    page.place.controls.page_changed.emit("columns", 4)
    assert page.recipe.size == "double"
    page.place.controls.page_changed.emit("size", "slide")
    page.place.controls.page_changed.emit("columns", 2)
    assert page.recipe.size == "slide"
    page.place.controls.page_changed.emit("size", [150.0, 90.0])
    page.place.add_panel("loss", panel["runs"])
    assert page.recipe.millimetres == (150, 90)


def test_a_figure_is_opened_again_with_its_runs(page, qtbot, tmp_path):
    page.select("2.h5")
    page.add("Stages")
    with qtbot.waitSignal(page.place.message, timeout=60_000):
        page.place.export_path(str(tmp_path / "figure.svg"))
    page.place.save_path(str(tmp_path / "figure.json"))
    assert read(tmp_path / "figure.json") == page.recipe
    page.place.remove_panel(0)
    (tmp_path / "2.h5").rename(tmp_path / "moved.h5")
    with qtbot.waitSignal(page.place.edits.changed, timeout=60_000):
        page.place.open_path(str(tmp_path / "figure.svg"))
    assert [Path(run.file).name for run in page.recipe.panels[0].runs] == ["moved.h5"]
    assert recipe_of(tmp_path / "figure.svg").panels[0].runs[0].file == "2.h5"
    page.place.open_path(str(tmp_path / "moved.h5"))
    qtbot.waitUntil(lambda: "recipe" in page.place.problem.text(), timeout=60_000)


def test_a_problem_that_comes_while_the_page_is_drawn_stays_until_the_next_change(page, qtbot, monkeypatch):
    page.select("2.h5")
    page.add("Stages")
    page.drawn()
    go, draw = Event(), work.picture
    monkeypatch.setattr(work, "picture", lambda *asked: go.wait(30) and draw(*asked))
    page.place.draw()
    page.place.open_path(str(page.place.folder / "2.h5"))
    qtbot.waitUntil(lambda: "recipe" in page.place.problem.text(), timeout=60_000)
    with qtbot.waitSignal(page.place.background.done, timeout=60_000):
        go.set()
    assert "recipe" in page.place.problem.text()
    page.place.draw()
    qtbot.waitUntil(lambda: not page.place.problem.text(), timeout=60_000)


def test_caption_and_table_are_copied(page, qtbot):
    page.select("")
    page.add("Loss")
    for button, words in (("words", "one standard deviation"), ("table", r"\toprule")):
        with qtbot.waitSignal(page.place.message, timeout=60_000):
            page.place.bar.buttons[button].click()
        assert words in QGuiApplication.clipboard().text()


def test_a_view_is_sent_to_the_figure_from_its_menu(qtbot, tmp_path):
    run = StoredRun(str(tiny_run(tmp_path / "a.h5")))
    page = RunPage(run, LIGHT)
    qtbot.addWidget(page)
    page.set_step(30)
    menu = page.views[1].menu()
    (send,) = [action for action in menu.actions() if action.text() == "Send to the figure"]
    with qtbot.waitSignal(page.figure_requested) as sent:
        send.trigger()
    assert sent.args == [str(tmp_path / "a.h5"), page.views[1].spec.id, 30]
    run.close()


def test_a_style_is_kept_in_a_file_and_used_again(page, tmp_path):
    page.select("")
    page.add("Loss")
    page.type("fonts", "Nimbus Sans, DejaVu Sans")
    page.pick("maths", "stix")
    page.place.save_style(str(tmp_path / "mine.json"))
    assert look.load(str(tmp_path / "mine.json")).maths == "stix"
    page.pick("style", "Journal")
    page.place.open_style(str(tmp_path / "mine.json"))
    assert page.recipe.look().fonts == ("Nimbus Sans", "DejaVu Sans")
    style = page.controls.fields["style"]
    assert isinstance(style, QComboBox) and style.currentText() == "mine"
    page.place.save_style(str(tmp_path / "no folder" / "mine.json"))
    assert "cannot write the style" in page.place.problem.text()


def test_curves_of_a_panel_lie_along_an_event_in_the_colours_of_a_knob(page):
    page.select("")
    page.add("Loss")
    page.type("along", "event spike")
    page.type("colour", "seed")
    (panel,) = page.recipe.panels
    assert (panel.along, panel.colour) == ("event spike", "seed")
    page.drawn()
    page.type("along", "moon")
    assert "along" in page.place.problem.text()
    assert page.recipe.panels[0].along == "event spike"


def test_runs_are_told_apart_found_and_ordered_by_their_knobs(page, tmp_path):
    for lr in (0.3, 0.2):
        tiny_run(tmp_path / f"other{lr}.h5", lr=lr)
    page.place.set_runs(scan(tmp_path))
    model = page.chooser.model
    said = {model.data(model.index(row), Role.SECOND) for row in range(model.rowCount())}
    assert any("lr 0.3" in text for text in said)
    page.select("lr 0.2")
    assert model.rowCount() == 1
    page.select("")
    chosen = [(run.config["lr"], run.seed) for run in page.chooser.selected()]
    assert chosen == [(0.1, 0), (0.1, 1), (0.1, 2), (0.2, 0), (0.3, 0)]


def test_views_that_the_runs_recorded_nothing_for_are_not_offered(page, qtbot, tmp_path):
    with RunWriter.create(
        tmp_path / "bare.h5", {"experiment": EXPERIMENT}, Tiny.configure().model_dump(mode="json"), {}
    ) as writer:
        writer.append("train_loss", [0, 1], [1.0, 0.5])
    page.place.set_runs(scan(tmp_path))
    page.select("bare.h5")
    qtbot.waitUntil(lambda: [page.chooser.views.itemData(n) for n in range(page.chooser.views.count())] == ["loss"])


def test_rows_take_shares_of_the_page(page):
    page.select("0.h5")
    page.add("Loss")
    page.add("Sharpness")
    page.place.edits.change("", columns=1, size=(85, 90))
    page.type("heights", "2, 1")
    assert page.recipe.heights == (2, 1)
    first, second = (page.preview.box(place).height() for place in range(2))
    assert first == pytest.approx(2 * second)
    page.type("heights", "tall")
    assert "heights" in page.place.problem.text() and page.recipe.heights == (2, 1)
    page.type("heights", " ")
    assert page.recipe.heights == ()


def test_colours_are_a_known_cycle_or_ones_own(page, qtbot):
    page.select("0.h5")
    page.add("Loss")
    cycle = page.controls.cycle
    assert cycle.names.currentText() == "Okabe-Ito"
    cycle.names.setCurrentIndex(cycle.names.findText("Tol bright"))
    cycle.names.activated.emit(cycle.names.currentIndex())
    assert page.recipe.look().colours == look.CYCLES["Tol bright"]
    cycle.put(0, "#123456")
    assert (page.recipe.look().colours[0], cycle.names.currentText()) == ("#123456", "Own colours")
    swatches = {button.accessibleName(): button for button in cycle.swatches.findChildren(QToolButton)}
    assert len(swatches) == 8 and swatches["Colour 1"].toolTip() == "Line 1: #123456"
    change, earlier, out = swatches["Colour 2"].menu().actions()
    earlier.trigger()
    assert page.recipe.look().colours[:2] == ("#EE6677", "#123456")
    add = next(button for button in cycle.swatches.findChildren(QToolButton) if button.text() == "+")
    qtbot.mouseClick(add, LEFT)
    assert len(page.recipe.look().colours) == 8
    for _ in range(3):
        page.place.bar.buttons["undo"].click()
    assert page.recipe.style == "" and cycle.names.currentText() == "Okabe-Ito"
    assert change.text() == "Change …" and out.isEnabled()


@pytest.mark.parametrize("name", look.CYCLES)
def test_every_cycle_can_be_kept_in_a_style(name, tmp_path):
    look.save(look.load("journal").model_copy(update={"colours": look.CYCLES[name]}), tmp_path / "mine.json")
    assert look.load(str(tmp_path / "mine.json")).colours == look.CYCLES[name]
