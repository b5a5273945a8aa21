"""A file whose changes become visible all at once: what HDF5 writes is kept in memory and committed through a journal.

HDF5 updates its metadata in place and in no useful order, so a process killed inside a flush can leave a file that does
not open, and a full disk leaves the library itself in an undefined state. Here HDF5 writes into pages in memory
(h5py's file-object driver) and ``commit`` brings them to disk in three moves:

1. New pages are appended beyond the committed end, where nothing points at them yet, then a journal with the images of
   the old pages that change. Only this move needs space; when it fails, the file is what it was before.
2. The old pages are overwritten in place, page 0 (HDF5's superblock) first. The kernel copies a page whole or not.
3. The journal is cut off.

A kill in move 1 leaves the state before the commit, a kill after it the state of the commit: whoever opens the file
here reads the journal. HDF5 ignores bytes beyond its own end of file, so the file opens at every moment elsewhere too.

Each commit leaves its own time on the file, to the nanosecond, so a reader knows after every look at the disk whether
the file is still the one that it opened: parts of two states look damaged to HDF5.
"""

import contextlib
import errno
import io
import os
import struct
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import IO

from .errors import StorageFull

PAGE = 4096
RESERVE = 1 << 20
"""Bytes left free on the disk, so that HDF5 and the system never meet a disk that is full to the last block."""

WHOLE = 1 << 15
"""Bytes from which on what is written begins with a page and goes to new pages without a copy in memory."""

_HEAP = b"GCOL\1\0\0\0"  # a collection of texts
_MAGIC = b"tdl-journal-1\r\n\0"
_TRAILER = struct.Struct("<16sQQQI")  # magic, number of pages, offset of the images, size of the file, crc32


class PagedFile(io.RawIOBase):
    """The file object that h5py reads and writes. Not safe between threads.

    Args:
        descriptor: Of the file, owned from now on.
        writable: False for readers; they see a commit that was cut short as if it were complete, and no other state
            than the one that they opened: a read after the next commit fails with ESTALE.
    """

    def __init__(self, descriptor: int, *, writable: bool) -> None:
        super().__init__()
        self.descriptor = descriptor
        self._writable = writable
        self._pages: dict[int, bytearray] = {}
        self._position = 0
        self._opened = signature(os.fstat(descriptor))
        self._aside: IO[bytes] | None = None
        journal = read_journal(descriptor)
        if journal is None:
            self._size = os.fstat(descriptor).st_size
        else:
            self._pages, self._size = journal
            if writable:
                _overwrite(descriptor, self._pages)
                os.ftruncate(descriptor, self._size)
                self._pages = {}
        self._committed = self._size
        self._time = 0  # of the last commit, in nanoseconds
        self._through = self._size  # end of what was written without a copy in memory

    # What h5py's file-object driver calls.

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return self._writable

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        return self._position

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        return self._size

    def readinto(self, buffer) -> int:
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._size - self._position))
        done = 0
        while done < count:
            number, inside = divmod(self._position + done, PAGE)
            page = self._pages.get(number)
            if page is not None:
                part = min(PAGE - inside, count - done)
                view[done : done + part] = page[inside : inside + part]
            else:
                end = min(count, done + self._clean_run(number, count - done) * PAGE - inside)
                part = end - done
                source = self.descriptor if self._aside is None else self._aside.fileno()
                got = _pread(source, view[done:end], self._position + done)
                view[done + got : end] = bytes(part - got)
            done += part
        if not self._writable and self._aside is None:
            self._check_unchanged()
        self._position += count
        if count >= 16 and view[:8] == _HEAP:
            _check_heap(view[:count])
        return count

    def write(self, data) -> int:
        view = memoryview(data).cast("B")
        start, count = self._position, len(view)
        self._position += count
        self._size = max(self._size, self._position)
        done = 0
        if count >= WHOLE:
            done = self._write_through(start, view)
        while done < count:
            number, inside = divmod(start + done, PAGE)
            part = min(PAGE - inside, count - done)
            if part == PAGE:
                self._pages[number] = bytearray(view[done : done + part])
            else:
                page = self._pages.get(number)
                if page is None:
                    page = self._pages[number] = bytearray(PAGE)
                    _pread(self.descriptor, memoryview(page), number * PAGE)
                page[inside : inside + part] = view[done : done + part]
            done += part
        return count

    def flush(self) -> None:
        """HDF5 flushes into memory; only ``commit`` goes to disk."""

    def close(self) -> None:
        if self._aside is not None:
            self._aside.close()
        if not self.closed and self.descriptor >= 0:
            os.close(self.descriptor)
        super().close()

    # What the reader calls.

    def set_aside(self, *, torn: bool = False) -> None:
        """Read from a copy from now on: the file may change meanwhile.

        Raises:
            OSError: It changed while it was copied and may not be ``torn``, or there is no room for a copy.
        """
        self._aside = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this file
        for offset in range(0, self._size, 1 << 20):
            self._aside.write(_read(self.descriptor, min(1 << 20, self._size - offset), offset))
        self._aside.flush()
        if not torn:
            self._check_unchanged()

    def _check_unchanged(self) -> None:
        if signature(os.fstat(self.descriptor)) != self._opened:
            raise OSError(errno.ESTALE, "the file changed while it was read")

    # What the writer calls.

    @property
    def size(self) -> int:
        return self._size

    @property
    def pending(self) -> int:
        """Bytes that are not on the disk yet."""
        return len(self._pages) * PAGE

    def commit(self) -> None:
        """Bring everything written since the last commit to disk, all or nothing.

        Raises:
            StorageFull: There is no room or no permission. The file is as it was, the changes stay in memory.
        """
        if not self._pages and self._size == self._committed:
            return
        first_new = -(-self._committed // PAGE)
        last = -(-self._size // PAGE)
        old = {number: page for number, page in self._pages.items() if number < min(first_new, last)}
        new = {number: page for number, page in self._pages.items() if first_new <= number < last}
        end = PAGE * max(last, first_new, -(-self._through // PAGE))
        try:
            journal = _journal(old, end, self._size)
            self._check_room(end + len(journal))
            # without the journal, which is cut off again: ext4 takes 4 ms to let reserved blocks go
            _reserve(self.descriptor, self._committed, end)
            _overwrite(self.descriptor, new)
            _pwrite(self.descriptor, journal, end)
        except OSError as error:
            os.ftruncate(self.descriptor, max(self._committed, self._through))
            raise storage_full(error) from error
        self._stamp()  # every page that changes from here on changes the time
        _overwrite(self.descriptor, old)
        os.ftruncate(self.descriptor, self._size)
        self._stamp()
        self._pages.clear()
        self._committed = self._through = self._size

    def copy_to(self, other: "PagedFile") -> None:
        """Copy what is on disk into another, empty file.

        Raises:
            StorageFull: It does not fit there.
        """
        try:
            for offset in range(0, self._through, 1 << 20):
                part = _read(self.descriptor, min(1 << 20, self._through - offset), offset)
                _pwrite(other.descriptor, part, offset)
        except OSError as error:
            raise storage_full(error) from error

    def switch(self, copy: "PagedFile") -> None:
        """Go on in the copy; what waits goes there with the next commit."""
        os.close(self.descriptor)
        self.descriptor, copy.descriptor = copy.descriptor, -1

    def _clean_run(self, number: int, count: int) -> int:
        """How many pages from ``number`` on are not in memory, at most those that ``count`` bytes touch."""
        if not self._pages:
            return count // PAGE + 2
        most = count // PAGE + 2
        return next((step for step in range(1, most) if number + step in self._pages), most)

    def _write_through(self, start: int, view: memoryview) -> int:
        """Write whole new pages straight to disk; 0 where they may not be, or the disk is full."""
        first = -(-start // PAGE) * PAGE
        if start != first or start < -(-self._committed // PAGE) * PAGE:
            return 0
        whole = len(view) // PAGE * PAGE
        try:
            self._check_room(start + whole)
            _pwrite(self.descriptor, view[:whole], start)
        except OSError:
            return 0
        for number in range(start // PAGE, (start + whole) // PAGE):
            self._pages.pop(number, None)
        self._through = max(self._through, start + whole)
        return whole

    def _stamp(self) -> None:
        """Leave a time that no commit left before: the system's own time stamps are milliseconds apart."""
        if os.utime in os.supports_fd:
            self._time = max(self._time + 1, time.time_ns())
            with contextlib.suppress(OSError):  # a file of somebody else: the system's own stamps have to do
                os.utime(self.descriptor, ns=(self._time, self._time))

    def _check_room(self, end: int) -> None:
        if not hasattr(os, "fstatvfs"):
            return
        more = end - os.fstat(self.descriptor).st_size
        disk = os.fstatvfs(self.descriptor)
        free = disk.f_bavail * disk.f_frsize
        if more > 0 and free < more + RESERVE:
            raise OSError(errno.ENOSPC, f"{more / 1e6:.1f} MB needed, {free / 1e6:.1f} MB free")


def signature(found: os.stat_result) -> tuple[int, ...]:
    """Time, size and number of a file: they change with every commit."""
    return found.st_mtime_ns, found.st_size, found.st_ino


def storage_full(error: OSError) -> StorageFull:
    return StorageFull(f"cannot write: {error.strerror or error}; free space or continue in another folder")


def read_journal(descriptor: int) -> tuple[dict[int, bytearray], int] | None:
    """The page images and the file size of a commit that was cut short; None where there is none."""
    length = os.fstat(descriptor).st_size
    trailer = _read(descriptor, _TRAILER.size, max(0, length - _TRAILER.size))
    if len(trailer) < _TRAILER.size:  # a tiny file, or a writer cut its journal off just now
        return None
    magic, count, offset, size, checksum = _TRAILER.unpack(trailer)
    if magic != _MAGIC or size > offset or offset + count * (PAGE + 8) + _TRAILER.size != length:
        return None
    body = _read(descriptor, count * (PAGE + 8), offset)
    if zlib.crc32(body) != checksum:
        return None
    numbers = struct.unpack_from(f"<{count}Q", body, count * PAGE)
    return {number: bytearray(body[PAGE * at : PAGE * (at + 1)]) for at, number in enumerate(numbers)}, size


def _journal(pages: Mapping[int, bytearray], offset: int, size: int) -> bytes:
    """What makes the change of several old pages one change; a single page needs none."""
    if len(pages) < 2:
        return b""
    numbers = sorted(pages)
    body = b"".join([*(pages[number] for number in numbers), struct.pack(f"<{len(numbers)}Q", *numbers)])
    return body + _TRAILER.pack(_MAGIC, len(numbers), offset, size, zlib.crc32(body))


def _runs(pages: Mapping[int, bytearray]) -> Iterator[tuple[int, list[bytearray]]]:
    """Neighbouring pages together, at most 256, in the order of the file."""
    first, run = 0, []
    for number in sorted(pages):
        if run and (number != first + len(run) or len(run) == 256):
            yield first, run
            run = []
        if not run:
            first = number
        run.append(pages[number])
    if run:
        yield first, run


def _overwrite(descriptor: int, pages: Mapping[int, bytearray]) -> None:
    for first, run in _runs(pages):
        _pwrite(descriptor, b"".join(run), first * PAGE)


def _check_heap(heap: memoryview) -> None:
    """Refuse a damaged collection of texts: HDF5 goes round and round in one whose objects have no length."""
    (size,) = struct.unpack_from("<Q", heap, 8)
    if len(heap) < size:
        return  # HDF5 looks at the beginning to see how long it is, then reads all of it
    at = 16
    while size - at >= 16:
        number, _, length = struct.unpack_from("<HH4xQ", heap, at)
        at += length if number == 0 else 16 + -(-length // 8) * 8
        if length < 16 * (number == 0) or at > size:
            raise OSError(errno.EIO, "a collection of texts is damaged")


def _reserve(descriptor: int, start: int, end: int) -> None:
    """Claim the blocks now, so that a full disk shows before anything has changed."""
    if end <= start or not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, start, end - start)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise


def _pwrite(descriptor: int, data, offset: int) -> None:
    view = memoryview(data)
    while len(view):
        if hasattr(os, "pwrite"):
            done = os.pwrite(descriptor, view, offset)
        else:
            os.lseek(descriptor, offset, os.SEEK_SET)
            done = os.write(descriptor, view)
        view, offset = view[done:], offset + done


def _pread(descriptor: int, view: memoryview, offset: int) -> int:
    """Fill ``view`` from the file; the number of bytes that were there."""
    done = 0
    while done < len(view):
        if hasattr(os, "preadv"):
            got = os.preadv(descriptor, [view[done:]], offset + done)
        else:
            os.lseek(descriptor, offset + done, os.SEEK_SET)
            part = os.read(descriptor, len(view) - done)
            got = len(part)
            view[done : done + got] = part
        if not got:
            break
        done += got
    return done


def _read(descriptor: int, count: int, offset: int) -> bytes:
    data = bytearray(count)
    return bytes(data[: _pread(descriptor, memoryview(data), offset)])
