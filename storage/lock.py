"""Does a writer still live? An advisory lock that the kernel drops with the process, however it dies.

Linux: an open-file-description lock on one byte far beyond any data. It meets neither HDF5's own lock nor closes of the
same file elsewhere in the process. Windows: the same byte through msvcrt. Other systems: flock. Where the file system
has no locks at all, a file that changed within the last half minute counts as being written.
"""

import os
import struct
import sys
import time

_BYTE = 1 << 62
_RECENT = 30.0  # seconds


def hold(descriptor: int) -> bool:
    """Mark the open file as being written. False when another writer holds it."""
    try:
        return _take(descriptor)
    except OSError:
        return True  # no locks on this file system


def held(descriptor: int) -> bool:
    """Whether a writer, of this process or another one, holds the file."""
    try:
        return _taken(descriptor)
    except OSError:
        return time.time() - os.fstat(descriptor).st_mtime < _RECENT


if sys.platform == "linux":
    import fcntl

    _FLOCK = struct.Struct("hhqqi4x")  # type, whence, start, length, pid

    def _take(descriptor: int) -> bool:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0))
        except BlockingIOError:
            return False
        return True

    def _taken(descriptor: int) -> bool:
        query = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0)
        return _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, query))[0] != fcntl.F_UNLCK

elif sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> bool:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _taken(descriptor: int) -> bool:
        if not _take(descriptor):
            return True
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        return False

else:
    import fcntl

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _taken(descriptor: int) -> bool:
        if not _take(descriptor):
            return True
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False
