"""Optional instruments: switched on before a run, read from checkpoints after it; previews that follow the knobs."""

import queue
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt

from gui.forms.also import AlsoGroup
from gui.lab.measure_dialog import MeasureDialog
from gui.lab.run_page import RunPage
from gui.lab.transport import Transport
from gui.main_window import MainWindow
from gui.runs.local import cost_in_words
from gui.runs.stored import StoredRun
from gui.theme import LIGHT
from lab.experiments.grokking_frequency import GrokkingFrequency
from lab.hosts.link import QueueLink
from lab.hosts.measure import measure
from lab.hosts.run import execute
from lab.request import Estimate, Request
from lab.views import Curves
from storage.reader import RunReader
from tests.fakes import Tiny
from tests.gui.runs import MadeUpRun
from tests.gui.standins import FakeRuns

NAME = "tests.fakes:"


def _run(path: Path, also: tuple[str, ...] = ()) -> str:
    request = Request(experiment=NAME, config={"steps": 40}, out=str(path), also=also)
    assert execute(request, QueueLink(queue.Queue(), lambda messages: None)) == ("finished", "")
    return str(path)


@pytest.fixture
def window(qtbot, tmp_path, monkeypatch) -> Any:
    monkeypatch.setattr(Tiny, "name", NAME)
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = MainWindow(FakeRuns(tmp_path), RunPage, Transport(LIGHT), settings, lambda *_: True)
    qtbot.addWidget(window, before_close_func=lambda w: [run.become("stopped") for run in w.lab.active_runs()])
    window.set_experiments({NAME: Tiny}, ())
    with qtbot.waitExposed(window):
        window.show()
    return window


def test_a_box_in_the_form_switches_an_instrument_on_and_its_view_is_there(window) -> None:
    form = window.lab.knobs.form
    form.also.open()
    form.also.boxes["largest"].click()
    window.lab.start()
    assert window.runs.started[0].also == ("largest",)
    titles = [view.spec.title for view in window.lab.tabs.currentWidget().page.views]
    assert titles[-1] == "Also: largest parameter"


def test_readings_of_an_instrument_can_be_forced_to_every_k_steps(window, qtbot) -> None:
    also = window.lab.knobs.form.also
    also.open()
    assert not also.every["largest"].isVisible()
    also.boxes["largest"].click()
    assert also.every["largest"].isVisible()
    also.every["largest"].selectAll()
    qtbot.keyClicks(also.every["largest"], "20")
    window.lab.start()
    assert window.runs.started[0].also == ("largest=20",)
    titles = [view.spec.title for view in window.lab.tabs.currentWidget().page.views]
    assert titles[-1] == "Also: largest parameter"


def test_steps_with_a_checkpoint_are_chosen_in_the_form_and_afterwards(qtbot) -> None:
    group = AlsoGroup(GrokkingFrequency, LIGHT)
    dialog = MeasureDialog(GrokkingFrequency, 3, 40, None)
    for widget in (group, dialog):
        qtbot.addWidget(widget)
        field = widget.choices["also_checkpoint_plane"]
        assert field.isHidden()
        widget.boxes["also_checkpoint_plane"].setChecked(True)
        assert not field.isHidden()
        qtbot.keyClicks(field, "0, 20,x 40")  # letters are not taken
    assert group.chosen() == ("also_checkpoint_plane@0,20,40",)
    with qtbot.waitSignal(dialog.given) as given:
        dialog.button.click()
    assert given.args == [("also_checkpoint_plane@0,20,40",), ()]


def test_switching_an_instrument_on_asks_anew_what_the_run_costs(window, qtbot) -> None:
    form = window.lab.knobs.form
    form.also.open()
    with qtbot.waitSignal(window.lab.forecast.background.done):
        form.also.boxes["largest"].click()
    qtbot.waitUntil(lambda: window.lab.knobs.hint.full.endswith("with largest"))


def test_the_cost_names_the_costliest_instrument_and_those_switched_on() -> None:
    prices = {
        "where": {"seconds": 0.001, "every": 2, "steps": 0.5},
        "sharpness": {"seconds": 0.02, "every": 5, "steps": 12.3},
        "largest": {"seconds": 0.001, "every": 4, "steps": 0.6},
    }
    text = cost_in_words(Tiny, Estimate(12.0, 300_000, 0.18, prices), ("largest",))
    assert text.startswith("About 12 s, 0.3 MB, 18% of the time for measuring.")
    assert "A reading of sharpness takes as long as 12 steps." in text
    assert "A reading of largest parameter takes as long as 0.6 steps." in text
    assert text.index("largest") < text.index("sharpness")  # what was asked for: the end may be cut
    assert "norm" not in text
    busy = cost_in_words(Tiny, Estimate(12.0, 300_000, 0.18, prices, 2.5))
    assert busy.startswith("About 12 s (30 s while other programs compute), 0.3 MB")


def test_an_instrument_read_from_checkpoints_gives_what_it_gave_live(tmp_path, qtbot) -> None:
    live, later = _run(tmp_path / "live.h5", ("largest",)), _run(tmp_path / "later.h5")
    assert [v.spec.title for v in _page(qtbot, later).views][-1] != "Also: largest parameter"
    request = Request(experiment=NAME, out=later, also=("largest",))
    assert measure(request, (20,)) == ["largest"]
    measure(request, (8, 20))  # before a step that is there, and again at it
    with RunReader(live) as one, RunReader(later) as two:
        steps, values = one.series("largest")
        np.testing.assert_array_equal(two.series("largest")[0], [8, 20])
        np.testing.assert_array_equal(two.series("largest")[1], values[np.isin(steps, (8, 20))])
        assert (two.state, two.attrs("largest")["label"]) == ("finished", "Largest parameter")
        assert len(two.series("train_loss")[0]) == 40
    measure(request)
    with RunReader(later) as two:
        assert set(two.checkpoints()) <= set(two.series("largest")[0].tolist())
    assert [v.spec.title for v in _page(qtbot, later).views][-1] == "Also: largest parameter"


def _page(qtbot, path: str) -> RunPage:
    run = StoredRun(path)
    page = RunPage(run, LIGHT)
    qtbot.addWidget(page)
    return page


def test_the_dialog_measures_at_the_step_shown_or_at_every_checkpoint(window, qtbot) -> None:
    run = MadeUpRun()
    run.path, run.stored = "/kept/one.h5", [0, 10]
    window.lab.add_run(run)
    window.lab.transport.slider.show_run(1000, 500, [])
    window.lab.transport.slider.select(120)
    window.actions_by_id["measure"].trigger()
    dialog = window.lab.findChild(MeasureDialog)
    assert not dialog.button.isEnabled()
    dialog.boxes["largest"].click()
    dialog.here.click()
    with qtbot.waitSignal(window.lab.measuring.background.done):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert window.runs.measured == ("/kept/one.h5", ("largest",), (120,))
    assert window.lab.current() is not run  # the file is open anew
    assert window.lab.current().path == "/kept/one.h5"


def test_a_preview_follows_the_knobs_before_any_step(window, qtbot, monkeypatch) -> None:
    monkeypatch.setattr(Tiny, "previews", ("where",))
    monkeypatch.setattr(Tiny, "views", (*Tiny.views, Curves(("norm",), title="Norm")))
    lab = window.lab
    with qtbot.waitSignal(lab.forecast.background.done):
        lab.forecast.ask()
    page = lab.tabs.currentWidget()
    assert [view.spec.title for view in page.views] == ["Norm"]
    row = lab.knobs.form.rows["lr"]
    row.set_value(0.25)
    with qtbot.waitSignal(lab.forecast.background.done):
        row.edited.emit()
    qtbot.waitUntil(lambda: lab.forecast.preview.source.series("norm")[1][-1] == 0.25)
    assert lab.tabs.currentWidget() is page
    assert lab.knobs.form.rows["lr"].editor.value() == "0.25"  # the form is left alone
    qtbot.waitUntil(lambda: "about" in lab.knobs.hint.full, timeout=10_000)


def test_a_preview_that_goes_as_a_run_is_closed_goes_after_it(window, qtbot, monkeypatch) -> None:
    """The tab bar does not bear a removal within a removal: the window's memory was damaged."""
    monkeypatch.setattr(Tiny, "previews", ("where",))
    monkeypatch.setattr(Tiny, "views", (*Tiny.views, Curves(("norm",), title="Norm")))
    lab, tabs = window.lab, window.lab.tabs
    with qtbot.waitSignal(lab.forecast.background.done):
        lab.forecast.ask()
    preview = tabs.currentWidget()
    lab.open_path("/kept/one.h5")
    monkeypatch.setattr(lab, "experiment", type("Other", (Tiny,), {"previews": ()}))
    within: list[int] = []
    tabs.currentChanged.connect(lambda index: within.append(tabs.indexOf(preview)))
    lab.close_tab()
    assert within == [1] and lab.forecast.preview is None  # it is no longer followed, and its tab is still there
    qtbot.waitUntil(lambda: tabs.count() == 1)  # not by the page itself, which may be deleted by now


def test_a_preview_that_goes_leaves_the_knobs_of_the_experiment_that_was_chosen(window, qtbot, monkeypatch) -> None:
    monkeypatch.setattr(Tiny, "previews", ("where",))
    monkeypatch.setattr(Tiny, "views", (*Tiny.views, Curves(("norm",), title="Norm")))
    lab, tabs = window.lab, window.lab.tabs
    with qtbot.waitSignal(lab.forecast.background.done):
        lab.forecast.ask()
    preview = tabs.currentWidget()
    lab.open_path("/kept/one.h5")
    tabs.setCurrentWidget(preview)
    other = type("Other", (Tiny,), {"previews": ()})
    monkeypatch.setattr(lab, "experiments", {Tiny.name: other})
    lab.choose(Tiny.name)
    qtbot.waitUntil(lambda: tabs.count() == 2)  # the welcome page and the run
    assert lab.current() is None and lab.knobs.form.experiment is other
