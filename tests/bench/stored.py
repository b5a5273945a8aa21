"""A stored run of a million steps in the real window: opening it, dragging the slider over it, what the window holds.

20 series of 1e6 rows, 2,000 attention frames of 4 layers x 4 heads x 64 x 64 and 500 loss sections, shown in seven
views, the section as a surface where OpenGL works. Registry name ``tests.bench.stored:``.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent, QSettings
from PySide6.QtWidgets import QApplication

from gui.app import make_page
from gui.lab.run_page import RunPage
from gui.lab.transport import Transport
from gui.main_window import MainWindow
from gui.runs.local import LocalRuns
from gui.theme import LIGHT
from lab.config import Config
from lab.experiment import Arm, Experiment, Preset
from lab.stream import Source
from lab.verdict import Check, Verdict
from lab.views import Curves, FlowGraph, Landscape, Matrix
from storage.writer import RunWriter
from tests.bench.table import Result

STEPS, SERIES, FRAMES, SECTIONS, SIDE = 1_000_000, 20, 2_000, 500, 51
HEADS = (4, 4, 64, 64)  # layers, heads, tokens, tokens
DRAG, SWEEP = 8.0, 3.0  # seconds of dragging; in which it goes once over the run
NAMES = tuple(f"series{number}" for number in range(SERIES))
NOTE = """
The slowest view is the surface, drawn in software on this machine. While the slider moves the surface's edges are rough
and values of a file are read for the read-outs a few times a second; both are made good where it rests.
"""


class LargeConfig(Config):
    pass


class Large(Experiment):
    title = "A large stored run"
    theme = "Benches"
    claim = "None."
    paper = "None"
    Config = LargeConfig
    views = (
        *(Curves(NAMES[i : i + 5], title=f"Series {i} to {i + 4}", y_label="value") for i in range(0, SERIES, 5)),
        Matrix("attention", title="Attention", z_label="weight"),
        Landscape("section", x="across", y="up", trajectory="way", title="Landscape"),
        FlowGraph("attention", title="Information flow"),
    )
    presets = {"only": Preset({"steps": STEPS})}
    arms = {"only": Arm({}, "reproduced")}

    def setup(self) -> None: ...

    def step(self) -> Mapping[str, Any]:
        raise NotImplementedError("it is only looked at")

    @staticmethod
    def verdict(config: Any, run: Source) -> Verdict:
        return Verdict.of(Check("rows", 1.0, low=1))


def write(path: Path) -> None:
    """The file, about 0.9 GB; in a process of its own, so that the window's memory is the window's alone."""
    rng = np.random.default_rng(0)
    knobs = Large.configure("only").model_dump(mode="json")
    header = {"experiment": "tests.bench.stored:", "preset": "only", "title": Large.title, "seed": 0}
    step = np.arange(STEPS)
    with RunWriter.create(path, header, knobs, {}) as writer:
        for number, name in enumerate(NAMES):
            writer.append(name, step, np.exp(-step / (1e5 * (number + 1))) + 0.02 * rng.random(STEPS))
        frames = rng.random((20, *HEADS), np.float32) * np.tril(np.ones(HEADS[2:], np.float32))
        frames /= frames.sum(-1, keepdims=True)
        for first in range(0, FRAMES, 20):
            writer.append("attention", (first + np.arange(20)) * (STEPS // FRAMES), np.roll(frames, first, 0))
        line = np.linspace(-1, 1, SIDE)
        bowl = 0.02 + line[None] ** 2 + 6 * (line[:, None] - 0.3 * line[None] ** 2) ** 2
        grown = bowl * (1 + np.arange(SECTIONS)[:, None, None] / SECTIONS)
        writer.append("section", np.arange(SECTIONS) * (STEPS // SECTIONS), grown.astype(np.float32))
        for name in ("across", "up"):
            writer.append(name, [0], line[None])
        turn = np.linspace(0, 9, SECTIONS)
        way = np.stack([0.8 * np.cos(turn), 0.8 * np.sin(turn)], 1) * np.linspace(1, 0, SECTIONS)[:, None]
        writer.append("way", np.arange(SECTIONS) * (STEPS // SECTIONS), way)
        writer.close("finished")


def resident() -> float:
    """Megabytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def opened(window: MainWindow, path: Path) -> tuple[float, float, RunPage]:
    """Open the run and draw every view in sight: seconds on the wall, of the window's thread, and the page."""
    started, busy = time.perf_counter(), time.thread_time()
    window.open_path(str(path))
    page: RunPage = window.lab.tabs.currentWidget().page  # type: ignore[union-attr]  # the run's tab is the current one
    QApplication.processEvents()
    while any(view.stale for view in page.views if view.isVisible()):
        page.refresh()
        QApplication.processEvents()
    return time.perf_counter() - started, time.thread_time() - busy, page


def drag(window: MainWindow, page: RunPage) -> tuple[float, float]:
    """Drag the slider to and fro: drawings of the slowest view, a second on the wall and a second of processor time."""
    drawn = {id(view): 0 for view in page.views if view.isVisible()}
    for view in page.views:
        name = "_move_cursor" if isinstance(view.spec, Curves) else "_draw"
        view.__dict__[name] = _counted(getattr(view, name), drawn, id(view))
    slider = window.lab.transport.slider
    started, busy = time.perf_counter(), time.thread_time()
    while (passed := time.perf_counter() - started) < DRAG:
        place = passed / SWEEP % 2
        slider.select(int(STEPS * min(place, 2 - place)))
        QApplication.processEvents()
    return min(drawn.values()) / passed, min(drawn.values()) / (time.thread_time() - busy)


def _counted(function: Any, drawn: dict[int, int], key: int) -> Any:
    def counting() -> Any:
        drawn[key] = drawn.get(key, 0) + 1
        return function()

    return counting


def measure() -> Iterator[Result]:
    application = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.h5"
        subprocess.run([sys.executable, "-m", "tests.bench.stored", str(path)], check=True)
        settings = QSettings(str(Path(folder) / "window.ini"), QSettings.Format.IniFormat)
        window = MainWindow(LocalRuns(Path(folder) / "runs"), make_page, Transport(LIGHT), settings)
        window.resize(1600, 1000)
        window.show()
        window.set_experiments({"large": Large}, [])
        application.processEvents()
        first, first_busy = opened(window, path)[:2]  # its page must not live on here
        window.lab.close_tab()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        again, again_busy, page = opened(window, path)
        note = f"the first time, with plots to load, {first:.2f} s ({first_busy:.2f} s of processor time); "
        note += f"processor time {again_busy:.2f} s; {path.stat().st_size / 1e9:.1f} GB"
        yield Result("open a run of 1e6 steps, 20 series", f"{again:.2f} s", "≤ 1 s", again <= 1.0, note)
        (landscape,) = (view for view in page.views if isinstance(view.spec, Landscape))
        landscape.toggle.click()  # type: ignore[attr-defined]  # only views of landscapes have that spec
        application.processEvents()
        in_space = landscape.in_space  # type: ignore[attr-defined]  # as above
        frames, by_processor = drag(window, page)
        said = "a surface" if in_space else "contours: no OpenGL here"
        note = f"of the slowest of {len(page.views)} views; the landscape is {said}; "
        note += f"{by_processor:.0f} frames a second of processor time"
        yield Result("slider drag over it", f"{frames:.0f} frames/s", "≥ 20", frames >= 20, note)
        if Path("/proc/self/statm").exists():
            held = resident()
            yield Result("memory of the window meanwhile", f"{held:.0f} MB", "≤ 500 MB", held <= 500)
        window.close()
        application.processEvents()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
