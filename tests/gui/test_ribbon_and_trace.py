from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QWheelEvent
from PySide6.QtWidgets import QApplication

from gui.theme import LIGHT
from gui.views import make_view
from gui.views.plot import LEFT_PX
from gui.views.ribbon import RibbonView
from gui.views.trace import TraceView
from lab.stream import PART, MemoryRun
from lab.views import Ribbon, Stage, Trace
from storage.reader import RunReader
from storage.writer import RunWriter
from tests.gui.runs import MadeUpRun

STAGES = Ribbon("stage", title="Stages", stages=(Stage("descent", "goes down"), Stage("growth"), Stage("recovery")))


def _ribbon(qtbot, run: MemoryRun) -> RibbonView:
    view = make_view(STAGES, MadeUpRun(run), LIGHT)
    assert isinstance(view, RibbonView)
    qtbot.addWidget(view)
    view.resize(LEFT_PX + 500 + view.axis.gutter, 76)
    with qtbot.waitActive(view):
        view.show()
        view.activateWindow()
    view.refresh()
    return view


def _trace(qtbot, run: MemoryRun | RunReader) -> TraceView:
    view = make_view(Trace("x", "y", title="Phase"), MadeUpRun(run), LIGHT)
    assert isinstance(view, TraceView)
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.show()
    qtbot.waitExposed(view)
    view.refresh()
    return view


def test_a_ribbon_shows_each_stage_over_its_steps(qtbot) -> None:
    run = MemoryRun(stage=(np.arange(0, 101, 2), np.repeat([1, 2, 3], [20, 20, 11])))
    view = _ribbon(qtbot, run)
    assert view.segments() == [(64.0, 264.0, 1), (264.0, 464.0, 2), (464.0, 564.0, 3)]
    image = view.grab().toImage()
    assert [image.pixelColor(x, 8).name() for x in (80, 300, 550)] == [view.colour(i).name() for i in (1, 2, 3)]


def test_a_stage_of_one_step_is_at_least_a_pixel_wide(qtbot) -> None:
    stage = np.ones(100_000, int)
    stage[54_321] = 2
    view = _ribbon(qtbot, MemoryRun(stage=(np.arange(100_000), stage)))
    (left, right) = next((left, right) for left, right, number in view.segments() if number == 2)
    assert right - left >= 1


def test_a_ribbon_grows_and_takes_steps_again_when_the_run_goes_back(qtbot) -> None:
    run = MemoryRun(stage=(np.arange(10), np.repeat([1, 2], 5)))
    view = _ribbon(qtbot, run)
    run.append("stage", np.arange(3, 13), np.full(10, 3))
    view.refresh()
    assert [view.stage_at(step) for step in (2, 3, 9, 12)] == [1, 3, 3, 3]


def test_where_room_is_short_the_stages_that_there_were_are_named_whole(qtbot) -> None:
    view = _ribbon(qtbot, MemoryRun(stage=(np.arange(4), [1, 1, 3, 3])))
    metrics = QFontMetricsF(view.font())
    assert list(view.key(metrics).values()) == ["1 descent", "2 growth", "3 recovery"]
    view.resize(310, view.height())
    assert list(view.key(metrics).values()) == ["1 descent", "3 recovery"]
    view.resize(200, view.height())
    assert [text.endswith("…") for text in view.key(metrics).values()] == [True, True]


def test_stages_that_mean_nothing_are_left_blank(qtbot) -> None:
    view = _ribbon(qtbot, MemoryRun(stage=(np.arange(5), [np.nan, 7.0, -1.0, np.inf, 1.0])))
    assert [view.stage_at(step) for step in range(5)] == [0, 0, 0, 0, 1]
    view.grab()
    assert view.message == ""


def test_a_strip_without_any_stage_says_so_instead_of_staying_blank(qtbot) -> None:
    def colours(stages: np.ndarray) -> int:
        """Number of colours in the right half of the strip."""
        image = _ribbon(qtbot, MemoryRun(stage=(np.arange(100), stages))).grab().toImage()
        places = [(x, y) for x in range(LEFT_PX + 255, LEFT_PX + 495) for y in range(4, 40)]
        return len({image.pixelColor(x, y).name() for x, y in places})

    assert colours(np.zeros(100, int)) > 3, "a sentence, with its soft edges"
    assert colours(np.repeat([1, 0], 50)) == 1, "beside stages it would be in the way"


def test_the_ribbon_reads_the_stage_at_the_crosshair(qtbot) -> None:
    view = _ribbon(qtbot, MemoryRun(stage=(np.arange(100), np.repeat([1, 2], 50))))
    view.set_step(10)
    assert view.readout == "1 descent"
    qtbot.mouseMove(view, QPoint(LEFT_PX + 400, 20))
    view.set_step(None)
    assert view.axis.cursor is not None
    assert view.readout == "2 growth"


def test_wheel_and_drag_on_the_ribbon_zoom_and_pan_the_steps(qtbot) -> None:
    view = _ribbon(qtbot, MemoryRun(stage=(np.arange(1001), np.ones(1001))))
    at = QPointF(LEFT_PX + 250, 20)
    none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    wheel = QWheelEvent(at, view.mapToGlobal(at), QPoint(), QPoint(0, 240), *none, Qt.ScrollPhase.NoScrollPhase, False)
    QApplication.sendEvent(view, wheel)
    width = view.axis.high - view.axis.low
    assert width < 600
    assert view.axis.low + width / 2 == 500
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(LEFT_PX + 250, 20))
    qtbot.mouseMove(view, QPoint(LEFT_PX + 150, 20))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(LEFT_PX + 150, 20))
    assert view.axis.low + width / 2 > 550


def test_a_trace_draws_rows_that_both_series_have(qtbot) -> None:
    run = MemoryRun(x=(np.arange(0, 10), np.arange(10.0)), y=(np.arange(0, 10, 3), np.arange(4) * 10.0))
    view = _trace(qtbot, run)
    steps, x, y = view.points()
    assert (steps.tolist(), x.tolist(), y.tolist()) == ([0, 3, 6, 9], [0, 3, 6, 9], [0, 10, 20, 30])
    run.append("x", 12, 12.0)
    run.append("y", 12, 40.0)
    view.refresh()
    assert view.points()[0].tolist() == [0, 3, 6, 9, 12]
    drawn = {point for item in view._pieces for point in zip(*item.getData(), strict=True)}
    assert drawn == {(0, 0), (3, 10), (6, 20), (9, 30), (12, 40)}


def test_a_long_trace_keeps_every_point_that_reaches_a_new_pixel(qtbot) -> None:
    angle = np.linspace(0, 60, 100_000)
    x = np.cos(angle)
    x[70_000] = 5.0
    view = _trace(qtbot, MemoryRun(x=(np.arange(100_000), x), y=(np.arange(100_000), np.sin(angle))))
    drawn = np.concatenate([item.getData()[0] for item in view._pieces])
    assert drawn.max() == 5.0
    assert len(drawn) < 30_000


def test_the_trace_shows_where_the_crosshair_stands_and_moves_it(qtbot) -> None:
    run = MemoryRun(x=(np.arange(5), np.arange(5.0)), y=(np.arange(5), np.arange(5.0) ** 2))
    view = _trace(qtbot, run)
    view.set_step(3)
    assert view._dot.getData()[0].tolist() == [3.0]
    view._hovered(2.0, 4.0)
    assert view.axis.cursor == 2
    assert view._dot.getData()[1].tolist() == [4.0]


def test_a_trace_of_unusable_numbers_stays_quiet(qtbot, caplog) -> None:
    values = [np.nan, np.inf, -1e308, 1e308]
    view = _trace(qtbot, MemoryRun(x=(np.arange(4), values), y=(np.arange(4), values)))
    view.grab()
    assert view.message == ""
    assert not caplog.records


def test_pictures_have_the_title_and_the_size_asked_for(qtbot, tmp_path) -> None:
    view = _ribbon(qtbot, MemoryRun(stage=(np.arange(10), np.ones(10))))
    view.grab_png(tmp_path / "a.png", scale=3)
    assert (tmp_path / "a.png").stat().st_size > 1000
    image = view.picture(3)
    assert image.width() == 3 * view.width()
    ground = QColor(LIGHT.ground)
    assert any(image.pixelColor(x, 45) != ground for x in range(36, 120))


def test_what_was_done_to_the_run_is_marked_on_the_ribbon_and_told_by_the_trace(qtbot) -> None:
    rows = np.arange(0, 101, 2)
    run = MemoryRun(stage=(rows, np.ones(51, int)), x=(rows, rows * 1.0), y=(rows, rows * 1.0))
    ribbon, trace = _ribbon(qtbot, run), _trace(qtbot, run)
    before = ribbon.grab().toImage()
    run.event(50, "knobs", {"changed": {"lr": [0.02, 0.01]}})
    run.event(80, "spike", {"phase": "start"})
    ribbon.refresh()
    after = ribbon.grab().toImage()
    changed = {x for x in range(before.width()) for y in (5, 15) if before.pixel(x, y) != after.pixel(x, y)}
    assert changed and changed <= set(range(309, 320))  # step 50 of 100; a spike is none of anybody's doing
    trace.refresh()
    assert "\N{BLACK DIAMOND}" in trace.readout and "50 after knobs lr 0.02 → 0.01" in trace.readout
    trace.set_step(40)
    assert "\N{BLACK DIAMOND}" not in trace.readout


@pytest.fixture
def spiral(tmp_path) -> Iterator[tuple[RunReader, np.ndarray, np.ndarray]]:
    """A run file with two long series; one pair far from all others."""
    count = 2 * PART + 1000
    angle = np.linspace(0, 300, count)
    x, y = angle * np.cos(angle), angle * np.sin(angle)
    x[PART + 77] = 900.0
    with RunWriter.create(tmp_path / "run.h5", {}, {}, {}) as writer:
        writer.append("x", np.arange(count), x)
        writer.append("y", np.arange(count), y)
    with RunReader(tmp_path / "run.h5") as reader:
        yield reader, x, y


def test_a_long_trace_of_a_file_stays_there_and_keeps_what_stands_out(qtbot, spiral) -> None:
    reader, x, y = spiral
    view = _trace(qtbot, reader)
    steps, across, up = view.points()
    assert len(steps) < len(x) / 8
    assert (across.min(), across.max(), up.min(), up.max()) == (x.min(), 900.0, y.min(), y.max())
    np.testing.assert_array_equal(across, x[steps])
    np.testing.assert_array_equal(up, y[steps])
    for step in (0, 1, 63, 64, 70_001, len(x) - 1):
        view.set_step(step)
        assert view._dot.getData() == (x[step], y[step]), "the slider reads every row"
    assert view.numbers().splitlines()[70_002] == f"70001\t{x[70_001].item()!r}\t{y[70_001].item()!r}"


def test_a_long_trace_of_a_file_shows_every_row_where_it_is_zoomed(qtbot, spiral) -> None:
    reader, x, y = spiral
    view = _trace(qtbot, reader)
    view._held_by_hand()
    view.box.setRange(xRange=(-4, 4), yRange=(-3, 3), padding=0)
    view.draw()
    steps, across, _ = view._drawn
    inside = np.flatnonzero((np.abs(x) < 4) & (np.abs(y) < 3))
    assert len(inside) > 1000
    shown = set(steps[np.isfinite(across)].tolist())
    assert shown.issuperset(inside.tolist())
    gaps = np.isnan(across)
    assert (np.diff(steps)[~gaps[:-1]] <= 1).all(), "rows that were left out are not bridged by a line"
    view.show_all()
    view.draw()
    assert len(view._drawn[0]) == len(view.points()[0])
