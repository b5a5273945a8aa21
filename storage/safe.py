"""Reads HDF5 objects of a file that may be damaged or made to do harm: every claim is checked before it is believed.

Only hard links are followed; data that lies in other files, unknown filters and types that are neither numbers nor text
are refused; nothing is read that is larger than the file could hold.
"""

import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py.h5l import TYPE_HARD
from h5py.h5o import get_info

from .errors import RunFileError
from .pages import PagedFile

NUMBERS = "biufc"  # kinds of types
LARGEST_COPY = 1 << 28
"""Bytes of a file that is copied to be read beside a busy writer; temporary files may lie in memory."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_DEFLATE_RATIO = 1032  # deflate cannot compress further
_TEXT_LIMIT = 1 << 20  # bytes of one attribute
_BATCH = 1 << 26  # bytes of text in memory at once
_DEPTH = 32
_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)


def open_file(path: Path, *, aside: bool = False, torn: bool = False) -> tuple[PagedFile, h5py.File]:
    """The file for reading, without any lock.

    Args:
        path: Which.
        aside: Read from a copy, so that it may change meanwhile; not where it is too large for one.
        torn: Though it changes while it is copied; what is read may be damaged then.

    Raises:
        RunFileError: It is missing, no regular file or not HDF5.
        OSError: HDF5 cannot make sense of it.
    """
    pages = PagedFile(_descriptor(path), writable=False)
    try:
        if aside and pages.size <= LARGEST_COPY:
            pages.set_aside(torn=torn)
        head = bytearray(len(_SIGNATURE))
        pages.readinto(head)
        if bytes(head) != _SIGNATURE:
            raise RunFileError(f"{path} is not an HDF5 file; choose a run file")
        return pages, h5py.File(pages, "r", rdcc_nbytes=1 << 20)
    except BaseException:
        pages.close()
        raise


def _descriptor(path: Path) -> int:
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError as error:
        raise RunFileError(f"{path} does not exist") from error
    except OSError as error:
        raise RunFileError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RunFileError(f"{path} is not a regular file; choose a run file")
    return descriptor


def has(parent: h5py.Group, name: str) -> bool:
    """Whether ``parent`` holds ``name`` itself; asks without following a link."""
    links = parent.id.links
    return links.exists(name.encode()) and links.get_info(name.encode()).type == TYPE_HARD


def names(parent: h5py.Group) -> list[str]:
    """Of everything in ``parent``, sorted."""
    found: list[bytes] = []
    # not in the order of names: for that HDF5 makes room for as many as a count claims, and fills in what it finds
    parent.id.links.iterate(found.append, order=h5py.h5.ITER_NATIVE)
    try:
        return sorted(name.decode() for name in found)
    except UnicodeDecodeError as error:
        raise RunFileError(f"{parent.name} holds {error.object!r}: a name that is not UTF-8") from error


def group(parent: h5py.Group, name: str) -> h5py.Group:
    found = _child(parent, name)
    if not isinstance(found, h5py.Group):
        raise RunFileError(f"{name} is no group")
    return found


def dataset(parent: h5py.Group, name: str, size: int) -> h5py.Dataset:
    """The dataset ``name``, whose data lies in a file of ``size`` bytes and can fit there."""
    found = _child(parent, name)
    if not isinstance(found, h5py.Dataset):
        raise RunFileError(f"{name} is no dataset")
    plist = found.id.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL or plist.get_external_count():
        raise RunFileError(f"{name} keeps its data in another file")
    ratio = 1
    for index in range(plist.get_nfilters()):
        code = plist.get_filter(index)[0]
        if code not in _FILTERS:
            raise RunFileError(f"{name} needs the filter {code}")
        if code == h5py.h5z.FILTER_DEFLATE:
            ratio = _DEFLATE_RATIO
    if found.shape is None:
        raise RunFileError(f"{name} holds nothing")
    itemsize = found.id.get_type().get_size()
    claimed = math.prod(found.shape) * itemsize
    chunk = math.prod(found.chunks) * itemsize if found.chunks and claimed else 0
    if max(claimed, chunk) > ratio * size:
        raise RunFileError(f"{name} claims {max(claimed, chunk):.3g} bytes in a file of {size}")
    return found


def numbers(found: h5py.Dataset, start: int, stop: int) -> np.ndarray:
    """Rows ``start`` to ``stop`` of a dataset of numbers."""
    if found.dtype.kind not in NUMBERS or not found.shape:
        raise RunFileError(f"{found.name} holds {found.dtype}, not rows of numbers")
    return found[start:stop]


def texts(found: h5py.Dataset, start: int, stop: int, size: int) -> list[str]:
    """Rows ``start`` to ``stop`` of a list of texts that together lie in a file of ``size`` bytes."""
    if not _is_text(found) or found.ndim != 1:
        raise RunFileError(f"{found.name} holds {found.dtype}, not a list of texts")
    batch = max(1, min(256, _BATCH // max(1, size)))
    result, total = [], 0
    for at in range(start, min(stop, len(found)), batch):
        for raw in found[at : min(stop, at + batch)]:
            total += len(raw)
            result.append(_decoded(raw))
        if total > size:
            raise RunFileError(f"{found.name} claims more text than its file holds")
    return result


def json_text(parent: h5py.Group, name: str, pages: PagedFile) -> dict[str, Any]:
    """The JSON object that the text ``name`` holds."""
    found = dataset(parent, name, pages.size)
    if not _is_text(found) or found.shape != ():
        raise RunFileError(f"{name} is no text")
    at = found.id.get_offset()
    if at is not None and found.id.get_type().is_variable_str():
        pages.seek(at)  # HDF5 would make room for as many bytes as the four here claim, up to 4 GB
        if int.from_bytes(pages.read(4), "little") > pages.size:
            raise RunFileError(f"{name} claims more text than its file holds")
    return parsed(name, _decoded(found[()]))


def parsed(name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunFileError(f"{name} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RunFileError(f"{name} is no JSON object")
    return value


def attribute(of: h5py.Group | h5py.Dataset, name: str) -> str | int | None:
    """A single text or whole number; None where there is no such attribute."""
    if not h5py.h5a.exists(of.id, name.encode()):
        return None
    found = h5py.h5a.open(of.id, name.encode())
    kind = found.get_type()
    if math.prod(found.shape) != 1 or kind.get_size() > _TEXT_LIMIT:
        raise RunFileError(f"attribute {name} is no single value")
    value = of.attrs[name]
    if isinstance(value, h5py.Empty):
        raise RunFileError(f"attribute {name} holds nothing")
    if isinstance(kind, h5py.h5t.TypeStringID):
        return _decoded(value)
    if isinstance(kind, h5py.h5t.TypeIntegerID):
        return int(np.ravel(value)[0])
    raise RunFileError(f"attribute {name} is neither text nor a whole number")


def arrays(parent: h5py.Group, size: int) -> Iterator[tuple[str, np.ndarray]]:
    """Every array of numbers below ``parent``, with its path."""
    return ((path, np.asarray(found[()])) for path, found in datasets(parent, size))


def datasets(parent: h5py.Group, size: int) -> Iterator[tuple[str, h5py.Dataset]]:
    """Every dataset of numbers below ``parent``, with its path; nothing of it is read."""
    seen = set()

    def walk(at: h5py.Group, prefix: str, depth: int) -> Iterator[tuple[str, h5py.Dataset]]:
        for name in names(at):
            found = _child(at, name)
            address = get_info(found.id).addr
            if address in seen or depth > _DEPTH:
                raise RunFileError(f"{prefix}{name} goes round in circles")
            seen.add(address)
            if isinstance(found, h5py.Group):
                yield from walk(found, f"{prefix}{name}/", depth + 1)
            else:
                checked = dataset(at, name, size)
                if checked.dtype.kind not in NUMBERS:
                    raise RunFileError(f"{prefix}{name} holds {checked.dtype}, not numbers")
                yield f"{prefix}{name}", checked

    return walk(parent, "", 0)


def _child(parent: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    if not parent.id.links.exists(name.encode()):
        raise RunFileError(f"{name} is missing")
    if not has(parent, name):
        raise RunFileError(f"{name} points elsewhere; only data of the file itself is read")
    found = parent[name]
    if isinstance(found, h5py.Datatype):
        raise RunFileError(f"{name} is a type without data")
    return found


def _is_text(found: h5py.Dataset) -> bool:
    return isinstance(found.id.get_type(), h5py.h5t.TypeStringID)


def _decoded(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise RunFileError(f"text is not UTF-8: {error.reason} at byte {error.start}") from error
