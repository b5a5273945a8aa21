"""The list of recent runs: read when it is called for, and not again and again while a run is stepped."""

from dataclasses import replace
from pathlib import Path

import pytest

from gui.lab.recent import RecentRuns, Role
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


def test_a_run_that_another_process_begins_and_ends_is_seen(qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gui.lab.recent.CALM_MS", 50)
    monkeypatch.setattr("gui.lab.recent.AGAIN_MS", 100)
    entry = RunEntry(path=tmp_path / "run.h5", experiment="tiny", state="running")
    there: list[RunEntry] = []
    recent = RecentRuns(lambda: list(there), LIGHT, tmp_path)
    qtbot.addWidget(recent)
    recent.show()
    with qtbot.waitSignal(recent.listed):
        recent.refresh()
    there.append(entry)
    with qtbot.waitSignal(recent.listed):
        (tmp_path / "run.h5").touch()
    assert recent.model.all == [entry]
    there[0] = replace(entry, state="finished")
    qtbot.waitUntil(lambda: recent.model.all[0].state == "finished")
    with qtbot.assertNotEmitted(recent.listed, wait=250):
        pass


def test_a_chosen_row_stays_chosen_and_in_its_place_when_the_list_is_read_again(qtbot):
    there = [RunEntry(path=Path(f"{number}.h5"), experiment="tiny", state="running") for number in range(30)]
    recent = RecentRuns(lambda: list(there), LIGHT)
    qtbot.addWidget(recent)
    recent.resize(240, 260)
    recent.show()
    with qtbot.waitSignal(recent.listed):
        recent.refresh()
    recent.list.setCurrentIndex(recent.model.index(10))
    bar = recent.list.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    scrolled = bar.value()
    there.insert(0, RunEntry(path=Path("new.h5"), experiment="tiny", state="running"))
    with qtbot.waitSignal(recent.listed):
        recent.refresh()
    assert recent.list.currentIndex().data(Role.KEY) == "10.h5"
    assert recent.list.selectionModel().isSelected(recent.model.index(11))
    assert bar.value() == scrolled > 0
