"""The window: finds, starts, shows and closes runs; asks only when a run is at stake; remembers its layout."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QSettings, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QMenuBar,
    QTabBar,
    QTableView,
    QToolBar,
)

from gui import remembered
from gui.actions import COMMANDS
from gui.lab.branch_dialog import BranchDialog
from gui.main_window import MainWindow
from gui.theme import DARK, LIGHT
from lab.registry import Broken
from storage.catalogue import RunEntry
from tests.fakes import Tiny
from tests.gui.standins import FakePage, FakeRun, FakeRuns, FakeTransport

NAME = "tests.fakes:"
QT_OWN = (
    QLineEdit | QAbstractSpinBox | QMenuBar | QTabBar | QTableView | QToolBar
)  # put nameless buttons into themselves
BROKEN = Broken("half-written", "SyntaxError: invalid syntax", "...")


class Answers:
    """Answers for the user, and notes the questions."""

    def __init__(self, yes: bool = False) -> None:
        self.yes, self.questions = yes, []

    def __call__(self, parent, title, text, yes) -> bool:
        self.questions.append(title)
        return self.yes


def make_window(qtbot, tmp_path: Path, ask=None) -> Any:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = MainWindow(FakeRuns(tmp_path), FakePage, FakeTransport(), settings, ask or Answers())
    qtbot.addWidget(window, before_close_func=lambda w: [run.become("stopped") for run in w.lab.active_runs()])
    window.set_experiments({NAME: Tiny}, (BROKEN,))
    return window


@pytest.fixture
def window(qtbot, tmp_path, monkeypatch) -> Any:
    monkeypatch.setattr(Tiny, "name", NAME)
    return make_window(qtbot, tmp_path)


def test_run_starts_the_experiment_of_the_form_and_space_pauses_it(window, qtbot):
    window.lab.knobs.button.click()
    (run,) = window.runs.started
    assert run.config == Tiny.configure("demo", "stable")
    assert window.lab.current() is run
    assert window.lab.transport.run is run
    window.actions_by_id["run"].trigger()
    assert run.state == "paused"
    window.actions_by_id["run"].trigger()
    assert run.state == "running"


def test_a_wrong_knob_starts_nothing(window):
    form = window.lab.knobs.form
    form.rows["lr"].editor.lineEdit().setText("-3")
    form.rows["lr"].editor.lineEdit().textEdited.emit("-3")
    assert not window.lab.knobs.button.isEnabled()
    window.actions_by_id["run"].trigger()
    assert window.runs.started == []


def test_a_live_knob_reaches_the_run(window):
    window.lab.start()
    form = window.lab.knobs.form
    assert not form.rows["width"].editor.isEnabled()
    form.rows["lr"].editor.stepBy(1)
    assert window.runs.started[0].asked == [{"lr": 0.2}]


def test_a_failed_run_says_what_happened_and_what_is_saved(window):
    window.lab.start()
    run = window.runs.started[0]
    run.become("failed", "the loss is NaN at step 812")
    tab = window.lab.tabs.currentWidget()
    assert not tab.notice.isHidden()
    assert "NaN at step 812" in tab.reason.text()
    assert run.path in tab.reason.text()
    assert window.lab.knobs.button.text() == "Run"


def test_commands_are_enabled_only_where_they_do_something(window):
    actions = window.actions_by_id
    assert not actions["stop"].isEnabled()
    window.lab.start()
    assert actions["stop"].isEnabled()
    window.runs.started[0].become("finished")
    assert not actions["stop"].isEnabled()
    assert actions["branch"].isEnabled()


def test_every_shortcut_is_used_once():
    keys = [command.shortcut for command in COMMANDS if command.shortcut]
    assert len(keys) == len(set(keys))


def test_closing_during_a_run_asks_and_cancel_keeps_both(qtbot, tmp_path):
    ask = Answers(yes=False)
    window = make_window(qtbot, tmp_path, ask)
    window.show()
    window.lab.start()
    assert not window.close()
    assert ask.questions == ["A run is still going on. Stop and close?"]
    assert window.isVisible()
    assert window.runs.started[0].asked == []


def test_closing_during_a_run_stops_it_first_and_closes_when_it_has_stopped(qtbot, tmp_path):
    window = make_window(qtbot, tmp_path, Answers(yes=True))
    window.show()
    window.lab.start()
    run = window.runs.started[0]
    assert not window.close()
    assert run.asked == ["stop"]
    assert window.isVisible()
    run.become("stopped")
    qtbot.waitUntil(lambda: not window.isVisible())


def test_closing_without_a_run_asks_nothing(window):
    window.show()
    assert window.close()
    assert window.ask.questions == []


def test_closing_a_tab_of_a_live_run_asks(qtbot, tmp_path):
    window = make_window(qtbot, tmp_path, Answers(yes=False))
    window.lab.start()
    window.lab.close_tab()
    assert len(window.lab.open_runs()) == 1
    window.lab.ask.yes = True
    window.lab.close_tab()
    assert window.lab.open_runs() == []
    assert window.runs.started[0].asked == ["stop"]
    assert window.lab.current() is None


def test_docks_and_theme_are_remembered(qtbot, tmp_path):
    window = make_window(qtbot, tmp_path)
    window.show()
    window.toggle_recent()
    window.set_theme(DARK)
    window.close()
    again = make_window(qtbot, tmp_path)
    again.show()
    assert again.lab.docks["recent"].isHidden()
    assert not again.lab.docks["knobs"].isHidden()
    assert again.theme is DARK
    again.reset_layout()
    assert not again.lab.docks["recent"].isHidden()
    again.lab.start()
    again.reset_layout()
    assert again.lab.tabs.shown().page.was_reset, "and the panels of the run on screen"


def test_the_theme_switches_while_runs_are_open(window):
    window.lab.start()
    window.show()
    window.switch_theme()
    assert window.theme is DARK
    pixel = window.lab.catalogue.grab().toImage().pixelColor(2, 2).name().upper()
    assert pixel == DARK.raised
    window.switch_theme()
    assert window.theme is LIGHT


def test_a_run_file_is_opened_once_and_a_bad_one_is_explained(window, tmp_path):
    window.open_path("one.h5")
    window.open_path("two.h5")
    window.open_path("one.h5")
    assert [run.path for run in window.lab.open_runs()] == ["one.h5", "two.h5"]
    assert window.lab.current().path == "one.h5"
    window.open_path("broken.h5")
    assert window.passing.text() == "broken.h5 is no run file"


def test_a_run_of_an_unknown_experiment_is_shown_without_knobs(window):
    run = FakeRun(path="x.h5", state="finished")
    run.experiment, run.header = None, {"experiment": "gone", "title": "Old run"}
    window.lab.add_run(run)
    assert window.lab.current() is run
    assert window.lab.knobs.form is None
    assert not window.lab.knobs.button.isEnabled()


def drop(window, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(
        QPoint(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)


def test_files_can_be_dropped(window, tmp_path):
    drop(window, tmp_path / "run.h5")
    assert window.lab.current().path == str(tmp_path / "run.h5")


def test_files_dragged_over_a_search_field_are_the_windows(window, tmp_path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "run.h5"))])
    data.setText("file:///run.h5")  # as file managers add it: a plain field would take the text
    for field in (window.lab.catalogue.search, window.library.field):
        entered = QDragEnterEvent(
            QPoint(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(field, entered)
        assert entered.isAccepted() and not field.acceptDrops()


def test_dropped_folders_and_files_dropped_on_the_library_are_watched(window, tmp_path):
    (tmp_path / "cluster").mkdir()
    drop(window, tmp_path / "cluster")
    assert window.places.currentWidget() is window.library
    drop(window, tmp_path / "one.h5")
    assert window.runs.watched == [tmp_path / "cluster", tmp_path / "one.h5"]
    assert window.lab.current() is None


def test_settings_of_a_stored_run_go_into_the_form_one_by_one(window):
    window.lab.knobs.form.set_values({"width": 7})
    run = RunEntry(Path("/kept/a.h5"), experiment=NAME, preset="demo", arm="stable")
    window.library.settings_taken.emit(run, {"lr": 0.25})
    config = window.lab.knobs.form.config()
    assert (config.lr, config.width) == (0.25, 7)
    assert window.places.currentWidget() is window.lab
    window.library.settings_taken.emit(RunEntry(Path("/kept/b.h5"), experiment="gone"), {"lr": 1.0})
    assert "no experiment called gone" in window.passing.text()


def test_recent_runs_come_from_a_thread_and_reopen(window, qtbot):
    window.runs.list = [RunEntry(Path("/kept/one.h5"), title="Tiny", outcome="reproduced")]
    assert "Looking" in window.lab.recent.model.message
    with qtbot.waitSignal(window.lab.recent.listed):
        window.lab.recent.refresh()
    window.lab.recent.list.chosen.emit("/kept/one.h5")
    assert window.lab.current().path == "/kept/one.h5"
    window.places.go_library()
    assert window.library.model.rowCount() == 1
    window.library.field.setText("condensation")
    assert window.library.count.text() == "0 of 1 runs"


def test_the_finder_offers_experiments_runs_and_usable_commands(window, qtbot):
    window.runs.list = [RunEntry(Path("/kept/one.h5"), title="My run", arm="gd", seed=3)]
    with qtbot.waitSignal(window.lab.recent.listed):
        window.lab.recent.refresh()
    found = {(item.kind, item.text) for item in window.findables()}
    assert {("experiment", "Tiny quadratic"), ("run", "My run – gd – seed 3"), ("command", "Full screen")} <= found
    assert ("command", "Stop") not in found


def test_pictures_go_to_a_file_and_to_the_clipboard(window, tmp_path):
    window.show()
    window.pictures.save_window()
    (picture,) = (tmp_path / "pictures").glob("*.png")
    assert picture.stat().st_size > 1000
    window.pictures.copy_window()
    assert not QGuiApplication.clipboard().pixmap().isNull()


def test_space_belongs_to_a_focused_button_and_to_run_elsewhere(window, qtbot):
    window.show()
    window.activateWindow()
    button = window.lab.knobs.form.groups["Optimiser"].head
    button.setFocus()
    qtbot.waitUntil(button.hasFocus)
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert window.runs.started == []
    assert not button.isChecked()
    window.lab.tabs.setFocus()
    qtbot.keyClick(window.lab.tabs, Qt.Key.Key_Space)
    assert len(window.runs.started) == 1
    qtbot.keyClick(window.lab.tabs, Qt.Key.Key_Period)
    assert window.runs.started[0].asked == [("step", 1)]


def test_letters_typed_into_a_field_are_no_commands(window, qtbot):
    window.show()
    field = window.lab.catalogue.search
    qtbot.keyClicks(field, "b .?")
    assert field.text() == "b .?"
    assert window.runs.started == []


def test_event_keys_reach_the_transport(window):
    window.lab.start()
    window.actions_by_id["next-event"].trigger()
    window.actions_by_id["previous-event"].trigger()
    assert window.lab.transport.moves == [1, -1]


def test_one_slider_moves_the_views_on_screen_and_branches(window):
    window.lab.start()
    first = window.lab.current()
    window.lab.transport.step_selected.emit(12)
    assert window.lab.tabs.currentWidget().page.step == 12
    window.actions_by_id["branch"].trigger()
    window.lab.findChild(BranchDialog).button.click()
    assert window.runs.branched == (first, 20)
    assert window.lab.current() is not first


def test_a_branch_takes_no_knobs_of_a_form_that_was_left_at_another_preset(window):
    window.lab.start()
    run = window.lab.current()
    row = window.lab.knobs.form.rows["lr"]
    row.set_value(0.25)
    row.edited.emit()
    window.actions_by_id["branch"].trigger()
    assert [*window.lab.findChildren(BranchDialog)[-1].rows] == ["lr"]
    run.header["preset"] = "another"
    window.actions_by_id["branch"].trigger()
    assert not window.lab.findChildren(BranchDialog)[-1].rows


def test_every_control_has_a_name_for_screen_readers(window):
    window.lab.start()
    nameless = [
        f"{type(widget).__name__} in {type(widget.parent()).__name__}"
        for kind in (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit)
        for widget in window.findChildren(kind)
        if not (widget.accessibleName() or widget.toolTip() or getattr(widget, "text", str)())
        and not isinstance(widget.parent(), QT_OWN)
    ]
    assert nameless == []


def test_a_first_window_that_its_screen_cannot_hold_is_maximised(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(remembered, "FRAME", 10_000)
    window = make_window(qtbot, tmp_path)
    assert window.isMaximized()


def test_after_start_space_is_for_the_run_and_not_for_a_button_of_its_panels(window, qtbot):
    window.lab.start()
    tab = window.lab.tabs.currentWidget()
    assert window.focusWidget() is tab
    qtbot.keyClick(tab, Qt.Key.Key_Space)
    assert window.lab.current().state == "paused"


def test_panels_stand_as_the_user_left_them_for_the_experiment_also_tomorrow(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(Tiny, "name", NAME)
    window = make_window(qtbot, tmp_path, Answers(yes=True))
    window.show()
    window.lab.start()
    assert not hasattr(window.lab.tabs.currentWidget().page, "layout_taken")
    window.lab.current().become("finished")
    window.close()
    later = make_window(qtbot, tmp_path)
    later.lab.start()
    assert later.lab.tabs.currentWidget().page.layout_taken == {"docks": "as left"}


def test_a_passing_message_moves_nothing_and_goes_away_by_itself_or_by_a_click(window, qtbot):
    with qtbot.waitExposed(window):
        window.show()
    QApplication.processEvents()
    before = window.lab.transport.mapTo(window, QPoint(0, 0))
    window.say("A run of the queue failed, so the rest waits. Go on starts it.")
    QApplication.processEvents()
    assert window.passing.isVisible() and window.lab.transport.mapTo(window, QPoint(0, 0)) == before
    assert window.passing.geometry().bottom() < before.y()
    window.passing._timer.timeout.emit()
    assert not window.passing.isVisible()
    window.say("again")
    qtbot.mouseClick(window.passing, Qt.MouseButton.LeftButton)
    assert not window.passing.isVisible()
