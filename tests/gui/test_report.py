"""An error nobody caught, in any thread, is shown, kept in a file, and says what is safe."""

import sys
import threading

import pytest
from PySide6.QtCore import qCritical
from PySide6.QtGui import QGuiApplication

from gui.report import Reporter


@pytest.fixture
def reporter(qtbot, tmp_path, monkeypatch):
    reporter = Reporter(tmp_path / "reports", lambda: ["/runs/one.h5 holds the run up to step 20."])
    reporter.install()
    yield reporter
    reporter.remove()
    if reporter.dialog is not None:
        reporter.dialog.close()
        reporter.dialog.deleteLater()


def raised(text: str) -> tuple:
    try:
        raise ZeroDivisionError(text)
    except ZeroDivisionError:
        return sys.exc_info()


def test_an_error_is_shown_with_what_is_saved_and_kept_in_a_file(reporter, capsys):
    sys.excepthook(*raised("eta is 0"))
    dialog = reporter.dialog
    assert dialog.isVisible()
    assert dialog.headline.text() == "ZeroDivisionError: eta is 0"
    assert "up to step 20" in dialog.saved.text()
    (file,) = reporter.folder.glob("report-*.txt")
    text = file.read_text()
    assert "test_report.py" in text
    assert "numpy" in text
    assert "up to step 20" in text
    dialog.copy()
    assert "ZeroDivisionError: eta is 0" in QGuiApplication.clipboard().text()


def test_an_error_at_every_redraw_opens_one_dialog(reporter, capsys):
    same = raised("again")
    for _ in range(3):
        sys.excepthook(*same)
    assert reporter.dialog.headline.text() == "ZeroDivisionError: again"
    first = reporter.dialog
    sys.excepthook(*raised("another"))
    assert reporter.dialog is first
    assert first.headline.text().splitlines()[1] == "ZeroDivisionError: another"


def test_an_error_in_a_thread_is_shown_in_the_windows_thread(reporter, qtbot, capsys):
    def work() -> None:
        raise ValueError("from a thread")

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: reporter.dialog is not None)
    assert reporter.dialog.headline.text() == "ValueError: from a thread (in thread worker)"


@pytest.mark.qt_no_exception_capture
def test_a_critical_message_of_qt_is_shown(reporter, qtbot, capsys):
    qCritical("the sky falls")
    assert reporter.dialog.headline.text() == "the sky falls"


def test_the_hooks_are_given_back(qtbot, tmp_path):
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    reporter = Reporter(tmp_path)
    reporter.install()
    assert sys.excepthook is not before[0]
    reporter.remove()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == before


def test_a_crash_of_the_last_session_is_told_once(qtbot, tmp_path):
    (tmp_path / "crash.txt").write_text("Fatal Python error: Segmentation fault")
    reporter = Reporter(tmp_path)
    assert reporter.last_crash().startswith(str(tmp_path / "crash-"))
    assert reporter.last_crash() == ""
