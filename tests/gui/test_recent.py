"""The list of recent runs: read when it is called for, and not again and again while a run is stepped."""

import pytest

from gui.lab.recent import RecentRuns
from gui.theme import LIGHT
from storage.catalogue import RunEntry


def test_a_run_that_is_paused_and_goes_on_is_read_once_it_is_calm(qtbot, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gui.lab.recent.CALM_MS", 50)
    scans: list[int] = []

    def scan() -> list[RunEntry]:
        scans.append(1)
        return []

    recent = RecentRuns(scan, LIGHT)
    qtbot.addWidget(recent)
    with qtbot.waitSignal(recent.listed):
        for _ in range(5):
            recent.refresh_when_calm()
    assert scans == [1]

    recent.refresh_when_calm()
    with qtbot.waitSignal(recent.listed):
        recent.refresh()
    with qtbot.assertNotEmitted(recent.listed, wait=100):
        assert scans == [1, 1]
