"""Branching with named changes, running again with events, going back: from the window's own widgets."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtWidgets import QWidget

from gui.lab.branch_dialog import BranchDialog
from gui.lab.run_page import RunPage
from gui.lab.transport import Transport
from gui.main_window import MainWindow
from gui.runs.local import LocalRuns
from gui.runs.stored import StoredRun
from gui.theme import LIGHT
from gui.views.marks import event_text
from lab.experiments.adam_spikes import AdamSpikes
from storage.reader import RunReader
from storage.writer import RunWriter
from tests.fakes import Tiny

NAME = "tests.fakes:"


@pytest.fixture
def window(qtbot, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(Tiny, "name", NAME)
    monkeypatch.setenv("TDLAB_RUNS", str(tmp_path))
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    runs = LocalRuns(tmp_path)
    window = MainWindow(runs, RunPage, Transport(LIGHT), settings, lambda *_: True)
    qtbot.addWidget(window)
    window.set_experiments({NAME: Tiny}, ())
    with qtbot.waitExposed(window):
        window.show()
    yield window
    for run in window.lab.active_runs():
        with qtbot.waitSignal(run.state_changed, timeout=20_000, check_params_cb=lambda s: s == "stopped"):
            run.stop()
    window.close()
    runs.close()


def _until(qtbot, run, state: str) -> None:
    qtbot.waitUntil(lambda: run.state == state, timeout=60_000)


def test_a_branch_of_named_changes_and_a_replay_bit_for_bit(window, qtbot) -> None:
    lab = window.lab
    lab.knobs.form.rows["steps"].set_value(60)
    lab.knobs.form.rows["noise"].set_value(0.1)
    lab.knobs.form.rows["pause"].set_value(0.01)
    lab.knobs.form._check()
    lab.start()
    run = lab.current()
    qtbot.waitUntil(lambda: run.step > 5, timeout=60_000)
    run.set_knobs({"lr": 0.05})
    lab.knobs.form.action_buttons["reset"]  # the action's button is there while the run goes on
    run.act("reset", {"value": 2.0})
    _until(qtbot, run, "finished")
    assert {event["kind"] for event in run.source.events()} >= {"knobs", "action"}

    lab.transport.slider.select(30)
    qtbot.keyClick(window, Qt.Key.Key_B)
    dialog = next(child for child in lab.findChildren(BranchDialog))
    dialog.change("lr", 0.2)
    dialog.add.activated.emit(dialog.add.findData("reset"))
    dialog.acts["reset"].rows["value"].set_value(3.0)
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    branch = lab.current()
    assert branch is not run
    _until(qtbot, branch, "finished")
    (event,) = (e for e in branch.source.events() if e["kind"] == "branch")
    assert (event["step"], event["payload"]["changed"]["lr"][1]) == (30, 0.2)
    (done,) = (e for e in branch.source.events() if e["kind"] == "action")
    assert (done["step"], done["payload"]) == (30, {"action": "reset", "arguments": {"value": 3.0}})

    lab.tabs.setCurrentIndex(1)
    lab.tabs.currentWidget().page.views[0].branch_requested.emit("reset", {"value": 4.0})  # as a view of edges does
    dialog = lab.findChildren(BranchDialog)[-1]
    assert (dialog._step, dialog.rows) == (lab.transport.slider.shown, {})
    assert dialog.acts["reset"].values() == {"value": 4.0}
    dialog.reject()

    window.actions_by_id["replay"].trigger()
    again = lab.current()
    assert again not in (run, branch)
    _until(qtbot, again, "finished")
    with RunReader(run.path) as first, RunReader(again.path) as second:
        for name in first.names():
            for one, two in zip(first.series(name), second.series(name), strict=True):
                np.testing.assert_array_equal(one, two)


def test_an_instrument_switched_on_in_mid_run_gets_its_view_and_mark_and_a_replay_reads_the_same(window, qtbot) -> None:
    lab = window.lab
    lab.knobs.form.rows["steps"].set_value(100)
    lab.knobs.form._check()
    lab.start()
    run, page, also = lab.current(), lab.tabs.currentWidget().page, lab.knobs.form.also
    run.pause()
    _until(qtbot, run, "paused")

    def advance() -> None:
        reached = run.step
        run.step_once(20)
        qtbot.waitUntil(lambda: run.state == "paused" and run.step == reached + 20, timeout=60_000)

    advance()
    page.docks.maximise(page.panels[0])
    also.open()
    qtbot.mouseClick(also.boxes["largest"], Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    qtbot.waitUntil(lambda: run.also == ("largest",), timeout=20_000)
    panel = page.panels[-1]
    assert panel.view.spec.title == "Also: largest parameter" and panel.isHidden(), "the maximised one keeps the page"
    page.docks.restore_all()
    assert panel.isVisible() and panel.geometry().top() >= max(p.geometry().bottom() for p in page.panels[:-1])
    assert panel.toggleViewAction() in page.docks._menu.actions()
    advance()
    also.every["largest"].setValue(3)
    qtbot.keyClick(also.every["largest"], Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: run.also == ("largest=3",), timeout=20_000)
    advance()
    qtbot.mouseClick(also.boxes["largest"], Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    qtbot.waitUntil(lambda: run.also == (), timeout=20_000)
    run.go()
    _until(qtbot, run, "finished")
    events = [event for event in run.source.events() if event["kind"] == "instruments"]
    assert [event["payload"] for event in events] == [
        {"on": ["largest"], "off": []},
        {"on": ["largest=3"], "off": []},
        {"on": [], "off": ["largest"]},
    ]
    page.refresh()
    for view in (page.views[0], panel.view):
        assert {event["step"] for event in events} <= {event["step"] for event in view.marked_events()}
    qtbot.waitUntil(lambda: not panel.view.message, timeout=20_000)  # on a busy machine views are drawn in turns
    assert event_text(events[2]).startswith(f"step {events[2]['step']}: instruments (largest off)")
    window.actions_by_id["replay"].trigger()
    again = lab.current()
    assert again is not run
    _until(qtbot, again, "finished")
    with RunReader(run.path) as first, RunReader(again.path) as second:
        assert len(first.series("largest")[0])
        for name in first.names():
            for one, two in zip(first.series(name), second.series(name), strict=True):
                np.testing.assert_array_equal(one, two)
        assert first.series("largest")[0][0] == events[0]["step"] == events[2]["step"] - 40


def test_a_run_that_another_process_writes_shows_the_view_of_an_instrument_switched_on_there(qtbot, tmp_path) -> None:
    config = Tiny.configure().model_dump(mode="json")
    with RunWriter.create(tmp_path / "run.h5", {"experiment": NAME}, config, {}) as file:
        file.declare("train_loss", {})
        file.append("train_loss", [0, 1], [1.0, 0.5])
        file.flush()
        run = StoredRun(str(tmp_path / "run.h5"))
        page = RunPage(run, LIGHT)
        qtbot.addWidget(page)
        assert len(page.views) == len(Tiny.views)
        file.declare("largest", {})
        file.append("largest", [1], [0.25])
        file.flush()
        qtbot.waitUntil(lambda: page.views[-1].spec.title == "Also: largest parameter", timeout=5000)
        run.close()


def test_a_live_run_goes_back_to_a_step_waits_there_and_repeats_nothing(window, qtbot) -> None:
    lab = window.lab
    lab.knobs.form.rows["steps"].set_value(400)
    lab.knobs.form.rows["noise"].set_value(0.1)
    lab.knobs.form.rows["pause"].set_value(0.002)
    lab.knobs.form._check()
    lab.start()
    run = lab.current()
    qtbot.waitUntil(lambda: run.step > 60, timeout=60_000)
    lab.transport.refresh()
    lab.transport.slider.select(25)
    window.actions_by_id["go-to-step"].trigger()
    qtbot.waitUntil(lambda: run.state == "paused" and run.step == 25, timeout=60_000)
    assert run.reached > 60
    lab.transport.refresh()
    assert "back at 25" in lab.transport.counter.text()
    with qtbot.waitSignal(lab.message, timeout=20_000) as told:
        run.set_knobs({"lr": 0.5})
    assert "Branch at step 25" in told.args[0]
    run.go()
    _until(qtbot, run, "finished")
    steps, loss = run.source.series("train_loss")
    assert steps.tolist() == list(range(400))
    with RunReader(run.path) as reader:
        np.testing.assert_array_equal(reader.series("train_loss")[1], loss)
        assert not [event for event in reader.events() if event["kind"] == "knobs"]


def test_the_dialog_lists_what_the_form_changed_and_refuses_what_is_inadmissible(qtbot) -> None:
    old = Tiny.configure()
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = BranchDialog(1200, Tiny, old, old.changed({"width": 7}), LIGHT, parent)
    assert list(dialog.rows) == ["width"]
    assert dialog.add.itemData(1) == "lr"  # live knobs first
    dialog.change("lr", -1.0)
    assert not dialog.button.isEnabled()
    assert dialog.rows["lr"].error.text()
    dialog.change("lr", 0.3)
    with qtbot.waitExposed(dialog):
        dialog.show()
    dialog.act("reset")
    row = dialog.acts["reset"].rows["value"]
    qtbot.waitUntil(lambda: row.isVisible() and row.height() >= row.sizeHint().height())  # the dialog grows with it
    dialog.acts.clear()
    with qtbot.waitSignal(dialog.given) as given:
        dialog.button.click()
    step, config, acts = given.args
    assert (step, config.width, config.lr, acts) == (1200, 7, 0.3, [])


def test_a_dialog_with_more_knobs_than_the_screen_is_high_scrolls_them_and_cuts_none(qtbot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    old = AdamSpikes.configure()
    dialog = BranchDialog(1200, AdamSpikes, old, old.changed({"lr": 0.01, "beta2": 0.9}), LIGHT, parent)
    with qtbot.waitExposed(dialog):
        dialog.show()
    qtbot.waitUntil(lambda: all(row.height() >= row.heightForWidth(row.width()) for row in dialog.rows.values()))
    assert dialog.room.verticalScrollBar().maximum() == 0
    for name in AdamSpikes.Config.knobs():
        dialog.change(name)
    screen = dialog.screen().availableGeometry()
    qtbot.waitUntil(lambda: dialog.room.verticalScrollBar().maximum() > 0)
    assert screen.contains(dialog.frameGeometry())
    assert all(row.height() >= row.heightForWidth(row.width()) for row in dialog.rows.values())
    assert dialog.button.visibleRegion().boundingRect() == dialog.button.rect()
