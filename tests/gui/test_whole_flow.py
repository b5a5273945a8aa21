"""The main job, end to end, with real clicks: a run in a child is watched, changed, branched, kept and reopened."""

from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QLabel, QWidget

from gui.app import make_page
from gui.lab.branch_dialog import BranchDialog
from gui.lab.run_tab import RunTab
from gui.lab.transport import Transport
from gui.main_window import MainWindow
from gui.runs.local import LocalRuns
from gui.runs.thread import LiveRun
from gui.theme import LIGHT
from lab.registry import discover
from storage.reader import RunReader

STEPS = 300


class Flow:
    """A person at the window."""

    def __init__(self, qtbot, folder: Path) -> None:
        self.qtbot, self.questions = qtbot, []
        settings = QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)
        self.runs = LocalRuns(folder)
        self.window = MainWindow(self.runs, make_page, Transport(LIGHT), settings, self.agree)
        self.lab, self.bar = self.window.lab, self.window.lab.transport
        self.window.show()
        self.window.set_experiments(*discover())
        self.lab.recent.refresh()

    def agree(self, parent, title, text, yes) -> bool:
        self.questions.append(title)
        return True

    def click(self, widget: QWidget) -> None:
        assert widget.isVisible() and widget.isEnabled(), widget.accessibleName()
        self.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)

    def type(self, knob: str, text: str) -> None:
        form = self.lab.knobs.form
        assert form is not None
        editor = form.rows[knob].editor
        self.lab.knobs.scroll_area.ensureWidgetVisible(editor)
        editor.setFocus()
        editor.selectAll()
        self.qtbot.keyClicks(editor, text)
        self.qtbot.keyClick(editor, Qt.Key.Key_Return)

    def wait(self, condition) -> None:
        self.qtbot.waitUntil(condition, timeout=60_000)

    @property
    def run(self):
        return self.lab.current()

    @property
    def page(self):
        tab = self.lab.tabs.currentWidget()
        assert isinstance(tab, RunTab)
        return tab.page

    def texts(self, widget: QWidget) -> str:
        return "\n".join(label.text() for label in widget.findChildren(QLabel))


@pytest.fixture
def flow(qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("TDLAB_RUNS", str(tmp_path))
    made = Flow(qtbot, tmp_path)
    qtbot.addWidget(made.window)
    yield made
    for run in made.lab.active_runs():
        assert isinstance(run, LiveRun)
        run.stop()
        run.wait()
    made.runs.close()


@pytest.mark.timeout(400)  # four children load torch: on a loaded machine that alone takes minutes
def test_a_newcomer_runs_watches_changes_branches_stops_and_finds_a_run_again(flow, tmp_path):
    lab, bar = flow.lab, flow.bar

    # choose the experiment, its preset, a short run
    model = lab.catalogue.model
    place = lab.catalogue.list.visualRect(model.index(model.row_of("adam-spikes"))).center()
    flow.qtbot.mouseClick(lab.catalogue.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    presets = lab.knobs.form.start.presets
    presets.setFocus()
    flow.qtbot.keyClick(presets, Qt.Key.Key_Q)
    presets.activated.emit(presets.currentIndex())
    assert lab.knobs.form.preset() == "quadratic"
    flow.type("steps", str(STEPS))
    assert "modified: 1 knob" in lab.knobs.form.start.modified.text()

    # run, watch live in slow motion, pause
    flow.click(lab.knobs.button)
    run = flow.run
    assert run.live and lab.chip.word.text() == "preparing …"
    bar.slow_box.setCurrentIndex(1)
    flow.wait(lambda: run.step >= 20)
    assert lab.knobs.button.text() == "Pause" and lab.knobs.pulse.beating
    loss = next(view for view in flow.page.views if getattr(view.spec, "series", ()) == ("train_loss",))
    flow.wait(lambda: len(loss.tracks()[0].curve.getData()[0]) >= 20)
    flow.click(bar.run_button)
    flow.wait(lambda: run.state == "paused")
    assert lab.chip.word.text() == "paused"
    flow.wait(lambda: [e.state for e in lab.recent.model.all if str(e.path) == run.path] == ["paused"])

    # one step, then a live knob: the event is marked, and both are in the file
    before = run.step
    flow.click(bar.step_button)
    flow.wait(lambda: run.step == before + 1 and run.state == "paused")
    flow.type("lr", "0.12")
    flow.wait(lambda: run.config.lr == 0.12)
    flow.wait(lambda: "knobs" in {event["kind"] for event in bar.slider._events})
    assert run.config_at_start.lr == 0.15
    with RunReader(run.path) as file:
        assert file.state == "paused" and file.config["lr"] == 0.15

    # branch at the step shown, while the first run waits
    flow.click(bar.branch_button)
    flow.qtbot.keyClick(lab.findChild(BranchDialog), Qt.Key.Key_Return)
    flow.window.activateWindow()  # as a window manager does when a dialog closes
    branch = flow.run
    assert branch is not run and len(lab.open_runs()) == 2
    flow.wait(lambda: branch.state == "running")
    assert branch.header["parent_step"] == before + 1
    flow.click(bar.stop_button)
    flow.wait(lambda: branch.state == "stopped")
    assert "Stopped at step" in lab.tabs.currentWidget().reason.text()

    # back to the first: resume at full speed to the end
    lab.tabs.setCurrentIndex(lab.tabs.currentIndex() - 1)
    assert flow.run is run and flow.window.focusWidget() is lab.tabs.currentWidget()
    assert bar.slider.step == flow.page.axis.pinned  # the slider stands where this run's views stand
    bar.slow_box.setCurrentIndex(0)
    flow.click(bar.run_button)
    flow.wait(lambda: run.state == "finished")
    flow.wait(lambda: "So far" not in flow.texts(lab.verdict) and lab.verdict.verdict is not None)
    live_verdict = lab.verdict.verdict
    with RunReader(run.path) as file:
        steps, _ = file.series("train_loss")
        assert file.state == "finished" and len(steps) == STEPS
        assert file.verdict["outcome"] == live_verdict.outcome
        (turned,) = [event for event in file.events() if event["kind"] == "knobs"]
        assert turned["payload"]["changed"] == {"lr": [0.15, 0.12]} and turned["step"] == before + 1

    # close it, and find it again in the list and in the library
    flow.window.lab.close_tab()
    names = [str(entry.path) for entry in lab.recent.model.all]
    flow.wait(lambda: [e.state for e in lab.recent.model.all if str(e.path) == run.path] == ["finished"])
    names = [str(entry.path) for entry in lab.recent.model.all]
    place = lab.recent.list.visualRect(lab.recent.model.index(names.index(run.path))).center()
    flow.qtbot.mouseClick(lab.recent.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    flow.qtbot.keyClick(lab.recent.list, Qt.Key.Key_Return)
    stored = flow.run
    assert not stored.live and stored.path == run.path
    flow.wait(lambda: lab.verdict.verdict is not None)
    assert lab.verdict.verdict == live_verdict
    flow.qtbot.keyClick(flow.window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert flow.window.library.isVisible()
    assert len(list(flow.window.library.model.root.runs())) == 2  # one below the other

    # closing the window while a run goes on asks, stops it and keeps its file
    flow.window.places.go_lab()
    lab.start_demo(flow.lab.welcome.cards[1].demo)
    last = flow.run
    flow.wait(lambda: last.step > 0)
    assert not flow.window.close()
    assert flow.questions == ["A run is still going on. Stop and close?"]
    flow.wait(lambda: not flow.window.isVisible())
    with RunReader(last.path) as file:
        assert file.state == "stopped" and len(file.series("train_loss")[0]) > 0
    stored.close()
