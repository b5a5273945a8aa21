"""Others read a run while it grows: readers in other processes, and any program that knows HDF5."""

import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path

import h5py
import numpy as np
import pytest

from storage import reader, safe
from storage import writer as writer_module
from storage.errors import RunFileError
from storage.pages import signature
from storage.reader import RunReader
from storage.writer import RunWriter
from tests.storage.killing import last_step, train

ROOT = Path(__file__).parents[2]
WRITE = """
import sys
from pathlib import Path
from storage import writer as module
from storage.writer import RunWriter
from tests.storage.killing import train
module.FLUSH_EVERY = 0.1  # so that a short run shows many of its states
with RunWriter.create(sys.argv[1], {"experiment": "made-up"}, {}, {}) as writer:
    step = 0
    while not Path(sys.argv[2]).exists():
        train(writer, step, step + 50)
        step += 50
"""


def test_a_reader_beside_a_writer_sees_whole_rows_that_only_grow(tmp_path):
    path, enough = tmp_path / "run.h5", tmp_path / "enough"
    child = subprocess.Popen([sys.executable, "-c", WRITE, str(path), str(enough)], cwd=ROOT)
    seen = [-1]
    try:
        while not path.exists():
            assert child.poll() is None
        with RunReader(path) as run:
            while run.state == "running":
                stored = run.checkpoints()
                seen.append(last_step(run))
                assert seen[-1] >= max(stored, default=-1), "every row before a checkpoint is there"
                if len(set(seen)) > 5:
                    enough.touch()
    finally:
        enough.touch()
        assert child.wait(60) == 0
    assert seen == sorted(seen)
    with RunReader(path) as run:
        assert seen[-1] <= last_step(run) and last_step(run) % 50 == 49


def counts(file):
    """How many steps and values the file has, looked up one after the other."""
    return [len(file[f"series/train_loss/{name}"]) for name in ("step", "value")]


def test_a_read_that_meets_a_commit_is_done_again_and_sees_one_state(tmp_path):
    with RunWriter.create(tmp_path / "run.h5", {}, {}, {}) as writer, RunReader(tmp_path / "run.h5") as run:
        seen = []

        def read(file):
            if not seen:
                seen.append(file)
                writer.append("train_loss", [0, 1], [1.0, 0.5])
                writer.flush()
            return counts(file)

        assert run._read(read) == [2, 2]


def test_a_read_that_always_meets_a_commit_is_served_from_a_copy(tmp_path):
    with RunWriter.create(tmp_path / "run.h5", {}, {}, {}) as writer, RunReader(tmp_path / "run.h5") as run:
        writer.append("train_loss", 0, 1.0)
        writer.flush()
        tried = []

        def read(file):
            tried.append(file)
            writer.append("train_loss", len(tried), 1.0)
            writer.flush()
            return counts(file)

        assert run._read(read) == [len(tried), len(tried)], "of the moment when the copy was made"
        assert 1 < len(tried) < 12


def test_a_file_too_large_to_copy_that_always_changes_is_said_to_do_so(tmp_path, monkeypatch):
    monkeypatch.setattr(safe, "LARGEST_COPY", 0)
    monkeypatch.setattr(reader, "_PATIENCE", 0.3)
    with RunWriter.create(tmp_path / "run.h5", {}, {}, {}) as writer, RunReader(tmp_path / "run.h5") as run:
        writer.append("train_loss", 0, 1.0)

        def read(file):
            writer.flush()
            writer.set_state("running")
            return counts(file)

        with pytest.raises(RunFileError, match=r"run\.h5: changes faster than it can be read; wait or pause the run"):
            run._read(read)


def test_commits_of_one_page_within_a_tick_of_the_clock_are_told_apart(tmp_path):
    path = tmp_path / "run.h5"
    with RunWriter.create(path, {}, {}, {}) as writer:
        found = []
        for state in ["paused", "running"] * 20:
            writer.set_state(state)
            found.append(signature(path.stat()))
    assert len({size for _, size, _ in found}) == 1, "nothing else tells them apart"
    assert len(set(found)) == len(found)


def test_readers_in_threads_beside_a_writer_in_another(tmp_path):
    path = tmp_path / "run.h5"
    problems: list[BaseException] = []
    with RunWriter.create(path, {"experiment": "made-up"}, {}, {}) as writer:
        stop = threading.Event()

        def follow() -> None:
            try:
                with RunReader(path) as run:
                    seen = -1
                    while not stop.is_set():
                        now = last_step(run)
                        assert now >= seen
                        seen = now
            except BaseException as error:  # told to the test's own thread
                problems.append(error)

        threads = [threading.Thread(target=follow) for _ in range(2)]
        for thread in threads:
            thread.start()
        train(writer, 0, 150)
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not problems


def test_rows_reach_the_disk_by_themselves(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(writer_module.time, "monotonic", lambda: now[0])
    writer = RunWriter.create(tmp_path / "run.h5", {}, {}, {})
    run = RunReader(tmp_path / "run.h5")
    writer.append("train_loss", 0, 1.0)
    assert run.names() == []
    now[0] = writer_module.FLUSH_EVERY
    writer.append("train_loss", 1, 1.0)
    assert run.series("train_loss")[0].tolist() == [0, 1]
    writer.close("finished")


def test_rows_from_a_start_on(tmp_path):
    with RunWriter.create(tmp_path / "run.h5", {}, {}, {}) as writer:
        writer.append("train_loss", [0, 5, 9], [3.0, 2.0, 1.0])
    run = RunReader(tmp_path / "run.h5")
    assert [part.tolist() for part in run.series("train_loss", 1)] == [[5, 9], [2.0, 1.0]]
    assert [part.tolist() for part in run.series("train_loss", 3)] == [[], []]
    with pytest.raises(KeyError):
        run.series("test_loss")


def test_plain_h5py_opens_a_run_that_is_being_written(tmp_path):
    with RunWriter.create(tmp_path / "run.h5", {}, {}, {}) as writer:
        writer.append("train_loss", [0, 1], [3.0, 2.0])
        writer.flush()
        with h5py.File(tmp_path / "run.h5") as file:
            assert np.array(file["series/train_loss/value"]).tolist() == [3.0, 2.0]


def test_silx_shows_the_default_plot(tmp_path):
    nxdata = import_module("silx.io.nxdata")

    with RunWriter.create(tmp_path / "run.h5", {"title": "Spikes"}, {}, {}) as writer:
        writer.declare("train_loss", {"label": "Loss", "symbol": "L", "units": "MSE"})
        writer.set_default_view(["train_loss", "sharpness"])
        writer.append("train_loss", [0, 10, 20], [3.0, 2.0, 1.0])
        writer.append("maps", [0, 1], np.zeros((2, 3, 4)))
    with h5py.File(tmp_path / "run.h5") as file:
        plot = nxdata.get_default(file)
        assert plot.is_valid and plot.is_curve
        assert plot.signal[:].tolist() == [3.0, 2.0, 1.0] and plot.axes[0][:].tolist() == [0, 10, 20]
        assert nxdata.is_valid_nxdata(file["series/maps"])
