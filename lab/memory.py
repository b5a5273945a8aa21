"""Whether what a run is about to build fits this machine: said before it is built, not by a killed process."""

from __future__ import annotations

import os

from lab.config import ConfigError


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
