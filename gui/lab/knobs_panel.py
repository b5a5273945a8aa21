"""The right panel: the form of the chosen experiment, Run, and help on the field in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from gui.icons import put
from gui.named import named
from gui.pulse import Pulse
from gui.runs.open_run import OpenRun
from gui.runs.runs import ACTIVE
from gui.theme import Theme

if TYPE_CHECKING:
    from gui.forms import Form
    from lab.experiment import Experiment

RESTING = "Point at a knob to read what it does."


class Hint(QLabel):
    """Words in four lines of their own, however long they are: what stands above must not move under the pointer."""

    LINES = 4  # what most estimates take

    def __init__(self, text: str) -> None:
        super().__init__(wordWrap=True)
        self.setObjectName("hint")
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.show_text(text)

    def show_text(self, text: str, *, wrong: bool = False) -> None:
        """Show as many words as there is room for; the rest is in the tooltip."""
        self.full = text
        if wrong != bool(self.property("wrong")):
            self.setProperty("wrong", wrong)
            self.style().unpolish(self)
            self.style().polish(self)
        self._fit()

    def _fit(self) -> None:
        room = self._height("\n".join("X" * self.LINES))  # a line takes more than lineSpacing
        self.setFixedHeight(room + 4)
        words, shown = self.full.split(" "), self.full
        while words and self._height(shown) > room:
            del words[-1]
            shown = " ".join(words) + " …"
        self.setText(shown)
        self.setToolTip(self.full if shown != self.full else "")

    def _height(self, text: str) -> int:
        flags = int(Qt.TextFlag.TextWordWrap)
        return self.fontMetrics().boundingRect(0, 0, max(self.width(), 1), 10_000, flags, text).height()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()


class KnobsPanel(QWidget):
    """Shows the knobs of an experiment for a new run, or of an open run."""

    run_requested = Signal()
    queue_requested = Signal()
    study_requested = Signal()
    claim_requested = Signal()
    form_changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("panel")
        self._theme = theme
        self.form: Form | None = None
        self.run: OpenRun | None = None
        self.picked: Callable[[], Mapping[str, int]] = dict  # what is picked in the views, as arguments of actions
        self.title = named(QLabel(wordWrap=True), "title")
        self.title.setContentsMargins(16, 0, 16, 4)
        self.scroll_area = named(QScrollArea(widgetResizable=True), "panel_scroll")
        self.scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll_area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.button = QPushButton("Run")
        self.button.setAccessibleName("Run")
        self.button.setProperty("primary", True)
        self.button.clicked.connect(self.run_requested)
        self.pulse = Pulse(self.button)
        within = QHBoxLayout(self.button)
        within.addWidget(self.pulse, 0, Qt.AlignmentFlag.AlignRight)
        self.hint = Hint(RESTING)
        self._help = self._estimate = self._said = ""
        self._news = False  # what is said came after the help, and stands until a knob is pointed at
        foot = QFrame()
        low = QVBoxLayout(foot)
        low.setContentsMargins(16, 8, 16, 8)
        low.setSpacing(8)
        self.queue_button = QPushButton("Queue")
        self.queue_button.setToolTip("Let a run with these knobs wait for its turn  (Q)")
        self.queue_button.setAccessibleName("Put in the queue")
        self.queue_button.clicked.connect(self.queue_requested)
        starts = QHBoxLayout()
        starts.setSpacing(8)
        starts.addWidget(self.button, 1)
        starts.addWidget(self.queue_button)
        low.addLayout(starts)
        low.addLayout(self._study_buttons())
        low.addWidget(self.hint)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.title)
        layout.addWidget(self.scroll_area, 1)
        layout.addWidget(foot)
        self._show_state()

    def _study_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        for text, tip, signal in (
            ("Run the claim …", "All arms of the paper's claim, and the verdict over them", self.claim_requested),
            ("Study …", "Let knobs take lists or ranges of values: many runs with one question", self.study_requested),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(signal)
            row.addWidget(button, 1)
        return row

    def show_experiment(self, experiment: type[Experiment], preset: str = "", arm: str = "") -> None:
        """Knobs for a new run."""
        self._bind(None)
        form = self._new_form(experiment)
        if preset:
            form.start.choose(preset, arm)
            form.fill()
        self._show_state()

    def show_run(self, run: OpenRun) -> None:
        """Knobs of an open run; the form of an experiment that this app does not know stays empty."""
        self._bind(run)
        if run.experiment is None:
            self.clear(str(run.header.get("experiment", "")))
            return
        form = self._new_form(run.experiment)
        header = run.header
        form.show_run(run.config, str(header.get("preset", "")), str(header.get("arm", "")))
        form.also.show_run(run.also)
        self._show_state()

    def clear(self, name: str = "") -> None:
        self.form = None
        self._help = self._estimate = ""
        self.title.setText(name)
        text = f"This app has no experiment called {name}: its run can be looked at, not run again." if name else ""
        self.scroll_area.setWidget(named(QLabel(text, wordWrap=True, margin=16), "muted"))
        self._show_state()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        if self.form is not None:
            self.form.set_theme(theme)
        self._show_state()

    def _bind(self, run: OpenRun | None) -> None:
        if self.run is not None:
            self.run.state_changed.disconnect(self._show_state)
            self.run.config_changed.disconnect(self._take_config)
            self.run.also_changed.disconnect(self._take_also)
        self.run = run
        if run is not None:
            run.state_changed.connect(self._show_state)
            run.config_changed.connect(self._take_config)
            run.also_changed.connect(self._take_also)

    def _new_form(self, experiment: type[Experiment]) -> Form:
        from gui.forms import Form  # brings pydantic, which the first paint does without

        self.title.setText(experiment.title)
        self._help = self._estimate = ""
        form = self.form = Form(experiment, self._theme)
        form.hinted.connect(self._hint)
        form.live_changed.connect(self._set_knobs)
        form.action_requested.connect(self._act)
        form.also.switched.connect(self._switch_instruments)
        form.changed.connect(self._show_state)
        form.changed.connect(self.form_changed)
        for group in form.groups.values():
            group.head.clicked.connect(lambda _=False, group=group: self._show_group(group))
        self.scroll_area.setWidget(form)
        return form

    def _show_group(self, group: QWidget) -> None:
        """Bring what has been unfolded into sight, once it has its place."""
        QTimer.singleShot(0, group, lambda: self.scroll_area.ensureWidgetVisible(group, 0, 0))

    def _take_config(self) -> None:
        """Live knobs turned elsewhere, for example replayed ones."""
        if self.form is not None and self.run is not None:
            live = {name for name, row in self.form.rows.items() if row.knob.live}
            values: Mapping[str, Any] = self.run.config.model_dump()
            self.form.set_values({name: values[name] for name in live if not self.form.rows[name].editor.hasFocus()})
            self.form.also.show_run(self.run.also)

    def _take_also(self) -> None:
        """Instruments switched elsewhere, for example replayed ones."""
        if self.form is not None and self.run is not None:
            self.form.also.show_run(self.run.also)

    def _show_state(self) -> None:
        active = self.run is not None and self.run.live and self.run.state in ACTIVE
        if self.form is not None and self.form.running != active:
            self.form.set_running(active)
        state = self.run.state if self.run is not None and active else ""
        text, icon = {
            "running": ("Pause", "pause"),
            "paused": ("Continue", "run"),
            "preparing": ("Preparing …", "run"),
        }.get(state, ("Run", "run"))
        self.button.setText(text)
        self.button.setAccessibleName(text)
        wrong = self.form.first_error() if self.form is not None and not active else ""
        self.button.setToolTip(wrong or f"{text}  (Space)")
        put(self.button, icon, self._theme, "on_accent")
        self.pulse.setVisible(state == "running")
        self.pulse.beat(self._theme.on_accent, on=state == "running")
        valid = self.form is not None and self.form.config() is not None
        self.queue_button.setEnabled(valid)
        self.button.setEnabled(state in ("running", "paused") or (not active and valid))
        self._say()

    def set_estimate(self, text: str) -> None:
        """What the run will cost, in words."""
        self._estimate = text
        self._say()

    def _say(self) -> None:
        """Say what is wrong between knobs, or else what the run will cost: over the help, where that is new."""
        problem = "" if self.form is None else self.form.problem()
        if self._said != (said := problem or self._estimate):
            self._said, self._news = said, bool(said)
        self._tell()

    def _hint(self, text: str) -> None:
        self._help, self._news = text, False
        self._tell()

    def _tell(self) -> None:
        said = self._said if self._news or not self._help else ""
        wrong = bool(said) and said != self._estimate
        self.hint.show_text(said or self._help or RESTING, wrong=wrong)

    def _set_knobs(self, values: dict[str, Any]) -> None:
        if self.run is not None:
            self.run.set_knobs(values)

    def _switch_instruments(self, on: tuple[str, ...], off: tuple[str, ...]) -> None:
        if self.run is not None:
            self.run.switch_instruments(on, off)

    def _act(self, name: str) -> None:
        from gui.forms.action_form import ActionForm, arguments

        if self.run is None or self.run.experiment is None:
            return
        experiment, run = self.run.experiment, self.run
        (action,) = (action for action in experiment.actions() if action.method == name)
        if not arguments(getattr(experiment, name)).model_fields:
            run.act(name, {})
            return
        form = ActionForm(experiment, action, self._theme, self, self.picked())
        form.given.connect(run.act)
        form.open()
