"""Pictures at one to four pixels a point, light where wanted, and films of a view over the slider."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QSettings, QSize
from PySide6.QtGui import QColor, QGuiApplication

from gui import video
from gui.main_window import MainWindow
from gui.picture import PictureDialog, view_picture, widget_picture
from gui.theme import DARK, LIGHT
from gui.views import make_view
from lab.stream import MemoryRun
from lab.views import Bars, Curves
from tests.gui.runs import MadeUpRun
from tests.gui.standins import FakePage, FakeRuns, FakeTransport


@pytest.fixture
def view(qtbot):
    rows = [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0], [0.2, 0.8]]
    run = MadeUpRun(MemoryRun(v=([0, 10, 20, 30], rows)))
    made = make_view(Bars("v", labels=("one", "two"), title="Two bars"), run, DARK)
    qtbot.addWidget(made)
    made.resize(240, 160)
    made.show()
    made.refresh()
    return made


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_picture_has_its_pixels_and_its_ground(view, scale: int):
    for theme in (LIGHT, DARK):
        image = view_picture(view, scale, theme)
        assert image.size() == QSize(240, 190) * scale  # with the title over it
        assert image.pixelColor(2, 2) == QColor(theme.ground)
    assert view.theme is DARK  # the view on screen stays as it is
    assert widget_picture(view, scale).size() == view.size() * scale


def test_a_read_out_never_runs_into_the_title(view, monkeypatch):
    def head(width: int, readout: str):
        view.resize(width, 160)
        view.readout = readout
        return view.picture(1).copy(0, 0, width, 28)

    monkeypatch.setattr(view, "draw", lambda: None)  # it would say its own read-out
    assert head(240, "<b>step 30</b>") != head(240, "")
    assert head(90, "<b>step 30</b>") == head(90, "")


def test_the_dialog_hands_over_what_was_chosen(qtbot, view):
    taken = []
    dialog = PictureDialog(view, lambda *chosen: taken.append(chosen), run=True)
    dialog.what.setCurrentIndex(1)
    dialog.scale.setCurrentIndex(3)
    dialog.light.click()
    dialog.copy.click()
    assert taken == [("run", 4, True, True)]


def test_frames_stand_at_steps_that_were_read(view):
    assert video.steps_between(view, 0, 100, 100) == [0, 10, 20, 30]
    assert video.steps_between(view, 5, 30, 2) == [10, 30]
    assert video.steps_between(view, 31, 99, 5) == []


@pytest.mark.parametrize("ending", ["png", "gif", "mp4"])
def test_a_film_has_every_frame(qtbot, view, tmp_path: Path, ending: str):
    if ending == "mp4" and shutil.which("ffmpeg") is None:
        assert "mp4" not in video.encoders()  # it is not offered
        return
    view.set_step(20)
    recorder = video.Recorder(view, [0, 10, 20, 30], tmp_path / f"film.{ending}", scale=1, light=True)
    with qtbot.waitSignal(recorder.written, timeout=60_000) as done:
        recorder.start()
    frames = sorted((tmp_path / "film").iterdir())
    assert [path.name for path in frames] == [f"frame-0000{i}.png" for i in range(4)]
    pictures = [Image.open(path).convert("RGB") for path in frames]
    assert len({picture.tobytes() for picture in pictures}) == 4
    assert pictures[0].getpixel((2, 2)) == (255, 255, 255)
    assert view.axis.cursor == 20  # the view on screen has not moved
    if ending == "gif":
        opened: Any = Image.open(tmp_path / "film.gif")
        with opened as film:
            assert (film.n_frames, film.size) == (4, pictures[0].size)
    if ending == "mp4":
        assert (tmp_path / "film.mp4").read_bytes()[4:8] == b"ftyp"
    assert Path(done.args[0]) == (tmp_path / "film" if ending == "png" else tmp_path / f"film.{ending}")


def test_the_first_frame_has_the_names_of_lines_as_the_others(qtbot, tmp_path: Path):
    run = MadeUpRun(MemoryRun(v=([0, 10, 20], [1.0, 2.0, 3.0])))
    view = make_view(Curves(("v",), title="Curves"), run, LIGHT)
    qtbot.addWidget(view)
    view.resize(300, 160)
    recorder = video.Recorder(view, [10, 10, 10], tmp_path / "film", scale=1)
    with qtbot.waitSignal(recorder.written, timeout=60_000):
        recorder.start()
    frames = [path.read_bytes() for path in sorted((tmp_path / "film").iterdir())]
    assert len(frames) == 3 and len(set(frames)) == 1


def test_a_film_that_cannot_be_written_says_why(qtbot, view, tmp_path: Path):
    (tmp_path / "film").write_text("in the way")
    recorder = video.Recorder(view, [0, 10], tmp_path / "film.gif")
    with qtbot.waitSignal(recorder.failed) as failed:
        recorder.start()
    assert "film" in failed.args[0]


def test_a_film_is_asked_for_and_can_be_given_up(qtbot, view, tmp_path: Path):
    dialog = video.VideoDialog(view)
    qtbot.addWidget(dialog)
    dialog.kind.setCurrentIndex(dialog.kind.findData("gif"))
    dialog.make(tmp_path / "film")  # typed without an ending: the chosen kind decides
    qtbot.waitUntil(lambda: "Written" in dialog.said.text(), timeout=60_000)
    assert dialog.said.text() == f"Written: {tmp_path / 'film.gif'}" and (tmp_path / "film.gif").is_file()
    dialog.make(tmp_path / "other.gif")
    dialog.reject()
    assert not (tmp_path / "other.gif").exists()


def test_where_no_mp4_can_be_made_the_dialog_says_what_is_missing(qtbot, view, monkeypatch):
    for found, said in ((None, "needs the program ffmpeg"), ("/usr/bin/ffmpeg", "")):
        monkeypatch.setattr(video.shutil, "which", lambda _, found=found: found)
        dialog = video.VideoDialog(view)
        qtbot.addWidget(dialog)
        kinds = [dialog.kind.itemText(row) for row in range(dialog.kind.count())]
        assert kinds == ["PNG frames", "GIF"] + ["MP4"] * (found is not None)
        assert said in dialog.said.text() and bool(said) == bool(dialog.said.text())


def test_the_window_is_pictured_light_and_stays_dark(qtbot, tmp_path: Path):
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    settings.setValue("theme", "dark")
    window = MainWindow(FakeRuns(tmp_path), FakePage, FakeTransport(), settings, lambda *_: True)
    qtbot.addWidget(window)
    window.show()
    for light, ground in ((True, LIGHT), (False, DARK)):
        window.pictures.take("window", 2, light, True)
        image = QGuiApplication.clipboard().image()
        assert image.size() == window.size() * 2
        assert image.pixelColor(4, 4) == QColor(ground.raised)
    assert window.theme is DARK
    window.pictures.take("window", 1, False, False)
    (saved,) = (tmp_path / "pictures").iterdir()
    assert Image.open(saved).size == (window.width(), window.height())
    window.close()
