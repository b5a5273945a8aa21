import numpy as np
import pytest

from gui.theme import LIGHT
from gui.views import make_view
from gui.views.axes import StepAxis
from lab.stream import MemoryRun
from lab.views import Curves, Heatmap
from tests.gui.runs import MadeUpRun
from tests.gui.views.shown import colour, drag_box, go, pixel, show

STEPS = np.array([0, 1, 2, 5, 10, 20, 50, 100])
CELLS = np.arange(32.0).reshape(8, 4)
SPEC = Heatmap("error", title="Error", z_label="Δ")


def test_every_cell_has_its_colour_at_its_true_step_and_row(qtbot) -> None:
    view = show(qtbot, SPEC, MemoryRun(error=(STEPS, CELLS)))
    for row, step in enumerate(STEPS[3:], 3):
        for k in range(4):
            assert pixel(view, view._raster, min(step, 99.5), k) == colour(view, CELLS[row, k]), (step, k)
    # readings reach half way to their neighbours
    assert pixel(view, view._raster, 34, 0) == colour(view, CELLS[5, 0])
    assert pixel(view, view._raster, 36, 0) == colour(view, CELLS[6, 0])


def test_rows_stand_at_their_coordinates_or_at_equal_distances(qtbot) -> None:
    places = np.array([[8.0, 1.0, 2.0, 4.0]])  # in no order
    view = show(qtbot, Heatmap("error", rows="k", title="Error"), MemoryRun(error=(STEPS, CELLS), k=(0, places)))
    for k, place in enumerate(places[0]):
        assert pixel(view, view._raster, 20, place) == colour(view, CELLS[5, k])
    assert view.row_under(6.5) == 0
    view.set_even(True)
    view.draw()
    assert [pixel(view, view._raster, 20, k + 0.5) for k in range(4)] == [colour(view, z) for z in CELLS[5]]
    assert view.canvas.left_axis.tickStrings(np.array([0.5, 1.5]), 1, 1) == ["8", "1"]


def test_rows_without_a_place_of_their_own_stand_at_equal_distances(qtbot) -> None:
    run = MemoryRun(error=(STEPS, CELLS), k=(0, [[1.0, 1.0, 2.0, np.nan]]))
    view = show(qtbot, Heatmap("error", rows="k", title="Error"), run)
    assert view.even
    assert pixel(view, view._raster, 20, 3.5) == colour(view, CELLS[5, 3])


def test_logarithmic_steps_and_colours(qtbot) -> None:
    cells = 10.0**-CELLS
    spec = Heatmap("error", title="Error", x_log=True, z_log=True)
    view = show(qtbot, spec, MemoryRun(error=(STEPS, cells)))
    assert (view.bar.colour_scale.low, view.bar.colour_scale.high) == pytest.approx((1e-12, 1.0))
    assert pixel(view, view._raster, 1.0, 2) == colour(view, cells[4, 2])
    assert [text for _, text in view.bar.ticks()][-1] == "1"


def test_the_picture_grows_with_the_run_and_the_zoom_stays(qtbot) -> None:
    run = MemoryRun(error=(STEPS, CELLS))
    view = show(qtbot, SPEC, run, live=True, state="running")
    run.append("error", 200, [[100.0, 0, 0, 0]])
    view.refresh()
    assert view.axis.high == 200
    assert view.bar.colour_scale.high == 100
    held = drag_box(view)
    run.append("error", 400, [[1.0, 0, 0, 0]])
    view.refresh()
    np.testing.assert_allclose(view.box.viewRange(), held)
    assert pixel(view, view._raster, 120, 2) == colour(view, CELLS[7, 2])


def test_steps_are_those_of_the_curves_beside(qtbot) -> None:
    axis = StepAxis()
    run = MemoryRun(error=(STEPS, CELLS), loss=(np.arange(1000), np.ones(1000)))
    view = show(qtbot, SPEC, run, axis=axis)
    curves = make_view(Curves(("loss",), title="Loss"), MadeUpRun(run), LIGHT, axis)
    qtbot.addWidget(curves)
    curves.resize(view.size())
    curves.show()
    curves.refresh()
    view.draw()
    curves.draw()
    assert view.box.viewRange()[0] == curves.box.viewRange()[0] == [0, 999]
    assert view.box.geometry().left() == curves.box.geometry().left()
    assert view.box.geometry().right() == curves.box.geometry().right()


def test_the_read_out_tells_step_row_and_value(qtbot) -> None:
    view = show(qtbot, SPEC, MemoryRun(error=(STEPS, CELLS)))
    go(view, 49)
    assert "20 … 23" in view.readout
    assert "step&nbsp;20" in view.readout
    view._hovered(36.0, 2.1)
    assert view.axis.cursor == 50
    assert "Δ&nbsp;26" in view.readout
    assert "step&nbsp;50" in view.readout


def test_contours_run_where_the_values_cross_them(qtbot) -> None:
    cells = np.tile(np.arange(10.0), (50, 1))
    view = show(qtbot, Heatmap("error", title="Error", contours=(3.5, 99.0)), MemoryRun(error=(np.arange(50), cells)))
    x, y = view._contours.getData()
    np.testing.assert_allclose(y, 3.5)
    assert x.min() < 2
    assert x.max() > 47
    assert view.bar.marks == (3.5, 99.0)


def test_a_hot_cell_of_a_million_is_seen(qtbot) -> None:
    cells = np.zeros((10_000, 100), np.float32)
    cells[4321, 77] = 1.0
    view = show(qtbot, SPEC, MemoryRun(error=(np.arange(10_000), cells)))
    assert (view._raster.image == colour(view, 1.0)).all(axis=2).any()
    view.keep_smallest(True)
    view.draw()
    assert not (view._raster.image == colour(view, 1.0)).all(axis=2).any()


def test_a_long_name_over_the_colours_ends_within_the_view(qtbot) -> None:
    spec = Heatmap("error", title="Error", z_label="relative error of the prediction")
    view = show(qtbot, spec, MemoryRun(error=(STEPS, CELLS)))
    name = view.bar._name
    assert name.toPlainText().endswith("…") and view.bar.toolTip().startswith("relative error of the prediction")
    assert name.sceneBoundingRect().right() <= view.canvas.viewport().width()


def test_colour_limits_are_held_typed_and_let_go(qtbot) -> None:
    view = show(qtbot, SPEC, MemoryRun(error=(STEPS, CELLS)))
    view.bar.hold((10.0, 20.0))
    view.draw()
    assert pixel(view, view._raster, 99, 3) == colour(view, 20.0)
    settings = view.settings()
    view.bar.release()
    view.draw()
    assert view.bar.colour_scale.high == 31
    view.restore(settings)
    assert (view.bar.colour_scale.low, view.bar.colour_scale.high) == (10.0, 20.0)


def test_missing_numbers_have_a_colour_of_their_own(qtbot) -> None:
    cells = CELLS.copy()
    cells[5, 1] = np.nan
    view = show(qtbot, SPEC, MemoryRun(error=(STEPS, cells)))
    assert pixel(view, view._raster, 20, 1) == colour(view, np.nan)
    assert pixel(view, view._raster, 20, 2) == colour(view, cells[5, 2])


def test_numbers_are_copied_with_every_digit(qtbot) -> None:
    view = show(qtbot, SPEC, MemoryRun(error=([0, 7], [[1 / 3, 2.0], [3.0, 4.0]])))
    assert view.numbers() == "step\t0.0\t1.0\n0\t0.3333333333333333\t2.0\n7\t3.0\t4.0"
