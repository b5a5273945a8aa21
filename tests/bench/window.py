"""Training beside the real window with four live views, against the bare loop of the same maths.

Bare loop and live run take turns, so that a busy machine is busy for both, and the run itself reads its speed. The wall
clock also counts what other programs took; processor time per step does not, but misses what the window takes from a
run on the same core: both are said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop, QSettings, Qt, QTimer
from PySide6.QtWidgets import QApplication

from gui.app import make_page
from gui.local_runs import LocalRuns
from gui.main_window import MainWindow
from gui.run_thread import HostKind, LiveRun
from gui.runs import ACTIVE
from gui.theme import LIGHT
from gui.transport import Transport
from lab.children import Spare
from lab.request import Request
from tests.bench.plain import CLOCK_EVERY, WARM_UP, Plain
from tests.bench.table import Result

STEPS = 3000
ROUNDS, SECONDS = 7, 240.0  # rounds that are measured, as many as begin within these seconds
HOSTS: tuple[HostKind, ...] = ("process", "thread")


@dataclass
class Live:
    """One live run.

    Attributes:
        step: Seconds a step (2,): on the wall, and of processor time of the thread that trains.
        point: Seconds from Run to the first drawn point.
        gaps: Milliseconds between turns of the event loop, after the first point.
        busy: Milliseconds of processor time that the window's thread spent between them.
        window: Share of one core that the window's thread took.
    """

    step: np.ndarray
    point: float
    gaps: np.ndarray
    busy: np.ndarray
    window: float


@dataclass
class Pairs:
    """Speed relative to the bare loop that ran just before: on the wall, by processor time."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    runs: list[Live] = field(default_factory=list)

    def add(self, bare: np.ndarray, live: Live) -> None:
        wall, processor = bare / live.step
        self.wall.append(float(wall))
        self.processor.append(float(processor))
        self.runs.append(live)

    def result(self, host: str, target: str, low: float) -> Result:
        wall, processor = float(np.median(self.wall)), float(np.median(self.processor))
        window = np.median([run.window for run in self.runs])
        note = (
            f"{min(self.wall):.2f} to {max(self.wall):.2f} in {len(self.wall)} pairs; by processor time "
            f"{processor:.2f}; the window takes {window:.0%} of a core"
        )
        return Result(f"training beside 4 live views, host {host}", f"{wall:.2f}", target, wall >= low, note)


def bare_step() -> np.ndarray:
    """Clocks (2,) of one step of the bare loop, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.plain", str(STEPS)]
    return np.array(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)) / STEPS


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    """Let the event loop turn until the condition holds. TimeoutError when it does not."""
    loop, until = QEventLoop(), time.monotonic() + seconds
    look = QTimer(interval=5)
    look.timeout.connect(lambda: loop.quit() if condition() or time.monotonic() > until else None)
    look.start()
    loop.exec()
    if not condition():
        raise TimeoutError(f"nothing came within {seconds:.0f} s")


def live(window: MainWindow, spare: Spare, host: HostKind, path: Path) -> Live:
    """One run from the click to its end, on screen all the while."""
    if host == "process":
        spare.peek().devices()  # answers once it is warm
    request = Request(experiment="tests.bench.plain:", config={"steps": STEPS + WARM_UP}, out=str(path))
    turns: list[tuple[float, float]] = []
    ticker = QTimer(interval=2, timerType=Qt.TimerType.PreciseTimer)
    ticker.timeout.connect(lambda: turns.append((time.perf_counter(), time.thread_time())))
    started = time.perf_counter()
    run = LiveRun(request, spare, host)
    window.lab.add_run(run)
    run.start()
    view = window.lab.tabs.currentWidget().page.views[0]  # type: ignore[union-attr]  # the run's tab is the current one
    wait_for(lambda: view.values_at(None) or run.state not in ACTIVE, 120)
    point = time.perf_counter() - started
    ticker.start()
    wait_for(lambda: run.state not in ACTIVE, 120)
    ticker.stop()
    if run.state != "finished":
        raise RuntimeError(f"the run ended {run.state}: {run.problem}")
    step, clock = run.source.series("clock")
    kept = clock[step >= max(WARM_UP, CLOCK_EVERY)]
    window.lab.close_tab()
    wall, busy = np.array(turns).T
    inside = (wall >= kept[0, 0]) & (wall <= kept[-1, 0])  # not the verdict and the closing of the file
    gaps = np.diff(wall[inside]) * 1000
    share = np.ptp(busy[inside]) / np.ptp(wall[inside])
    a_step = (kept[-1] - kept[0]) / (CLOCK_EVERY * (len(kept) - 1))
    return Live(a_step, point, gaps, np.diff(busy[inside]) * 1000, share)


def rounds() -> dict[HostKind, Pairs]:
    """Bare loop, process, bare loop, thread, and again."""
    application = QApplication.instance() or QApplication([])
    found: dict[HostKind, Pairs] = {host: Pairs() for host in HOSTS}
    with tempfile.TemporaryDirectory() as folder:
        settings = QSettings(str(Path(folder) / "window.ini"), QSettings.Format.IniFormat)
        window = MainWindow(LocalRuns(Path(folder)), make_page, Transport(LIGHT), settings)
        window.set_experiments({"plain": Plain}, [])
        window.show()
        spare, until = Spare(), time.monotonic() + SECONDS
        for number in range(ROUNDS):
            if time.monotonic() > until and number:
                break
            for host, pairs in found.items():
                pairs.add(bare_step(), live(window, spare, host, Path(folder) / f"{host}{number}.h5"))
        spare.close()
        window.close()
        application.processEvents()
    return found


def measure() -> Iterator[Result]:
    found = rounds()
    best = max(HOSTS, key=lambda host: np.median(found[host].wall))
    yield found["process"].result("process", "≥ 0.95", 0.95)
    yield found["thread"].result("thread", f"the better is the default: {best}", 0.0)
    runs = found["process"].runs
    gaps, busy = (np.concatenate([getattr(run, name) for run in runs]) for name in ("gaps", "busy"))
    note = "processor time of the window's thread between two turns: p99 {:.0f} ms, worst {:.0f} ms"
    note = note.format(np.percentile(busy, 99), busy.max())
    p99, worst = float(np.percentile(gaps, 99)), float(gaps.max())
    yield Result("event-loop gap while a run is live, p99", f"{p99:.0f} ms", "≤ 33 ms", p99 <= 33, note)
    yield Result("event-loop gap while a run is live, worst", f"{worst:.0f} ms", "≤ 100 ms", worst <= 100)
    points = [run.point for run in runs]
    note = f"max {max(points):.2f} s of {len(points)}"
    point = float(np.median(points))
    yield Result("first live point after Run, warm child", f"{point:.2f} s", "≤ 1.0 s", point <= 1.0, note)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for result in measure():
        print(result)
