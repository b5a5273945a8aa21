"""A full disk: an error that says so, nothing recorded lost, and the run goes on here or elsewhere."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from storage import pages
from storage.errors import RunFileError, StorageFull
from storage.reader import RunReader
from storage.writer import RunWriter
from tests.storage.killing import last_step, train

ROOT = Path(__file__).parents[2]


@pytest.fixture
def full(monkeypatch):
    """Call it to fill the disk, again with False to make room."""

    def fill(now: bool = True) -> None:
        def refuse(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.undo()
        if now:
            monkeypatch.setattr(pages, "_reserve", refuse)
            monkeypatch.setattr(pages.PagedFile, "_check_room", refuse)

    return fill


def writer_of(path: Path) -> RunWriter:
    writer = RunWriter.create(path, {"experiment": "made-up"}, {}, {})
    train(writer, 0, 30)
    writer.flush()
    return writer


def fill_up(writer: RunWriter) -> None:
    """Every row and checkpoint is given once, though the writer complains."""
    for step in range(30, 60):
        for name, value in (("train_loss", 1.0 / (step + 1)), ("weights", np.full((1, 30), step, np.float32))):
            writer.append(name, step, value)
    with pytest.raises(StorageFull, match="free space or continue"):
        writer.flush()
    with pytest.raises(StorageFull):
        writer.checkpoint(59, {"big": np.arange(200_000)})


def test_a_commit_reserves_what_stays_in_the_file_alone_since_to_let_go_of_more_takes_milliseconds(
    tmp_path, monkeypatch
):
    reserved = []
    monkeypatch.setattr(pages, "_reserve", lambda _, start, end: reserved.append((start, end)))
    path = tmp_path / "run.h5"
    writer = writer_of(path)
    train(writer, 30, 60)
    writer.flush()
    assert reserved[-1][0] < reserved[-1][1]
    assert max(end for _, end in reserved) <= -(-path.stat().st_size // pages.PAGE) * pages.PAGE
    writer.close("finished")


def test_rows_are_kept_until_there_is_room_again(tmp_path, full):
    path = tmp_path / "run.h5"
    writer = writer_of(path)
    full()
    fill_up(writer)
    with RunReader(path) as run:
        assert last_step(run) == 29
    full(False)
    writer.retry()
    writer.close("finished")
    with RunReader(path) as run:
        assert last_step(run) == 59
        assert run.checkpoints() == [0, 59]
        assert np.array_equal(run.checkpoint(59)["big"], np.arange(200_000))


def test_the_run_goes_on_in_another_folder(tmp_path, full):
    path, elsewhere = tmp_path / "run.h5", tmp_path / "other" / "run.h5"
    writer = writer_of(path)
    full()
    fill_up(writer)
    full(False)
    writer.relocate(elsewhere)
    writer.append("train_loss", 60, 1.0 / 61)
    writer.append("weights", 60, np.full((1, 30), 60, np.float32))
    writer.close("finished")
    with RunReader(elsewhere) as run:
        assert last_step(run) == 60
        assert run.checkpoints() == [0, 59]
        assert run.state == "finished"
    with RunReader(path) as run:
        assert last_step(run) == 29
        assert run.state == "interrupted"


def test_a_run_is_not_moved_over_another_file(tmp_path):
    writer = writer_of(tmp_path / "run.h5")
    (tmp_path / "other.h5").write_bytes(b"precious")
    with pytest.raises(RunFileError, match="exists already"):
        writer.relocate(tmp_path / "other.h5")
    writer.close("finished")
    assert (tmp_path / "other.h5").read_bytes() == b"precious"
    assert RunReader(tmp_path / "run.h5").state == "finished"


LIMITED = """
import resource, sys
from storage.errors import StorageFull
from storage.reader import RunReader
from storage.writer import RunWriter
from tests.storage.killing import last_step, train
import numpy as np

path = sys.argv[1]
writer = RunWriter.create(path, {"experiment": "made-up"}, {}, {})
train(writer, 0, 30)
writer.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    writer.checkpoint(29, {"big": np.arange(100_000)})
except StorageFull as error:
    print(error)
with RunReader(path) as run:
    assert last_step(run) == 29 and run.checkpoints() == [0]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.close("finished")
with RunReader(path) as run:
    assert np.array_equal(run.checkpoint(29)["big"], np.arange(100_000))
"""


@pytest.mark.skipif(os.name == "nt", reason="there are no limits on the size of a file")
def test_a_file_that_the_system_will_not_let_grow(tmp_path):
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "run.h5")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "run.h5: cannot write: File too large" in done.stdout


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFull, match=r"run\.h5: cannot write"):
        RunWriter.create(tmp_path / "file" / "run.h5", {}, {}, {})
