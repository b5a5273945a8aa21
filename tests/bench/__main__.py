"""``make bench``: every target, measured beside what it is compared with; writes docs/benchmarks.md.

``python -m tests.bench window`` measures one section alone; the others keep their rows, with their date and machine.
Each section runs in a process of its own, with a time limit: one that does not end says so in the table.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.table import Result, machine, markdown, put

PAGE = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Section:
    """A module of this folder whose ``measure()`` gives results, its title on the page, and its limit in seconds."""

    title: str
    limit: float


SECTIONS = {
    "start": Section("Start-up", 180),
    "window": Section("Training beside the window", 900),
    "mixed": Section("Training beside six kinds of views", 600),
    "stored": Section("A large stored run", 600),
    "recording": Section("Recording", 180),
    "drawing": Section("Drawing", 300),
    "curvature": Section("Curvature against other libraries", 1800),
    "landscape": Section("Loss landscapes against other libraries", 900),
    "experiments": Section("Experiments", 1800),
    "many": Section("Many networks at once", 1800),
    "graphs": Section("One small network on a GPU", 600),
    "library": Section("Library of runs", 900),
    "overlay": Section("Comparison", 300),
}


def measured(name: str) -> tuple[list[Result], str]:
    """The results of one section, as far as it came within its limit, and what its module's ``NOTE`` says of them."""
    limit = SECTIONS[name].limit
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results"
        path.touch()
        command = [sys.executable, "-m", "tests.bench", name, "--into", str(path)]
        try:
            code = subprocess.run(command, timeout=limit, env=_environment()).returncode
            problem = f"ended with code {code}" if code else ""
        except subprocess.TimeoutExpired:
            problem = f"did not end within {limit:.0f} s"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    results = [Result(**line) for line in lines if "what" in line]
    if problem:
        results.append(Result(f"the rest of {name}" if results else name, problem, "", False))
    return results, next((line["note"] for line in lines if "what" not in line), "")


def _environment() -> dict[str, str]:
    """One thread for the arithmetic, and no screen needed."""
    screen = {} if os.environ.get("DISPLAY") or sys.platform != "linux" else {"QT_QPA_PLATFORM": "offscreen"}
    return screen | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"} | os.environ


def _measure_into(name: str, path: Path) -> None:
    section = importlib.import_module(f"tests.bench.{name}")
    with path.open("a", encoding="utf-8") as file:
        print(json.dumps({"note": getattr(section, "NOTE", "").strip()}), file=file, flush=True)
        for result in section.measure():
            print(json.dumps(asdict(result)), file=file, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"some of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--print", action="store_true", help="do not write the page")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)  # the section's own process
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}; known are {', '.join(SECTIONS)}")
    if options.into:
        _measure_into(options.sections[0], options.into)
        return
    for name in options.sections or SECTIONS:
        where = machine()
        results, note = measured(name)
        table = "\n\n".join(filter(None, (where, markdown(results), note) if results else (note,)))
        print(f"{SECTIONS[name].title}\n\n{table}\n", flush=True)
        if not options.print:
            PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), SECTIONS[name].title, table), encoding="utf-8")


if __name__ == "__main__":
    main()
