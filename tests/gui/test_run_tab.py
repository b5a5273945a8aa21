"""A run that does not go on says why, and offers what can be done; actions with arguments ask for them."""

import queue
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QPoint, Qt
from PySide6.QtWidgets import QFileDialog, QLabel

from gui.device_chip import DeviceChip
from gui.forms.action_form import ActionForm, arguments
from gui.lab.knobs_panel import KnobsPanel
from gui.lab.run_page import RunPage
from gui.lab.run_tab import RunTab, StateChip
from gui.lab.verdict_panel import VerdictPanel
from gui.runs.thread import LiveRun
from gui.theme import LIGHT
from lab.experiment import Experiment, action
from lab.hosts.children import Spare
from lab.hosts.link import QueueLink
from lab.hosts.run import execute
from lab.request import Request
from lab.verdict import Check, Verdict
from storage.reader import RunReader
from tests.fakes import Tiny
from tests.gui.standins import FakePage, FakeRun
from tests.gui.test_main_window import make_window

NAME = "tests.fakes:"


def tab_of(qtbot, run) -> RunTab:
    tab = RunTab(run, FakePage, LIGHT)
    qtbot.addWidget(tab)
    return tab


def test_a_full_disk_offers_to_try_again_and_another_place(qtbot):
    run = FakeRun(path="/full/run.h5")
    tab = tab_of(qtbot, run)
    assert tab.notice.isHidden()
    run.become("paused", "The disk is full.")
    assert not tab.notice.isHidden() and tab.notice.property("kind") == "bad"
    assert not tab.retry.isHidden() and not tab.elsewhere.isHidden() and tab.resume.isHidden()
    tab.elsewhere.click()
    (dialog,) = tab.findChildren(QFileDialog)
    dialog.fileSelected.emit("/roomy/run.h5")
    dialog.reject()
    assert run.asked == [("relocate", "/roomy/run.h5")]
    tab.retry.click()
    assert run.state == "running" and run.problem == ""
    assert tab.notice.isHidden()


def test_a_stopped_run_can_be_resumed_in_the_place_of_its_tab(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(Tiny, "name", NAME)
    window = make_window(qtbot, tmp_path)
    run = FakeRun(path="/kept/one.h5", state="stopped")
    window.lab.add_run(run)
    tab = window.lab.tabs.currentWidget()
    assert "Stopped at step 20 of 200" in tab.reason.text()
    tab.resume.click()
    (resumed,) = window.lab.open_runs()
    assert resumed is not run
    assert (resumed.path, resumed.state) == ("/kept/one.h5", "preparing")


def test_a_finished_run_offers_nothing(qtbot):
    assert tab_of(qtbot, FakeRun(path="x.h5", state="finished")).notice.isHidden()


def test_a_resumed_run_shows_what_its_file_held_and_adds_nothing_twice(qtbot, tmp_path):
    path = str(tmp_path / "run.h5")
    link = QueueLink(queue.Queue(), lambda messages: None)
    execute(Request(experiment=NAME, config={"raise_at": 120, "lr": 0.3}, out=path), link)
    run = LiveRun(Request(experiment=NAME, out=path, resume=True), Spare(), host="thread")
    with qtbot.waitSignal(run.state_changed, check_params_cb=lambda state: state == "failed", timeout=20_000):
        run.start()
    steps, _ = run.source.series("train_loss")
    assert steps.tolist() == list(range(120))
    with RunReader(path) as reader:
        assert [(e["step"], e["kind"]) for e in run.source.events()][:1] == [(120, "failure")]
        assert run.config_at_start == Tiny.Config.parse(reader.config)


def test_a_run_names_what_will_come_as_the_field_writes_it(tmp_path):
    run = LiveRun(Request(experiment=NAME, out=str(tmp_path / "run.h5")), Spare(), host="thread")
    assert run.source.attrs("sharpness")["symbol"] == Tiny.series()["sharpness"].symbol != ""
    assert run.source.names() == []


def test_a_run_says_what_it_is_at_while_its_first_step_takes_long_and_when_it_will_stop(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr("gui.runs.thread.PATIENCE", 0.1)
    request = Request(experiment=NAME, config={"pause": 1.0}, out=str(tmp_path / "run.h5"))
    run = LiveRun(request, Spare(), host="thread")
    page, chip = RunPage(run, LIGHT), StateChip(LIGHT)
    run.state_changed.connect(chip.show_state)
    for widget in (page, chip):
        qtbot.addWidget(widget)
        widget.show()
    chip.set_run(run)
    run.start()
    qtbot.waitUntil(lambda: chip.word.text().startswith("computing the first step … "))
    assert page.views[0].message == "Training loss appears with the first step."
    qtbot.waitUntil(lambda: not any(view.message for view in page.views), timeout=20_000)
    assert run.waits_for == ""
    qtbot.waitUntil(lambda: chip.word.text() == "running")
    run.stop()
    assert run.waits_for == "Stopping after this step … 0 s"
    qtbot.waitUntil(lambda: run.state == "stopped", timeout=20_000)
    assert (run.waits_for, chip.word.text()) == ("", "stopped")


def test_a_run_is_judged_by_the_knobs_it_began_with(qtbot, tmp_path):
    path = str(tmp_path / "run.h5")
    run = LiveRun(Request(experiment=NAME, config={"steps": 50}, out=path), Spare(), host="thread")
    run.pause()
    run.set_knobs({"lr": 0.7})
    run.go()
    with qtbot.waitSignal(run.state_changed, check_params_cb=lambda state: state == "finished", timeout=20_000):
        run.start()
    assert run.config.lr == 0.7
    assert run.config_at_start.lr == 0.1


def test_the_verdict_of_a_run_that_goes_on_is_so_far_and_no_cross(qtbot):
    panel = VerdictPanel(LIGHT)
    qtbot.addWidget(panel)
    run = FakeRun()
    verdict = Verdict.of(Check("one", 1.0, high=2.0), Check("two", 3.0, high=2.0))
    panel.set_run(run, verdict)
    assert said(panel)[0] == "So far 1 of 2 checks pass"
    assert "not yet passed" in names(panel)
    run.state = "finished"
    panel.show_verdict(verdict)
    assert "Not reproduced" in said(panel)[0]
    assert "not passed" in names(panel)


def said(panel: VerdictPanel) -> list[str]:
    return [label.text() for label in panel.widget().findChildren(QLabel) if label.text()]


def names(panel: VerdictPanel) -> list[str]:
    return [label.accessibleName() for label in panel.widget().findChildren(QLabel)]


def test_an_action_with_arguments_asks_for_them_and_refuses_wrong_ones(qtbot):
    panel = KnobsPanel(LIGHT)
    qtbot.addWidget(panel)
    run = FakeRun()
    panel.show_run(run)
    panel.form.action_buttons["reset"].click()
    (form,) = panel.findChildren(ActionForm)
    field = form.rows["value"].editor
    assert field.value() == "1"
    field.lineEdit().clear()
    qtbot.keyClicks(field.lineEdit(), "many")
    assert not form.button.isEnabled()
    assert "a number" in form.rows["value"].error.text()
    field.lineEdit().clear()
    qtbot.keyClicks(field.lineEdit(), "2.5")
    qtbot.mouseClick(form.button, Qt.MouseButton.LeftButton)
    assert run.asked == [("reset", {"value": 2.5})]


def test_an_action_asks_with_what_is_picked_in_the_views_and_greets_with_no_error(qtbot):
    class Masked(Tiny):
        @action("Mask a head")
        def mask(self, layer: int, head: int) -> None: ...

    panel = KnobsPanel(LIGHT)
    qtbot.addWidget(panel)
    run = FakeRun()
    run.experiment = Masked
    panel.show_run(run)
    panel.picked = lambda: {"layer": 2, "source": 5}
    panel.form.action_buttons["mask"].click()
    (form,) = panel.findChildren(ActionForm)
    assert {name: int(row.editor.value()) for name, row in form.rows.items()} == {"layer": 2, "head": 0}
    assert not any(row.error.text() for row in form.rows.values())
    form.button.click()
    assert run.asked == [("mask", {"layer": 2, "head": 0})]


def test_a_long_hint_moves_nothing_under_the_pointer(qtbot):
    panel = KnobsPanel(LIGHT)
    qtbot.addWidget(panel)
    panel.resize(320, 480)
    with qtbot.waitExposed(panel):
        panel.show()
    panel.show_experiment(Tiny)
    before = panel.button.geometry()
    panel.form.hinted.emit("Task: " + "what it does and when it does so, " * 20)
    QCoreApplication.processEvents()
    assert panel.button.geometry() == before
    assert panel.hint.text().endswith(" …") and panel.hint.toolTip().startswith("Task: what")
    panel.form.hinted.emit("")
    assert panel.hint.text() == panel.hint.full


def test_what_can_be_done_to_a_run_comes_first_while_it_goes_on(qtbot):
    panel = KnobsPanel(LIGHT)
    qtbot.addWidget(panel)
    run = FakeRun()
    panel.show_run(run)
    assert panel.form.start.isHidden() and not panel.form.action_buttons["reset"].isHidden()
    run.become("finished")
    assert not panel.form.start.isHidden() and panel.form.action_buttons["reset"].isHidden()


def test_arguments_come_from_the_signature():
    def mask(self: Experiment, layer: int, head: int | None = None) -> None: ...

    model = arguments(mask)
    assert model.model_validate({"layer": "3"}).model_dump() == {"layer": 3, "head": None}
    with pytest.raises(ValueError, match="layer"):
        model.model_validate({})


def test_the_device_is_asked_for_once_and_chosen_for_the_next_run(qtbot, tmp_path: Path):
    window = make_window(qtbot, tmp_path)
    chip = window.device
    assert isinstance(chip, DeviceChip)
    assert [action.text() for action in chip.devices()] == ["CPU", "Looking for devices …"]
    with qtbot.waitSignal(chip.background.done):
        chip.menu().aboutToShow.emit()
    assert [action.text() for action in chip.devices()] == ["CPU", "A GPU  (cuda:0)"]
    chip.devices()[1].trigger()
    assert window.runs.device == "cuda:0" and chip.text() == "cuda:0"
    assert make_window(qtbot, tmp_path).runs.device == "cuda:0"


def test_why_there_is_no_gpu_stands_where_it_would_be_chosen(qtbot):
    chip = DeviceChip(lambda: [("cpu", "CPU"), ("", "No GPU: torch is installed without CUDA")], "cpu", LIGHT)
    qtbot.addWidget(chip)
    with qtbot.waitSignal(chip.background.done):
        chip.menu().aboutToShow.emit()
    cpu, reason = chip.devices()
    assert (cpu.isEnabled(), reason.isEnabled()) == (True, False)
    assert reason.text() == "No GPU: torch is installed without CUDA"


def test_a_list_of_devices_that_grows_while_it_is_open_stays_on_the_screen(qtbot):
    chip = DeviceChip(lambda: [("cpu", "CPU"), ("", "a reason as long as this " * 4)], "cpu", LIGHT)
    qtbot.addWidget(chip)
    edge = chip.screen().availableGeometry().right()
    chip.show()
    with qtbot.waitSignal(chip.background.done):
        chip.menu().popup(QPoint(edge - 60, 10))
    assert chip.menu().geometry().right() <= edge
    chip.menu().close()
    chip.background.wait()


def test_the_run_button_breathes_only_while_the_run_computes(qtbot):
    panel = KnobsPanel(LIGHT)
    qtbot.addWidget(panel)
    run = FakeRun()
    panel.show_run(run)
    assert panel.pulse.beating
    run.become("paused")
    assert not panel.pulse.beating
    run.become("finished")
    assert not panel.pulse.beating
