"""Work off the window's thread: the newest answer wins, or every answer arrives."""

from threading import Event

from gui.background import Background


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
