"""A run in memory keeps small rows whole, and of large ones the newest where the others can be read again."""

import numpy as np
import pytest

from lab.stream import MemoryRun, row_of, steps_of
from storage.reader import RunReader
from storage.writer import RunWriter

FRAMES = np.random.default_rng(0).random((40, 32, 32))
FRAME = FRAMES[0].nbytes


@pytest.fixture
def reader(tmp_path):
    """The file that a run with frames writes."""
    with RunWriter.create(tmp_path / "run.h5", {}, {}, {}) as writer:
        writer.append("attention", np.arange(40), FRAMES)
    with RunReader(tmp_path / "run.h5") as run:
        yield run


def test_frames_that_left_memory_are_read_from_the_file(reader, monkeypatch):
    monkeypatch.setattr("lab.columns.NEWEST", 5 * FRAME)
    monkeypatch.setattr("lab.columns.SETTLED", -1.0)
    run = MemoryRun(reader)
    for step in range(0, 40, 2):
        run.append("attention", [step, step + 1], FRAMES[step : step + 2])
    assert run.nbytes <= 5 * FRAME
    assert steps_of(run, "attention").tolist() == list(range(40))
    for index in (0, 1, 20, 35, 38, 39):
        assert (row_of(run, "attention", index) == FRAMES[index]).all()
    for start in (0, 7, 36, 39):
        step, value = run.series("attention", start)
        assert step.tolist() == list(range(start, 40))
        assert (value == FRAMES[start:]).all()
    assert len(run.series("attention", 40)[0]) == len(run.series("attention", 40)[1]) == 0


def test_a_frame_stays_in_memory_until_the_file_has_it_for_certain(reader, monkeypatch):
    monkeypatch.setattr("lab.columns.NEWEST", 5 * FRAME)
    run = MemoryRun(reader)
    run.append("attention", np.arange(40), FRAMES)
    run.append("attention", [40], FRAMES[:1])
    assert run.nbytes == 41 * FRAME


def test_a_resumed_run_leaves_its_earlier_frames_in_the_file(reader):
    run = MemoryRun(reader)
    run.lies_behind("attention", np.arange(40))
    assert run.nbytes == 0
    run.append("attention", [40], FRAMES[:1])
    assert run.names() == ["attention"]
    assert steps_of(run, "attention").tolist() == list(range(41))
    assert (row_of(run, "attention", 11) == FRAMES[11]).all()
    assert (row_of(run, "attention", 40) == FRAMES[0]).all()
    assert (run.series("attention")[1] == np.concatenate([FRAMES, FRAMES[:1]])).all()


def test_without_a_file_everything_stays(monkeypatch):
    monkeypatch.setattr("lab.columns.NEWEST", FRAME)
    monkeypatch.setattr("lab.columns.SETTLED", -1.0)
    run = MemoryRun(attention=(np.arange(40), FRAMES))
    assert run.nbytes >= FRAMES.nbytes
    assert (run.row("attention", 3) == FRAMES[3]).all()
    assert run.steps("attention", 38).tolist() == [38, 39]
