"""The queue in the window: filled from the form, reordered by keys and mouse, held, and kept for the next start."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings, Qt

from gui.app import make_page
from gui.delegate import Role
from gui.lab.transport import Transport
from gui.main_window import MainWindow
from gui.runs.local import LocalRuns
from gui.theme import LIGHT
from lab import registry
from lab.studies.cells import Cell
from tests.gui.test_main_window import Answers, make_window

NAME = "tests.fakes:"
TINY = registry.experiment(NAME)


class HandPool:
    """Workers that do what the test says, at once."""

    def __init__(self, queue, devices) -> None:
        self.queue, self.running, self.stopped = queue, True, []

    def start(self) -> None:
        self.queue.take()

    def end(self, **became: Any) -> None:
        """The first running run ends."""
        cell = next(cell for cell in self.queue.cells if cell.state == "running")
        for name, value in became.items():
            setattr(cell, name, value)
        if cell.state == "failed" and self.queue.on_failure == "hold":
            self.queue.drain()
        self.queue.take()
        self.running = not self.queue.over

    def stop(self, cell: Cell) -> None:
        self.stopped.append(cell)

    def cut(self) -> None:
        self.running = False

    def join(self, timeout=None) -> bool:
        return not self.running


@pytest.fixture
def window(qtbot, tmp_path, monkeypatch) -> Any:
    monkeypatch.setattr(TINY, "name", NAME)
    monkeypatch.setattr("lab.studies.pool.Pool", HandPool)
    window = make_window(qtbot, tmp_path)
    window.show()
    return window


def fill(window: Any, seeds: int) -> Any:
    for seed in range(seeds):
        window.lab.knobs.form.set_values({"seed": seed})
        window.lab.knobs.queue_button.click()
    return window.lab.queue


def seeds(panel: Any) -> list[int]:
    return [cell.point.config.seed for cell in panel.model.cells]


def said(panel: Any, row: int) -> str:
    return panel.model.index(row).data(Role.SECOND)


def test_runs_of_the_form_wait_their_turn_in_a_panel_that_was_not_there_before(window):
    assert not window.lab.docks["queue"].isVisible()
    panel = fill(window, 2)
    window.actions_by_id["queue-run"].trigger()
    assert window.lab.docks["queue"].isVisible() and seeds(panel) == [0, 1, 1]
    assert [cell.state for cell in panel.model.cells] == ["running", "waiting", "waiting"]
    assert said(panel, 1) == "demo – stable – seed 1" and panel.model.index(1).data(Role.ASIDE) == "waiting"
    cell = panel.model.cells[0]
    panel.queue.progress([cell], 50, 10.0, 5.0)
    panel.refresh()
    assert said(panel, 0) == "demo – stable – seed 0" and panel.model.index(0).data(Role.ASIDE) == "15 s left"
    assert panel.model.index(0).data(Role.DONE) == 0.25


def test_waiting_runs_are_reordered_by_key_button_and_mouse(window, qtbot):
    panel = fill(window, 4)
    panel.list.setCurrentIndex(panel.model.index(3))
    panel.list.setFocus()
    qtbot.keyClick(panel.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert seeds(panel) == [0, 1, 3, 2] and panel.list.currentIndex().row() == 2
    panel.list.setCurrentIndex(panel.model.index(2))
    qtbot.mouseClick(panel.up, Qt.MouseButton.LeftButton)
    assert seeds(panel) == [0, 3, 1, 2]
    model = panel.model
    data = model.mimeData([model.index(1)])
    model.dropMimeData(data, Qt.DropAction.MoveAction, 4, 0, model.index(-1))
    assert seeds(panel) == [0, 1, 2, 3]
    assert not model.flags(model.index(0)) & Qt.ItemFlag.ItemIsDragEnabled, "what runs stays where it is"


def test_a_failure_holds_the_rest_says_so_and_can_be_tried_again(window, qtbot):
    panel = fill(window, 2)
    with qtbot.waitSignal(panel.message) as told:
        panel.pool.end(state="failed", problem="asked to fail")
        panel.refresh()
    assert "so the rest waits" in told.args[0] and "asked to fail" in said(panel, 0)
    assert panel.go.text() == "Go on" and panel.queue.draining
    panel.list.setCurrentIndex(panel.model.index(0))
    panel.again.click()
    assert [cell.state for cell in panel.model.cells] == ["running", "waiting"]


def test_the_limit_and_the_choice_on_failure_are_the_queues(window):
    panel = fill(window, 3)
    panel.limit.setValue(2)
    panel.holds.click()
    assert panel.queue.limit == 2 and panel.queue.on_failure == "skip"
    panel.pool.end(state="failed", problem="asked to fail")
    panel.refresh()
    assert [cell.state for cell in panel.model.cells] == ["failed", "running", "waiting"]


def test_held_runs_go_on_when_asked_and_finished_ones_are_cleared(window):
    panel = fill(window, 2)
    panel.go.click()
    panel.pool.end(state="finished", outcome="reproduced")
    panel.refresh()
    assert [cell.state for cell in panel.model.cells] == ["finished", "waiting"]
    assert panel.model.index(0).data(Role.ASIDE) == "reproduced", "where a narrow list does not cut it"
    panel.clear.click()
    panel.go.setFocus()
    panel.go.click()
    assert panel.list.hasFocus(), "nothing waits any more, and no number takes the keys"
    assert [cell.state for cell in panel.model.cells] == ["running"] and not panel.clear.isVisible()
    panel.list.setCurrentIndex(panel.model.index(0))
    panel.out.click()
    assert panel.pool.stopped == list(panel.model.cells)


def test_closing_asks_while_it_goes_on_and_the_next_window_holds_what_was_left(window, qtbot, tmp_path):
    panel = fill(window, 2)
    window.close()
    assert window.isVisible() and "queue is still going on" in window.ask.questions[-1]
    window.ask.yes = True
    window.close()
    assert not window.isVisible() and not panel.running
    again = make_window(qtbot, tmp_path, Answers()).lab.queue
    assert seeds(again) == [0, 1] and again.go.text() == "Go on" and again.pool is None


def test_real_workers_carry_it_out_and_a_row_opens_its_run(qtbot, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(TINY, "name", NAME)
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window: Any = MainWindow(LocalRuns(tmp_path), make_page, Transport(LIGHT), settings, Answers(True))
    qtbot.addWidget(window)
    window.set_experiments({NAME: TINY}, ())
    window.lab.knobs.form.set_values({"steps": 60})
    panel = fill(window, 2)
    panel.limit.setValue(2)
    qtbot.waitUntil(lambda: [cell.state for cell in panel.model.cells] == ["finished"] * 2, timeout=60_000)
    panel.list.chosen.emit(panel.model.index(1).data(Role.KEY))
    run = window.lab.current()
    assert run is not None and run.header["seed"] == 1 and run.state == "finished"
    qtbot.waitUntil(lambda: not panel.running, timeout=20_000)
