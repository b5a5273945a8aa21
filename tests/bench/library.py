"""How soon 10,000 runs are listed, filtered and sorted, and how soon their index is made from the files.

The files are real but few: 100 are written and read. The rows of 10,000 runs are those rows under other names, so what
the window does at its start is done in full, and the reading of files is measured per file.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from storage.filter import compiled
from storage.index import RunIndex
from storage.writer import RunWriter
from tests.bench.table import Result

FILES, RUNS = 100, 10_000


def measure() -> list[Result]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "runs")
        index = RunIndex(folder / "index.sqlite")
        start = time.process_time()
        index.update([folder / "runs"])
        per_file = (time.process_time() - start) / FILES
        _multiply(index, folder / "runs")
        index.close()
        opened = statistics.median(_seconds(lambda: _opened(folder)) for _ in range(5))
        entries = _opened(folder)
        wanted = compiled('lr > 0.01 and verdict == "reproduced"', {"lr", "verdict"}, ())
        filtered = statistics.median(_seconds(lambda: [run for run in entries if wanted(run.fact)]) for _ in range(5))
    return [
        Result("library of 10,000 runs opens", f"{opened:.2f} s", "<= 0.5 s", opened <= 0.5, "rows of real files"),
        Result("an expression filters them", f"{1000 * filtered:.0f} ms", "<= 50 ms", filtered <= 0.05, ""),
        Result("a new file is indexed", f"{1000 * per_file:.1f} ms", "in the background", True, "12 series, 600 kB"),
    ]


def _write(folder: Path) -> None:
    generator = np.random.default_rng(0)
    knobs = {f"knob_{i}": float(i) for i in range(20)}
    for number in range(FILES):
        config = {"lr": float(10 ** generator.uniform(-3, -1)), "seed": number, "steps": 2000, **knobs}
        header = {"experiment": "made-up", "title": "Made up", "preset": "demo", "seed": number}
        writer = RunWriter.create(folder / f"{number:05}.h5", header, config, {"python": "3.11"})
        for series in range(12):
            writer.append(f"series_{series}", np.arange(2000), generator.random(2000))
        writer.set_verdict({"outcome": "reproduced" if number % 3 else "not reproduced"})
        writer.close("finished")


def _multiply(index: RunIndex, folder: Path) -> None:
    entries = index.entries([folder])
    more = (replace(entries[i % FILES], path=folder / f"copy-{i:05}.h5") for i in range(RUNS - FILES))
    index._put(more)


def _opened(folder: Path) -> list:
    index = RunIndex(folder / "index.sqlite")
    try:
        return index.entries([folder / "runs"])
    finally:
        index.close()


def _seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
