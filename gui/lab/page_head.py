"""The head of a run's page: which run it is, how its verdict stands, and the menu of its panels."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from gui.icons import put, recolour
from gui.panel import Title
from gui.runs.open_run import OpenRun
from gui.style import font
from gui.theme import Theme
from gui.views.base import readable
from gui.views.text import whole
from lab.verdict import Verdict


def heading(run: OpenRun, *, narrow: bool) -> str:
    """Title, preset, arm and seed in one line; beside other runs, what tells them apart comes first."""
    header = run.header
    title = header.get("title") or (run.experiment.title if run.experiment else header.get("experiment", ""))
    seed = header.get("seed", getattr(run.config, "seed", None))
    parts = [title, header.get("preset"), header.get("arm"), None if seed is None else f"seed {seed}"]
    if header.get("parent_run"):
        parts.append(f"branch at {whole(int(header['parent_step']))}")
    if narrow:
        parts = [*parts[2:], *parts[:2]]
    return " \N{EN DASH} ".join(str(part) for part in parts if part)


class PageHead(QWidget):
    """One row over the panels.

    Args:
        menu: Of the panels.
        beside: Whether the page stands beside another one and can be taken away again.
    """

    close_requested = Signal()

    def __init__(self, menu: QMenu, theme: Theme, parent: QWidget, *, beside: bool) -> None:
        super().__init__(parent)
        self.title = Title("", sizes=(15, 13, 12))
        self.outcome = QLabel(self)
        self.outcome.setFont(font(13, bold=True))
        panels = self._button("panels", "Panels", theme)
        panels.setToolTip("Panels: show, hide, reset the layout")
        panels.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        panels.setMenu(menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 8, 6)
        layout.setSpacing(12)
        layout.addWidget(self.title)
        layout.addStretch(1)
        layout.addWidget(self.outcome)
        layout.addWidget(panels)
        if beside:
            close = self._button("close", "Take this run away again", theme)
            close.setToolTip(close.accessibleName())
            close.clicked.connect(self.close_requested)
            layout.addWidget(close)

    def _button(self, icon: str, name: str, theme: Theme) -> QToolButton:
        button = QToolButton(self)
        button.setAccessibleName(name)
        button.setIconSize(QSize(16, 16))
        put(button, icon, theme, "muted")
        return button

    def show_outcome(self, verdict: Verdict | None, theme: Theme, *, going_on: bool, narrow: bool) -> None:
        """Say what the verdict is; beside other runs in short, as their titles need the room."""
        if verdict is None or (going_on and not verdict.checks):  # too early to say anything
            self.outcome.setText("")
            return
        passed = sum(check.passed for check in verdict.checks)
        count = f"{passed}/{len(verdict.checks)}" if verdict.checks else ""
        said = f"{'so far' if going_on else verdict.outcome} {count}".strip()
        self.outcome.setText(count if narrow and count else said)
        told = verdict.reason or "\n".join(f"{c.name}: {c.threshold}" for c in verdict.checks)
        self.outcome.setToolTip("\n".join(dict.fromkeys([said, told])))
        self.outcome.setAccessibleName(said)
        colours = {"reproduced": theme.good, "not reproduced": theme.bad, "not comparable": theme.muted}
        colour = theme.muted if going_on else readable(colours[verdict.outcome], theme)
        self.outcome.setStyleSheet(f"color: {colour};")

    def set_theme(self, theme: Theme) -> None:
        recolour(self, theme)
        self.title.setStyleSheet(f"color: {theme.text};")
