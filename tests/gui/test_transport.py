import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from gui.lab.transport import Transport, time_left
from gui.theme import LIGHT
from lab.stream import MemoryRun
from tests.gui.runs import MadeUpRun


def _run(**state) -> MadeUpRun:
    source = MemoryRun(train_loss=(np.arange(1000), np.ones(1000)))
    for step in (100, 500):
        source.event(step, "spike", {})
    run = MadeUpRun(source, **state)
    run.step = 999
    return run


def _transport(qtbot, run: MadeUpRun | None) -> Transport:
    bar = Transport(LIGHT)
    qtbot.addWidget(bar)
    bar.resize(1200, 44)
    bar.set_run(run)
    with qtbot.waitActive(bar):
        bar.show()
        bar.activateWindow()
    bar.slider.setFocus()
    return bar


def test_space_pauses_a_running_run_and_lets_a_paused_one_go_on(qtbot) -> None:
    run = _run(live=True, state="running")
    bar = _transport(qtbot, run)
    qtbot.keyClick(bar.slider, Qt.Key.Key_Space)
    run.become("paused")
    qtbot.keyClick(bar.slider, Qt.Key.Key_Space)
    assert run.calls == [("pause",), ("go",)]


def test_run_on_a_stored_run_asks_for_a_new_one(qtbot) -> None:
    bar = _transport(qtbot, _run())
    with qtbot.waitSignal(bar.run_requested):
        qtbot.mouseClick(bar.run_button, Qt.MouseButton.LeftButton)
    assert not bar.step_button.isEnabled()


def test_step_stop_and_slow_motion_reach_the_run(qtbot) -> None:
    run = _run(live=True, state="paused")
    bar = _transport(qtbot, run)
    qtbot.keyClick(bar.slider, Qt.Key.Key_Period)
    bar.slow_box.setCurrentIndex(2)
    qtbot.keyClick(bar.slider, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    assert run.calls == [("step_once", 1), ("slow", 0.1), ("stop",)]


def test_space_after_a_click_on_stop_is_for_the_run_and_opens_no_branch(qtbot) -> None:
    run = _run(live=True, state="running")
    run.stored = [0]
    bar = _transport(qtbot, run)
    bar.stop_button.setFocus()
    run.is_live = False
    run.become("stopped")
    assert bar.branch_button.isEnabled() and bar.run_button.hasFocus()


def test_the_slider_tells_its_step_by_mouse_and_by_key(qtbot) -> None:
    bar = _transport(qtbot, _run())
    told: list[int | None] = []
    bar.step_selected.connect(told.append)
    qtbot.mouseClick(bar.slider, Qt.MouseButton.LeftButton, pos=QPoint(bar.slider.width() // 2, 25))
    assert abs(told[-1] - 500) <= 1
    middle = told[-1]
    for key, expected in (
        (Qt.Key.Key_Left, middle - 1),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_BracketRight, 100),
        (Qt.Key.Key_BracketRight, 500),
        (Qt.Key.Key_BracketLeft, 100),
        (Qt.Key.Key_End, None),
    ):
        qtbot.keyClick(bar.slider, key)
        assert told[-1] == expected
    assert bar.follow_button.isChecked()


def test_the_slider_never_goes_beyond_what_is_recorded(qtbot) -> None:
    run = _run(live=True, state="running")
    run.step = 400
    bar = _transport(qtbot, run)
    bar.slider.select(10_000)
    assert bar.slider.step == 400


def test_the_counter_says_the_step_and_the_time_left(qtbot) -> None:
    run = _run(live=True, state="running")
    run.config = run.config.changed({"steps": 4000})
    run.step, run.rate = 2310, 10.0
    bar = _transport(qtbot, run)
    assert bar.counter.text() == "2\u2009310 / 4\u2009000   3 min left"


@pytest.mark.parametrize(
    "seconds, words", [(0.2, "1 s left"), (61, "61 s left"), (200, "3 min left"), (9000, "2.5 h left")]
)
def test_remaining_time_is_said_in_words(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


def test_a_branch_needs_a_checkpoint_before_the_step(qtbot) -> None:
    run = _run()
    bar = _transport(qtbot, run)
    assert not bar.branch_button.isEnabled()
    run.stored = [200, 600]
    bar.slider.select(450)
    assert bar.branch_button.isEnabled()
    with qtbot.waitSignal(bar.branch_requested) as told:
        qtbot.keyClick(bar.slider, Qt.Key.Key_B)
    assert told.args == [450]
    bar.slider.select(100)
    assert not bar.branch_button.isEnabled()


def test_letters_are_commands_while_a_box_of_the_bar_has_the_focus(qtbot) -> None:
    bar = _transport(qtbot, _run())
    bar.speed_box.setFocus()
    qtbot.keyClick(bar.speed_box, Qt.Key.Key_P)
    assert bar.playing
    qtbot.keyClick(bar.speed_box, Qt.Key.Key_P)
    assert not bar.playing
    qtbot.keyClick(bar.speed_box, Qt.Key.Key_BracketLeft)
    assert bar.slider.step == 500
    qtbot.keyClick(bar.speed_box, Qt.Key.Key_Down)
    assert bar.speed_box.currentText() == "×2"


def test_a_stored_run_plays_to_its_end_and_loops_when_asked(qtbot) -> None:
    bar = _transport(qtbot, _run())
    told: list[int | None] = []
    bar.step_selected.connect(told.append)
    bar.speed_box.setCurrentIndex(bar.speed_box.count() - 1)
    bar.slider.select(800)
    bar.play_button.click()
    qtbot.waitUntil(lambda: not bar.playing, timeout=5000)
    assert told[-1] == 999
    assert len(told) > 5
    bar.loop_button.setChecked(True)
    bar.slider.select(990)
    bar.play_button.click()
    qtbot.waitUntil(lambda: told[-1] == 0)
    bar.play_button.click()
    assert not bar.playing


def test_timers_stop_when_nothing_can_change(qtbot) -> None:
    run = _run(live=True, state="running")
    bar = _transport(qtbot, run)
    assert bar._timer.isActive()
    run.become("finished")
    assert not bar._timer.isActive()
    bar.set_run(None)
    assert not bar.slider.isEnabled()
    assert bar.counter.text() == ""


def test_every_control_has_a_name_and_can_be_reached_by_tab(qtbot) -> None:
    bar = _transport(qtbot, _run(live=True, state="running"))
    controls = (bar.run_button, bar.step_button, bar.stop_button, bar.branch_button, bar.slow_box, bar.slider)
    for control in (*controls, bar.play_button, bar.speed_box, bar.loop_button, bar.follow_button):
        assert control.accessibleName()
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus
