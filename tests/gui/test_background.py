"""Work off the window's thread: the newest answer wins, or every answer arrives."""

import threading
from threading import Event

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject

from gui.background import Background, InOrder


def test_asking_again_and_again_never_starves_the_answer(qtbot):
    background, go, done = Background(), Event(), []
    background.done.connect(done.append)
    background.follow(lambda: go.wait(10) and "first")
    for number in range(3):
        background.follow(lambda number=number: f"asked meanwhile {number}")
    go.set()
    qtbot.waitUntil(lambda: len(done) == 2)
    assert done == ["first", "asked meanwhile 2"]
    background.follow(lambda: "later")
    qtbot.waitUntil(lambda: len(done) == 3)
    background.wait()


def test_a_new_question_drops_what_is_under_way(qtbot):
    background, go, done = Background(), Event(), []
    background.done.connect(done.append)
    background.start(lambda: go.wait(10) and "old")
    background.follow(lambda: "follows the old one")
    background.start(lambda: "new")
    go.set()
    qtbot.waitUntil(lambda: bool(done))
    background.wait()
    assert done == ["new"]


class Tied:
    """Says in which thread it was let go of, as a Qt object would be deleted there."""

    def __init__(self, told: list[threading.Thread]) -> None:
        self._told = told

    def __del__(self) -> None:
        self._told.append(threading.current_thread())


@pytest.mark.parametrize("kind", [Background, InOrder])
def test_what_work_holds_and_gives_is_let_go_of_in_the_windows_thread(qtbot, kind):
    told: list[threading.Thread] = []
    background = kind()
    for _ in range(200):
        held, given = Tied(told), Tied(told)
        with qtbot.waitSignal(background.done):
            background.start(lambda held=held, given=given: given)
            del held, given
    background.start(lambda: None)
    qtbot.waitUntil(lambda: len(told) == 400)
    assert set(told) == {threading.main_thread()}
    background.wait()


def test_work_that_never_began_is_forgotten(qtbot):
    told: list[threading.Thread] = []
    background, go, done = Background(), Event(), []
    background.done.connect(done.append)
    background.start(lambda: go.wait(10))
    for number in range(5):
        held = Tied(told)
        background.start(lambda held=held, number=number: number)
        del held
    go.set()
    qtbot.waitUntil(lambda: done == [4])
    background.wait()
    assert len(told) == 5 and set(told) == {threading.main_thread()}


@pytest.mark.parametrize("kind", [Background, InOrder])
def test_work_outlives_the_page_that_asked_and_is_let_go_of_in_the_windows_thread(qtbot, kind):
    told: list[threading.Thread] = []
    for _ in range(50):
        page = QObject()
        go, held, given = Event(), Tied(told), Tied(told)
        kind(page).start(lambda go=go, held=held, given=given: go.wait(10) and given)
        page.deleteLater()
        del page, held, given
        go.set()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qtbot.waitUntil(lambda: len(told) == 100)
    assert set(told) == {threading.main_thread()}
