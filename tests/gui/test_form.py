"""A form gives back the config it was given, explains what is wrong under the field, and never changes by accident."""

from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QTextDocumentFragment, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel

from gui.forms import Form
from gui.forms.numbers import climb, shift, text_of
from gui.forms.row import Row
from gui.forms.start import EXPECTED
from gui.lab.claim_panel import card
from gui.theme import LIGHT
from lab.config import Config, param
from lab.experiment import Arm, Preset
from tests.fakes import Tiny


class EveryKind(Config):
    rate: float = param(0.02, "Learning rate", symbol="η", min=1e-6, max=10.0, log=True, live=True, paper=0.01)
    shift: float = param(-1.5, "Shift", unit="rad")
    maybe: float | None = param(None, "Maybe", min=0.0)
    width: int = param(20, "Width", min=1, max=4096, log=True)
    batch: int | None = param(None, "Batch", min=1)
    bias: bool = param(True, "Bias", live=True)
    open: bool | None = param(None, "Open")
    task: Literal["sine", "parity"] = param("sine", "Task")
    base: Literal[2, 10] | None = param(None, "Base")
    note: str = param("", "Note")
    tag: str | None = param(None, "Tag")
    widths: tuple[int, ...] = param((20, 20), "Widths")
    names: list[str] = param([], "Names")
    table: list[list[float]] = param([], "Table")


class Kinds(Tiny):
    Config = EveryKind
    presets = {"demo": Preset({}, "Small and quick."), "wide": Preset({"width": 500}, claimed=False)}
    arms = {"plain": Arm({"rate": 0.1}, "reproduced"), "other": Arm({"rate": 1.0}, "not reproduced")}


VALUES = st.fixed_dictionaries(
    {
        "rate": st.floats(1e-6, 10.0),
        "shift": st.floats(allow_nan=False, allow_infinity=False),
        "maybe": st.none() | st.floats(0, 1e300),
        "width": st.integers(1, 4096),
        "batch": st.none() | st.integers(1, 2**60),
        "bias": st.booleans(),
        "open": st.none() | st.booleans(),
        "task": st.sampled_from(["sine", "parity"]),
        "base": st.sampled_from([None, 2, 10]),
        "note": st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"])),
        "tag": st.none() | st.text(st.characters(categories=["L", "N"]), min_size=1),
        "widths": st.lists(st.integers(0, 9999)).map(tuple),
        "names": st.lists(st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]))),
        "table": st.lists(st.lists(st.floats(-1e9, 1e9))),
        "seed": st.integers(0, 2**31 - 1),
        "data_seed": st.none() | st.integers(0, 2**31 - 1),
    }
)


@pytest.fixture
def form(qtbot) -> Form:
    form = Form(Kinds)
    qtbot.addWidget(form)
    return form


def type_into(form: Form, name: str, text: str) -> None:
    editor: Any = form.rows[name].editor
    line = editor.lineEdit() if hasattr(editor, "lineEdit") else editor
    line.setText(text)
    line.textEdited.emit(text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=VALUES)
def test_config_to_form_to_config_changes_nothing(form, values):
    config = EveryKind.parse(values)
    form.set_values(config.model_dump())
    assert form.errors() == {}
    assert form.config() == config


def test_a_form_starts_with_the_first_preset_and_arm(form):
    assert form.config() == Kinds.configure("demo", "plain")
    assert (form.preset(), form.arm()) == ("demo", "plain")
    assert form.start.modified.isHidden()


def test_choosing_a_preset_and_an_arm_fills_the_form(form, qtbot):
    form.start.presets.setCurrentText("wide")
    with qtbot.waitSignal(form.changed):
        form.start.presets.activated.emit(1)
    form.start.arms.buttons()[1].click()
    assert form.config() == Kinds.configure("wide", "other")


def test_arms_say_how_they_should_end_beside_the_chosen_preset(form):
    def said() -> list[str]:
        return [label.text() for label in form.start.findChildren(QLabel) if label.text() in EXPECTED.values()]

    assert said() == ["should appear", "control"]
    form.start.presets.setCurrentText("wide")
    form.start.presets.activated.emit(1)
    assert said() == ["not judged", "not judged"]
    assert "Beside the preset *wide* the claim says nothing" in card(Kinds)


def test_an_error_stands_under_its_field_before_the_start(form):
    type_into(form, "rate", "20")
    assert form.config() is None
    assert "1e-6 to 10" in form.rows["rate"].error.text()
    assert form.rows["rate"].error.isVisibleTo(form)
    assert form.rows["width"].error.isHidden()
    type_into(form, "rate", "1e-3")
    assert form.config().rate == 1e-3
    assert form.rows["rate"].error.isHidden()


@pytest.mark.parametrize("text", ["inf", "nan", "", "abc", "1e999"])
def test_what_is_no_finite_number_is_refused(form, text):
    type_into(form, "rate", text)
    assert form.config() is None
    assert form.rows["rate"].error.text()


def test_digits_may_be_grouped_with_spaces(form):
    type_into(form, "width", "2 000")
    assert form.config().width == 2000


def test_changed_fields_are_marked_and_reset_one_by_one(form, qtbot):
    type_into(form, "width", "77")
    type_into(form, "shift", "2")
    assert form.rows["width"].reset_button.isVisibleTo(form)
    assert form.start.modified.text() == "modified: 2 knobs"
    form.rows["width"].reset_button.click()
    assert form.config().width == 20
    assert form.rows["width"].reset_button.isHidden()
    assert form.start.modified.text() == "modified: 1 knob"


def test_the_arm_is_named_only_while_its_settings_hold(form):
    type_into(form, "width", "77")
    assert form.arm() == "plain"
    type_into(form, "rate", "0.5")
    assert form.arm() == ""


def test_every_label_and_tooltip_says_symbol_unit_limits_and_the_papers_value(form):
    row = form.rows["rate"]
    assert "η" in row.label.text()
    assert "1e-6 to 10" in row.toolTip().lower()
    assert "paper: 0.01" in row.toolTip()
    assert "rad" in form.rows["shift"].label.text()
    assert all(row.editor.accessibleName() for row in form.rows.values())


def wheel(widget: Any) -> None:
    centre = QPointF(widget.rect().center())
    event = QWheelEvent(
        centre,
        widget.mapToGlobal(centre),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def test_an_apostrophe_in_a_label_is_shown_as_one(qtbot):
    class Quoted(Config):
        moments: bool = param(True, "Adam's moments")

    row = Row(Quoted.knobs()["moments"], LIGHT)
    qtbot.addWidget(row)
    assert row.label.textFormat() == Qt.TextFormat.RichText  # plain text would show the entity
    assert QTextDocumentFragment.fromHtml(row.label.text()).toPlainText() == "Adam's moments"


def test_the_wheel_changes_only_the_field_with_the_focus(form, qtbot):
    form.show()
    qtbot.waitExposed(form)
    before = form.values()
    for name in ("rate", "width", "task", "base"):
        wheel(form.rows[name].editor)
    assert form.values() == before
    form.activateWindow()
    form.rows["rate"].editor.setFocus()
    qtbot.waitUntil(form.rows["rate"].editor.hasFocus)
    wheel(form.rows["rate"].editor)
    assert form.config().rate == 0.2


def test_rates_step_along_1_2_5_and_stop_at_their_limits():
    assert [climb(0.02, n, None, None) for n in (-3, -2, -1, 0, 1, 2, 3)] == [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2]
    assert climb(0.03, 1, None, None) == 0.05
    assert climb(5.0, 4, 1e-5, 10.0) == 10.0
    assert climb(0.0, 1, 1e-5, None) == 1e-5
    assert shift(0.25, 1, None, None) == 0.26
    assert shift(-0.01, 20, -1, 0) == 0


def test_numbers_are_written_the_short_way():
    assert [text_of(v) for v in (0.02, 1e-5, 1.0, 3, 1e16, -2.5e-7, None)] == [
        "0.02",
        "1e-5",
        "1",
        "3",
        "1e16",
        "-2.5e-7",
        "",
    ]


def test_while_a_run_goes_on_only_live_knobs_can_be_edited(form):
    form.set_running(True)
    assert {name for name, row in form.rows.items() if row.editor.isEnabled()} == {"rate", "bias"}
    form.set_running(False)
    assert all(row.editor.isEnabled() for row in form.rows.values())


def test_a_live_knob_is_announced_once_when_committed_and_only_while_running(form, qtbot):
    sent = []
    form.live_changed.connect(sent.append)
    form.rows["rate"].editor.stepBy(1)
    assert sent == []
    form.set_running(True)
    type_into(form, "rate", "0.0")  # half typed, and out of range
    form.rows["rate"].editor.committed.emit()
    type_into(form, "rate", "0.05")
    assert sent == []
    form.rows["rate"].editor.committed.emit()
    form.rows["rate"].editor.committed.emit()
    form.rows["bias"].editor.click()
    assert sent == [{"rate": 0.05}, {"bias": False}]


def test_actions_of_the_experiment_ask_by_their_name(qtbot):
    form = Form(Tiny)
    qtbot.addWidget(form)
    assert form.action_buttons["reset"].isHidden()
    form.set_running(True)
    with qtbot.waitSignal(form.action_requested) as asked:
        form.action_buttons["reset"].click()
    assert asked.args == ["reset"]


def test_space_after_a_click_on_an_action_does_not_act_again(qtbot):
    form = Form(Tiny)
    qtbot.addWidget(form)
    form.set_running(True)
    with qtbot.waitActive(form):
        form.show()
        form.activateWindow()
    button = form.action_buttons["reset"]
    form.rows["lr"].editor.setFocus()
    with qtbot.waitSignal(form.action_requested):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not button.hasFocus()
    button.setFocus(Qt.FocusReason.TabFocusReason)
    assert button.hasFocus(), "the keyboard reaches it all the same"


def test_help_is_hinted_while_a_field_has_the_focus(form, qtbot):
    form.show()
    form.activateWindow()
    with qtbot.waitSignal(form.hinted) as hinted:
        form.rows["rate"].editor.setFocus()
    assert hinted.args[0].startswith("Learning rate η")


def test_a_knob_of_a_stored_run_is_compared_with_the_arm_it_was_started_from(form):
    form.show_run(Kinds.configure("wide", "other", {"shift": 3.0}), "wide", "other")
    assert (form.preset(), form.arm()) == ("wide", "other")
    assert [name for name, row in form.rows.items() if row.changed] == ["shift"]


@pytest.mark.parametrize("word", ["transformer", "reversed context"])
def test_a_long_word_to_choose_is_whole_in_a_narrow_form(qtbot, word: str) -> None:
    class Scenes(Config):
        scene: Literal["one", "transformer", "reversed context"] = param("one", "Scene")

    row = Row(Scenes.knobs()["scene"], LIGHT)
    qtbot.addWidget(row)
    row.editor.set_value(word)
    row.resize(270, 40)  # as in a window of 1280 points
    row.show()
    assert row.editor.geometry().right() <= row.reset_button.geometry().left()
    text = QRect(0, 2, row.editor.fontMetrics().horizontalAdvance(word) + 12, row.editor.height() - 4)
    narrow = row.editor.grab(text).toImage()
    row.resize(600, 40)
    assert row.editor.grab(text).toImage() == narrow
