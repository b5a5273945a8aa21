"""How soon 100 runs of 100,000 rows each are overlaid, and how soon each zoom is drawn.

Processor time of the window's thread, rows in memory: reading the files is the disk's, and happens beside the window.
"""

from __future__ import annotations

import os
import statistics
import time

import numpy as np

from tests.bench.table import Result

RUNS, ROWS, ZOOMS = 100, 100_000, 25


def measure() -> list[Result]:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    from gui.compare.axis import SharedAxis
    from gui.compare.colours import hues
    from gui.compare.compared import Groups
    from gui.compare.lines import Contents, Drawn
    from gui.compare.overlay import Overlay
    from gui.compare.stroke import Stroke
    from gui.theme import LIGHT
    from lab.compare import Along
    from lab.differing import places
    from lab.views import Curves

    generator = np.random.default_rng(0)
    x = np.arange(ROWS, dtype=float)
    rows = [np.exp(-x / 30_000) * (1 + 0.2 * generator.standard_normal(ROWS) ** 2) + 1e-3 for _ in range(RUNS)]
    rows[37][54_321] = 50.0
    axis = SharedAxis()
    overlay = Overlay(Curves(("train_loss",), title="Loss", y_log=True), LIGHT, axis, Along())
    overlay.resize(800, 400)
    overlay.show()
    app.processEvents()
    start = time.process_time()
    lines = [Drawn(number, "train_loss", "L", Stroke(x, y)) for number, y in enumerate(rows)]
    colours = hues(places(np.linspace(0.01, 0.1, RUNS).tolist()), LIGHT)
    groups = Groups(colours, [str(n) for n in range(RUNS)], set(range(RUNS)), [None])
    overlay.show_contents(Contents(lines, {}), groups)
    overlay.grab()
    overlaid = time.process_time() - start
    kept = overlay.box.viewRange()[1][1] > np.log10(50.0)
    zooms = []
    for number in range(ZOOMS):
        width = ROWS * 0.8 ** (number + 1)
        start = time.process_time()
        axis.hold(50_000 - width / 2, 50_000 + width / 2)
        overlay.draw()
        overlay.canvas.viewport().grab()
        zooms.append(time.process_time() - start)
    overlay.close()
    app.processEvents()
    median, worst = statistics.median(zooms), max(zooms)
    return [
        Result(
            "100 runs x 1e5 rows overlaid",
            f"{overlaid:.2f} s",
            "<= 1 s",
            overlaid <= 1.0 and bool(kept),
            "one-row spike kept",
        ),
        Result(
            "every zoom of them", f"{1000 * worst:.0f} ms", "<= 33 ms", worst <= 0.033, f"median {1000 * median:.0f} ms"
        ),
    ]
