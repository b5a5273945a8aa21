"""Runs side by side: one slider, one stretch, one selection; each leaves again and everything stands as before."""

from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QToolButton

from gui.actions import COMMANDS
from gui.app import make_page
from gui.finder import Finder
from gui.lab.transport import Transport
from gui.main_window import MainWindow
from gui.theme import LIGHT
from lab.stream import MemoryRun
from storage.catalogue import RunEntry
from tests.fakes import Tiny
from tests.gui.runs import MadeUpRun
from tests.gui.standins import FakeRuns


def made_up(rows: int, scale: float, arm: str) -> Any:
    steps = np.arange(rows)
    run: Any = MadeUpRun(MemoryRun(train_loss=(steps, scale * np.exp(-steps / 30)), norm=(steps, scale + 0.0 * steps)))
    run.path, run.step = f"{arm}.h5", rows - 1
    run.header |= {"arm": arm}
    run.config = Tiny.configure(values={"steps": rows - 1})
    return run


class TwoRuns(FakeRuns):
    """Opens two stored runs of other lengths."""

    def open(self, path: str) -> Any:
        return made_up(*{"short.h5": (101, 1.0, "short"), "long.h5": (201, 2.0, "long")}[path])


@pytest.fixture
def window(qtbot, tmp_path, monkeypatch) -> Any:
    monkeypatch.setattr(Tiny, "name", "tests.fakes:")
    runs = TwoRuns(tmp_path)
    entry = RunEntry(Path("long.h5"), title="Tiny quadratic", experiment="tests.fakes:", arm="long")
    runs.list = [entry]
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window: Any = MainWindow(runs, make_page, Transport(LIGHT), settings, lambda *_: True)
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    window.set_experiments({"tests.fakes:": Tiny}, ())
    window.lab.recent.refresh()
    qtbot.waitUntil(lambda: bool(window.lab.recent.model.all))
    window.open_path("short.h5")
    return window


def beside(window: Any, qtbot) -> tuple[Any, Any]:
    """Choose the other run as a person does."""
    window.actions_by_id["beside"].trigger()
    finder = window.findChild(Finder)
    qtbot.keyClick(finder.field, Qt.Key.Key_Return)
    return tuple(window.lab.tabs.currentWidget().lockstep.pages)


def test_one_slider_moves_both_runs_and_reaches_over_the_longer_one(window, qtbot):
    left, right = beside(window, qtbot)
    assert right.heading() == "long – seed 0 – Tiny quadratic – demo" and right.isVisible()
    slider = window.lab.transport.slider
    assert (slider.steps, slider.reached) == (200, 200)
    assert window.lab.transport.counter.text() == "200 / 200"
    slider.select(60)
    for page, loss in ((left, "0.135"), (right, "0.271")):
        page.refresh()
        assert loss in page.views[0].readout
    slider.select(150)
    assert left.views[0].values_at(150)[0][1] == 100 and right.views[0].values_at(150)[0][1] == 150


def test_every_command_finds_its_method(window):
    assert all(callable(attrgetter(command.calls)(window)) for command in COMMANDS)


def test_the_keys_of_the_slider_work_wherever_the_page_has_the_focus(window, qtbot):
    page, slider = window.lab.tabs.currentWidget().page, window.lab.transport.slider
    view = page.views[0]
    view.setFocus()
    moves = []
    slider.moved.connect(moves.append)
    for key in (Qt.Key.Key_Home, Qt.Key.Key_Right, Qt.Key.Key_End, Qt.Key.Key_Left):
        qtbot.keyClick(view, key)
    assert moves == [0, 1, None, 99]
    for _ in range(2):
        qtbot.keyClick(view, Qt.Key.Key_P)
        moves.append(window.lab.transport.playing)
    qtbot.keyClick(view, Qt.Key.Key_L)
    assert moves[-2:] == [True, False] and window.lab.transport.loop_button.isChecked()


def test_escape_from_a_filled_page_leaves_the_keys_with_the_view(window, qtbot):
    page = window.lab.tabs.currentWidget().page
    page.panels[0].head.maximise.click()
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert window.focusWidget() is page.views[0]


def test_runs_side_by_side_are_laid_over_each_other_in_the_compare_place(window, qtbot, monkeypatch):
    beside(window, qtbot)
    compared = []
    monkeypatch.setattr(window.places.comparison, "compare", compared.append)
    qtbot.keyClick(window.lab.tabs.currentWidget().page.views[0], Qt.Key.Key_O)
    assert compared == [["short.h5", "long.h5"]]
    assert window.places.currentWidget() is window.places.comparison


def test_stretch_and_selection_are_shared_and_what_fills_one_page_fills_both(window, qtbot):
    left, right = beside(window, qtbot)
    right.axis.hold(20.0, 40.0)
    assert (left.axis.low, left.axis.high) == (20.0, 40.0)
    left.selection.pick("neuron", 3)
    assert right.selection.picked("neuron") == 3
    right.panels[1].head.maximise.click()
    assert left.maximised is not None and left.maximised.view.spec.id == right.panels[1].view.spec.id
    qtbot.keyClick(left, Qt.Key.Key_Escape)
    assert left.maximised is None and right.maximised is None


def test_a_run_that_leaves_gives_the_page_its_panels_and_the_slider_its_length_back(window, qtbot):
    tab = window.lab.tabs.currentWidget()
    before = tab.page.save_layout()
    widths = [panel.width() for panel in tab.page.panels]
    _, right = beside(window, qtbot)
    assert tab.page.width() < 0.6 * tab.width() and tab.page.save_layout() == before
    close = next(b for b in right.head.findChildren(QToolButton) if "away" in b.toolTip())
    qtbot.mouseClick(close, Qt.MouseButton.LeftButton)
    assert tab.lockstep.beside == [] and window.lab.transport.slider.steps == 100
    qtbot.waitUntil(lambda: [panel.width() for panel in tab.page.panels] == widths)
    tab.page.panels[0].head.maximise.click()
    assert tab.page.maximised is not None


def test_another_tab_has_a_slider_of_its_own_and_the_pair_comes_back_whole(window, qtbot):
    beside(window, qtbot)
    pair = window.lab.tabs.currentWidget()
    window.open_path("long.h5")
    assert window.lab.transport.slider.steps == 200
    window.lab.tabs.setCurrentWidget(pair)
    assert window.lab.transport.slider.steps == 200 and window.lab.transport.run.path == "short.h5"
    window.switch_theme()
    assert {page.theme.name for page in pair.lockstep.pages} == {"dark"}
    window.lab.close_tab()
    assert window.lab.current().path == "long.h5"


def test_a_and_f_fit_every_view_wherever_the_focus_is(window, qtbot):
    first, second = beside(window, qtbot)
    window.lab.tabs.currentWidget().setFocus()
    view = first.views[0]
    view.box.scaleBy((0.2, 0.2))
    view.box.sigRangeChangedManually.emit([True, True])
    assert first.axis.high - first.axis.low < 100 and view._y_held is not None
    qtbot.keyClick(window.lab.tabs.currentWidget(), Qt.Key.Key_A)
    assert (first.axis.low, first.axis.high) == (0, 200)
    assert all(getattr(one, "_y_held", None) is None for page in (first, second) for one in page.views)
    first.axis.hold(10, 20)
    qtbot.keyClick(window.lab.tabs.currentWidget(), Qt.Key.Key_F)
    assert first.axis.high == 200
