"""Runs that are started, stopped and closed leave no thread, process, timer or memory behind."""

import gc
import multiprocessing
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QSettings, QThread, QTimer

from gui.app import make_page
from gui.lab.transport import Transport
from gui.main_window import MainWindow
from gui.runs.local import LocalRuns
from gui.runs.open_run import OpenRun
from gui.runs.runs import ACTIVE
from gui.runs.thread import HostKind, LiveRun
from gui.theme import LIGHT
from lab.request import Request
from tests.fakes import Tiny

NAME = "tests.fakes:"
WARM_UP = 4  # runs after which every module, font and pool of the allocator is there
MOST_MB = 50.0
PATIENCE_MS = 300_000  # a new child imports torch, which takes a minute on a machine that others keep busy
LINUX = Path("/proc/self/statm").exists()


class OnHost(LocalRuns):
    """Runs on the host that the test says."""

    host: HostKind = "process"

    def _start(self, request: Request) -> OpenRun:
        run = LiveRun(request, self._spare, self.host)
        run.state_changed.connect(self._after)
        run.start()
        return run


@dataclass(frozen=True)
class Held:
    """What the process holds."""

    threads: int
    children: int
    qt: int

    @classmethod
    def now(cls) -> "Held":
        QCoreApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        qt = sum(issubclass(type(o), (QTimer, QThread, OpenRun, LiveRun)) for o in gc.get_objects())
        return cls(threading.active_count(), len(multiprocessing.active_children()), qt)

    def beyond(self, before: "Held") -> dict[str, tuple[int, int]]:
        """What is more than it was: before and now."""
        pairs = {name: (was, getattr(self, name)) for name, was in vars(before).items()}
        return {name: pair for name, pair in pairs.items() if pair[1] > pair[0]}


def megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if LINUX else 0
    return pages * 4096 / 1e6


@pytest.fixture
def lab(qtbot, tmp_path, monkeypatch) -> Callable[[HostKind], Any]:
    monkeypatch.setattr(Tiny, "name", NAME)
    monkeypatch.setenv("TDLAB_RUNS", str(tmp_path))  # not where the user's own runs are

    def make(host: HostKind) -> Any:
        runs = OnHost(tmp_path)
        runs.host = host
        settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
        window = MainWindow(runs, make_page, Transport(LIGHT), settings, lambda *_: True)
        qtbot.addWidget(window)
        window.show()
        window.set_experiments({NAME: Tiny}, ())
        return window

    return make


def start_and_stop(window: Any, qtbot) -> None:
    """One run from the click to the closed tab."""
    window.lab.show_welcome()
    window.lab.choose(NAME)
    window.lab.knobs.form.set_values({"steps": 10**6, "pause": 0.002})
    window.lab.start()
    run = window.lab.current()
    qtbot.waitUntil(lambda: run.step > 0 or run.state not in ACTIVE, timeout=PATIENCE_MS)
    window.stop()
    qtbot.waitUntil(lambda: run.state not in ACTIVE, timeout=PATIENCE_MS)
    assert run.state == "stopped", run.problem
    window.lab.close_tab()
    Path(run.path).unlink()


def nothing_is_left_of(count: int, window: Any, qtbot, warm_up: int = WARM_UP) -> None:
    for _ in range(warm_up):
        start_and_stop(window, qtbot)
    spare = 1 if window.runs.host == "process" else 0
    qtbot.waitUntil(lambda: len(multiprocessing.active_children()) >= spare, timeout=20_000)
    window.lab.recent.background.wait()
    before, memory = Held.now(), megabytes()
    for _ in range(count):
        start_and_stop(window, qtbot)

    def nothing_grew() -> None:
        assert Held.now().beyond(before) == {}

    qtbot.waitUntil(nothing_grew, timeout=20_000)
    grown = megabytes() - memory
    print(f"{count} runs: {before}, {grown:+.1f} MB from {memory:.0f} MB")
    assert grown <= MOST_MB


def test_ten_runs_in_the_windows_own_process_leave_nothing_behind(lab, qtbot) -> None:
    nothing_is_left_of(10, lab("thread"), qtbot)


def test_two_runs_in_child_processes_leave_nothing_behind(lab, qtbot) -> None:
    nothing_is_left_of(2, lab("process"), qtbot, warm_up=1)


@pytest.mark.torture
def test_two_hundred_runs_leave_nothing_behind(lab, qtbot) -> None:
    nothing_is_left_of(200, lab("process"), qtbot)
