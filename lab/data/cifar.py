"""CIFAR-10 and CIFAR-100 batches without running what is in them.

The Python version is pickled. A pickle can name any function to call, so this reader knows three: the ones by which
pickled arrays of bytes are rebuilt. They build the array here, from checked parts; anything else is refused by name.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SHAPE = (3, 32, 32)
_PIXELS = 3072
Found = tuple[NDArray[np.uint8], NDArray[np.int64], list[str]]


def read_python_batches(folder: Path, split: str) -> Found | None:
    """Images (N, 3, 32, 32), labels and class names of data_batch_*/test_batch (10) or train/test (100)."""
    ten = sorted(path for path in folder.glob("data_batch_[0-9]") if path.is_file())
    ten = ten if split == "train" else [path for path in (folder / "test_batch",) if path.is_file()]
    hundred = [path for path in (folder / split,) if path.is_file()]
    paths, key = (ten, "labels") if ten else (hundred, "fine_labels")
    if not paths:
        return None
    images, labels = [], []
    for path in paths:
        batch = read_pickled(path)
        data, target = batch.get("data"), _integers(batch.get(key))
        if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != _PIXELS or target is None:
            raise ValueError(f"{path.name} is no CIFAR batch: 'data' of rows of {_PIXELS} bytes and {key!r} are needed")
        images.append(data.reshape(-1, *_SHAPE))
        labels += target
    return np.concatenate(images), np.array(labels, dtype=np.int64), _names(folder, key)


def read_binary_batches(folder: Path, split: str) -> Found | None:
    """The binary version: records of label and 3072 bytes (10), or coarse label, fine label and bytes (100)."""
    ten = sorted(folder.glob("data_batch_[0-9].bin")) if split == "train" else sorted(folder.glob("test_batch.bin"))
    paths, labels = (ten, 1) if ten else (sorted(folder.glob(f"{split}.bin")), 2)
    if not paths:
        return None
    record = labels + _PIXELS
    for path in paths:
        size = path.stat().st_size
        if size == 0 or size % record:
            raise ValueError(f"{path.name} has {size} bytes: no whole number of records of {record}")
    rows = np.concatenate([np.fromfile(path, np.uint8).reshape(-1, record) for path in paths])
    listed = folder / ("batches.meta.txt" if labels == 1 else "fine_label_names.txt")
    names = listed.read_text(encoding="utf-8").split() if listed.is_file() else []
    return rows[:, labels:].reshape(-1, *_SHAPE), rows[:, labels - 1].astype(np.int64), names


def read_pickled(path: Path) -> dict[str, object]:
    """A pickled dict of byte arrays, numbers, strings, lists and dicts.

    Raises:
        ValueError: It names anything that is not an array of bytes, or is damaged.
    """
    try:
        with path.open("rb") as file:
            content = _ArraysOnly(file, encoding="bytes").load()
    except pickle.UnpicklingError as refused:
        raise ValueError(f"{path.name} is no CIFAR batch: {refused}") from refused
    except (
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as damaged:
        raise ValueError(f"{path.name} is damaged: {damaged!r}") from damaged
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is no CIFAR batch: it holds a {type(content).__name__}")
    plain = {_text(key): value for key, value in content.items()}
    return {key: value.array if isinstance(value, _Array) else value for key, value in plain.items()}


class _Type:
    """Stands for numpy.dtype in the file; only unsigned bytes are known."""

    def __init__(self, code: str | bytes, *_flags: object) -> None:
        if _text(code) not in ("u1", "uint8"):
            raise pickle.UnpicklingError(f"it holds an array of type {_text(code)!r}, not of bytes")

    def __setstate__(self, _state: object) -> None:
        """Byte order and the like: nothing to say about bytes."""


class _Array:
    """Stands for numpy.ndarray in the file, so that numpy itself never sees a state that nobody has checked."""

    def __init__(self, *_empty: object) -> None:
        self.array: NDArray[np.uint8] = np.zeros(0, np.uint8)

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("it holds an array without shape and data")
        _, shape, kind, fortran, data = state
        self.array = _from_bytes(data, kind, shape, "F" if fortran else "C").array


def _from_bytes(data: object, kind: object, shape: object, order: object = "C") -> _Array:
    if not isinstance(data, bytes | bytearray) or not isinstance(kind, _Type) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("it holds an array that is not made of bytes")
    made = _Array()
    made.array = np.frombuffer(bytes(data), np.uint8).reshape(shape, order="F" if _text(order) == "F" else "C")
    return made


def _encoded(text: object, encoding: object) -> bytes:
    """Python 3 writes bytes in old pickles as latin-1 text."""
    if not isinstance(text, str) or _text(encoding) != "latin1":
        raise pickle.UnpicklingError("it encodes text in an unknown way")
    return text.encode("latin-1")


def _rebuilt(_kind: object, _shape: object, _code: object) -> _Array:
    return _Array()


_KNOWN = {
    ("multiarray", "_reconstruct"): _rebuilt,
    ("numeric", "_frombuffer"): _from_bytes,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encoded,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        short = module.removeprefix("numpy.core.").removeprefix("numpy._core.")
        if (short, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch of images needs")
        return _KNOWN[short, name]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _integers(value: object) -> list[int] | None:
    return value if isinstance(value, list) and all(type(number) is int for number in value) else None


def _names(folder: Path, key: str) -> list[str]:
    """Class names from batches.meta or meta, where there is one."""
    path = folder / ("batches.meta" if key == "labels" else "meta")
    names = read_pickled(path).get("label_names" if key == "labels" else "fine_label_names") if path.is_file() else []
    return [_text(name) for name in names] if isinstance(names, list) else []
