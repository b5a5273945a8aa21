"""A study's board: what its files say, what is to run next, retries, and changes while it goes on. In one process."""

from pathlib import Path
from typing import Any

import pytest

from lab.hosts.link import QueueLink
from lab.hosts.run import execute
from lab.studies.board import Board
from lab.studies.cells import Cell
from lab.studies.study import FILE, Study, StudyError
from lab.verdict import Check, Verdict
from storage.reader import RunReader
from tests.fakes import Tiny
from tests.lab.hosts.test_run import Watcher, at_step

NAME = "tests.fakes:"


def study(**values: Any) -> Study:
    return Study.of(experiment=NAME, **values)


def rates(*values: float) -> list[dict[str, Any]]:
    return [{"knob": "lr", "values": values}]


def carry_out(board: Board, watcher: Watcher | None = None) -> list[Cell]:
    """What a worker does, here."""
    watcher = watcher or Watcher()
    cells = board.take()
    for cell in cells:
        _, problem = execute(board.request(cell, "cpu"), QueueLink(watcher.commands, watcher))
        board.done([cell], problem)
    return cells


def states(board: Board) -> list[str]:
    return [cell.state for cell in board.cells]


def test_points_run_in_order_and_end_with_their_verdicts(tmp_path: Path):
    board = Board(study(arms=["stable", "unstable"], seeds=[0, 1]), Tiny, tmp_path)
    done = []
    while not board.over:
        done += carry_out(board)
    assert [cell.point.label for cell in done] == [
        "stable, seed=0",
        "stable, seed=1",
        "unstable, seed=0",
        "unstable, seed=1",
    ]
    assert [cell.outcome for cell in board.cells] == ["reproduced"] * 2 + ["not reproduced"] * 2
    with RunReader(board.cells[2].path) as reader:
        assert reader.header["arm"] == "unstable" and reader.header["preset"] == "demo"
    assert Study.from_toml((tmp_path / FILE).read_text()) == board.study
    assert len(list(tmp_path.glob("*.h5"))) == 4


def test_the_same_study_again_runs_only_what_is_missing_and_goes_on_bit_for_bit(tmp_path: Path):
    whole = study(axes=rates(0.1, 0.2, 0.3), settings={"pause": 0.001, "noise": 0.5})
    first = Board(whole, Tiny, tmp_path / "broken")
    carry_out(first)
    stopping = Watcher()
    stopping.when(at_step(60), "stop")
    carry_out(first, stopping)
    assert states(first) == ["finished", "waiting", "waiting"]

    again = Board(whole, Tiny, tmp_path / "broken")
    assert states(again) == ["finished", "waiting", "waiting"]
    started = []
    while not again.over:
        started += carry_out(again)
    assert started == list(again.cells[1:])
    unbroken = Board(whole, Tiny, tmp_path / "whole")
    while not unbroken.over:
        carry_out(unbroken)
    for one, other in zip(again.cells, unbroken.cells, strict=True):
        with RunReader(one.path) as left, RunReader(other.path) as right:
            assert left.series("norm")[1].tolist() == right.series("norm")[1].tolist()


def test_a_failure_stays_with_its_point_until_it_is_retried(tmp_path: Path):
    board = Board(study(axes=[{"knob": "raise_at", "values": ["null", 20, 10**6]}]), Tiny, tmp_path)
    while not board.over:
        carry_out(board)
    assert states(board) == ["finished", "failed", "finished"]
    assert board.cells[1].problem == "RuntimeError: asked to fail"
    again = Board(board.study, Tiny, tmp_path)
    assert states(again) == states(board) and again.cells[1].problem == board.cells[1].problem
    again.retry()
    assert states(again) == ["finished", "waiting", "finished"] and again.request(again.cells[1], "cpu").resume


def test_a_point_whose_worker_dies_is_tried_again_but_not_for_ever(tmp_path: Path):
    board = Board(study(), Tiny, tmp_path)
    for _ in range(3):
        assert states(board) == ["waiting"]
        board.done(board.take(), "killed", died=True)
    assert states(board) == ["failed"] and board.cells[0].problem == "killed"


def test_a_study_can_grow_shrink_and_be_reordered_while_it_goes_on(tmp_path: Path):
    board = Board(study(axes=rates(0.1, 0.2)), Tiny, tmp_path)
    carry_out(board)
    board.change(study(axes=rates(0.4, 0.1)))
    assert [(c.point.config.lr, c.state) for c in board.cells] == [(0.4, "waiting"), (0.1, "finished")]
    assert carry_out(board)[0].point.config.lr == 0.4
    board.change(study(axes=rates(0.2)))
    assert states(board) == ["waiting"] and len(list(tmp_path.glob("*.h5"))) == 2


def test_points_are_taken_out_and_reordered_one_by_one_and_the_folder_remembers(tmp_path: Path):
    board = Board(study(axes=rates(0.1, 0.2, 0.3, 0.4, 0.5)), Tiny, tmp_path)
    key = {cell.point.config.lr: cell.point.key for cell in board.cells}
    carry_out(board)
    (running,) = board.take()
    board.reorder([key[0.5], key[0.4], key[0.1]])  # what is done has no turn to change
    board.reorder([key[0.4]], last=True)
    board.remove([key[0.1], running.point.key])  # what is running stays
    assert [c.point.config.lr for c in board.cells] == [0.5, 0.3, 0.4, 0.2] and board.study.removed == (key[0.1],)
    assert [c.point.place for c in board.cells] == [4, 2, 3, 1]
    board.done([running], "stopped")
    again = Board(Study.from_toml((tmp_path / FILE).read_text()), Tiny, tmp_path)
    assert [cell.point.key for cell in again.cells] == [cell.point.key for cell in board.cells]
    assert carry_out(again)[0].point.config.lr == 0.5 and len(list(tmp_path.glob("*.h5"))) == 2
    again.change(again.study.model_copy(update={"removed": ()}))
    assert key[0.1] in [cell.point.key for cell in again.cells if cell.state == "finished"]


def test_two_boards_on_one_folder_share_the_points(tmp_path: Path):
    one, other = (Board(study(axes=rates(0.1, 0.2)), Tiny, tmp_path) for _ in range(2))
    carry_out(one)
    assert carry_out(other)[0].point.config.lr == 0.2  # the first is found finished
    assert states(other) == ["finished", "finished"]


def test_draining_starts_nothing_more(tmp_path: Path):
    board = Board(study(axes=rates(0.1, 0.2)), Tiny, tmp_path)
    carry_out(board)
    board.drain()
    assert board.over and board.take() == []
    board.go_on()
    assert not board.over and board.take()


def test_a_folder_with_another_experiments_study_is_refused(tmp_path: Path):
    Board(study(), Tiny, tmp_path)
    with pytest.raises(StudyError, match=r"holds a study of tests\.fakes:"):
        Board(Study.of(experiment="adam-spikes"), Tiny, tmp_path)


def test_a_damaged_run_file_is_a_failed_point(tmp_path: Path):
    (point,) = study().points(Tiny)
    (tmp_path / point.file_name).write_bytes(b"nothing")
    board = Board(study(), Tiny, tmp_path)
    assert states(board) == ["failed"] and "not an HDF5 file" in board.cells[0].problem
    reason = board.verdict().reason
    assert reason.startswith("1 of 1 runs are not finished; 1 failed") and "not an HDF5 file" in reason


def test_the_time_left_follows_from_the_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr("lab.studies.board.time.monotonic", lambda: now[0])
    board = Board(study(axes=rates(0.1, 0.2, 0.3, 0.4)), Tiny, tmp_path)
    assert board.seconds_left() is None
    carry_out(board)
    cells = board.take()
    board.progress(cells, 100, 50.0, 2.0)
    now[0] += 30
    assert board.seconds_left() == pytest.approx(30 / 1.5 * 2.5)


def test_a_study_of_the_arms_is_judged_over_its_runs(tmp_path: Path):
    board = Board(study(arms=["stable", "unstable"]), Tiny, tmp_path)
    carry_out(board)
    assert board.verdict().reason == "1 of 2 runs are not finished"
    carry_out(board)
    verdict = board.verdict()
    assert verdict.outcome == "reproduced" and [check.note for check in verdict.checks] == [
        "1 of 1 reproduced",
        "1 of 1 not reproduced",
    ]
    missed = Board(study(arms=["stable", "unstable"], settings={"lr": 0.1}), Tiny, tmp_path / "same")
    while not missed.over:
        carry_out(missed)
    assert missed.verdict().outcome == "not reproduced"
    alone = Board(study(), Tiny, tmp_path / "alone")
    carry_out(alone)
    assert "says nothing" in alone.verdict().reason


def test_an_experiment_can_judge_runs_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def slower_is_worse(rows: Any) -> Verdict:
        losses = [row.numbers["train_loss"] for row in sorted(rows, key=lambda row: row.config.lr)]
        return Verdict.of(Check("loss falls with the rate", losses[0] / losses[-1], 1.0))

    monkeypatch.setattr(Tiny, "study_verdict", slower_is_worse)
    board = Board(study(axes=rates(0.1, 0.2)), Tiny, tmp_path)
    while not board.over:
        carry_out(board)
    assert board.verdict().outcome == "reproduced"
