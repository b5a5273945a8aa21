"""Worker processes: a dying one costs nobody else anything, and a cut leaves files to go on from."""

import threading
from pathlib import Path

import pytest

from lab.studies import machine
from lab.studies.board import Board
from lab.studies.pool import Pool
from storage.reader import RunReader
from tests.fakes import Tiny
from tests.lab.studies.test_board import states, study


def test_workers_share_a_study_and_a_killed_one_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lab.studies.cells.TRIES", 1)  # a process costs seconds; test_board counts tries
    axes = [{"knob": "die_at", "values": [100, "null", 10**6]}]
    board = Board(study(axes=axes), Tiny, tmp_path)
    pool = Pool(board, ["cpu"])
    pool.start()
    assert pool.join(60)
    assert states(board) == ["failed", "finished", "finished"]
    assert "killed by signal 9" in board.cells[0].problem and board.cells[0].tries == 1


def test_a_cut_stops_runs_where_they_are(tmp_path: Path):
    board = Board(study(settings={"pause": 0.01, "steps": 10**6}, seeds=[0, 1]), Tiny, tmp_path)
    pool = Pool(board, ["cpu"])
    going = threading.Event()
    progress = board.progress
    board.progress = lambda *told: (progress(*told), going.set())  # type: ignore[method-assign] - a spy
    pool.start()
    assert going.wait(60)
    pool.cut()
    assert pool.join(30) and states(board) == ["waiting", "waiting"]
    with RunReader(board.cells[0].path) as reader:
        assert reader.state == "stopped" and reader.checkpoints()
    assert not board.cells[1].path.exists()


def test_workers_are_as_many_as_cores_memory_and_runs_allow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setattr(machine, "free_memory", lambda: 100 * machine.WORKER_BYTES)
    assert machine.worker_devices("cpu", 100) == ["cpu"] * 8
    assert machine.worker_devices("cpu", 3) == ["cpu"] * 3
    assert machine.worker_devices("cpu", 100, threads=4) == ["cpu"] * 2
    assert machine.worker_devices("cpu", 100, workers=5) == ["cpu"] * 5
    monkeypatch.setattr(machine, "free_memory", lambda: int(2.5 * machine.WORKER_BYTES))
    assert machine.worker_devices("cpu", 100) == ["cpu"] * 2
    monkeypatch.setattr(machine, "free_memory", lambda: 0)
    assert machine.worker_devices("cpu", 100) == ["cpu"]


def test_gpus_are_shared_by_their_free_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    monkeypatch.setattr(machine, "free_gpu_memory", lambda: [int(1.5 * machine.GPU_BYTES), 3 * machine.GPU_BYTES])
    assert machine.worker_devices("cuda", 100) == ["cuda:1", "cuda:1", "cuda:0", "cuda:1"]
    assert machine.worker_devices("cuda", 2) == ["cuda:1", "cuda:1"]
    assert machine.worker_devices("cuda:0", 2) == ["cuda:0", "cuda:0"]
    monkeypatch.setattr(machine, "free_gpu_memory", list)
    assert machine.worker_devices("cuda", 4) == ["cuda:0"]


def test_a_worker_that_cannot_start_fails_its_points_and_lets_the_study_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def no_process() -> None:
        raise OSError("cannot allocate memory")

    monkeypatch.setattr("lab.studies.pool.Child", no_process)
    board = Board(study(seeds=[0, 1]), Tiny, tmp_path)
    pool = Pool(board, ["cpu"])
    pool.start()
    assert pool.join(20) and states(board) == ["failed", "failed"]
    assert "cannot allocate memory" in board.cells[0].problem
