"""Memory of a process that trains: whether what a run is about to build fits, and keeping what was freed."""

from __future__ import annotations

import contextlib
import ctypes
import os

from lab.config import ConfigError

TRIM, LARGE = -1, -3  # glibc's names of the two settings: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD


def keep_freed_memory() -> None:
    """Let this process use freed memory again instead of giving it back; for processes that a run has to itself.

    A run frees megabytes several times a second (rows that were sent or written, tensors of a step). The system hands
    them out anew page by page, which takes several times what filling them does. Nothing happens where there is no
    glibc.
    """
    with contextlib.suppress(OSError, TypeError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(LARGE, 1 << 25)
        libc.mallopt(TRIM, 1 << 28)


def require_memory(size: float, what: str, *, present: float | None = None) -> None:
    """Refuse tables larger than the machine's memory.

    Args:
        size: Bytes.
        what: What takes them and which knobs shrink it, for the message.
        present: Bytes that there are; by default what the system says, and nothing is refused where it does not say.

    Raises:
        ConfigError: They do not fit.
    """
    if present is None:
        try:
            present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, ValueError):  # Windows has no sysconf
            return
    if size > present:
        raise ConfigError({"": f"{what}: {size / 1e9:.0f} GB are needed, this machine has {present / 1e9:.0f} GB"})
