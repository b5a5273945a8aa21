"""Limits and colours of a view: set by clicking, kept with the layout; and what a crowded view says of itself."""

import math
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QAction, QFontMetricsF
from PySide6.QtWidgets import QMenu

from gui.lab.run_page import RunPage
from gui.panel import ReadOut
from gui.style import font
from gui.theme import DARK, LIGHT
from gui.views.limits import LimitsDialog
from lab.stream import MemoryRun
from lab.views import Curves, Heatmap, Matrix, Profile, Scatter, Trace
from tests.gui.runs import MadeUpRun
from tests.gui.views.shown import show

STEPS = np.arange(0, 200, 2)


def source() -> MemoryRun:
    run = MemoryRun(train_loss=(STEPS, np.exp(-STEPS / 40)), norm=(STEPS, 1.0 + STEPS))
    run.append("wide", STEPS, np.arange(64.0) + 0.1 * STEPS[:, None])
    run.append("places", [0], np.arange(64.0)[None])
    run.append("grid", STEPS, np.add.outer(0.01 * STEPS, np.eye(6)))
    return run


def entry(menu: QMenu, *path: str) -> QAction:
    """The menu's entry under these texts."""
    action = QAction()
    for text in path:
        action = next(action for action in menu.actions() if action.text() == text)
        inner = action.menu()
        menu = inner if isinstance(inner, QMenu) else menu
    return action


def type_limits(view: Any, qtbot, text: str, low: str, high: str) -> None:
    entry(view.menu(), text).trigger()
    dialog = view.findChild(LimitsDialog) or view.window().findChild(LimitsDialog)
    for field, value in ((dialog.low, low), (dialog.high, high)):
        field.selectAll()
        qtbot.keyClicks(field, value)
    qtbot.mouseClick(dialog.button, Qt.MouseButton.LeftButton)
    view.draw()


VALUED = (
    Curves(("train_loss",), title="Loss", y_log=True),
    Profile("places", ("wide",), title="Profile"),
    Scatter("places", "wide", title="Points"),
    Trace("train_loss", "norm", title="Trace"),
)


@pytest.mark.parametrize("spec", VALUED, ids=lambda spec: spec.id)
def test_limits_of_the_values_are_typed_held_let_go_and_kept(qtbot, spec) -> None:
    view: Any = show(qtbot, spec, source())
    free = view.box.viewRange()[1]
    type_limits(view, qtbot, "Limits of the values …", "0.5", "20")
    held = [np.log10(0.5), np.log10(20)] if view.canvas.left_axis.log else [0.5, 20.0]
    np.testing.assert_allclose(view.box.viewRange()[1], held)
    other: Any = show(qtbot, spec, source())
    other.restore(view.settings())
    other.draw()
    np.testing.assert_allclose(other.box.viewRange()[1], held)
    entry(view.menu(), "Values follow the data").trigger()
    view.draw()
    np.testing.assert_allclose(view.box.viewRange()[1], free)


def test_a_logarithmic_axis_takes_no_limit_at_zero(qtbot) -> None:
    view: Any = show(qtbot, VALUED[0], source())
    view.ask_values()
    dialog = view.findChild(LimitsDialog)
    dialog.low.setText("0")
    assert not dialog.button.isEnabled() and "logarithmic" in dialog.button.toolTip()
    dialog.reject()


def test_a_line_takes_the_colour_that_is_chosen_in_both_themes(qtbot) -> None:
    view: Any = show(qtbot, Curves(("train_loss", "norm"), title="Two"), source())
    entry(view.menu(), "Colours", "norm", "ink").trigger()
    assert [track.colour for track in view.tracks()] == [LIGHT.lines[0], LIGHT.lines[7]]
    view.set_theme(DARK)
    assert view.tracks()[1].colour == DARK.lines[7] == DARK.text
    entry(view.menu(), "Colours", "norm", "As declared").trigger()
    assert view.tracks()[1].colour == DARK.lines[1]


@pytest.mark.parametrize("spec", [Heatmap("wide", title="Heat"), Matrix("grid", title="Matrix")], ids=lambda s: s.id)
def test_a_colour_map_and_its_limits_are_chosen_by_clicking(qtbot, spec) -> None:
    view: Any = show(qtbot, spec, source())
    before = view.picture().pixelColor(200, 200)
    entry(view.menu(), "Colour map", "grey").trigger()
    view.draw()
    after = view.picture().pixelColor(200, 200)
    assert after != before and after.hslSaturation() == 0
    type_limits(view, qtbot, "Colour limits…", "-100", "-50")
    assert view.bar.held == (-100.0, -50.0) and view.picture().pixelColor(200, 200).lightness() > 250
    assert view.settings()["colour_map"] == "grey"


def test_settings_are_kept_with_the_saved_layout(qtbot) -> None:
    pages = [RunPage(MadeUpRun(source()), LIGHT) for _ in range(2)]
    for page in pages:
        qtbot.addWidget(page)
    view: Any = pages[0].views[0]
    view.hold_values(0.01, 3.0)
    entry(view.menu(), "Colours", "vermilion").trigger()
    pages[1].restore_layout(pages[0].save_layout())
    other: Any = pages[1].views[0]
    assert other.limits == (0.01, 3.0) and other.tracks()[0].colour == LIGHT.lines[1]


def test_of_many_lines_a_few_stand_for_all_and_the_picked_one_is_drawn(qtbot) -> None:
    view: Any = show(qtbot, Curves(("wide",), title="Neurons", of="neuron"), source())
    assert [track.number for track in view.tracks()] == [0, 9, 18, 27, 36, 45, 54, 63]
    assert view._count.toPlainText() == "8 of 64 lines shown"
    view.selection.pick("neuron", 20)
    view.draw()
    assert [track.number for track in view.tracks()] == [0, 9, 20, 27, 36, 45, 54, 63]
    assert view.values_at(100)[2][2] == 20 + 10.0 and "wide 21" in view.readout
    view.run.source.append("wide", [200], np.full((1, 64), 7.0))
    view.refresh()
    assert view.values_at(None)[2][1:] == (200, 7.0)
    view.selection.pick("neuron", None)
    assert [track.number for track in view.tracks()] == [0, 9, 18, 27, 36, 45, 54, 63]


def test_a_guides_name_stands_clear_of_the_curves(qtbot) -> None:
    half = (STEPS[:50], 1.0 + 0.0 * STEPS[:50])
    spec = Curves(("train_loss", "norm"), title="Guided", guides=(("slope of one", lambda config, run: half),))
    run = MemoryRun(train_loss=(STEPS, 1.1 + 0.0 * STEPS), norm=(STEPS, 0.2 * np.sin(STEPS)))
    view: Any = show(qtbot, spec, run)
    name = next(item for item in view.names._items if item.toPlainText() == "slope of one")
    top = view.box.mapFromScene(name.sceneBoundingRect().topLeft()).y()
    bottom = view.box.mapFromScene(name.sceneBoundingRect().bottomLeft()).y()
    line = view.box.mapFromView(QPointF(50.0, 1.1)).y()
    assert not top <= line <= bottom


def test_the_phase_plots_colours_begin_where_its_rows_do(qtbot) -> None:
    late = MemoryRun(train_loss=(STEPS + 1000, np.exp(-STEPS / 40)), norm=(STEPS + 1000, 1.0 + STEPS))
    view: Any = show(qtbot, VALUED[3], late)
    assert (view._key.first, view._key.last) == (1000, 1198)
    assert all(len(piece.getData()[0]) for piece in view._pieces), "the colours are used up from the first to the last"


def test_a_read_out_drops_whole_values_and_keeps_them_for_the_tooltip(qtbot) -> None:
    out = ReadOut()
    qtbot.addWidget(out)
    out.resize(140, 30)
    out.show()
    out.show_html("&nbsp;&nbsp; ".join(f"v{i}&nbsp;{i}.25" for i in range(6)))
    shown = out._document.toPlainText()
    assert shown.endswith("…") and shown.startswith("v0 0.25") and len(shown) < 40
    assert "v5" in out.text and out._document.idealWidth() <= 140
    out.resize(math.ceil(QFontMetricsF(font(12)).horizontalAdvance("v0 0.25\u00a0\u00a0 v1 1.25")) + 2, 30)
    assert out._document.toPlainText().split() == ["v0", "0.25", "v1", "1.25"], "rather a value than the dots"
    out.resize(60, 30)
    qtbot.waitUntil(lambda: out._document.toPlainText() == "v0 0.25")
    out.resize(600, 30)
    qtbot.waitUntil(lambda: "v5" in out._document.toPlainText())


def test_nan_orders_are_refused_in_place_without_a_warning(qtbot, recwarn) -> None:
    run = source()
    run.append("order", STEPS, np.full((len(STEPS), 6), np.nan))
    view = show(qtbot, Matrix("grid", order="order", title="Ordered"), run)
    assert "does not order" in view.message
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]
