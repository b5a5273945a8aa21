from typing import Any

import h5py
import numpy as np
import pytest

from gui.views.rows import Block, Moment, Rows
from lab.stream import MemoryRun, row_of, steps_of
from storage.reader import RunReader
from storage.writer import RunWriter

HEADER = {"experiment": "tiny", "preset": "", "arm": "", "title": "Tiny", "seed": 0}


def test_the_row_shown_is_the_latest_at_or_before_the_step() -> None:
    rows = Rows(MemoryRun(a=([10, 20, 30], [1.0, 2.0, 3.0])), "a")
    rows.pull()
    found = {step: rows.at(step) for step in (0, 9, 10, 19, 20, 1000, None)}
    assert found == {0: None, 9: None, 10: 0, 19: 0, 20: 1, 1000: 2, None: 2}
    assert [float(rows.value(row)) for row in range(3)] == [1.0, 2.0, 3.0]


def test_a_run_that_went_back_shows_the_rows_taken_again() -> None:
    run = MemoryRun(a=([0, 10, 20, 30], [0.0, 1.0, 2.0, 3.0]))
    rows, block = Rows(run, "a"), Block(run, "a")
    rows.pull()
    block.pull()
    run.append("a", [15, 25], [1.5, 2.5])
    assert rows.pull()
    assert block.pull().tolist() == [[1.5], [2.5]]
    assert rows.steps.tolist() == block.steps.tolist() == [0, 10, 15, 25]
    assert [float(rows.value(row)) for row in range(4)] == block.values[:, 0].tolist() == [0.0, 1.0, 1.5, 2.5]


def test_a_source_that_lost_rows_is_read_anew() -> None:
    run = MemoryRun(a=([0, 10, 20], [0.0, 1.0, 2.0]))
    rows = Rows(run, "a")
    rows.pull()
    rows._source = MemoryRun(a=([0], [7.0]))
    assert rows.value(2) is None
    rows.pull()
    assert (rows.steps.tolist(), float(rows.value(0))) == ([0], 7.0)


def test_a_moment_tells_when_other_rows_hold() -> None:
    run = MemoryRun(a=([0, 100], [0.0, 1.0]), b=([50], [5.0]))
    moment = Moment(run, ("a", "b", "never"))
    assert moment.pull(60)
    assert (float(moment.value("a")), float(moment.value("b")), moment.value("never")) == (0.0, 5.0, None)
    assert not moment.move(99)
    assert moment.move(100)
    assert (moment.step, moment.end, moment.begin) == (100, 100, None)
    run.append("a", 200, 2.0)
    assert not moment.pull(150)
    assert moment.pull(None)


def test_a_block_grows_in_the_recorded_precision() -> None:
    run = MemoryRun(a=(np.arange(3), np.ones((3, 2), np.float32)))
    block = Block(run, "a")
    block.pull()
    for k in range(200):
        run.append("a", 3 + k, np.full((1, 2), k, np.float32))
        assert len(block.pull()) == 1
    assert block.values.dtype == np.float32
    np.testing.assert_array_equal(block.values[3:, 0], np.arange(200))


@pytest.fixture
def stored(tmp_path):
    """A run file with 200 attention frames of 4 x 4 heads, 52 MB."""
    frames = np.random.default_rng(0).random((200, 4, 4, 64, 64)).astype(np.float32)
    writer = RunWriter.create(tmp_path / "run.h5", HEADER, {}, {})
    writer.append("attention", np.arange(200) * 10, frames)
    writer.close("finished")
    with RunReader(tmp_path / "run.h5") as reader:
        yield reader, frames


def test_single_rows_of_a_stored_series_are_read_alone(stored, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, frames = stored
    rows, read, whole = Rows(reader, "attention"), [], h5py.Dataset.__getitem__

    def counted(dataset: h5py.Dataset, args: Any) -> Any:
        value = whole(dataset, args)
        read.append(np.asarray(value).nbytes)
        return value

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    rows.pull()
    for row in (0, 57, 199):
        np.testing.assert_array_equal(rows.value(row), frames[row])
    assert 3 * frames[0].nbytes <= sum(read) < frames.nbytes / 20
    with pytest.raises(KeyError):
        reader.row("attention", 200)
    with pytest.raises(KeyError):
        reader.steps("nothing")


def test_a_source_without_single_rows_gives_them_too(stored) -> None:
    reader, frames = stored
    run = MemoryRun(attention=(np.arange(3), frames[:3]))
    np.testing.assert_array_equal(row_of(run, "attention", 2), row_of(reader, "attention", 2))
    assert steps_of(run, "attention", 1).tolist() == [1, 2]
    assert steps_of(reader, "attention", 198).tolist() == [1980, 1990]
