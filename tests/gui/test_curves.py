from typing import Any

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QFontMetricsF, QWheelEvent
from PySide6.QtWidgets import QApplication

from gui.theme import DARK, LIGHT
from gui.views import make_view
from gui.views.axes import TICK_PX, StepAxis, font_px, log_ticks
from gui.views.curves import CurvesView
from gui.views.plot import MARKS_PX, apart, lines_of
from gui.views.point_wide import PointWide
from lab.stream import MemoryRun
from lab.views import Curves, Line
from tests.gui.runs import MadeUpRun
from tests.gui.views.shown import darkened


def _view(qtbot, spec: Curves, source: Any, axis: StepAxis | None = None, **state) -> Any:
    view = make_view(spec, MadeUpRun(source, **state), LIGHT, axis)
    assert isinstance(view, CurvesView)
    qtbot.addWidget(view)
    view.resize(640, 320)
    with qtbot.waitActive(view):
        view.show()
        view.activateWindow()
    view.canvas.setFocus()
    view.refresh()
    return view


LOSS = Curves(("train_loss",), title="Loss", y_label="MSE", y_log=True)
LINEAR = Curves(("train_loss",), title="Loss", y_label="MSE")


def _drawn(view: CurvesView, number: int = 0) -> Any:
    return view.tracks()[number].curve.getData()


def _wheel(view: CurvesView, clicks: int) -> None:
    place = QPointF(view.canvas.viewport().rect().center())
    event = QWheelEvent(
        place,
        view.canvas.viewport().mapToGlobal(place),
        QPoint(),
        QPoint(0, 120 * clicks),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.canvas.viewport(), event)


def test_a_curve_follows_the_run(qtbot) -> None:
    run = MemoryRun(train_loss=([0], [3.0]))
    view = _view(qtbot, LINEAR, run)
    run.append("train_loss", 10, 2.0)
    view.refresh()
    x, y = _drawn(view)
    assert (x.tolist(), y.tolist()) == ([0.0, 10.0], [3.0, 2.0])


def test_few_rows_are_drawn_as_they_are_and_logarithms_are_true(qtbot) -> None:
    steps, loss = np.arange(500), np.exp(-np.arange(500) / 30)
    view = _view(qtbot, LOSS, MemoryRun(train_loss=(steps, loss)))
    x, y = _drawn(view)
    np.testing.assert_array_equal(x, steps)
    np.testing.assert_allclose(10**y, loss)


@pytest.mark.parametrize("low, high", [(0, 200_000), (120_000, 130_000), (123_400, 123_500), (100_000, 190_000)])
def test_a_one_step_spike_is_drawn_to_its_top_at_every_zoom(qtbot, low: int, high: int) -> None:
    loss = np.full(200_000, 1.0)
    loss[123_456] = 50.0
    view = _view(qtbot, LINEAR, MemoryRun(train_loss=(np.arange(200_000), loss)))
    view.axis.hold(low, high)
    view.draw()
    x, y = _drawn(view)
    assert np.nanmax(y) == 50.0
    assert abs(x[np.nanargmax(y)] - 123_456) <= (high - low) / view.columns
    assert len(x) <= 4 * view.columns + 4


def test_values_at_or_below_the_floor_are_drawn_on_it(qtbot) -> None:
    spec = Curves(("train_loss",), title="Loss", y_log=True, floor=1e-6)
    view = _view(qtbot, spec, MemoryRun(train_loss=(np.arange(4), [1.0, 1e-9, 0.0, -1.0])))
    np.testing.assert_allclose(_drawn(view)[1], [0.0, -6.0, -6.0, -6.0])


def test_without_a_floor_the_smallest_positive_value_is_the_floor(qtbot) -> None:
    view = _view(qtbot, LOSS, MemoryRun(train_loss=(np.arange(3), [1.0, 1e-4, 0.0])))
    np.testing.assert_allclose(_drawn(view)[1], [0.0, -4.0, -4.0])


def test_the_view_grows_with_the_run_until_the_user_zooms(qtbot) -> None:
    run = MemoryRun(train_loss=(np.arange(100), np.linspace(1, 2, 100)))
    view = _view(qtbot, LINEAR, run)
    run.append("train_loss", np.arange(100, 200), np.linspace(2, 3, 100))
    view.refresh()
    assert view.box.viewRange()[0] == pytest.approx([0, 199])
    _wheel(view, 2)
    held = view.box.viewRange()
    assert held[0][1] - held[0][0] < 190
    run.append("train_loss", np.arange(200, 900), np.linspace(3, 30, 700))
    view.refresh()
    assert view.box.viewRange() == held
    qtbot.keyClick(view.canvas, Qt.Key.Key_A)
    view.draw()
    assert view.box.viewRange()[0] == pytest.approx([0, 899])
    assert view.box.viewRange()[1][1] > 30


def test_follow_keeps_the_width_and_moves_with_the_newest_step(qtbot) -> None:
    run = MemoryRun(train_loss=(np.arange(1000), np.ones(1000)))
    view = _view(qtbot, LINEAR, run)
    view.axis.hold(100, 300)
    qtbot.keyClick(view.canvas, Qt.Key.Key_F)
    assert (view.axis.low, view.axis.high) == (799, 999)
    run.append("train_loss", [1500], [1.0])
    view.refresh()
    assert view.box.viewRange()[0] == pytest.approx([1300, 1500])


def test_a_zoom_moves_the_steps_of_linked_views_and_leaves_their_values(qtbot) -> None:
    axis = StepAxis()
    run = MemoryRun(train_loss=(np.arange(100), np.arange(100.0)), norm=(np.arange(100), np.ones(100)))
    one = _view(qtbot, LINEAR, run, axis)
    other = _view(qtbot, Curves(("norm",), title="Norm"), run, axis)
    heights = other.box.viewRange()[1]
    _wheel(one, 3)
    one.draw()
    other.draw()
    assert other.box.viewRange()[0] == pytest.approx(one.box.viewRange()[0])
    assert other.box.viewRange()[1] == heights


def test_a_threshold_follows_turned_knobs(qtbot) -> None:
    run = MemoryRun(train_loss=(np.arange(101), np.linspace(1, 30, 101)))
    spec = Curves(("train_loss",), title="Sharpness", lines=(Line("2/η", lambda config: 2 / config.lr),))
    run.event(40, "knobs", {"changed": {"lr": [0.5, 0.1]}})
    view = _view(qtbot, spec, run)
    x, y = view._thresholds[0].getData()
    assert list(zip(x.tolist(), y.tolist(), strict=True))[:3] == [(0.0, 4.0), (40.0, 4.0), (40.0, 20.0)]
    assert y[-1] == 20.0
    assert x[-1] >= view.axis.high
    run.event(60, "knobs", {"changed": {"lr": [0.1, 1.0]}})
    view.refresh()
    assert view._thresholds[0].getData()[1][-1] == 2.0


def test_events_of_the_declared_kinds_are_marked(qtbot) -> None:
    run = MemoryRun(train_loss=(np.arange(100), np.ones(100)))
    for step, kind in ((10, "spike"), (50, "knobs"), (70, "note")):
        run.event(step, kind, {})
    view = _view(
        qtbot, Curves(("train_loss",), title="Loss", events=("spike",)), run
    )  # whatever was done to the run too
    marks = {kind: line.getData()[0].tolist() for kind, (line, _) in view._marks.items()}
    assert marks == {"spike": [10.0, 10.0], "knobs": [50.0, 50.0]}


def test_the_crosshair_reads_the_newest_row_not_after_its_step(qtbot) -> None:
    run = MemoryRun(train_loss=(np.arange(0, 100, 10), np.arange(10) / 8), norm=(np.arange(100), np.arange(100.0)))
    view = _view(qtbot, Curves(("train_loss", "norm"), title="Both"), run)
    view.set_step(57)
    assert [(row, value) for _, row, value in view.values_at(57)] == [(50, 0.625), (57, 57.0)]
    assert "0.625" in view.readout
    assert "57" in view.readout
    view.set_step(None)
    assert "99" in view.readout


def test_the_read_out_leaves_out_the_lines_of_a_series_that_are_not_there(qtbot) -> None:
    view = _view(qtbot, LINEAR, MemoryRun(train_loss=([0, 1], [[1.0, 2.0], [3.0, np.nan]])))
    assert "NaN" not in view.readout and "3" in view.readout
    view.set_step(0)
    assert "2" in view.readout.rsplit(">", 2)[1]
    alone = _view(qtbot, LINEAR, MemoryRun(train_loss=([0, 1], [1.0, np.nan])))
    assert "NaN" in alone.readout


def test_the_pointer_moves_the_crosshair_of_linked_views(qtbot) -> None:
    axis = StepAxis()
    run = MemoryRun(train_loss=(np.arange(101), np.arange(101.0)))
    one, other = _view(qtbot, LINEAR, run, axis), _view(qtbot, LINEAR, run, axis)
    qtbot.mouseMove(one.canvas.viewport(), one.canvas.mapFromScene(one.box.sceneBoundingRect().center()))
    one.canvas._mouse_moved(one.box.sceneBoundingRect().center())
    assert axis.cursor is not None
    assert abs(axis.cursor - 50) <= 1
    assert other._cursor_line.isVisible()
    assert other._cursor_line.value() == axis.cursor
    one._mouse_left()
    assert not other._cursor_line.isVisible()


def test_smoothing_draws_means_over_the_raw_line(qtbot) -> None:
    values = np.tile([0.0, 2.0], 50)
    run = MemoryRun(train_loss=(np.arange(60), values[:60]))
    view = _view(qtbot, LINEAR, run)
    view.set_smoothing(10)
    run.append("train_loss", np.arange(60, 100), values[60:])
    view.refresh()
    np.testing.assert_allclose(_drawn(view)[1][9:], 1.0, atol=0.12)
    np.testing.assert_array_equal(view.tracks()[0].behind.getData()[1], values)


def test_a_vector_series_draws_one_line_per_entry(qtbot) -> None:
    run = MemoryRun(train_loss=(np.arange(5), np.arange(15.0).reshape(5, 3)))
    view = _view(qtbot, LINEAR, run)
    assert [_drawn(view, i)[1][0] for i in range(3)] == [0.0, 1.0, 2.0]


def test_the_word_under_the_end_of_the_axis_is_whole_before_there_are_names(qtbot) -> None:
    view = _view(qtbot, LOSS, MemoryRun())
    word = view._x_name
    assert word.toPlainText().strip() == "step"
    assert word.sceneBoundingRect().right() <= view.canvas.viewport().width()


def test_the_word_under_the_end_of_the_axis_is_clear_of_the_last_tick(qtbot) -> None:
    view = _view(qtbot, LOSS, MemoryRun(train_loss=([0, 1010], [1.0, 0.5])))
    metrics = QFontMetricsF(font_px(TICK_PX))
    area = view.box.geometry()
    tick = area.left() + 1000 / 1010 * area.width() + metrics.horizontalAdvance("1 000") / 2
    assert view._x_name.x() > tick > area.right()


def test_a_line_is_named_in_the_margin_while_its_next_reading_is_still_to_come(qtbot) -> None:
    source = MemoryRun(train_loss=(np.arange(100), np.ones(100)), norm=([0, 50], [2.0, 2.0]))
    view = _view(qtbot, Curves(("train_loss", "norm"), title="Both"), source)
    assert all(item.x() > view.box.geometry().right() for item in view.names._items)


def test_before_the_first_row_the_view_says_what_will_come(qtbot) -> None:
    run = MemoryRun()
    view = _view(qtbot, LOSS, run, live=True, state="running")
    assert view.message == "train loss appears with the first step."
    run.append("train_loss", 0, 1.0)
    view.refresh()
    assert view.message == ""


def test_a_stored_run_without_the_series_says_so(qtbot) -> None:
    assert _view(qtbot, LOSS, MemoryRun()).message == "This run recorded no train loss."


def test_a_view_shown_again_says_nothing_of_rows_it_has_not_looked_for(qtbot) -> None:
    run = MemoryRun()
    view = _view(qtbot, LOSS, run)
    view.hide()
    run.append("train_loss", 0, 1.0)
    view.show()
    view.draw()
    assert view.message == ""
    view.refresh()
    assert view.names._items  # drawn


def test_a_source_that_fails_is_explained_in_place(qtbot, caplog) -> None:
    class Broken(MemoryRun):
        def series(self, name: str, start: int = 0):
            raise OSError("file is damaged")

    view = _view(qtbot, LOSS, Broken())
    assert "file is damaged" in view.message
    assert len(caplog.records) == 1


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize(
    "values",
    [
        [np.nan] * 4,
        [np.inf, 1.0, -np.inf, np.nan],
        [1e300, -1e300, 1e-300, 0.0],
        [1.7e308, -1.7e308, 0.0, 1.0],
        [0.0, 0.0, 0.0, 0.0],
        [5e-324, 1.0, 2.0, 3.0],
    ],
)
def test_numbers_at_the_edge_of_floats_are_drawn_quietly(qtbot, caplog, log: bool, values: list[float]) -> None:
    run = MemoryRun(train_loss=(np.arange(4), values))
    view = _view(qtbot, Curves(("train_loss",), title="Loss", y_log=log), run)
    view.set_step(2)
    view.grab()
    assert view.message == ""
    assert not caplog.records


def test_a_run_that_goes_back_redraws_what_it_took_again(qtbot) -> None:
    run = MemoryRun(train_loss=(np.arange(100), np.ones(100)))
    view = _view(qtbot, LINEAR, run)
    run.append("train_loss", np.arange(50, 60), np.full(10, 7.0))
    view.refresh()
    x, y = _drawn(view)
    assert x.tolist() == list(range(60))
    assert y[50:].tolist() == [7.0] * 10


def test_nothing_new_draws_nothing(qtbot, monkeypatch) -> None:
    view = _view(qtbot, LINEAR, MemoryRun(train_loss=(np.arange(10), np.ones(10))))
    view.refresh()
    drawn = []
    monkeypatch.setattr(view, "_draw", lambda: drawn.append(1))
    view.refresh()
    assert not drawn


def test_names_beside_lines_do_not_overlap(qtbot) -> None:
    series = tuple(f"loss_{i}" for i in range(6))
    run = MemoryRun(**{name: (np.arange(10), np.full(10, 1 + i * 1e-3)) for i, name in enumerate(series)})
    view = _view(qtbot, Curves(series, title="Six"), run)
    heights = sorted(item.y() for item in view.names._items)
    assert len(heights) == 6
    assert min(np.diff(heights)) >= 12


@pytest.mark.parametrize("height", [160, 135, 122])
def test_a_long_name_beside_a_short_plot_is_whole(qtbot, height: int) -> None:
    view = _view(qtbot, Curves(("train_loss",), title="Loss", y_label="accuracy; mean IPR"), MemoryRun())
    view.resize(360, height)
    QApplication.processEvents()
    name = view.canvas.left_axis.label.mapRectToScene(view.canvas.left_axis.label.boundingRect())
    assert name.top() >= 0 and name.bottom() <= height


def test_more_names_than_fit_stay_beside_the_plot(qtbot) -> None:
    series = tuple(f"loss_{i}" for i in range(8))
    view = _view(qtbot, Curves(series, title="Eight"), MemoryRun(**{name: ([0, 9], [1, 1]) for name in series}))
    view.resize(640, 120)
    view.refresh()
    heights = sorted(item.y() + item.boundingRect().height() / 2 for item in view.names._items)
    area = view.box.geometry()
    assert area.top() <= heights[0] and heights[-1] < area.bottom() - 3
    assert max(np.diff(heights)) - min(np.diff(heights)) < 1e-6


def test_things_of_any_size_stand_apart_and_end_above_the_bottom() -> None:
    sizes = np.array([10.0, 30.0, 10.0, 30.0])
    places = apart(np.array([50.0, 50.0, 50.0, 99.0]), sizes, 100.0)
    low, high = places - sizes / 2, places + sizes / 2
    assert (low[1:] >= high[:-1] - 1e-9).all() and high[-1] <= 100.0 + sizes.min() / 2 + 1e-9
    np.testing.assert_allclose(apart(np.zeros(3), np.full(3, 80.0), 100.0), [0, 50, 100])


def test_a_name_takes_two_lines_before_it_is_cut_short(qtbot) -> None:
    assert lines_of("test loss") == ["test loss"]
    assert lines_of("Training loss without dropout") == ["Training loss", "without dropout"]
    assert lines_of("Accuracy of the chosen sequences under the masks")[1].endswith("…")

    run = MemoryRun()
    for name in ("a", "b"):
        run.declare(name, {"label": f"Training loss without dropout {name}"})
        run.append(name, [0, 9], [1.0, 1.0])
    view = _view(qtbot, Curves(("a", "b"), title="Two"), run)
    view.resize(640, 400)
    view.draw()
    first, second = sorted(view.names._items, key=lambda item: item.y())
    assert first.toPlainText() == "Training loss\nwithout dropout a"
    assert first.y() + 0.8 * first.boundingRect().height() <= second.y() + 1e-6
    view.resize(640, 80)
    QApplication.processEvents()  # the layout follows
    view.draw()
    assert {item.toPlainText() for item in view.names._items} == {"Training loss witho…"}


def test_there_is_room_for_long_names_before_the_first_row(qtbot) -> None:
    source = MemoryRun()
    source.declare("train_loss", {"symbol": "a symbol of words"})
    view = _view(qtbot, LINEAR, source)
    room = view.axis.gutter
    source.append("train_loss", np.arange(10), np.ones(10))
    view.refresh()
    assert view.axis.gutter == room > 100


def test_a_name_amid_lines_lies_on_a_veil_of_the_ground(qtbot) -> None:
    steps = np.arange(400)
    guide = ("slope", lambda config, source: (np.array([0.0, 200.0]), np.array([0.5, 0.5])))
    spec = Curves(("train_loss",), title="Loss", guides=(guide,))
    view = _view(qtbot, spec, MemoryRun(train_loss=(steps, steps % 2)))  # a wall of strokes
    (name,) = (item for item in view.names._items if item.toPlainText() == "slope")
    area = name.sceneBoundingRect().toRect().adjusted(6, 5, -6, -5)
    assert _lightness(view, area) > 200 > 150 > _lightness(view, area.translated(area.width() + 20, 0))


def _lightness(view: CurvesView, area: QRect) -> float:
    image = view.canvas.grab(area).toImage()
    return float(np.median([image.pixelColor(x, y).lightness() for x in range(area.width()) for y in range(4)]))


def test_a_line_of_one_row_is_a_dot_until_the_next_row_comes(qtbot) -> None:
    source = MemoryRun(train_loss=([0], [3.0]))
    view = _view(qtbot, LINEAR, source)
    assert view._dots.getData()[1].tolist() == [3.0]
    source.append("train_loss", 10, 2.0)
    view.refresh()
    assert len(view._dots.getData()[0]) == 0


def test_a_theme_change_recolours_ground_and_lines(qtbot) -> None:
    view = _view(qtbot, LINEAR, MemoryRun(train_loss=(np.arange(10), np.ones(10))))
    view.set_theme(DARK)
    view.draw()
    assert view.grab().toImage().pixelColor(3, 3).name().upper() == DARK.ground


def test_copied_numbers_keep_every_digit(qtbot) -> None:
    view = _view(qtbot, LINEAR, MemoryRun(train_loss=([0, 1], [0.1 + 0.2, 1e-17])))
    view.copy_numbers()
    assert QApplication.clipboard().text() == "step\ttrain loss\n0\t0.30000000000000004\n1\t1e-17"


def test_settings_come_back(qtbot) -> None:
    source = MemoryRun(train_loss=(np.arange(10), np.ones(10)))
    view, other = _view(qtbot, LINEAR, source), _view(qtbot, LINEAR, source)
    view.set_log(True)
    view.set_smoothing(30)
    other.restore(view.settings())
    assert other.settings() == {"y_log": True, "smoothing": 30, "colours": {}, "values": None}


@pytest.mark.parametrize("low, high", [(-30, 1), (-6, 0.2), (-0.2, 0.3), (0.301, 0.302), (2.05, 2.95), (-320, 308)])
@pytest.mark.parametrize("count", (8, 3))
def test_logarithmic_axes_always_have_ticks_to_read(low: float, high: float, count: int) -> None:
    named, _ = log_ticks(low, high, count)
    inside = named[(named >= low) & (named <= high)]
    assert 2 <= len(inside) <= 14


def test_the_name_of_a_line_that_ends_within_the_plot_stands_above_its_end(qtbot) -> None:
    guide = ("slope", lambda config, source: (np.array([0.0, 60.0]), np.array([0.5, 0.5])))
    view = _view(
        qtbot, Curves(("train_loss",), title="Loss", guides=(guide,)), MemoryRun(train_loss=([0, 100], [1, 0]))
    )
    names = {item.toPlainText(): item for item in view.names._items}
    area, (_, (low, high)) = view.box.geometry(), view.box.viewRange()
    line = area.top() + (high - 0.5) / (high - low) * area.height()
    name = names["slope"]
    assert name.pos().y() + name.boundingRect().height() <= line + 1
    assert area.left() <= name.pos().x() <= area.right() - name.boundingRect().width()


def test_the_name_of_a_guide_that_ends_at_the_top_leaves_the_marks_of_events_in_sight(qtbot) -> None:
    guide = ("slope", lambda config, source: (np.array([0.0, 60.0]), np.array([0.5, 1.0])))
    spec = Curves(("train_loss",), title="Loss", guides=(guide,))
    view = _view(qtbot, spec, MemoryRun(train_loss=([0, 100], [1, 0])))
    (name,) = (item for item in view.names._items if item.toPlainText() == "slope")
    assert name.pos().y() >= view.box.geometry().top() + MARKS_PX


def drawn(qtbot, x: list[float], y: list[float], rate: int) -> np.ndarray:
    return darkened(qtbot, PointWide(x, y, pen=pg.mkPen("#000000", width=1)), rate)


@pytest.mark.parametrize("rate", [1, 2])
def test_a_line_is_a_point_wide_where_a_point_has_several_pixels(qtbot, rate: int) -> None:
    dark = drawn(qtbot, [0, 5, 5.001, 10], [0, 0, 10, 10], rate)
    assert dark[:, 20 * rate].sum() == rate, "along"
    assert dark[50 * rate].sum() == rate, "and upright"


@pytest.mark.parametrize("rise", [-20, -11, -3, 3, 11, 20])
@pytest.mark.parametrize("rate", [2, 3])
def test_a_sloping_line_has_no_holes(qtbot, rise: float, rate: int) -> None:
    dark = drawn(qtbot, [0, 10], [5 - rise / 2, 5 + rise / 2], rate)
    assert dark.sum(axis=0)[10 * rate : 90 * rate].min() >= rate
    for lines in (dark, dark.T):
        assert (np.abs(np.diff(lines.astype(int), axis=1)).sum(axis=1) <= 2).all()
