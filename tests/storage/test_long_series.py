"""Long series are read in few reads of the file, and are what HDF5 itself reads."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from storage.reader import RunReader
from storage.writer import RunWriter

ROWS, BLOCK = 70_000, 10_000


def test_long_series_are_read_as_hdf5_reads_them_though_their_chunks_lie_between_each_other(tmp_path: Path) -> None:
    path = tmp_path / "long.h5"
    with RunWriter.create(path, {"experiment": "made-up", "seed": 0}, {}, {}) as writer:
        for begin in range(0, ROWS, BLOCK):
            step = np.arange(begin, begin + BLOCK)
            writer.append("a", step, np.sin(step))
            writer.append("b", step, step.astype(np.float32))
            writer.flush()
        writer.append("once", [7], [1.0])
    with RunReader(path) as reader, h5py.File(path, locking=False) as file:
        for name in ("a", "b"):
            kept: Any = file[f"series/{name}/value"]
            step, value = reader.series(name)
            np.testing.assert_array_equal(step, np.arange(ROWS))
            np.testing.assert_array_equal(value, kept[:])
            np.testing.assert_array_equal(reader.series(name, 3)[1], value[3:])
            for start, stop in ((0, 1), (1023, 1025), (5, 40_000), (ROWS - 1, ROWS + 9), (ROWS, ROWS + 1)):
                part = reader.part(name, start, stop)
                np.testing.assert_array_equal(part, (step[start:stop], value[start:stop]))
            assert value.dtype == kept.dtype
        assert reader.last_step() == ROWS - 1


def test_a_long_series_with_a_hole_is_read_by_hdf5_which_knows_what_stands_for_it(tmp_path: Path) -> None:
    path = tmp_path / "hole.h5"
    with RunWriter.create(path, {"experiment": "made-up", "seed": 0}, {}, {}) as writer:
        writer.append("a", np.arange(ROWS), np.ones(ROWS))
    with h5py.File(path, "r+", locking=False) as file:
        value: Any = file["series/a/value"]
        value.resize((ROWS + 3 * value.chunks[0],))  # chunks that were never written
        step: Any = file["series/a/step"]
        step.resize((ROWS + 3 * value.chunks[0],))
    with RunReader(path) as reader:
        assert len(reader.series("a")[0]) == ROWS and reader.last_step() == ROWS - 1


def test_a_hole_among_the_steps_ends_a_series_though_its_last_step_is_what_their_count_says(tmp_path: Path) -> None:
    path = tmp_path / "hole.h5"
    with RunWriter.create(path, {"experiment": "made-up", "seed": 0}, {}, {}) as writer:
        writer.append("a", np.arange(ROWS), np.ones(ROWS))
    with h5py.File(path, "r+", locking=False) as file:
        series: Any = file["series/a"]
        rows, steps = series["step"].chunks[0], series["step"][:]
        del series["step"]
        kept = series.create_dataset("step", (ROWS,), np.int64, maxshape=(None,), chunks=(rows,), fillvalue=-1)
        kept[: 5 * rows], kept[6 * rows :] = steps[: 5 * rows], steps[6 * rows :]
    with RunReader(path) as reader:
        assert len(reader.series("a")[0]) == 5 * rows


@pytest.mark.parametrize("kind", [">f8", "<f4", "<f2", "?", "<i8", "|u1"])
def test_a_long_series_of_any_kind_of_number_is_what_hdf5_reads(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "kind.h5"
    with RunWriter.create(path, {"experiment": "made-up", "seed": 0}, {}, {}) as writer:
        writer.append("a", np.arange(ROWS), (np.arange(ROWS) % 2).astype(kind))
    with RunReader(path) as reader:
        value = reader.series("a")[1]
    np.testing.assert_array_equal(value, np.arange(ROWS) % 2)
    assert value.dtype == kind


def test_a_follower_sees_what_was_appended_to_a_long_series_and_its_attributes_and_events(tmp_path: Path) -> None:
    path = tmp_path / "grows.h5"
    with RunWriter.create(path, {"experiment": "made-up", "seed": 0}, {}, {}) as writer, RunReader(path) as reader:
        writer.append("a", np.arange(ROWS), np.zeros(ROWS))
        writer.flush()
        assert len(reader.part("a", 0, ROWS)[0]) == ROWS and not reader.attrs("a") and not reader.events()
        writer.append("a", ROWS, 1.0)
        writer.declare("a", {"symbol": "L"})
        writer.event(3, "spike", {})
        writer.flush()
        np.testing.assert_array_equal(reader.part("a", ROWS, ROWS + 9), ([ROWS], [1.0]))
        assert reader.attrs("a") == {"symbol": "L"} and len(reader.events()) == 1
