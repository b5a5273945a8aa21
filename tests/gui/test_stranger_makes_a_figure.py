"""A stranger, a folder of 30 runs, two minutes: two panels with a band over seeds, by real clicks and keys."""

import time
from pathlib import Path

import pytest
from pypdf import PdfReader
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QComboBox, QFileDialog, QLabel, QLineEdit, QToolButton, QWidget

from gui.export.inside import recipe_of
from gui.main_window import MainWindow
from storage.catalogue import scan
from tests.gui.export.small import tiny_run
from tests.gui.standins import FakePage, FakeRuns, FakeTransport

LEFT = Qt.MouseButton.LeftButton
THINK, POINT, KEY = 1.35, 1.3, 0.28
"""Seconds to decide, to point and click, to press a key: the keystroke-level model (Card, Moran and Newell, 1980)."""


class Stranger:
    """Clicks and types, and counts how long a person would take for it."""

    def __init__(self, qtbot) -> None:
        self.qtbot, self.seconds = qtbot, 0.0

    def click(self, widget: QWidget) -> None:
        assert widget.isVisible() and widget.isEnabled(), widget.accessibleName()
        self.qtbot.mouseClick(widget, LEFT)
        self.seconds += THINK + POINT

    def type(self, widget: QWidget, text: str) -> None:
        self.click(widget)
        self.qtbot.keyClicks(widget, text)
        self.seconds += KEY * len(text)

    def press(self, widget: QWidget, key: Qt.Key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.keyClick(widget, key, modifier)
        self.seconds += KEY * (2 if modifier else 1)

    def pick(self, box: QComboBox, text: str) -> None:
        """Open a list and walk down to an entry."""
        self.click(box)
        listed = box.view()
        for _ in range(box.findText(text) - box.currentIndex()):
            self.press(listed, Qt.Key.Key_Down)
        self.press(listed, Qt.Key.Key_Return)
        assert box.currentText() == text

    def wait(self, condition) -> None:
        begun = time.thread_time()
        self.qtbot.waitUntil(condition, timeout=100_000)
        self.seconds += time.thread_time() - begun


@pytest.fixture
def window(qtbot, tmp_path):
    for seed in range(15):
        for lr in (0.1, 0.2):
            tiny_run(tmp_path / f"lr{lr}-seed{seed}.h5", seed=seed, lr=lr)
    runs = FakeRuns(tmp_path)
    runs.list = scan(tmp_path)
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    made = MainWindow(runs, FakePage, FakeTransport(), settings, lambda *_: True)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


def test_thirty_runs_become_two_panels_with_bands_in_two_minutes(qtbot, window, tmp_path: Path):
    person = Stranger(qtbot)
    (figures,) = [button for button in window.bar.findChildren(QToolButton) if button.text() == "Figures"]
    person.click(figures)
    place = window.places.figures
    chooser = place.chooser
    person.wait(lambda: chooser.model.rowCount() == 30)
    person.click(chooser.runs.viewport())
    person.press(chooser.runs, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert chooser.hint.text() == "30 runs"
    person.pick(chooser.views, "Loss")
    person.click(chooser.add)
    person.pick(chooser.views, "Sharpness")
    person.click(chooser.add)
    before = place.preview.image.cacheKey()
    person.wait(lambda: place.preview.image.cacheKey() != before)
    person.click(place.bar.export)
    (dialog,) = place.findChildren(QFileDialog)
    (name,) = dialog.findChildren(QLineEdit)
    name.clear()
    person.type(name, "figure.pdf")
    with qtbot.waitSignal(place.message, timeout=100_000) as said:
        person.press(name, Qt.Key.Key_Return)
    assert "figure.pdf" in said.args[0]

    made = recipe_of(tmp_path / "figure.pdf")
    assert [(panel.view, panel.band, len(panel.runs)) for panel in made.panels] == [
        ("loss", "SD", 30),
        ("sharpness", "SD", 30),
    ]
    text = PdfReader(tmp_path / "figure.pdf").pages[0].extract_text()
    assert "(n = 15)" in text and "Loss" in text and "Sharpness" in text
    assert not [label.text() for label in place.findChildren(QLabel, "error") if label.text()]
    assert person.seconds < 120, f"{person.seconds:.0f} s"
