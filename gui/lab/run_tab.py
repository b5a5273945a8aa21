"""One open run in the centre: a chip that says its state, a notice when it does not go on, and its views."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.dialogs import ask_to_save
from gui.icons import pixmap
from gui.lab.lockstep import Lockstep
from gui.named import named
from gui.pulse import Pulse
from gui.runs.open_run import OpenRun
from gui.runs.runs import STATE_COLOUR, title_of
from gui.theme import Theme
from gui.views.text import whole

if TYPE_CHECKING:
    from lab.verdict import Verdict


class Page(Protocol):
    """What shows the views of a run: a widget that also judges it while it is in sight."""

    verdict: Verdict | None
    verdict_changed: Any  # Signal(Verdict or None)

    def set_theme(self, theme: Theme) -> None: ...

    def set_step(self, step: int | None) -> None: ...

    def save_layout(self) -> dict[str, Any]: ...

    def restore_layout(self, layout: dict[str, Any]) -> None: ...

    def reset_layout(self) -> None: ...


MakePage = Callable[..., Any]  # (run, theme), and beside=page for lockstep; gives a Page that is a QWidget


class StateChip(QWidget):
    """The state of the run on screen, in a word and a dot."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._run: OpenRun | None = None
        self.pulse, self.word = Pulse(), named(QLabel(), "muted")
        self._timer = QTimer(self, interval=500)
        self._timer.timeout.connect(self._say)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 16, 12)  # in line with the names on the tabs
        layout.setSpacing(6)
        layout.addWidget(self.pulse)
        layout.addWidget(self.word)

    def set_run(self, run: OpenRun | None) -> None:
        self._run = run
        self.show_state()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.show_state()

    def show_state(self) -> None:
        state = self._run.state if self._run else ""
        self.setVisible(bool(state))
        self._say()
        self._timer.start() if self._run is not None and self._run.live else self._timer.stop()
        colour = getattr(self._theme, STATE_COLOUR.get(state, "muted"))
        self.pulse.beat(colour, on=state in ("running", "preparing"))

    def _say(self) -> None:
        state, waits_for = (self._run.state, self._run.waits_for) if self._run else ("", "")
        self.word.setText(waits_for.lower() or ("preparing …" if state == "preparing" else state))


class RunTab(QWidget):
    """Notice and views of one run. The notice says why a run does not go on, what is safe, and what can be done."""

    resume_requested = Signal()
    branch_requested = Signal(object, str, dict)  # run, the action that the branch begins with, its arguments

    def __init__(self, run: OpenRun, make_page: MakePage, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.run, self._theme = run, theme
        self.title = title_of(run)
        self.notice = self._notice()
        self._make_page = make_page
        self.page: Any = make_page(run, theme)
        self.lockstep = Lockstep(self.page)
        self._listen(self.page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.notice)
        layout.addWidget(self.lockstep, 1)
        run.state_changed.connect(self._show_state)
        self._show_state()

    def _notice(self) -> QFrame:
        notice = named(QFrame(), "notice")
        self.reason = QLabel(wordWrap=True)
        self.reason.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._mark = QLabel()
        self.retry = QPushButton("Try again")
        self.retry.clicked.connect(self.run.go)
        self.elsewhere = QPushButton("Save elsewhere …")
        self.elsewhere.clicked.connect(self._ask_where)
        self.resume = QPushButton("Resume")
        self.resume.setToolTip("Go on in the same file, from the last checkpoint")
        self.resume.clicked.connect(self.resume_requested)
        bar = QHBoxLayout(notice)
        bar.setContentsMargins(16, 8, 16, 8)
        bar.setSpacing(8)
        bar.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        bar.addWidget(self.reason, 1)
        for button in (self.retry, self.elsewhere, self.resume):
            bar.addWidget(button)
        return notice

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._show_state()
        for page in self.lockstep.pages:
            page.set_theme(theme)

    def show_beside(self, run: OpenRun) -> None:
        """Set another run beside this one: one slider moves both."""
        page = self._make_page(run, self._theme, beside=self.page)
        self._listen(page)
        self.lockstep.add(run, page)

    def _listen(self, page: Any) -> None:
        if hasattr(page, "branch_requested"):  # pages that only judge have no views that ask for one
            page.branch_requested.connect(self.branch_requested)

    def fit(self, how: Literal["show_all", "follow"]) -> None:
        """Show all of every view, or let every view follow the newest step."""
        for page in self.lockstep.pages:
            for view in page.views:
                getattr(view, how)()

    def _show_state(self) -> None:
        run = self.run
        bad = run.state == "failed" or bool(run.problem)
        over = not run.live and run.state in ("stopped", "interrupted", "failed")
        stuck = run.live and run.state == "paused" and bool(run.problem)
        self.notice.setVisible(bad or over)
        self.retry.setVisible(stuck)
        self.elsewhere.setVisible(stuck)
        self.resume.setVisible(over and bool(run.path) and run.experiment is not None)
        if not (bad or over):
            return
        self.reason.setText(self._reason(bad))
        kind = "bad" if bad else ""
        if self.notice.property("kind") != kind:
            self.notice.setProperty("kind", kind)
            for widget in (self.notice, self.reason):
                widget.style().unpolish(widget)
                widget.style().polish(widget)
        colour = self._theme.bad if bad else self._theme.muted
        self._mark.setPixmap(pixmap("warning" if bad else "stop", colour, 20, self.devicePixelRatioF()))

    def _reason(self, bad: bool) -> str:
        run = self.run
        at = f"step {whole(run.step)}"
        if not bad:
            word = "Stopped" if run.state == "stopped" else "Interrupted: its process ended"
            return f"{word} at {at} of {whole(run.steps)}. Everything recorded is in the file."
        saved = f"Everything up to {at} is in {run.path}." if run.path and run.path not in run.problem else ""
        return f"{run.problem or 'The run failed.'}\n{saved}".strip()

    def _ask_where(self) -> None:
        name = Path(self.run.path).name
        ask_to_save(self, "Save the run elsewhere", name, "Run files (*.h5)", self.run.relocate)
