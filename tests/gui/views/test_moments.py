import math

import numpy as np
import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from lab.stream import MemoryRun
from lab.views import Bars, Distribution, Line, Profile, Scatter, Table, TableRow
from tests.gui.views.shown import data_of, drag_box, go, show

RNG = np.random.default_rng(0)
SAMPLES = RNG.normal(size=(3, 200)) * np.array([1.0, 2.0, 5.0])[:, None]
STEPS = [0, 10, 20]


@pytest.mark.parametrize("step, row", [(0, 0), (10, 1), (19, 1), (None, 2)])
def test_a_histogram_counts_every_sample_of_the_slider_s_step(qtbot, step, row: int) -> None:
    view = show(qtbot, Distribution("w", title="W", bins=20), MemoryRun(w=(STEPS, SAMPLES)))
    go(view, step)
    edges, counts = data_of(view._now)
    assert len(edges) == len(counts) + 1 == 21
    np.testing.assert_array_equal(counts, np.histogram(SAMPLES[row], edges)[0])
    assert sum(counts) == 200
    assert sum(data_of(view._first)[1]) == 200


def test_logarithmic_bins_hold_every_sample_above_zero(qtbot) -> None:
    samples = np.append(10.0 ** RNG.uniform(-8, 2, 500), [0.0, -1.0, np.nan, np.inf])
    spec = Distribution("w", title="W", x_log=True, y_log=True, bins=30)
    view = show(qtbot, spec, MemoryRun(w=(0, samples[None])))
    edges, counts = data_of(view._now)
    assert (min(edges), max(edges)) == pytest.approx((np.log10(samples[:500].min()), np.log10(samples[:500].max())))
    np.testing.assert_allclose(np.diff(edges), np.diff(edges)[0])
    heights = 10 ** np.array(counts)
    assert round(heights[heights > 0.6].sum()) == 500
    assert "2 not finite" in view.readout


def test_a_density_is_drawn_over_its_grid_with_reference_lines(qtbot) -> None:
    grid = np.array([[3.0, 1.0, 2.0]])
    density = np.array([[0.3, 0.1, 0.2], [0.6, 0.4, 0.5]])
    spec = Distribution("d", grid="g", title="Spectrum", lines=(Line("2/η", lambda config: 0.2 / config.lr),))
    view = show(qtbot, spec, MemoryRun(d=([0, 10], density), g=(0, grid)))
    assert data_of(view._now) == ([1.0, 2.0, 3.0], [0.4, 0.5, 0.6])
    assert data_of(view._first) == ([1.0, 2.0, 3.0], [0.1, 0.2, 0.3])
    line = view._references._items[0]
    assert line.isVisible()
    assert line.value() == pytest.approx(2.0)


def test_reference_lines_follow_turned_knobs(qtbot) -> None:
    run = MemoryRun(w=(STEPS, SAMPLES))
    run.event(10, "knobs", {"changed": {"lr": [0.1, 0.05]}})
    view = show(qtbot, Distribution("w", title="W", lines=(Line("2/η", lambda config: 2 / config.lr),)), run)
    view.run.config = view.run.config.model_copy(update={"lr": 0.05})
    for step, value in ((0, 20.0), (10, 40.0)):
        go(view, step)
        assert view._references._items[0].value() == pytest.approx(value)


def test_points_stand_where_both_series_say_with_the_first_row_behind(qtbot) -> None:
    x, y = RNG.normal(size=(2, 3, 40))
    view = show(qtbot, Scatter("x", "y", title="S"), MemoryRun(x=(STEPS, x), y=(STEPS, y)))
    for step, row in ((0, 0), (15, 1), (None, 2)):
        go(view, step)
        assert data_of(view._dots) == (x[row].tolist(), y[row].tolist())
        assert data_of(view._first) == (x[0].tolist(), y[0].tolist())


def test_a_click_picks_the_nearest_point_and_any_view_can_select_one(qtbot) -> None:
    x, y = np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 5.0, 1.0]])
    view = show(qtbot, Scatter("x", "y", title="S"), MemoryRun(x=(0, x), y=(0, y)))
    picked = []
    view.picked.connect(lambda kind, number: picked.append((kind, number)))
    view._clicked(1.01, 4.99)
    assert picked == [("point", 1)]
    assert data_of(view._ring) == ([1.0], [5.0])
    assert "y&nbsp;5" in view.readout
    view._clicked(0.5, 4.0)  # nothing is near
    assert (picked, view.selected) == ([("point", 1)], None)
    view.select("head", 2)
    assert view.selected is None
    view.select("point", 2)
    assert data_of(view._ring) == ([2.0], [1.0])
    view.select("point", 99)
    assert data_of(view._ring) == ([], [])


def test_trails_lead_up_to_the_slider_s_step(qtbot) -> None:
    x = np.arange(8.0).reshape(4, 2)
    run = MemoryRun(x=(np.arange(4), x), y=(np.arange(0, 8, 2), x * 10))  # both have steps 0 and 2
    view = show(qtbot, Scatter("x", "y", title="S", trails=True), run)
    assert data_of(view._trail) == ([0.0, 4.0, 1.0, 5.0], [0.0, 20.0, 10.0, 30.0])
    assert view._trail.opts["connect"].tolist() == [True, False, True, False]
    go(view, 1)
    assert data_of(view._trail) == ([], [])
    view.set_trails(False)
    go(view, None)
    assert data_of(view._trail) == ([], [])


def test_long_trails_are_thinned_and_keep_their_ends(qtbot) -> None:
    x = np.cumsum(RNG.normal(size=(5000, 100)), axis=0)
    run = MemoryRun(x=(np.arange(5000), x), y=(np.arange(5000), x))
    view = show(qtbot, Scatter("x", "y", title="S", trails=True), run)
    xs, _ = view.path()
    assert xs.size <= 70_000
    np.testing.assert_array_equal(xs[[0, -1]], x[[0, -1]])


def test_a_polar_portrait_has_angles_and_radii_linear_or_logarithmic(qtbot) -> None:
    angle, radius = np.array([[0.0, np.pi / 2, np.pi]]), np.array([[1.0, 10.0, 100.0]])
    run = MemoryRun(x=(0, angle), y=(0, radius))
    x, y = (np.array(part) for part in data_of(show(qtbot, Scatter("x", "y", title="S", polar=True), run)._dots))
    np.testing.assert_allclose([x, y], [[1, 0, -100], [0, 10, 0]], atol=1e-9)
    view = show(qtbot, Scatter("x", "y", title="S", polar=True, y_log=True), run)
    x, y = (np.array(part) for part in data_of(view._dots))
    np.testing.assert_allclose([x, y], [[1, 0, -3], [0, 2, 0]], atol=1e-9)


def test_points_are_coloured_by_their_series(qtbot) -> None:
    x = np.arange(3.0)[None]
    view = show(qtbot, Scatter("x", "x", colour="c", title="S"), MemoryRun(x=(0, x), c=(0, [[0.0, np.nan, 1.0]])))
    first, missing, last = (brush.color().getRgb()[:3] for brush in view._dots.data["brush"])
    assert np.abs(np.array(first) - view.bar.colours[0, :3]).max() < 12
    assert np.abs(np.array(last) - view.bar.colours[255, :3]).max() < 12
    assert list(missing) == view.bar.colours[256, :3].tolist()


def test_a_profile_draws_lines_dots_and_a_target_that_stays(qtbot) -> None:
    x, target, output = np.array([[2.0, 0.0, 1.0]]), np.array([[20.0, 0.0, 10.0]]), RNG.normal(size=(3, 3))
    run = MemoryRun(x=(0, x), target=(7, target), output=(STEPS, output))
    view = show(qtbot, Profile("x", ("target", "output"), points=("target",), title="P"), run)
    for step, row in ((0, 0), (10, 1), (None, 2)):
        go(view, step)
        assert data_of(view._dots["target"]) == ([0, 1, 2], [0, 10, 20])
        assert data_of(view._curves["output"]) == ([0, 1, 2], output[row][[1, 2, 0]].tolist())
    view._hovered(0.9, 0.0)
    assert "target&nbsp;10" in view.readout
    assert view.numbers().splitlines()[0] == "x\ttarget\toutput"


def test_names_at_the_ends_of_a_profile_are_inside_it_when_it_is_drawn_once(qtbot) -> None:
    run = MemoryRun(x=([0], [[0.0, 1.0]]), rather_long_a_name=([0], [[1.0, 2.0]]))
    view = show(qtbot, Profile("x", ("rather_long_a_name",), title="P"), run)
    (item,) = view.names._items
    assert item.pos().x() == pytest.approx(view.box.geometry().right() + 2, abs=1)
    assert item.pos().x() + item.boundingRect().width() <= view.canvas.width()


def test_a_logarithmic_profile_leaves_out_what_is_not_above_zero(qtbot) -> None:
    run = MemoryRun(x=(0, [[1.0, 10.0, 100.0]]), s=(0, [[1.0, 0.0, 0.01]]))
    view = show(qtbot, Profile("x", ("s",), x_log=True, y_log=True, title="P"), run)
    np.testing.assert_allclose(data_of(view._curves["s"]), [[0, 1, 2], [0, np.nan, -2]])


def test_series_of_different_lengths_are_said_in_place(qtbot) -> None:
    run = MemoryRun(x=(0, [[1.0, 2.0]]), s=(0, [[1.0, 0.0, 0.01]]))
    assert "s has 3 values, x 2" in show(qtbot, Profile("x", ("s",), title="P"), run).message
    assert "s has 3 values" in show(qtbot, Scatter("s", "x", title="P"), run).message


def test_bars_are_as_high_as_their_values(qtbot) -> None:
    values = np.array([[0.1, 0.2, -0.3], [1.0, np.nan, 3.0]])
    spec = Bars("v", labels=("none", "key"), title="B", lines=(Line("chance", 0.5),))
    view = show(qtbot, spec, MemoryRun(v=([0, 10], values)))
    assert (view._bars.opts["x"].tolist(), view._bars.opts["height"].tolist()) == ([0.5, 2.5], [1.0, 3.0])
    assert view._references._items[0].value() == 0.5
    go(view, 5)
    assert view._bars.opts["height"].tolist() == [0.1, 0.2, -0.3]
    assert view.numbers() == "none\t0.1\nkey\t0.2\n2\t-0.3"
    view._hovered(1.2, 0.1)
    assert "key&nbsp;0.2" in view.readout


def test_the_number_of_a_full_bar_stands_in_it_and_others_on_top(qtbot) -> None:
    spec = Bars("v", labels=("low", "full"), title="B", y_range=(0.0, 1.0))
    view = show(qtbot, spec, MemoryRun(v=(0, [[0.12345, 1.0]])))
    low, full = view._texts
    assert (low.anchor.y(), full.anchor.y()) == (1.0, 0.0)
    assert low.toPlainText() == "0.123"
    view.resize(400, 110)
    view.draw()
    assert low.anchor.y() == 1.0
    high = show(qtbot, spec, MemoryRun(v=(0, [[0.87, 1.0]])))
    assert high._texts[0].anchor.y() == 1.0
    high.resize(400, 110)
    high.draw()
    assert high._texts[0].anchor.y() == 0.0, "a low panel has no room for a number over 0.87"
    free = show(qtbot, Bars("v", labels=(), title="B"), MemoryRun(v=(0, [[1.0, 3.0]])))
    assert free.box.viewRange()[1][1] > 3.5 and free._texts[1].anchor.y() == 1.0


def test_a_declared_range_holds_whatever_the_values(qtbot) -> None:
    view = show(qtbot, Bars("v", labels=("a",), title="B", y_range=(0.0, 1.0)), MemoryRun(v=(0, [[0.2]])))
    np.testing.assert_allclose(view.box.viewRange()[1], [0, 1])


def test_zoom_stays_while_rows_arrive(qtbot) -> None:
    for spec in (Distribution("w", title="W"), Scatter("w", "w", title="W"), Profile("w", ("w",), title="W")):
        run = MemoryRun(w=(STEPS, SAMPLES))
        view = show(qtbot, spec, run)
        held = drag_box(view)
        run.append("w", 30, SAMPLES[:1] * 50)
        view.refresh()
        assert view.box.viewRange() == held
        view.show_all()
        view.draw()
        assert view.box.viewRange()[0][1] > 50


def test_a_table_sets_measured_numbers_beside_closed_forms(qtbot) -> None:
    run = MemoryRun(w=(STEPS, [[1.0, 2.0], [1.1, 2.2], [0.101, 2.5]]), loss=([0], [1 / 3]))
    rows = (
        TableRow("η", "w", 0, lambda config: config.lr),
        TableRow("second", "w", 1),
        TableRow("loss", "loss", None, lambda config: 0.0),
    )
    view = show(qtbot, Table(rows, title="T"), run)
    cells = [[view.model.index(i, j).data() for j in range(4)] for i in range(3)]
    assert cells == [["η", "0.101", "0.1", "+1 %"], ["second", "2.5", "–", "–"], ["loss", "0.3333", "0", "–"]]
    go(view, 10)
    assert [view.model.index(0, j).data() for j in range(4)] == ["η", "1.1", "0.1", "+1\u2009000 %"]
    view.table.selectRow(2)
    view.copy_selection()
    text = QGuiApplication.clipboard().text()
    assert text.splitlines()[1].split("\t")[:3] == ["loss", "0.3333333333333333", "0.0"]
    assert len(text.splitlines()) == 2


def test_a_table_has_rows_of_what_was_read_and_no_columns_without_numbers(qtbot) -> None:
    rows = (TableRow("a", "w", 0, lambda config: config.nothing), TableRow("b", "never", 0))
    view = show(qtbot, Table(rows, title="T"), MemoryRun(w=(0, [[1.0]])))
    assert [entry.label for entry in view.entries()] == ["a"]
    assert [view.table.isColumnHidden(column) for column in range(4)] == [False, False, True, True]


def test_a_narrow_table_leaves_out_the_difference_rather_than_the_names(qtbot) -> None:
    rows = (TableRow("ranks of both factors", "w", 0, lambda config: 1.0),)
    view = show(qtbot, Table(rows, title="T"), MemoryRun(w=(0, [[1.0]])))
    for width, hidden in ((340, True), (600, False)):
        view.resize(width, 200)
        view.draw()
        assert [view.table.isColumnHidden(column) for column in range(4)] == [False, False, False, hidden]
    assert view.table.columnWidth(0) > view.table.sizeHintForColumn(0)


def test_a_closed_form_that_does_not_hold_here_is_left_out(qtbot) -> None:
    view = show(
        qtbot, Table((TableRow("a", "w", 0, lambda c: 1 / (c.width - 3)),), title="T"), MemoryRun(w=(0, [[1.0]]))
    )
    assert math.isnan(view.entries()[0].expected)
    wrong = show(qtbot, Table((TableRow("a", "w", 5),), title="T"), MemoryRun(w=(0, [[1.0]])))
    assert "w has no value number 5" in wrong.message


def test_a_picture_of_a_moment_is_marked_once_somebody_has_acted_on_the_run(qtbot) -> None:
    run = MemoryRun(w=(STEPS, SAMPLES))
    run.event(15, "action", {"action": "mask_head", "arguments": {"layer": 0, "head": 1}})
    view = show(qtbot, Distribution("w", title="W", bins=20), run)
    assert "\N{BLACK DIAMOND}" in view.readout
    assert "5 after action mask_head, layer 0, head 1" in view.readout
    run.event(15, "action", {"action": "clear_masks", "arguments": {}})
    view.refresh()
    assert "5 after action clear_masks" in view.readout  # of two at one step the one that was done last
    go(view, 19)  # the row of step 10 is from before
    assert "\N{BLACK DIAMOND}" not in view.readout


def test_what_a_view_lacks_is_said_over_whatever_the_view_holds(qtbot) -> None:
    view = show(qtbot, Distribution("w", title="W", bins=20), MemoryRun())
    cover = QWidget(view)
    cover.raise_()
    view.draw()
    assert view.message and view.children().index(view._message) > view.children().index(cover)
