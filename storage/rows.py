"""One series on its way into the file: rows that wait in memory, and the two datasets that they go to."""

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from h5py import h5s
from numpy.typing import ArrayLike

from .layout import NO_STEP, STEP, VALUE, dataset_at

_CHUNK_ROWS = 1024  # 8 kB of steps: a run of a few thousand rows and ten series stays below a megabyte
_CHUNK_BYTES = 1 << 16
_KEPT = 1 << 23  # bytes of waiting values whose memory is used again: what is new each time costs more than the copying


class SeriesRows:
    """Rows of one series. ``steps`` and ``values`` hold plain numbers that wait; arrays wait where they are copied to.

    Args:
        group: The series' group, with its datasets once there is a first row.
    """

    def __init__(self, group: h5py.Group) -> None:
        self._group = group
        self._open: dict[str, Any] = {}  # handles of the two datasets, once there
        self.steps: list[int] = []
        self.values: list[float] = []
        self._waiting: tuple[np.ndarray, ...] = ()  # steps and values, of both the first _filled
        self._filled = 0
        self._dtype: np.dtype | None = None
        self._shape: tuple[int, ...] = ()
        self._count = 0  # rows in the file
        self.last = NO_STEP  # step of the last row, in the file or waiting
        self.scalar = False  # rows are single floats

    @classmethod
    def existing(cls, group: h5py.Group) -> "SeriesRows":
        rows = cls(group)
        if STEP in group:
            step, value = dataset_at(group, STEP), dataset_at(group, VALUE)
            rows._know(value.dtype, value.shape[1:])
            rows._count = len(step)
            rows.last = int(step[-1]) if len(step) else NO_STEP
        return rows

    @property
    def waiting(self) -> bool:
        return bool(self.steps or self._filled)

    def declare(self, attrs: Mapping[str, str]) -> None:
        for key, text in attrs.items():
            if self._group.attrs.get(key) != text:
                self._group.attrs[key] = text
        if VALUE in self._group:
            self._describe()

    def add(self, step: ArrayLike, value: ArrayLike) -> None:
        """Keep a copy of rows ``step`` (k,) and ``value`` (k, ...) that are after the last one."""
        steps = np.atleast_1d(np.asarray(step, np.int64))
        values = np.asarray(value)
        values = values.reshape(1) if values.ndim == 0 else values
        self._check(steps, values)
        if not len(steps):
            return
        if steps[0] <= self.last:
            fresh = steps > self.last
            steps, values = steps[fresh], values[fresh]
            if not len(steps):
                return
        if self._dtype is None:
            self._know(values.dtype, values.shape[1:])
        if values.dtype != self._dtype:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, as when HDF5 converts
                values = values.astype(self._dtype)
        self._fold()
        self._put(steps, values)
        self.last = int(steps[-1])

    def write_values(self) -> None:
        """Put the values that wait into the file. May be done again: rows count only with their steps."""
        self._fold()
        if VALUE not in self._open and VALUE not in self._group:
            self._create()
        self._extend(VALUE, self._waiting[1][: self._filled])

    def write_steps(self) -> None:
        """Make the values just written count."""
        steps, values = self._waiting
        self._extend(STEP, steps[: self._filled])
        self._count += self._filled
        self._filled = 0
        if values.nbytes > _KEPT:
            self._waiting = tuple(_longer(rows, 0, 0) for rows in self._waiting)

    def _extend(self, name: str, rows: np.ndarray) -> None:
        if name not in self._open:
            self._open[name] = dataset_at(self._group, name).id
        put_after(self._open[name], self._count, rows)

    def _know(self, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        self._dtype, self._shape = dtype, shape
        self._waiting = np.empty(0, np.int64), np.empty((0, *shape), dtype)
        self.scalar = dtype.kind == "f" and shape == ()

    def _check(self, steps: np.ndarray, values: np.ndarray) -> None:
        problem = ""
        if values.dtype.kind not in "biufc":
            problem = f": dtype {values.dtype} is no number"
        elif steps.ndim != 1 or len(values) != len(steps):
            problem = f": {steps.shape} steps for values of shape {values.shape}"
        elif len(steps) and (steps[0] < 0 or not (steps[1:] > steps[:-1]).all()):
            problem = ": steps must be 0 or more and rise"
        elif self._dtype is None or (values.dtype == self._dtype and values.shape[1:] == self._shape):
            return
        elif values.shape[1:] != self._shape:
            problem = f": rows of shape {self._shape}, not {values.shape[1:]}"
        elif not np.can_cast(values.dtype, self._dtype, "same_kind"):
            problem = f" holds {self._dtype}; {values.dtype} does not fit"
        if problem:
            raise ValueError(f"series {(self._group.name or '').rpartition('/')[2]}{problem}")

    def _fold(self) -> None:
        if self.steps:
            self._put(np.array(self.steps, np.int64), np.array(self.values, self._dtype))
            self.steps, self.values = [], []

    def _put(self, steps: np.ndarray, values: np.ndarray) -> None:
        """Copy rows behind those that wait."""
        end = self._filled + len(steps)
        if end > len(self._waiting[0]):
            self._waiting = tuple(_longer(rows, self._filled, end) for rows in self._waiting)
        for new, rows in zip(self._waiting, (steps, values), strict=True):
            new[self._filled : end] = rows
        self._filled = end

    def _create(self) -> None:
        """Make the two datasets, now that the rows' shape and kind are known."""
        assert self._dtype is not None
        row_bytes = max(1, self._dtype.itemsize * int(np.prod(self._shape)))
        chunk = (min(_CHUNK_ROWS, max(1, _CHUNK_BYTES // row_bytes)), *(max(1, size) for size in self._shape))
        limit = (None, *(size or None for size in self._shape))  # HDF5 has no chunk for a fixed length of zero
        self._group.create_dataset(
            STEP, (0,), np.int64, maxshape=(None,), chunks=(_CHUNK_ROWS,), fillvalue=NO_STEP
        ).attrs["long_name"] = "step"
        self._group.create_dataset(VALUE, (0, *self._shape), self._dtype, maxshape=limit, chunks=chunk)
        self._group.attrs["signal"] = VALUE
        self._group.attrs["axes"] = [STEP, *["."] * len(self._shape)]
        self._describe()

    def _describe(self) -> None:
        attrs = self._group.attrs
        label = " ".join(filter(None, (attrs.get("label"), attrs.get("symbol"))))
        self._group[VALUE].attrs["long_name"] = label or (self._group.name or "").rpartition("/")[2]
        if attrs.get("units"):
            self._group[VALUE].attrs["units"] = attrs["units"]


def _longer(rows: np.ndarray, filled: int, end: int) -> np.ndarray:
    """An array with room for ``end`` rows and more to come, that begins with the first ``filled`` of ``rows``."""
    longer = np.empty((max(end, 2 * filled), *rows.shape[1:]), rows.dtype)
    longer[:filled] = rows[:filled]
    return longer


def put_after(dataset: Any, count: int, rows: np.ndarray) -> None:
    """Put ``rows`` after the first ``count`` of a low-level handle: h5py's indexing takes four times as long."""
    dataset.set_extent((count + len(rows), *rows.shape[1:]))
    if rows.size:
        space = dataset.get_space()
        space.select_hyperslab((count, *[0] * (rows.ndim - 1)), rows.shape)
        dataset.write(h5s.create_simple(rows.shape), space, np.ascontiguousarray(rows))


def new_series(parent: h5py.Group, name: str) -> SeriesRows:
    group = parent.create_group(name)
    group.attrs["NX_class"] = "NXdata"
    return SeriesRows(group)


def text_dataset(parent: h5py.Group, name: str) -> h5py.Dataset:
    """A growing list of texts."""
    return parent.create_dataset(name, (0,), h5py.string_dtype(), maxshape=(None,), chunks=(256,))
