"""Studies in the window: asked for, run, shown as tiles and as a phase diagram, opened again, closed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QContextMenuEvent, QFontMetricsF
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QLabel, QTabWidget

from gui.delegate import Role
from gui.export.diagram import write_diagram
from gui.export.look import FigureError
from gui.forms import Form
from gui.lab.recent import RecentRuns
from gui.lab.verdict_panel import VerdictPanel
from gui.studies.form import Basis, StudyForm
from gui.studies.grid import StudyGrid, Tile
from gui.studies.page import StudyPage
from gui.studies.scheduler import SchedulerDialog
from gui.studies.tabs import Studies
from gui.studies.tiles import curve_of
from gui.style import font
from gui.theme import DARK, LIGHT
from gui.views.phase_diagram import PhaseDiagramView
from lab import registry
from lab.studies.board import Board
from lab.studies.diagram import diagram_of, edges, tabulate
from lab.studies.study import Study, StudyError
from lab.verdict import Check, StudyRow, Verdict
from lab.views import PhaseDiagram
from storage.catalogue import RunEntry
from tests.fakes import Tiny
from tests.gui.standins import FakeRuns
from tests.lab.studies.test_board import carry_out, study
from tests.storage.small_runs import small_run

TINY = registry.experiment("tests.fakes:")
GRID = [{"knob": "lr", "values": [0.01, 0.1, 1.0]}, {"knob": "width", "values": [2, 4]}]


def finished(folder: Path, **values: Any) -> Board:
    board = Board(study(**values), Tiny, folder)
    while not board.over:
        carry_out(board)
    return board


@pytest.fixture
def form(qtbot, tmp_path: Path):
    knobs = Form(TINY)
    qtbot.addWidget(knobs)

    def make(**options: Any) -> StudyForm:
        made = StudyForm(Basis.of_form(knobs, "cpu"), LIGHT, FakeRuns(tmp_path), **options)
        qtbot.addWidget(made)
        return made

    return make


def test_a_knob_becomes_an_axis_and_the_button_counts_runs_and_time(form, qtbot):
    dialog = form()
    dialog.rows[0].knob.setCurrentIndex(dialog.rows[0].knob.findData("lr"))
    dialog.rows[0].values.setText("0.01:1:3:log")
    dialog.add_axis("width", "2, 4")
    dialog.seeds.setValue(2)
    assert dialog.run_button.text() == "Run 12 runs"
    qtbot.waitUntil(lambda: "about" in dialog.said.text())
    dialog.zipped.setChecked(True)
    assert not dialog.run_button.isEnabled() and "as many values each" in dialog.said.text()
    dialog.zipped.setChecked(False)
    with qtbot.waitSignal(dialog.chosen) as got:
        dialog.accept()
    chosen: Study = got.args[0]
    assert [axis.values for axis in chosen.axes] == [(0.01, 0.1, 1.0), (2, 4)] and chosen.seeds == (0, 1)


def test_the_first_axes_are_those_of_the_phase_diagram_and_say_what_they_take(qtbot, tmp_path: Path):
    knobs = Form(registry.experiment("condensation"))
    qtbot.addWidget(knobs)
    dialog = StudyForm(Basis.of_form(knobs, "cpu"), LIGHT, FakeRuns(tmp_path))
    qtbot.addWidget(dialog)
    assert [row.name() for row in dialog.rows] == ["gamma_prime", "gamma"]
    assert dialog.rows[1].values.placeholderText() == "0 to 5: a, b, c or low:high:count"
    dialog.rows[0].knob.setCurrentIndex(dialog.rows[0].knob.findData("scene"))
    assert dialog.rows[0].values.placeholderText() == "one of start, growth, phase, dropout"
    assert dialog.said.text().startswith("1 run on 1 worker")
    dialog.reject()


def test_a_wrong_axis_is_explained_and_cannot_be_run(form):
    dialog = form()
    dialog.rows[0].values.setText("0,1,x")
    assert not dialog.run_button.isEnabled() and "not admissible" in dialog.said.text()
    dialog.rows[0].removed.emit()
    assert dialog.run_button.isEnabled() and dialog.run_button.text() == "Run 1 run"
    dialog.reject()


def test_the_claim_begins_with_all_arms_and_the_changed_knobs(qtbot, tmp_path: Path):
    knobs = Form(TINY)
    qtbot.addWidget(knobs)
    knobs.set_values({"width": 7})
    dialog = StudyForm(Basis.of_form(knobs, "cpu", claim=True), LIGHT, FakeRuns(tmp_path))
    qtbot.addWidget(dialog)
    assert dialog.study is not None
    points = dialog.study.points(TINY)
    assert [(p.arm, p.config.width, p.config.lr) for p in points] == [("stable", 7, 0.1), ("unstable", 7, 2.5)]
    dialog.reject()


def test_a_page_shows_runs_numbers_and_the_verdict_and_opens_what_is_clicked(qtbot, tmp_path: Path):
    board = finished(tmp_path, axes=GRID, seeds=[0, 1])
    page = StudyPage(board, LIGHT)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    qtbot.waitUntil(lambda: page.number.count() > 1)
    assert "12 of 12 finished" in page.said.text() and not page.cut_button.isVisible()
    page.number.setCurrentText("norm")
    assert page.drawing.diagram.isVisible()
    qtbot.waitUntil(lambda: page.drawing.diagram.table is not None and bool(page.drawing.diagram.table.count.all()))
    assert page.drawing.diagram.table is not None
    np.testing.assert_array_equal(page.drawing.diagram.table.count, np.full((2, 3), 2))
    with qtbot.waitSignal(page.opened) as got:
        at = page.grid.tile_rect(3).center()
        qtbot.mouseClick(page.grid, Qt.MouseButton.LeftButton, pos=at.toPoint())
    assert got.args == [str(board.cells[3].path)]
    with qtbot.waitSignal(page.opened) as got:
        at = page.drawing.diagram.centre_of(1, 2)
        qtbot.mouseClick(page.drawing.diagram, Qt.MouseButton.LeftButton, pos=at.toPoint())
    assert "lr=1-width=4-seed=0" in got.args[0]
    page.set_theme(DARK)
    with qtbot.waitSignal(page.message, timeout=20_000, check_params_cb=lambda said: "out.csv" in said):
        page.export(str(tmp_path / "out.pdf"))
    assert (tmp_path / "out.pdf").stat().st_size > 1000
    page.close_study()


def test_a_page_runs_a_study_in_worker_processes(qtbot, tmp_path: Path):
    board = Board(study(seeds=[0, 1]), Tiny, tmp_path)
    page = StudyPage(board, LIGHT)
    qtbot.addWidget(page)
    page.show()
    page.start()
    assert page.running and page.cut_button.isVisible()
    qtbot.waitUntil(lambda: not page.running, timeout=60_000)
    page.refresh()
    assert [cell.state for cell in board.cells] == ["finished", "finished"]
    page.close_study()


class _Lost:
    """Workers that have ended before the study did."""

    count = 1
    problem = (
        "the scheduler at tcp://a-machine-with-a-long-name.cluster:8786 is gone; what its workers recorded is kept"
    )

    def start(self) -> None: ...

    def cut(self) -> None: ...

    def join(self, timeout: float | None = None) -> bool:
        return True


def test_what_stopped_a_study_is_said_whole_and_takes_no_width(qtbot, tmp_path: Path):
    page = StudyPage(Board(study(seeds=[0]), Tiny, tmp_path), LIGHT)
    qtbot.addWidget(page)
    page.resize(640, 500)
    page.show()
    assert page.trouble.isHidden()
    width = page.minimumSizeHint().width()
    page.workers = _Lost()
    page.refresh()
    assert page.trouble.isVisible() and page.trouble.text() == _Lost.problem
    assert page.minimumSizeHint().width() == width and page.width() == 640
    assert page.go_button.isVisible() and "0 of 1 finished" in page.said.text()
    page.close_study()


def test_a_tile_draws_the_curve_of_its_run_while_it_goes_on(qtbot, tmp_path: Path):
    board = Board(study(settings={"pause": 0.01, "steps": 10**6}, seeds=[0]), Tiny, tmp_path)
    page = StudyPage(board, LIGHT)
    qtbot.addWidget(page)
    page.show()
    page.start()
    key = board.cells[0].point.key
    qtbot.waitUntil(lambda: page.curves.get(key, np.empty((2, 0))).shape[1] > 2, timeout=60_000)
    assert board.cells[0].state == "running"
    page.close_study()


def test_a_tiles_curve_keeps_a_spike_of_one_step(tmp_path: Path):
    value = np.ones(5000)
    value[1234] = 50.0
    curve = curve_of(str(small_run(tmp_path / "run.h5", value)), Tiny)
    assert curve.max() == 50.0 and curve.shape == (2, 40)


def choose(qtbot, page: StudyPage, places: list[int], entry: str) -> None:
    """Choose tiles by Ctrl and clicks, then an entry of their context menu, as a person does."""
    places_on_screen = [page.grid.tile_rect(place).center().toPoint() for place in places]
    for at in places_on_screen:
        qtbot.mouseClick(page.grid, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, at)
    at = places_on_screen[-1]
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, page.grid.mapToGlobal(at))
    QApplication.sendEvent(page.grid, event)
    menu = page.points_menu
    (action,) = (action for action in menu.actions() if action.text() == entry)
    assert menu.isVisible() and action.isEnabled()
    qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(action).center())
    for at in places_on_screen:
        qtbot.mouseClick(page.grid, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, at)


def test_points_are_brought_forward_put_back_taken_out_and_retried_by_clicking(qtbot, tmp_path: Path):
    board = Board(study(axes=[{"knob": "raise_at", "values": [20, 10**6, 10**7, 10**8, 10**9]}]), Tiny, tmp_path)
    carry_out(board)
    page = StudyPage(board, LIGHT)
    qtbot.addWidget(page)
    page.resize(1000, 600)
    page.show()

    def order() -> list[int]:
        return [cell.point.config.raise_at for cell in board.cells if cell.state == "waiting"]

    choose(qtbot, page, [3, 4], "Start next")
    assert order() == [10**8, 10**9, 10**6, 10**7]
    choose(qtbot, page, [3], "Start last")
    assert order() == [10**9, 10**6, 10**7, 10**8]
    assert "2 before it" in page.grid.said(2) and "next to start" in page.grid.said(4)  # where they stood, they stand
    choose(qtbot, page, [2], "Take out of the study")
    assert order() == [10**9, 10**6, 10**8] and page.grid.said(2) == "" and "study of 4 runs" in page.heading.text()
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_Right)  # to the gap, and on to the fourth
    qtbot.keyClick(page.grid, Qt.Key.Key_Right)
    with qtbot.waitSignal(page.grid.removal_asked):
        qtbot.keyClick(page.grid, Qt.Key.Key_Delete)
    assert len(order()) == 2
    page.start = lambda: None  # type: ignore[method-assign] - no workers here
    choose(qtbot, page, [0], "Retry")
    assert board.cells[0].state == "waiting" or 20 in order()
    page.close_study()


def test_a_study_is_changed_while_it_goes_on_by_clicking(qtbot, tmp_path: Path):
    tabs = QTabWidget()
    qtbot.addWidget(tabs)
    tabs.resize(1000, 600)
    tabs.show()
    studies = Studies(tabs, FakeRuns(tmp_path), LIGHT, lambda *_: True)
    studies.start(study(settings={"pause": 0.005}, axes=[{"knob": "lr", "values": [0.1, 0.2]}]))
    qtbot.waitUntil(lambda: bool(studies.running()))
    (page,) = studies.pages()
    qtbot.mouseClick(page.change_button, Qt.MouseButton.LeftButton)
    dialog = tabs.findChild(StudyForm)
    assert dialog is not None and dialog.rows[0].values.text() == "0.1, 0.2"
    dialog.rows[0].values.selectAll()
    qtbot.keyClicks(dialog.rows[0].values, "0.3, 0.1")
    assert dialog.run_button.text() == "Run 2 runs"
    qtbot.mouseClick(dialog.run_button, Qt.MouseButton.LeftButton)
    assert {0.1, 0.3} <= {cell.point.config.lr for cell in page.board.cells}
    qtbot.waitUntil(lambda: not page.running, timeout=60_000)
    assert {cell.point.config.lr for cell in page.board.cells if cell.state == "finished"} >= {0.1, 0.3}
    studies.finish()


def test_where_studies_compute_is_chosen_by_clicking_and_handed_to_every_study(qtbot, tmp_path: Path):
    tabs = QTabWidget()
    qtbot.addWidget(tabs)
    tabs.show()
    studies = Studies(tabs, FakeRuns(tmp_path), LIGHT, lambda *_: True)
    finished(tmp_path / "one")
    studies.open_folder(tmp_path / "one")
    qtbot.waitUntil(lambda: tabs.count() == 1)
    (page,) = studies.pages()
    qtbot.mouseClick(page.change_button, Qt.MouseButton.LeftButton)
    form = tabs.findChild(StudyForm)
    assert form is not None and form.where.text() == "This machine"
    qtbot.mouseClick(form.where, Qt.MouseButton.LeftButton)
    dialog = form.findChild(SchedulerDialog) or tabs.findChild(SchedulerDialog)
    assert dialog is not None
    okay = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    qtbot.keyClicks(dialog.place, "nowhere")
    assert not okay.isEnabled() and "neither an address" in dialog.said.text()
    dialog.place.selectAll()
    qtbot.keyClicks(dialog.place, "tcp://127.0.0.1:9")
    with qtbot.waitSignal(studies.scheduler_chosen):
        qtbot.mouseClick(okay, Qt.MouseButton.LeftButton)
    assert form.where.text() == page.scheduler == "tcp://127.0.0.1:9" and "on the workers of" in form.said.text()
    form.reject()
    studies.finish()


class Here:
    """Workers of a scheduler that is this process."""

    count, problem = 1, ""

    def __init__(self, board: Board, scheduler: str) -> None:
        if scheduler == "tcp://nobody:1":
            raise StudyError(f"no scheduler answers at {scheduler}")
        self.board, self.there = board, scheduler

    def start(self) -> None:
        while not self.board.over:
            carry_out(self.board)

    def cut(self) -> None:
        self.board.drain()

    def join(self, timeout: float | None = None) -> bool:
        return True


def test_a_study_goes_to_the_chosen_scheduler_or_says_that_nobody_answers(
    qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gui.studies.page.Cluster", Here)
    board = Board(study(seeds=[0, 1]), Tiny, tmp_path)
    page = StudyPage(board, LIGHT, "tcp://nobody:1")
    qtbot.addWidget(page)
    page.show()
    with qtbot.waitSignal(page.message) as said:
        qtbot.mouseClick(page.go_button, Qt.MouseButton.LeftButton)
        assert page.running and "connecting to tcp://nobody:1" in page.said.text()
    assert said.args == ["no scheduler answers at tcp://nobody:1"]
    assert not page.running and page.go_button.isVisible()
    page.scheduler = "tcp://somebody:1"
    qtbot.mouseClick(page.go_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: board.count("finished") == 2)
    assert isinstance(page.workers, Here) and page.workers.there == "tcp://somebody:1"
    page.close_study()


def test_studies_open_in_tabs_and_say_what_is_wrong(qtbot, tmp_path: Path):
    tabs = QTabWidget()
    qtbot.addWidget(tabs)
    studies = Studies(tabs, FakeRuns(tmp_path), LIGHT, lambda *_: True)
    with qtbot.waitSignal(studies.message) as said:
        studies.open_folder(tmp_path)
    assert "not the folder of a study" in said.args[0]
    folder = tmp_path / "one"
    finished(folder)
    studies.open_folder(folder)
    qtbot.waitUntil(lambda: tabs.count() == 1)
    studies.open_folder(folder)  # shown, not opened twice
    assert tabs.count() == 1
    studies.close(studies.pages()[0])
    assert tabs.count() == 0
    studies.finish()


def test_tiles_stand_and_are_coloured_as_in_the_diagram(qtbot, tmp_path: Path):
    board = finished(tmp_path, axes=[{"knob": "lr", "values": [0.2, 0.1]}, {"knob": "width", "values": [2, 4, 8]}])
    page = StudyPage(board, LIGHT)
    qtbot.addWidget(page)
    page.resize(700, 500)
    page.show()
    qtbot.waitUntil(
        lambda: page.drawing.diagram.table is not None and bool(np.isfinite(page.drawing.diagram.table.mean).all())
    )
    spec, table = page.drawing.diagram.spec, page.drawing.diagram.table
    assert spec is not None and table is not None
    tiles, cells = page.grid.grab().toImage(), page.drawing.diagram.grab().toImage()
    for row, column in np.ndindex(table.mean.shape):
        index = (len(table.y) - 1 - row) * len(table.x) + column
        said = page.grid.said(index)
        assert f"{spec.x}={table.x[column]:g}" in said and f"{spec.y}={table.y[row]:g}" in said
        corner = page.grid.tile_rect(index).topRight().toPoint() + QPoint(-5, 5)
        beside = page.drawing.diagram.centre_of(row, column).toPoint() + QPoint(9, 14)
        assert tiles.pixelColor(corner) == cells.pixelColor(beside)
    page.close_study()


def test_a_verdict_that_waits_for_runs_is_one_so_far(qtbot):
    panel = VerdictPanel(LIGHT, "nothing yet")
    qtbot.addWidget(panel)

    def words() -> list[str]:
        return [label.text() for label in panel.widget().findChildren(QLabel)]

    judged = Verdict.not_comparable("1 of 2 runs are not finished", Check("norm", 2.0, low=1.0))
    assert words() == ["nothing yet"]
    panel.show_verdict(judged, so_far=True)
    panel.set_theme(DARK)
    assert "So far 1 of 1 checks pass" in words() and "1 of 2 runs are not finished" in words()
    panel.show_verdict(judged)
    assert any("Not comparable" in text for text in words())
    panel.show_verdict(Verdict.not_comparable("run its arms"))
    assert any("Not comparable" in text and "0 of 0" not in text for text in words())


def test_tiles_say_state_number_and_problem(qtbot):
    grid = StudyGrid(LIGHT)
    qtbot.addWidget(grid)
    grid.resize(400, 300)
    tiles = [
        Tile("a", "lr=1", "η 1", "finished", "a.h5", value=2.0, outcome="reproduced", curve=np.ones((2, 5))),
        Tile("b", "lr=2", "η 2", "failed", "b.h5", problem="loss is nan at step 3"),
        Tile("c", "lr=3", "η 3", "running", "c.h5", done=0.25),
        None,
        Tile("d", "lr=5", "η 5", "waiting", "", turn=2),
    ]
    grid.show_tiles(tiles, 0, None)
    grid.grab()
    assert grid.said(0) == "lr=1\nreproduced\n2" and "nan at step 3" in grid.said(1) and "25% of" in grid.said(2)
    assert grid.said(3) == "" and grid.said(4) == "lr=5\nwaiting, 2 before it"
    assert grid.index_at(grid.tile_rect(2).center()) == 2 and grid.index_at(QPointF(399, 299)) == -1
    with qtbot.waitSignal(grid.opened) as got:
        qtbot.keyClick(grid, Qt.Key.Key_Right)
        qtbot.keyClick(grid, Qt.Key.Key_Return)
    assert got.args == ["a.h5"]


def row(lr: float, width: int, seed: int, value: float) -> StudyRow:
    return StudyRow(
        "", Tiny.configure(values={"lr": lr, "width": width, "seed": seed}), "reproduced", "", {"norm": value}
    )


def test_a_diagram_averages_seeds_at_true_values_of_its_knobs():
    spec = PhaseDiagram("norm", x="lr", y="width", title="Norm")
    rows = [row(0.1, 2, 0, 1.0), row(0.1, 2, 1, 3.0), row(10.0, 4, 0, 5.0), row(0.1, 4, 0, float("nan"))]
    table = tabulate(spec, [r.config for r in rows], rows)
    np.testing.assert_array_equal(table.x, [0.1, 10.0])
    np.testing.assert_array_equal(table.mean, [[2.0, np.nan], [np.nan, 5.0]])
    np.testing.assert_array_equal(table.count, [[2, 0], [0, 1]])
    assert table.spread[0, 0] == 1.0
    np.testing.assert_allclose(edges(table.x, True), [0.01, 1.0, 100.0])
    np.testing.assert_allclose(edges(table.y, False), [1.0, 3.0, 5.0])


def test_cells_are_drawn_where_their_values_are_and_read_back(qtbot):
    view = PhaseDiagramView(Tiny, LIGHT)
    qtbot.addWidget(view)
    view.resize(600, 400)
    view.grab()
    rows = [row(lr, width, 0, lr * width) for lr in (0.01, 0.1, 1.0) for width in (2, 4, 6)]
    spec = PhaseDiagram("norm", x="lr", y="width", title="Norm", contours=(0.5,))
    view.show_table(spec, tabulate(spec, [r.config for r in rows], rows))
    picture = view.grab().toImage()
    for i, j in np.ndindex(3, 3):
        at = view.centre_of(i, j)
        assert view.cell_at(at.x(), at.y()) == (i, j)
    low, high = (picture.pixelColor(view.centre_of(*cell).toPoint()) for cell in ((0, 0), (2, 2)))
    assert low != high  # the middle of the cells has their colours
    third = view.centre_of(0, 1).x() - view.centre_of(0, 0).x()
    assert view.centre_of(0, 2).x() - view.centre_of(0, 1).x() == pytest.approx(third)  # the knob is logarithmic
    assert "lr 1, width 6" in view.said(2, 2) and "norm 6" in view.said(2, 2)


def test_a_long_name_of_a_number_stands_whole_over_the_bar_of_its_colours(qtbot):
    view = PhaseDiagramView(Tiny, LIGHT)
    qtbot.addWidget(view)
    view.resize(400, 300)
    rows = [row(lr, width, 0, lr * width) for lr in (0.1, 1.0) for width in (2, 4)]

    def inked(name: str) -> int:
        """Pixels from the first to the last that a name takes in the line over the diagram."""
        spec = PhaseDiagram("norm", x="lr", y="width", title="Norm", z_label=name)
        view.show_table(spec, tabulate(spec, [r.config for r in rows], rows))
        picture = view.grab(QRect(0, 2, 400, 20)).toImage()
        ground = picture.pixelColor(0, 0)
        height, width = picture.height(), picture.width()
        dark = [x for x in range(width) if any(picture.pixelColor(x, y) != ground for y in range(height))]
        return dark[-1] - dark[0]

    name = "hill loss off its closed form"
    assert inked(name) == pytest.approx(QFontMetricsF(font(12)).horizontalAdvance(name), abs=6)
    assert inked(4 * name) < 400  # too long for the view: cut at its end


def test_a_study_over_one_knob_is_drawn_as_a_line_with_the_spread_of_its_seeds(qtbot, tmp_path: Path):
    board = finished(tmp_path, axes=GRID[1:], arms=["stable", "unstable"], seeds=[0, 1])
    page = StudyPage(board, LIGHT)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    line = page.drawing.line
    qtbot.waitUntil(lambda: sum(int(curve.count.sum()) for curve in line.curves) == 8)
    page.number.setCurrentText("norm")
    assert line.isVisible() and not page.drawing.diagram.isVisible()
    assert [(curve.label, *curve.x) for curve in line.curves] == [("stable", 2, 4), ("unstable", 2, 4)]
    assert "stable" in line.legend.text()
    stable = line.curves[0]
    assert "width 4, stable" in line.said(stable, 1) and "over 2 runs" in line.said(stable, 1)
    assert line.nearest(line.place_of(stable, 1)) == (stable, 1)
    with qtbot.waitSignal(page.opened) as got:
        at = line.canvas.mapFrom(line, line.place_of(stable, 0).toPoint())
        qtbot.mouseClick(line.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert "stable" in got.args[0] and "width=2" in got.args[0]
    page.set_theme(DARK)
    with qtbot.waitSignal(page.message, timeout=20_000, check_params_cb=lambda said: "out.csv" in said):
        page.export(str(tmp_path / "out.pdf"))
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 5
    page.close_study()


def test_a_study_without_axes_has_no_drawing(tmp_path: Path):
    board = finished(tmp_path, seeds=[0])
    assert diagram_of(board.study, Tiny, "norm") is None
    with pytest.raises(FigureError, match="over one axis of numbers, or over two"):
        write_diagram(board, "norm", tmp_path / "x.pdf")


def test_a_study_is_one_row_of_the_recent_runs_and_opens_from_there(qtbot, tmp_path: Path):
    study_folder = str(tmp_path / "studies" / "tiny")
    runs = [
        RunEntry(tmp_path / "new.h5", title="Alone", state="finished", created="2026-11-22T12:00:00"),
        *(
            RunEntry(tmp_path / f"{n}.h5", title="Tiny", study=study_folder, created="2026-11-22T11:00:00")
            for n in "ab"
        ),
        RunEntry(tmp_path / "old.h5", title="Alone", state="finished"),
    ]
    recent = RecentRuns(lambda: runs, LIGHT)
    qtbot.addWidget(recent)
    with qtbot.waitSignal(recent.listed):
        recent.refresh()
    rows = [recent.model.index(row, 0) for row in range(recent.model.rowCount())]
    assert [row.data(Role.KEY) for row in rows] == [str(runs[0].path), study_folder, str(runs[-1].path)]
    assert rows[1].data() == "Tiny" and rows[1].data(Role.SECOND) == "Study, 2 runs"  # whose states are not known
    with qtbot.waitSignal(recent.chosen) as got:
        recent.list.setCurrentIndex(rows[1])
        qtbot.keyClick(recent.list, Qt.Key.Key_Return)
    assert got.args == [study_folder]
