"""A run's whole state at a step, as {path: array}: model/0.weight, optimiser/exp_avg/0, generators/torch.

No pickles: opening a checkpoint cannot run code.
"""

from collections.abc import Mapping

import h5py
import numpy as np
from h5py import h5s, h5t

from .layout import CHECKPOINTS, group_at


def check_paths(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``state`` as arrays that HDF5 stores as they are.

    Raises:
        ValueError: A path has an empty part, ``.`` or ``..``, is the beginning of another one, or holds no numbers.
    """
    arrays = {path: np.asarray(array) for path, array in state.items()}
    for path, array in arrays.items():
        parts = path.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise ValueError(f"checkpoint path {path!r} has an empty part, '.' or '..'")
        if any("/".join(parts[:count]) in arrays for count in range(1, len(parts))):
            raise ValueError(f"checkpoint path {path!r} goes through another array")
        if array.dtype.kind not in "biufc":
            raise ValueError(f"checkpoint array {path!r} has dtype {array.dtype}; only numbers are stored")
    return arrays


def write(file: h5py.File, step: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Put the arrays of one step into the file, by HDF5's own calls: ``create_dataset`` takes three times as long."""
    group = group_at(file, CHECKPOINTS).create_group(str(int(step)))
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    links.set_char_encoding(h5t.CSET_UTF8)
    for path, array in arrays.items():
        space = h5s.create_simple(array.shape) if array.ndim else h5s.create(h5s.SCALAR)
        kind = h5t.py_create(array.dtype, logical=True)
        dataset = h5py.h5d.create(group.id, path.encode(), kind, space, lcpl=links)
        if array.size:
            dataset.write(h5s.ALL, h5s.ALL, np.require(array, requirements="C"))
