"""The queue of runs: its order, how many at once, what a failure does, and what is left for the next session."""

import threading
from pathlib import Path
from typing import Any

import pytest

from lab.hosts.link import QueueLink
from lab.hosts.run import execute
from lab.request import Request
from lab.studies.cells import Cell
from lab.studies.pool import Pool
from lab.studies.run_queue import RunQueue
from storage.reader import RunReader
from tests.fakes import Tiny
from tests.lab.hosts.test_run import Watcher


def run(arm: str = "", **knobs: Any) -> Request:
    config = Tiny.configure(values={"steps": 20, **knobs}).model_dump(mode="json")
    return Request(experiment="tests.fakes:", config=config, preset="demo", arm=arm)


def carry_out(runs: RunQueue) -> list[Cell]:
    """What a worker does, here."""
    cells = runs.take()
    for cell in cells:
        watcher = Watcher()
        _, problem = execute(runs.request(cell, "cpu"), QueueLink(watcher.commands, watcher))
        runs.done([cell], problem)
    return cells


def states(runs: RunQueue) -> list[str]:
    return [cell.state for cell in runs.cells]


def test_runs_go_in_the_order_that_they_were_put_into_and_each_has_a_file_of_its_own(tmp_path: Path):
    runs = RunQueue(tmp_path)
    first, second, third = (runs.add(run(seed=seed)) for seed in range(3))
    runs.reorder([third.point.key, first.point.key])
    done = [cell for _ in range(3) for cell in carry_out(runs)]
    assert done == [third, first, second] and runs.over
    assert states(runs) == ["finished"] * 3 and len({cell.path for cell in done}) == 3
    with RunReader(third.path) as reader:
        assert reader.header["seed"] == 2 and reader.header["preset"] == "demo"


def test_no_more_runs_go_on_at_once_than_the_limit_says(tmp_path: Path):
    runs = RunQueue(tmp_path)
    cells = [runs.add(run(seed=seed)) for seed in range(3)]
    assert runs.take() == cells[:1] and runs.take() == []
    runs.limit = 2
    assert runs.take() == cells[1:2] and runs.take() == []
    runs.done(cells[:1], "it did not begin")
    assert runs.draining, "a run that failed holds the rest"


@pytest.mark.parametrize(("choice", "started"), [("hold", 1), ("skip", 2)])
def test_a_failure_holds_the_rest_or_is_skipped_by_choice(tmp_path: Path, choice: Any, started: int):
    runs = RunQueue(tmp_path)
    runs.on_failure = choice
    runs.add(run(raise_at=5))
    runs.add(run())
    while not runs.over:
        carry_out(runs)
    assert states(runs) == ["failed", "finished" if choice == "skip" else "waiting"]
    assert "asked to fail" in runs.cells[0].problem and sum(cell.tries for cell in runs.cells) == started


def test_what_did_not_finish_waits_in_the_next_session_with_all_its_settings(tmp_path: Path):
    runs = RunQueue(tmp_path)
    runs.add(run(seed=1))
    kept = runs.add(Request(**{**vars(run("stable", seed=2)), "also": ("largest",)}))
    carry_out(runs)
    again = RunQueue(tmp_path)
    again.restore([*runs.saved(), {"experiment": "gone"}, {"odd": 1}])
    (cell,) = again.cells
    assert cell.path == kept.path and cell.state == "waiting"
    assert again.request(cell, "cpu") == runs.request(kept, "cpu")


def test_a_pool_carries_it_out_and_a_removed_run_is_stopped_and_leaves(tmp_path: Path, monkeypatch):
    runs = RunQueue(tmp_path)
    long = runs.add(run(steps=10**6, pause=0.005))
    short = runs.add(run())
    going = threading.Event()
    progress = runs.progress
    monkeypatch.setattr(runs, "progress", lambda *told: (progress(*told), going.set()))
    pool = Pool(runs, ["cpu"])
    pool.start()
    assert going.wait(60)
    assert [cell.state for cell in (long, short)] == ["running", "waiting"]
    runs.remove(long)
    pool.stop(long)
    assert pool.join(60)
    assert runs.cells == (short,) and short.state == "finished"
    with RunReader(long.path) as reader:
        assert reader.state == "stopped" and reader.checkpoints()
