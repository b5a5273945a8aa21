"""Opens run files for writing: one writer at a time, and a new file has its name only once it is whole."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from . import lock
from .errors import NameTaken, RunFileError, StorageFull
from .pages import PAGE, WHOLE, PagedFile, storage_full


@contextmanager
def appearing(path: Path, *, overwrite: bool = False) -> Iterator[PagedFile]:
    """A new, empty file, held by this writer, that appears as ``path`` when the block has filled it.

    Args:
        path: Its folder is made if need be.
        overwrite: Replace a file that no writer holds.

    Raises:
        NameTaken: The file exists.
        StorageFull: It cannot be written.
    """
    if path.exists() and (not overwrite or is_live(path)):
        raise _taken(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR)
    except OSError as error:
        raise blame(path, storage_full(error)) from error
    pages = PagedFile(descriptor, writable=True)
    try:
        lock.hold(descriptor)
        yield pages
        _publish(partial, path, overwrite)
    except BaseException as error:
        pages.close()
        partial.unlink(missing_ok=True)
        if isinstance(error, StorageFull):
            raise blame(path, error) from error
        raise


def open_pages(path: Path) -> PagedFile:
    """The existing file for writing, held against other writers; a commit that was cut short is completed.

    Raises:
        RunFileError: It is missing, or another writer holds it.
        StorageFull: It may not be written.
    """
    try:
        descriptor = _open(path, os.O_RDWR)
    except FileNotFoundError as error:
        raise RunFileError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise RunFileError(f"{path} is a folder, not a run file") from error
    except OSError as error:
        raise blame(path, storage_full(error)) from error
    if not lock.hold(descriptor):
        os.close(descriptor)
        raise RunFileError(f"{path} is being written by another process; wait for it or stop it")
    return PagedFile(descriptor, writable=True)


@contextmanager
def rewriting(path: Path) -> Iterator[h5py.File]:
    """The existing file for a change or two, on disk when the block has ended.

    Raises:
        RunFileError: It is missing, damaged, or held by another writer.
        StorageFull: It may not be written.
    """
    pages = open_pages(path)
    try:
        with damage_named(path):
            with hdf5(pages, new=False) as file:
                yield file
            pages.commit()
    finally:
        pages.close()


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """HDF5's own errors become one line that says which file is damaged."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise RunFileError(f"{path}: is damaged: {' '.join(str(error).split())}") from error


def is_live(path: Path) -> bool:
    """Whether some writer holds the file."""
    try:
        descriptor = _open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return lock.held(descriptor)
    finally:
        os.close(descriptor)


def hdf5(pages: PagedFile, *, new: bool) -> h5py.File:
    """The HDF5 file in ``pages``, to be written."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, pages)
    access.set_alignment(WHOLE, PAGE)
    # superblock 2: checksums, and no mark of an open writer that would keep others out after a kill
    access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    if not new:
        return h5py.File(h5py.h5f.open(b"run", h5py.h5f.ACC_RDWR, access))
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_attr_phase_change(64, 48)  # all attributes of / in its header: nothing to look up elsewhere
    creation.set_obj_track_times(False)
    return h5py.File(h5py.h5f.create(b"run", h5py.h5f.ACC_TRUNC, creation, access))


def blame(path: Path, error: StorageFull) -> StorageFull:
    """The same error, saying which file."""
    return error if str(error).startswith(f"{path}: ") else StorageFull(f"{path}: {error}")


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0), 0o666)


def _publish(partial: Path, path: Path, overwrite: bool) -> None:
    """Give the file its name, without replacing one that appeared meanwhile."""
    if overwrite:
        partial.replace(path)
        return
    try:
        path.hardlink_to(partial)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError:  # a file system without hard links: an empty file keeps the name for a moment
        try:
            os.close(_open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR))
        except FileExistsError as error:
            raise _taken(path) from error
        partial.replace(path)
    else:
        partial.unlink()


def _taken(path: Path) -> NameTaken:
    return NameTaken(f"{path} exists already; choose another name or remove it")
