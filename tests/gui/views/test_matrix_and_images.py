import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtWidgets import QApplication

from gui.views.base import stage_colour
from lab.stream import MemoryRun
from lab.views import ImageGrid, Matrix, Stage
from tests.gui.views.shown import colour, data_of, drag_box, go, pixel, show

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(3, 6, 6))
STEPS = [0, 10, 20]


@pytest.mark.parametrize("step, row", [(0, 0), (9, 0), (10, 1), (15, 1), (None, 2)])
def test_the_matrix_of_the_slider_s_step_is_drawn(qtbot, step, row: int) -> None:
    view = show(qtbot, Matrix("m", title="M", centre=0.0), MemoryRun(m=(STEPS, SERIES)))
    go(view, step)
    for i, j in np.ndindex(6, 6):
        assert pixel(view, view.raster, j + 0.5, i + 0.5) == colour(view, SERIES[row, i, j]), (i, j)


def test_rows_and_columns_are_reordered_and_keep_their_names(qtbot) -> None:
    order = np.array([3, 1, 5, 0, 2, 4])
    spec = Matrix("m", order="o", title="M", labels=tuple("abcdef"), z_label="cos")
    view = show(qtbot, spec, MemoryRun(m=(STEPS, SERIES), o=(0, order[None])))
    np.testing.assert_array_equal(view.tiles[0, 0], SERIES[2][np.ix_(order, order)])
    assert view.canvas.left_axis.tickStrings(np.array([0.5, 1.5]), 1, 1) == ["d", "b"]
    view._hovered(1.5, 0.5)  # second column of the first row
    assert "(d, b)" in view.readout
    picked = []
    view.picked.connect(lambda kind, index: picked.append((kind, index)))
    view._clicked(1.5, 0.5)
    assert picked == [("row", 3)]
    view.set_reordered(False)
    view.draw()
    np.testing.assert_array_equal(view.tiles[0, 0], SERIES[2])


def test_rows_that_are_some_of_many_things_are_named_by_their_numbers_and_the_axes_say_that_they_are_ordered(
    qtbot,
) -> None:
    order, which = np.array([3, 1, 5, 0, 2, 4]), np.array([4, 7, 11, 20, 31, 90])
    spec = Matrix("m", order="o", numbers="n", title="M", z_label="cos", x_label="neuron", y_label="neuron")
    view = show(qtbot, spec, MemoryRun(m=(STEPS, SERIES), o=(0, order[None]), n=(0, which[None])))
    left, bottom = view.canvas.left_axis, view.canvas.bottom_axis
    for axis in (left, bottom):
        assert axis.tickStrings(np.array([0.5, 1.5]), 1, 1) == ["20", "7"]
        assert "neuron, ordered" in axis.label.toPlainText()
    view._hovered(1.5, 0.5)
    value, place, _ = view.readout.split("&nbsp;&nbsp; ")
    assert "cos" in value and place.startswith("(20, 7)"), "what gives way first in a small panel comes last"
    assert view.numbers().splitlines()[1].split("\t") == ["", "20", "7", "90", "4", "11", "31"]
    view.set_reordered(False)
    view.draw()
    assert left.tickStrings(np.array([0.5, 1.5]), 1, 1) == ["4", "7"]
    assert left.label.toPlainText().strip() == bottom.label.toPlainText().strip() == "neuron"
    middle = left.label.mapToScene(left.label.boundingRect().center()).y()
    assert middle == pytest.approx(left.mapToScene(left.rect().center()).y(), abs=2), "a shorter name is in the middle"


def test_the_numbers_of_a_map_are_copied_under_the_coordinates_of_its_columns(qtbot) -> None:
    spec = Matrix("m", rows="r", columns="c", title="M")
    run = MemoryRun(m=(0, [[[0.0, 1.0, 3.0], [0.0, 1.0, 3.0]]]), r=(0, [[0.5, 15.0]]), c=(0, [[2.0, 4.0, 8.0]]))
    assert show(qtbot, spec, run).numbers().splitlines()[1].split("\t") == ["", "2", "4", "8"]


def test_a_map_has_coordinates_dashes_and_contours(qtbot) -> None:
    values = np.array([[[0.0, 1.0, 3.0], [0.0, 1.0, 3.0]]])
    spec = Matrix("m", rows="r", columns="c", marks="k", contours=(2.0,), title="M", z_log=True, z_range=(1e-3, 10.0))
    run = MemoryRun(m=(0, values), r=(0, [[0.5, 15.0]]), c=(0, [[2.0, 4.0, 8.0]]), k=(0, [[6.0, 99.0]]))
    view = show(qtbot, spec, run)
    assert view.canvas.left_axis.tickStrings(np.array([0.5, 1.5]), 1, 1) == ["0.5", "15"]
    assert view.canvas.bottom_axis.tickStrings(np.array([0.5, 2.5]), 1, 1) == ["2", "8"]
    x, y = data_of(view._dashes)
    assert x == [2.0, 2.0] and y == [0.08, 0.92]  # 6 lies between 4 and 8; 99 beyond the map has no dash
    x, _ = data_of(view._contours)
    assert set(x) == {2.0}  # half way between the middles of the columns with 1 and 3
    assert view.bar.log
    view._hovered(1.5, 1.5)
    assert "(15, 4)" in view.readout


def test_an_order_that_is_none_is_said_in_place(qtbot) -> None:
    run = MemoryRun(m=(STEPS, SERIES), o=(0, [[0, 0, 1, 2, 3, 4]]))
    view = show(qtbot, Matrix("m", order="o", title="M"), run)
    assert "o does not order the 6 rows of m" in view.message
    view.set_reordered(False)
    view.draw()
    assert view.message == ""


def test_heads_are_small_multiples_and_a_click_enlarges_one(qtbot) -> None:
    heads = RNG.random((2, 3, 2, 8, 8)).astype(np.float32)
    view = show(qtbot, Matrix("a", title="Attention", z_range=(0, 1)), MemoryRun(a=([0, 5], heads)))
    for layer, head, i, j in ((0, 0, 0, 0), (2, 1, 7, 3), (1, 1, 4, 4)):
        x, y = head * view.period[1] + j + 0.5, layer * view.period[0] + i + 0.5
        assert pixel(view, view.raster, x, y) == colour(view, heads[1, layer, head, i, j])
    assert pixel(view, view.raster, 8.5, 4.0)[3] == 0  # between heads there is nothing
    view._clicked(view.period[1] + 2, 2 * view.period[0] + 2)
    view.draw()
    assert view.enlarged == (2, 1)
    np.testing.assert_array_equal(view.tiles[0, 0], heads[1, 2, 1])
    view._hovered(3.5, 4.5)
    assert "layer&nbsp;2&nbsp;head&nbsp;1" in view.readout
    go(view, 0)
    np.testing.assert_array_equal(view.tiles[0, 0], heads[0, 2, 1])
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    view.draw()
    assert view.tiles.shape == (3, 2, 8, 8)


def test_new_matrices_leave_the_zoom(qtbot) -> None:
    run = MemoryRun(m=(STEPS, SERIES))
    view = show(qtbot, Matrix("m", title="M"), run)
    held = drag_box(view)
    run.append("m", 30, SERIES[:1])
    view.refresh()
    assert view.box.viewRange() == held
    np.testing.assert_array_equal(view.tiles[0, 0], SERIES[0])
    view.show_all()
    view.draw()
    assert view.box.viewRange() != held


def test_a_hot_cell_of_a_large_matrix_is_seen(qtbot) -> None:
    large = np.zeros((1, 1500, 1500), np.float32)
    large[0, 700, 901] = 1.0
    view = show(qtbot, Matrix("m", title="M", z_range=(0, 1)), MemoryRun(m=(0, large)))
    assert (view.raster.image == colour(view, 1.0)).all(axis=2).any()


def test_images_stand_in_reading_order_with_their_numbers(qtbot) -> None:
    images = RNG.random((2, 7, 4, 5))
    spec = ImageGrid("im", labels="n", title="Samples", z_range=(0, 1))
    view = show(qtbot, spec, MemoryRun(im=([0, 10], images), n=(0, np.arange(7)[None] * 1.5)))
    columns = view.tiles.shape[1]
    for step, row in ((0, 0), (10, 1)):
        go(view, step)
        for number in range(7):
            down, across = divmod(number, columns)
            x, y = across * view.period[1] + 4.5, down * view.period[0] + 0.5
            assert pixel(view, view.raster, x, y) == colour(view, images[row, number, 0, 4])
    texts = [item.toPlainText() for item in view._texts if item.isVisible()]
    assert texts == ["0", "1.5", "3", "4.5", "6", "7.5", "9"]
    view._hovered(0.5, 0.5)
    assert "image&nbsp;0:&nbsp;0&nbsp;&nbsp; (0, 0)" in view.readout


def test_the_name_of_the_columns_stands_below_them_and_not_in_the_middle_of_a_wide_panel(qtbot) -> None:
    view = show(qtbot, Matrix("m", title="M", x_label="neuron"), MemoryRun(m=(STEPS, SERIES)))
    view.resize(900, 300)
    view.draw()
    name = view.canvas.bottom_axis.label
    middle = name.mapToScene(name.boundingRect().center()).x()
    assert middle == pytest.approx(view.box.mapViewToScene(QPointF(3.0, 0.0)).x(), abs=2)
    assert middle < 300


@pytest.mark.parametrize("width", [200, 160])
def test_the_name_of_the_columns_is_whole_in_a_narrow_view(qtbot, width: int) -> None:
    spec = Matrix("m", title="M", order="order", x_label="neuron", z_label="h")
    view = show(qtbot, spec, MemoryRun(m=(STEPS, SERIES), order=([0], [np.arange(6)])))
    view.resize(width, 200)
    QApplication.processEvents()
    view.draw()
    name = view.canvas.bottom_axis.label
    place = name.mapRectToScene(name.boundingRect())
    assert name.toPlainText().strip() == "neuron, ordered"
    assert place.left() >= 0 and place.right() <= width


def test_a_colour_bar_has_two_numbers_at_least(qtbot) -> None:
    view = show(
        qtbot, Matrix("m", title="M", z_label="h"), MemoryRun(m=(0, [np.linspace(-2.3, 4.4, 36).reshape(6, 6)]))
    )
    view.bar.place(QRectF(0, 0, 100, 105))
    assert [text for _, text in view.bar.ticks()] == ["\N{MINUS SIGN}2", "0", "2", "4"]


def test_cells_that_are_stages_have_their_colours_and_names(qtbot) -> None:
    stages = (Stage("calm"), Stage("partial inversion"), Stage("storm"))
    run = MemoryRun(m=(0, [[[1.0, 2.0], [3.0, np.nan]]]))
    view = show(qtbot, Matrix("m", title="M", stages=stages, z_label="phase"), run)
    for (i, j), number in {(0, 0): 1, (0, 1): 2, (1, 0): 3}.items():
        assert pixel(view, view.raster, j + 0.5, i + 0.5) == [*stage_colour(view.theme, number).getRgb()]
    assert [text for _, text in view.bar.ticks()] == ["calm", "partial inversion", "storm"]
    assert "2 partial inversion" in view.bar.toolTip()
    view._hovered(1.5, 0.5)
    assert "phase&nbsp;partial inversion" in view.readout
    view.bar.restore({"limits": [0.0, 9.0]})  # what another version kept
    assert view.bar.held == (0.5, 3.5)
    assert not [action for action in view.menu().actions() if "olour" in action.text()]


def test_numbers_that_would_lie_over_each_other_are_left_to_the_read_out(qtbot) -> None:
    run = MemoryRun(im=(0, RNG.uniform(size=(1, 40, 4, 4))), n=(0, np.full((1, 40), 0.00123456)))
    view = show(qtbot, ImageGrid("im", labels="n", title="Samples"), run)
    assert {item.toPlainText() for item in view._texts if item.isVisible()} == {"0.0012"}
    view.resize(140, 120)
    view.draw()
    assert not [item for item in view._texts if item.isVisible()]
    view._hovered(0.5, 0.5)
    assert "image&nbsp;0:&nbsp;0.00123" in view.readout
