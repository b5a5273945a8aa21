"""Branching with named changes, running again with events, going back: from the window's own widgets."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QWidget

from gui.lab.branch_dialog import BranchDialog
from gui.lab.run_page import RunPage
from gui.lab.transport import Transport
from gui.main_window import MainWindow
from gui.runs.local import LocalRuns
from gui.theme import LIGHT
from storage.reader import RunReader
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
    window.actions_by_id["replay"].trigger()
    again = lab.current()
    assert again not in (run, branch)
    _until(qtbot, again, "finished")
    with RunReader(run.path) as first, RunReader(again.path) as second:
        for name in first.names():
            for one, two in zip(first.series(name), second.series(name), strict=True):
                np.testing.assert_array_equal(one, two)


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
    run.set_knobs({"lr": 0.5})
    qtbot.waitUntil(lambda: any("branch at step 25" in line for line in run.source.lines), timeout=20_000)
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
