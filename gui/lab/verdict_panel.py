"""The verdict: each number, its threshold, a tick or a cross, and the outcome; while a run goes on and afterwards."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from gui.icons import pixmap
from gui.named import named
from gui.runs.open_run import OpenRun
from gui.runs.runs import ACTIVE
from gui.theme import Theme

if TYPE_CHECKING:
    from lab.verdict import Check, Verdict

WORDS = {"reproduced": "good", "not reproduced": "bad", "not comparable": "warn"}


def shown(value: float) -> str:
    """Three significant digits; what is not finite is said in words."""
    if math.isnan(value):
        return "no number"
    return f"{value:.3g}" if math.isfinite(value) else ("+∞" if value > 0 else "−∞")


class VerdictPanel(QScrollArea):
    """Shows verdicts as the page of the run on screen reaches them.

    Args:
        nothing: What it says before there is anything to judge.
    """

    def __init__(self, theme: Theme, nothing: str = "The verdict on a run appears here.") -> None:
        super().__init__(widgetResizable=True)
        self.setObjectName("panel_scroll")
        self.setAccessibleName("Verdict")
        self._theme, self._nothing, self.verdict = theme, nothing, None
        self._run: OpenRun | None = None
        self._so_far = False
        self.show_verdict(None)

    def set_run(self, run: OpenRun | None, verdict: Verdict | None) -> None:
        self._run = run
        self.show_verdict(verdict)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.show_verdict(self.verdict, so_far=self._so_far)

    def show_verdict(self, verdict: Verdict | None, *, so_far: bool = False) -> None:
        """``so_far``: more is to come, as it also is while a run goes on."""
        self.verdict: Verdict | None = verdict
        self._so_far = so_far
        at = self.verticalScrollBar().value()
        body = named(QWidget(), "panel_body")
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
        self.verticalScrollBar().setValue(at)

    def _head(self, verdict: Verdict | None) -> list[QLabel]:
        if verdict is None:
            text = "Too little is recorded to judge." if self._run else self._nothing
            return [named(QLabel(text), "muted")]
        passed = sum(check.passed for check in verdict.checks)
        if self._going_on:
            head = QLabel(f"So far {passed} of {len(verdict.checks)} checks pass" if verdict.checks else "Going on")
            head.setStyleSheet("font-weight: 600; font-size: 15px;")
            why = verdict.reason or "The verdict comes with the end of the run."
            return [head, named(QLabel(why), "muted")]
        colour = getattr(self._theme, WORDS[verdict.outcome])
        outcome = verdict.outcome[0].upper() + verdict.outcome[1:]
        count = f" <span style='color:{self._theme.muted}'>{passed} of {len(verdict.checks)}</span>"
        count = count if verdict.checks else ""
        head = QLabel(f"<span style='color:{colour};font-weight:600;font-size:15px'>{outcome}</span>{count}")
        lines = [head]
        if verdict.reason:
            lines.append(named(QLabel(verdict.reason), "muted"))
        return lines

    @property
    def _going_on(self) -> bool:
        return self._so_far or (self._run is not None and self._run.state in ACTIVE)

    def _table(self, verdict: Verdict) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        for row, check in enumerate(verdict.checks):
            self._row(grid, 2 * row, check)
        return grid

    def _row(self, grid: QGridLayout, row: int, check: Check) -> None:
        failed = ("ring", "muted", "not yet passed") if self._going_on else ("cross", "bad", "not passed")
        word, colour, said = ("check", "good", "passed") if check.passed else failed
        mark = QLabel()
        mark.setAccessibleName(said)
        mark.setPixmap(pixmap(word, getattr(self._theme, colour), 16, self.devicePixelRatioF()))
        name = QLabel(check.name, wordWrap=True)
        value = QLabel(shown(check.value))
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        value.setToolTip(f"{check.value!r}\nwanted {check.threshold}")
        note = "; ".join(filter(None, (f"wanted {check.threshold}", check.note)))
        grid.addWidget(mark, row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(name, row, 1)
        grid.addWidget(value, row, 2, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        grid.addWidget(named(QLabel(note, wordWrap=True), "muted"), row + 1, 1, 1, 2)
