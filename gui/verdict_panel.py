"""The verdict: each number, its threshold, a tick or a cross, and the outcome; while a run goes on and afterwards."""

import math
import time

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from gui.icons import pixmap
from gui.open_run import OpenRun
from gui.theme import Theme
from lab.verdict import Check, Verdict

PERIOD = 500  # ms between judgements of a live run, longer where judging takes more than a hundredth of it
WORDS = {"reproduced": "good", "not reproduced": "bad", "not comparable": "warn"}


def shown(value: float) -> str:
    """Three significant digits; what is not finite is said in words."""
    if math.isnan(value):
        return "NaN (no number)"
    return f"{value:.3g}" if math.isfinite(value) else ("+∞" if value > 0 else "−∞")


class VerdictPanel(QScrollArea):
    """Judges the open run on a clock while it is live and the panel is seen, and once for a stored run."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(objectName="panel_scroll", widgetResizable=True)
        self.setAccessibleName("Verdict")
        self._theme, self._run, self.verdict = theme, None, None
        self._timer = QTimer(self, interval=PERIOD)
        self._timer.timeout.connect(self._tick)
        self._show(None)

    def set_run(self, run: OpenRun | None) -> None:
        if self._run is not None:
            self._run.state_changed.disconnect(self._judge)
        self._run: OpenRun | None = run
        if run is not None:
            run.state_changed.connect(self._judge)
            self._timer.start()
        else:
            self._timer.stop()
        self._judge()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._show(self.verdict)

    def _tick(self) -> None:
        if self._run is None or not self._run.live:
            self._timer.stop()
        if self.isVisible():
            self._judge()

    def _judge(self) -> None:
        start = time.perf_counter()
        self._show(self._run.verdict() if self._run else None)
        self._timer.setInterval(max(PERIOD, round(1e5 * (time.perf_counter() - start))))

    def _show(self, verdict: Verdict | None) -> None:
        if verdict is not None and verdict == self.verdict and self.widget().property("theme") == self._theme.name:
            return
        self.verdict = verdict
        body = QWidget(objectName="panel_body")
        body.setProperty("theme", self._theme.name)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(16, 12, 12, 12)
        layout.setSpacing(8)
        for line in self._head(verdict):
            line.setWordWrap(True)
            layout.addWidget(line)
        if verdict is not None:
            layout.addLayout(self._table(verdict))
        layout.addStretch(1)
        self.setWidget(body)

    def _head(self, verdict: Verdict | None) -> list[QLabel]:
        if verdict is None:
            text = "Too little is recorded to judge." if self._run else "The verdict on a run appears here."
            return [QLabel(text, objectName="muted")]
        passed = sum(check.passed for check in verdict.checks)
        colour = getattr(self._theme, WORDS[verdict.outcome])
        outcome = verdict.outcome[0].upper() + verdict.outcome[1:]
        count = f" <span style='color:{self._theme.muted}'>{passed} of {len(verdict.checks)}</span>"
        head = QLabel(f"<span style='color:{colour};font-weight:600;font-size:15px'>{outcome}</span>{count}")
        lines = [head]
        if verdict.reason:
            lines.append(QLabel(verdict.reason, objectName="muted"))
        if self._run is not None and self._run.live:
            lines.append(QLabel("So far: the run still goes on.", objectName="muted"))
        return lines

    def _table(self, verdict: Verdict) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        for row, check in enumerate(verdict.checks):
            self._row(grid, 2 * row, check)
        return grid

    def _row(self, grid: QGridLayout, row: int, check: Check) -> None:
        word, colour = ("check", "good") if check.passed else ("cross", "bad")
        mark = QLabel(accessibleName="passed" if check.passed else "not passed")
        mark.setPixmap(pixmap(word, getattr(self._theme, colour), 16, self.devicePixelRatioF()))
        name = QLabel(check.name, wordWrap=True)
        value = QLabel(shown(check.value))
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        value.setToolTip(f"{check.value!r}\nwanted {check.threshold}")
        note = " ".join(filter(None, (f"wanted {check.threshold}.", check.note)))
        grid.addWidget(mark, row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(name, row, 1)
        grid.addWidget(value, row, 2, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        grid.addWidget(QLabel(note, objectName="muted", wordWrap=True), row + 1, 1, 1, 2)
