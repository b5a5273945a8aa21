"""Branches read at the boundary at which they begin."""

from pathlib import Path

from lab.request import Request
from tests.lab.hosts.test_run import NAME, Watcher, at_step, here, request, rows


def test_a_branch_from_the_last_step_reads_there_what_its_parent_had_read_already(tmp_path: Path):
    here(request(tmp_path, "parent.h5"))
    end = Request(experiment=NAME, parent=str(tmp_path / "parent.h5"), at=200, out=str(tmp_path / "end.h5"))
    assert here(end) == ("finished", "")
    assert rows(tmp_path / "end.h5", "norm") == ([200], rows(tmp_path / "parent.h5", "norm")[1][-1:])


def test_a_branch_reads_at_its_first_boundary_wherever_that_is_and_its_resumed_half_reads_nothing_twice(tmp_path: Path):
    here(request(tmp_path, "parent.h5"))
    middle = Request(experiment=NAME, parent=str(tmp_path / "parent.h5"), at=37, out=str(tmp_path / "middle.h5"))
    assert here(middle) == ("finished", "")
    assert rows(tmp_path / "middle.h5", "sharpness")[0] == [37, *range(40, 200, 5), 200]
    again = Request(experiment=NAME, parent=str(tmp_path / "parent.h5"), at=37, out=str(tmp_path / "again.h5"))
    watcher = Watcher()
    watcher.when(at_step(60), "stop")
    here(again, watcher)
    here(Request(experiment=NAME, out=str(tmp_path / "again.h5"), resume=True))
    for name in ("train_loss", "sharpness"):
        assert rows(tmp_path / "again.h5", name) == rows(tmp_path / "middle.h5", name)


def test_a_branch_that_its_parents_state_does_not_fit_names_the_knobs(tmp_path: Path):
    parent = Request(experiment="adam-spikes", config={"scene": "network", "steps": 4}, out=str(tmp_path / "parent.h5"))
    assert here(parent)[0] == "finished"
    wide = Request(
        experiment="adam-spikes", parent=parent.out, at=4, config={"width": 7, "steps": 8}, out=str(tmp_path / "b.h5")
    )
    state, problem = here(wide)
    assert state == "failed" and "does not fit width as changed" in problem
