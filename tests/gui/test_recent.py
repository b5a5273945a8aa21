"""The list of recent runs: read when it is called for, and not again and again while a run is stepped."""

from dataclasses import replace
from pathlib import Path

import pytest

from gui.lab.recent import RecentRuns, Role
from gui.theme import LIGHT
from gui.views.text import whole
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


def test_a_row_says_in_its_last_line_what_came_of_the_run_and_where_a_branch_began(qtbot):
    parts = {"experiment": "tiny", "title": "Tiny", "preset": "demo", "seed": 0, "state": "finished"}
    there = [
        RunEntry(path=Path("a.h5"), **parts, outcome="reproduced"),
        RunEntry(path=Path("b.h5"), **parts, parent_run="abc", parent_step=1200),
        *(RunEntry(path=Path(f"{n}.h5"), **parts, study="many") for n in "cd"),
        RunEntry(path=Path("e.h5"), **{**parts, "state": "running"}, study="many"),
    ]
    recent = RecentRuns(lambda: there, LIGHT)
    qtbot.addWidget(recent)
    recent.resize(240, 260)
    with qtbot.waitSignal(recent.listed):
        recent.refresh()
    said = [recent.model.index(row).data(Role.SECOND) for row in range(recent.model.rowCount())]
    branch = f"branch at {whole(1200)}, finished"
    assert said == ["demo \N{EN DASH} seed 0,\nreproduced", f"demo \N{EN DASH} seed 0,\n{branch}", said[2]]
    assert said[2] == "Study, 3 runs,\n1 running, 2 finished"
    drawn: list[str] = []
    recent.list._delegate._line = lambda painter, rect, text, size, colour: drawn.append(text)
    recent.show()
    recent.list.grab()
    assert drawn[:6] == ["Tiny", "demo \N{EN DASH} seed 0", "reproduced", "Tiny", "demo \N{EN DASH} seed 0", branch]


def test_a_line_without_room_flows_into_the_next(qtbot):
    parts = {"experiment": "tiny", "title": "Tiny", "preset": "a-preset-of-a-long-name", "arm": "and-an-arm-of-another"}
    recent = RecentRuns(lambda: [RunEntry(path=Path("a.h5"), **parts, seed=0, state="finished")], LIGHT)
    qtbot.addWidget(recent)
    recent.resize(240, 260)
    with qtbot.waitSignal(recent.listed):
        recent.refresh()
    drawn: list[str] = []
    recent.list._delegate._line = lambda painter, rect, text, size, colour: drawn.append(text)
    recent.show()
    recent.list.grab()
    assert drawn[:3] == [
        "Tiny",
        "a-preset-of-a-long-name \N{EN DASH}",
        "and-an-arm-of-another \N{EN DASH} seed 0, finished",
    ]
