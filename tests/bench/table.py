"""Rows of the bench table: what was measured, against which target."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One measured number beside its target.

    Attributes:
        what: What was measured.
        measured: The number with its unit.
        target: The target in words.
        met: Whether it is reached.
        note: What else one must know: spread, accuracy.
    """

    what: str
    measured: str
    target: str
    met: bool
    note: str = ""


def markdown(results: Iterable[Result]) -> str:
    """The table as it stands in docs/benchmarks.md."""
    where = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [f"Measured {time.strftime('%Y-%m-%d')} on {where}.", ""]
    lines += ["| what | measured | target | met | note |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {r.what} | {r.measured} | {r.target} | {'yes' if r.met else 'NO'} | {r.note} |" for r in results]
    return "\n".join(lines)
