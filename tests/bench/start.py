"""Start-up: from starting Python on main.py to the first painted window, and to one that can be used."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.table import Result

ROUNDS = 7
MAIN = Path(__file__).parent.parent.parent / "main.py"

_PROGRAM = """
import runpy, sys, time
import gui.app
from PySide6.QtCore import QTimer

class Watched(gui.app.MainWindow):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.appeared.connect(self.painted)

    def painted(self):
        print(time.time(), time.process_time(), flush=True)
        QTimer.singleShot(0, self, self.usable)  # the event loop's next turn, after everything was filled in

    def usable(self):
        assert self.lab.knobs.form is not None
        print(time.time(), flush=True)
        self.close()

gui.app.MainWindow = Watched
sys.argv = [sys.argv[1]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def starts() -> list[tuple[float, float, float]]:
    """Of fresh processes: seconds to the paint, of processor time until then, seconds until it can be used."""
    found = []
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"), home)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's Python keeps what it has compiled
        command = [sys.executable, "-c", _PROGRAM, str(MAIN)]
        for _ in range(ROUNDS + 1):
            started = time.time()
            done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=MAIN.parent, check=True)
            painted, processor, usable = map(float, done.stdout.split())
            found.append((painted - started, processor, usable - started))
    return found[1:]  # the first one fills the disk cache


def measure() -> Iterator[Result]:
    painted, processor, usable = zip(*starts(), strict=True)
    seconds, used = statistics.median(painted), statistics.median(usable)
    note = (
        f"median of {ROUNDS} fresh processes, {min(painted):.2f} to {max(painted):.2f} s; "
        f"{statistics.median(processor):.2f} s of processor time"
    )
    yield Result("window painted after start", f"{seconds:.2f} s", "≤ 1.0 s", seconds <= 1.0, note)
    note = f"{min(usable):.2f} to {max(usable):.2f} s; catalogue and knobs are there and the event loop turns"
    yield Result("window usable after start", f"{used:.2f} s", "soon after", used <= 2.0, note)
