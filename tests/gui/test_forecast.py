"""What a run would cost is said while knobs are turned, and no knob moves meanwhile."""

from typing import Any

import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtWidgets import QApplication

from gui.lab.knobs_panel import RESTING
from gui.lab.run_page import RunPage
from gui.lab.transport import Transport
from gui.main_window import MainWindow
from gui.theme import LIGHT
from lab.experiments.condensation import Condensation
from tests.fakes import Tiny
from tests.gui.standins import FakeRuns

COST = "About 12 s (30 s while other programs compute), 0.3 MB, 18% of the time for measuring."
READING = " A reading of sharpness takes as long as 12 steps."


@pytest.fixture
def window(qtbot, tmp_path, monkeypatch) -> Any:
    monkeypatch.setattr(Condensation, "name", "condensation")
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = MainWindow(FakeRuns(tmp_path), RunPage, Transport(LIGHT), settings, lambda *_: True)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    window.set_experiments({"condensation": Condensation}, ())
    return window


def _type(window: Any, qtbot: Any, name: str, text: str) -> None:
    editor = window.lab.knobs.form.rows[name].editor
    editor.setFocus()
    editor.selectAll()
    qtbot.keyClicks(editor, text)


def _places(window: Any) -> dict[str, tuple[int, int]]:
    """Top and height of every knob and of Run on screen."""
    QApplication.processEvents()
    knobs = window.lab.knobs
    widgets = {name: row for name, row in knobs.form.rows.items() if row.isVisible()} | {"Run": knobs.button}
    return {name: (widget.mapTo(window, QPoint()).y(), widget.height()) for name, widget in widgets.items()}


def test_no_knob_moves_as_one_is_turned_and_the_cost_comes_grows_and_goes(window, qtbot, monkeypatch) -> None:
    window.activateWindow()
    knobs, said = (
        window.lab.knobs,
        [COST, COST + READING, COST + 9 * READING, "The cost could not be estimated: " + COST],
    )
    before = _places(window)
    assert len(before) > 10
    for number, text in enumerate(said):
        monkeypatch.setattr(window.runs, "estimate", lambda *_, text=text: text)
        with qtbot.waitSignal(window.lab.forecast.background.done):
            _type(window, qtbot, "samples", str(20 + number))
            assert _places(window) == before
            assert knobs.hint.full.startswith("Training points")  # the knob's help, until there is news
        assert knobs.hint.full == text
        assert knobs.hint.text() == text or knobs.hint.toolTip() == text
        assert _places(window) == before
    knobs.form.start.back.click()
    assert _places(window) == before


def _click(window: Any, qtbot: Any, name: str) -> None:
    rows, model = window.lab.catalogue.list, window.lab.catalogue.model
    place = rows.visualRect(model.index(model.row_of(name))).center()
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_the_cost_of_an_experiment_is_said_once_it_is_chosen_and_nothing_comes_to_the_front(
    window, qtbot, monkeypatch
) -> None:
    lab, found = window.lab, {"condensation": Condensation, "tiny": Tiny}
    monkeypatch.setattr(Tiny, "name", "tiny")
    monkeypatch.setattr(Tiny, "previews", ("where",))
    window.set_experiments(found, ())
    assert lab.experiment is Condensation and not lab.forecast.waiting  # shown at the start, and chosen by nobody
    for name in reversed(found):
        with qtbot.waitSignal(lab.forecast.background.done):
            _click(window, qtbot, name)
        assert lab.knobs.hint.full == f"about {found[name].Config().steps} s"
    with qtbot.waitSignal(lab.forecast.background.done):
        _click(window, qtbot, "condensation")  # the one that is shown already
    assert lab.forecast.preview is None and lab.tabs.count() == 1


def test_beside_a_run_nothing_is_asked_of_an_experiment_that_is_chosen(window, qtbot, monkeypatch) -> None:
    monkeypatch.setattr(Tiny, "name", "tiny")
    window.set_experiments({"condensation": Condensation, "tiny": Tiny}, ())
    window.lab.start()
    _click(window, qtbot, "tiny")
    assert window.lab.knobs.form.experiment is Tiny and not window.lab.forecast.waiting
    window.lab.current().become("stopped")
    _click(window, qtbot, "tiny")
    assert window.lab.forecast.waiting


def test_the_usual_cost_is_said_whole_and_a_knob_pointed_at_still_explains_itself(window) -> None:
    knobs = window.lab.knobs
    knobs.set_estimate(COST + READING)
    QApplication.processEvents()
    assert knobs.hint.text() == COST + READING
    row = knobs.form.rows["samples"]
    row.hinted.emit(row.hint)
    assert knobs.hint.full == row.hint
    row.hinted.emit("")
    assert knobs.hint.full == COST + READING
    knobs.set_estimate("")
    assert knobs.hint.full == RESTING


def test_what_is_wrong_between_knobs_is_said_under_run_and_moves_none(window, qtbot) -> None:
    window.activateWindow()
    knobs, before = window.lab.knobs, _places(window)
    knobs.set_estimate(COST)
    _type(window, qtbot, "batch", "999")
    assert knobs.form.config() is None and not knobs.button.isEnabled()
    assert knobs.hint.full.startswith("a batch of") and knobs.hint.property("wrong")
    assert _places(window) == before
    knobs.form.start.back.click()
    assert knobs.button.isEnabled() and not knobs.hint.property("wrong")
