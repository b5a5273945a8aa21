"""Widgets are tested in the font and the style in which users see them, whichever test comes first."""

import pytest
from PySide6.QtWidgets import QApplication

from gui import style
from gui.theme import LIGHT


@pytest.fixture(scope="session")
def qapp(qapp: QApplication) -> QApplication:
    """The application as a window leaves it, also before the first window of the process."""
    style.apply(qapp, LIGHT)
    return qapp
