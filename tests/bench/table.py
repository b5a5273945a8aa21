"""Rows of the bench table, and the page that keeps them: a section for each bench, with its date and machine."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


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


def machine() -> str:
    """Where and when, and how busy the machine was: other programs slow some rows and not others."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (model := re.search(r"model name\s*: (.+)", info.read_text())):
        cpu = model[1]
    load = f", load average {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    python = platform.python_version()
    return f"Measured {time.strftime('%Y-%m-%d')} on {cpu}, {os.cpu_count()} cores, Python {python}{load}."


def markdown(results: Iterable[Result]) -> str:
    lines = ["| what | measured | target | met | note |", "| --- | --- | --- | --- | --- |"]
    for r in results:
        cells = (r.what, r.measured, r.target, "yes" if r.met else "NO", r.note)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def put(page: str, title: str, text: str) -> str:
    """The page with the section called ``title`` holding ``text``; the other sections stay as they are."""
    section = f"## {title}\n\n{text}\n"
    parts = re.split(r"(?m)^(?=## )", page)
    for number, part in enumerate(parts):
        if part.startswith(f"## {title}\n"):
            parts[number] = section + ("\n" if number < len(parts) - 1 else "")
            return "".join(parts)
    return page.rstrip("\n") + "\n\n" + section
