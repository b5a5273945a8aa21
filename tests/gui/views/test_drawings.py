"""Figures hold the same numbers as the screen, from the same declarations."""

from types import SimpleNamespace

import numpy as np
import pytest

from gui.export.drawing import DRAWINGS
from gui.export.figure import Panel, render
from gui.views import WIDGETS
from lab.stream import MemoryRun
from lab.views import Bars, Distribution, Heatmap, ImageGrid, Line, Matrix, Profile, Scatter, Table, TableRow

RNG = np.random.default_rng(0)
STEPS = [0, 10, 20]
ROWS = RNG.normal(size=(3, 6))
CONFIG = SimpleNamespace(lr=0.1)


def axes_of(spec, run: MemoryRun, step: int | None = None, *labels: str):
    figure = render(spec, [Panel(run, CONFIG, label, step) for label in labels or ("",)])
    return [axes for axes in figure.axes if axes.axison or isinstance(spec, Table)]


def test_every_view_on_screen_can_be_drawn_on_paper() -> None:
    assert set(WIDGETS) <= set(DRAWINGS)


def test_a_heatmap_has_its_cells_at_true_steps_and_rows() -> None:
    run = MemoryRun(v=(STEPS, ROWS), k=(0, [[5.0, 1.0, 2.0, 3.0, 4.0, 8.0]]))
    main, bar = axes_of(Heatmap("v", rows="k", title="H", z_label="Δ", centre=0.0, contours=(0.5,)), run)
    mesh = main.collections[0]
    np.testing.assert_array_equal(mesh.get_array(), ROWS[:, [1, 2, 3, 4, 0, 5]].T)
    np.testing.assert_allclose(mesh.get_coordinates()[0, :, 0], [-5, 5, 15, 25])
    np.testing.assert_allclose(mesh.get_coordinates()[:, 0, 1], [0.5, 1.5, 2.5, 3.5, 4.5, 6.5, 9.5])
    assert mesh.norm.vmin == -mesh.norm.vmax
    assert bar.get_ylabel() == "Δ"


def test_long_heatmaps_keep_their_hot_cells() -> None:
    cells = np.zeros((9999, 3))
    cells[7777, 1] = 1.0
    main, _ = axes_of(Heatmap("v", title="H"), MemoryRun(v=(np.arange(9999), cells)))
    drawn = main.collections[0].get_array()
    assert drawn.shape[1] <= 2000
    assert drawn.max() == 1.0


@pytest.mark.parametrize("step, row", [(0, 0), (15, 1), (None, 2)])
def test_a_matrix_is_that_of_the_panel_s_step_in_its_order(step, row: int) -> None:
    series, order = RNG.normal(size=(3, 4, 4)), np.array([2, 0, 3, 1])
    spec = Matrix("m", order="o", title="M", labels=tuple("abcd"))
    main, _ = axes_of(spec, MemoryRun(m=(STEPS, series), o=(0, order[None])), step)
    np.testing.assert_array_equal(main.images[0].get_array(), series[row][np.ix_(order, order)])
    assert [text.get_text() for text in main.get_yticklabels()] == ["c", "a", "d", "b"]


def test_heads_and_images_are_small_multiples() -> None:
    heads = RNG.random((1, 2, 3, 4, 4))
    drawn = axes_of(Matrix("a", title="A"), MemoryRun(a=(0, heads)))
    np.testing.assert_array_equal([axes.images[0].get_array() for axes in drawn[:6]], heads.reshape(6, 4, 4))
    images = RNG.random((1, 5, 3, 3))
    drawn = axes_of(ImageGrid("i", labels="n", title="I"), MemoryRun(i=(0, images), n=(0, [[7, 8, 9, 10, 11]])))
    shown = [axes for axes in drawn if axes.images]
    np.testing.assert_array_equal([axes.images[0].get_array() for axes in shown], images[0])
    assert [axes.get_xlabel() for axes in shown] == ["7", "8", "9", "10", "11"]


def test_several_runs_have_a_picture_each_or_share_one() -> None:
    run = MemoryRun(v=(STEPS, ROWS))
    drawn = axes_of(Heatmap("v", title="H"), run, None, "η 0.1", "η 0.2")
    pictures = [axes for axes in drawn if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left").split("\n")[-1] for axes in pictures] == ["η 0.1", "η 0.2"]
    (bars,) = axes_of(Bars("v", labels=tuple("abcdef"), title="B"), run, 0, "one", "two")
    heights = [bar.get_height() for bar in bars.patches]
    np.testing.assert_array_equal(heights, np.tile(ROWS[0], 2))


def test_a_histogram_and_a_density_hold_every_sample() -> None:
    spec = Distribution("v", title="D", bins=5, lines=(Line("2/η", lambda config: 2 / config.lr),))
    (axes,) = axes_of(spec, MemoryRun(v=(STEPS, ROWS)), 10)
    heights = np.array([bar.get_height() for bar in axes.patches]).reshape(2, 5)
    edges = np.append([bar.get_x() for bar in axes.patches[:5]], axes.patches[4].get_x() + axes.patches[4].get_width())
    edges[[0, -1]] += [-1e-9, 1e-9]  # a bar's corners are rounded
    np.testing.assert_array_equal(heights[1], np.histogram(ROWS[1], edges)[0])
    assert heights.sum(axis=1).tolist() == [6, 6]
    assert axes.lines[0].get_xdata()[0] == pytest.approx(20)
    grid = np.arange(1.0, 7.0)[None]
    (axes,) = axes_of(Distribution("v", grid="g", title="D"), MemoryRun(v=(STEPS, ROWS), g=(0, grid)))
    np.testing.assert_array_equal([line.get_ydata() for line in axes.lines], ROWS[[0, 2]])


def test_scatter_has_points_first_points_and_trails() -> None:
    run = MemoryRun(x=(STEPS, ROWS), y=(STEPS, ROWS**2), c=(STEPS, ROWS))
    for polar in (False, True):
        spec = Scatter("x", "y", colour="c", trails=True, polar=polar, title="S")
        axes, _ = axes_of(spec, run, 10)
        first, now = axes.collections
        np.testing.assert_array_equal(first.get_offsets(), np.stack([ROWS[0], ROWS[0] ** 2], 1))
        np.testing.assert_array_equal(now.get_offsets(), np.stack([ROWS[1], ROWS[1] ** 2], 1))
        np.testing.assert_array_equal(now.get_array(), ROWS[1])
        np.testing.assert_array_equal([line.get_xdata() for line in axes.lines], ROWS[:2].T)


def test_a_profile_has_lines_dots_and_a_target_that_stays() -> None:
    run = MemoryRun(x=(0, np.arange(6.0)[None]), target=(7, ROWS[:1]), output=(STEPS, ROWS))
    (axes,) = axes_of(Profile("x", ("target", "output"), points=("target",), title="P"), run, 0)
    target, output = axes.lines
    assert (target.get_marker(), output.get_marker()) == (".", "None")
    np.testing.assert_array_equal([target.get_ydata(), output.get_ydata()], ROWS[[0, 0]])


def test_a_table_has_measured_numbers_and_closed_forms() -> None:
    spec = Table((TableRow("η", "v", 0, lambda config: config.lr), TableRow("b", "v", 1)), title="T")
    (axes,) = axes_of(spec, MemoryRun(v=(STEPS, [[0.0] * 6, [0.11, 2.0, 0, 0, 0, 0], [0.0] * 6])), 10)
    cells = axes.tables[0].get_celld()
    texts = [[cells[i, j].get_text().get_text() for j in range(4)] for i in (1, 2)]
    assert texts == [["η", "0.11", "0.1", "+10.00%"], ["b", "2", "–", "–"]]


def test_what_is_not_recorded_leaves_the_axes_empty() -> None:
    specs = (
        Heatmap("v", title="H"),
        Matrix("v", title="M"),
        Profile("v", ("v",), title="P"),
        ImageGrid("v", title="I"),
    )
    for spec in (*specs, Scatter("v", "v", title="S"), Distribution("v", title="D"), Bars("v", labels=(), title="B")):
        render(spec, [Panel(MemoryRun(), CONFIG, "")])
