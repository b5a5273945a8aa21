"""Long series are read in few reads of the file, and are what HDF5 itself reads."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

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
