"""Very many lines in one picture: exact, whatever hides what, and no spike lost at any zoom."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QImage

from gui.compare.axis import SharedAxis
from gui.compare.compared import Groups
from gui.compare.crowd import Crowd
from gui.compare.lines import Contents, Drawn, drawn_of
from gui.compare.overlay import Overlay
from gui.compare.picture import DENSEST, FAR, density_of, pixels_of, uncovered
from gui.compare.stroke import Stroke
from gui.compare.strokes import Strokes, path_of, pen_of
from gui.theme import LIGHT
from lab.compare import Along
from lab.views import Curves
from tests.gui.views.shown import darkened

ROWS, SPIKE = 20_000, 12_345
COLOURS = ("#0072B2", "#D55E00", "#009E73")


def as_they_are(values):
    return values


@pytest.mark.parametrize("width", [100_000, 30_000, 9_000, 700, 40])
def test_a_crowd_keeps_the_extremes_of_every_line(width):
    generator = np.random.default_rng(0)
    x = np.arange(100_000.0)
    values = generator.standard_normal((5, 100_000))
    values[3, 54_321] = 99.0
    edges = np.linspace(54_321 - width // 2, 54_321 + width // 2, 65)
    low, high = Crowd([Stroke(x, row) for row in values]).spans(edges, as_they_are)
    inside = values[:, max(54_321 - width // 2, 0) : 54_321 + width // 2]
    block = max(width // 64 // 4, 1)  # rows that may fall into the neighbouring column, or just out of sight
    core = inside[:, block : inside.shape[1] - block]
    assert (np.nanmax(high, axis=1) >= core.max(axis=1)).all()
    assert (np.nanmin(low, axis=1) <= core.min(axis=1)).all()
    assert np.nanmax(high[3]) == 99.0
    there = edges[1:] < 100_000
    assert np.isfinite(low[:, there]).all()
    assert (low[:, there] <= high[:, there]).all()


def test_lines_over_different_places_are_one_crowd_in_their_order():
    x = np.arange(200.0)
    strokes = [Stroke(x, x), Stroke(2 * x, -x), Stroke(x.copy(), 3 * x), Stroke(x[:50], x[:50])]
    low, high = Crowd(strokes).spans(np.linspace(0, 100, 11), as_they_are)
    np.testing.assert_allclose(high[:, 1], [20, -5, 60, 20])
    np.testing.assert_allclose(low[:, 1], [10, -10, 30, 10])
    assert np.isnan(low[3, 5:]).all()  # it ended before


def test_between_rows_a_line_is_straight_where_it_is_drawn():
    stroke = Stroke(np.array([0.0, 10.0]), np.array([1.0, 100.0]))
    low, high = Crowd([stroke]).spans(np.linspace(0, 10, 21), np.log10)
    np.testing.assert_allclose(low[0], np.linspace(0, 2, 21)[:-1], atol=1e-12)
    np.testing.assert_allclose(high[0], np.linspace(0, 2, 21)[1:], atol=1e-12)


def test_missing_values_leave_a_gap():
    y = np.ones(100)
    y[40:60] = np.nan
    low, _ = Crowd([Stroke(np.arange(100.0), y)]).spans(np.linspace(0, 99, 12), as_they_are)
    assert np.isnan(low[0]).tolist() == [False] * 5 + [True] + [False] * 5


def test_the_picture_is_what_painting_one_line_after_the_other_gives():
    generator = np.random.default_rng(1)
    low = generator.uniform(-0.3, 1.1, (40, 50))
    high = low + generator.exponential(0.1, (40, 50))
    low[generator.random((40, 50)) < 0.2] = np.nan
    colours = [f"#{number:06X}" for number in range(1, 41)]
    found = pixels_of(low, high, colours, 60) & 0xFFFFFF
    expected = np.zeros((60, 50), int)
    for line, column in np.ndindex(40, 50):
        least, most = low[line, column], high[line, column]
        if most >= 0 and least <= 1:
            first, last = (int(np.clip((1 - value) * 60, 0, 59)) for value in (most, least))
            expected[first : last + 1, column] = line + 1
    np.testing.assert_array_equal(found, expected)


def test_lines_of_one_colour_are_darker_where_more_of_them_pass():
    low, high = np.zeros((3, 4)), np.repeat([[0.15], [0.45], [0.75]], 4, axis=1)
    low[0, 1], high[2, 2], low[2, 2] = np.nan, 1.5, 1.1  # a gap, and a line that is out of sight
    ink = QColor(200, 100, 50, 90)
    pixels = density_of(low, high, ink, 10)
    alpha = (pixels >> 24).astype(int)
    assert alpha[:2, 0].tolist() == [0, 0] and alpha[3, 0] == 90  # a line alone
    assert alpha[9, 0] > alpha[6, 0] > alpha[3, 0] and alpha.max() < 255 * DENSEST
    assert alpha[9, 1] == alpha[9, 2] == alpha[6, 0]  # two lines each
    assert (pixels[3, 0] >> 16) & 0xFF == round(200 * 90 / 255)  # premultiplied


def test_seeds_that_are_all_shown_are_one_picture_with_their_mean_over_it(qtbot):
    x = np.arange(400.0)
    runs = [(x, np.exp(-x / 100) + 0.01 * seed) for seed in range(30)]
    runs[11][1][250] = 7.0
    view = Overlay(Curves(("train_loss",), title="Loss", y_log=True), LIGHT, SharedAxis(), Along())
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.show()
    lines = [drawn_of(0, "train_loss", "L", runs, "all lines", log=True)]
    view.show_contents(Contents(lines, {}), Groups([COLOURS[1]], ["all"], {0}, [None]))
    assert 10 ** view.box.viewRange()[1][1] > 7.0  # the spike of one run has room
    image = view.grab().toImage()
    area = view.box.sceneBoundingRect().toRect()
    inside = [(x, y) for x in range(area.left(), area.right()) for y in range(area.top(), area.bottom())]
    inks = {image.pixelColor(*at).name() for at in inside}
    assert COLOURS[1].lower() in inks and len(inks) > 10  # the mean, and shades below it
    view.show_contents(Contents(lines, {}), Groups([COLOURS[1]], ["all"], set(), [None]))
    assert not view._shade.isVisible()


def test_hidden_parts_are_not_painted():
    first, last = np.array([[0], [5], [2]], np.int32), np.array([[9], [6], [8]], np.int32)
    begins, ends = uncovered(first, last)
    kept = [(int(a), int(b)) for a, b in zip(begins.ravel(), ends.ravel(), strict=True) if a <= b]
    assert kept == [(0, 1), (9, 9), (2, 8)]
    nothing = uncovered(np.full((2, 1), FAR, np.int32), np.full((2, 1), -FAR, np.int32))
    assert (nothing[0] > nothing[1]).all()


@pytest.fixture
def crowd(qtbot):
    """Thirty noisy lines, one of which has a spike of a single row."""
    generator = np.random.default_rng(2)
    x = np.arange(float(ROWS))
    rows = [np.exp(-x / 8000) * (1 + 0.1 * generator.random(ROWS)) for _ in range(30)]
    rows[7][SPIKE] = 40.0
    view = Overlay(Curves(("train_loss",), title="Loss", y_log=True), LIGHT, SharedAxis(), Along())
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.show()
    lines = [Drawn(number, "train_loss", "L", Stroke(x, y)) for number, y in enumerate(rows)]
    colours = [COLOURS[number == 7] for number in range(30)]
    view.show_contents(Contents(lines, {}), Groups(colours, [str(n) for n in range(30)], {*range(30)}, [None]))
    return view


@pytest.mark.parametrize("width", [20_000, 7_777, 1_234, 400, 40, 3])
def test_a_spike_of_one_row_reaches_the_top_of_the_screen_at_every_zoom(crowd, width):
    crowd.axis.hold(SPIKE - 0.4 * width, SPIKE + 0.6 * width)
    crowd.draw()
    image = crowd.grab().toImage()
    area = crowd.box.sceneBoundingRect()
    (low, high), (bottom, top) = crowd.box.viewRange()
    at = area.left() + (SPIKE - low) / (high - low) * area.width()
    up = area.top() + (top - np.log10(40.0)) / (top - bottom) * area.height()
    ratio = image.devicePixelRatio()
    near = [(round(at * ratio) + across, round(up * ratio) + down) for across in range(-4, 5) for down in range(3)]
    assert COLOURS[1].lower() in {image.pixelColor(x, y).name() for x, y in near}


def test_a_crowd_of_dashes_and_zeros_is_drawn(qtbot):
    x = np.arange(300.0)
    spec = Curves(("train_loss", "norm"), title="Both", y_log=True)
    view = Overlay(spec, LIGHT, SharedAxis(), Along())
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.show()
    lines = [Drawn(n, name, name, Stroke(x, np.where(x < 9, 0.0, n + 1.0))) for n in range(15) for name in spec.series]
    groups = Groups([COLOURS[0]] * 15, [str(n) for n in range(15)], {*range(15)}, [None])
    view.show_contents(Contents(lines, {}), groups)
    bottom, _ = view.box.viewRange()[1]
    assert bottom == pytest.approx(0, abs=0.2)  # zeros stand at the least value that has a logarithm
    view.grab()


@pytest.mark.parametrize("rate", [1, 2])
def test_lines_of_runs_are_a_point_wide_and_those_behind_them_finer(qtbot, rate: int) -> None:
    path = path_of([(np.array([0.0, 10.0]), np.array([5.0, 5.0]))])
    for opacity, wide in ((255, rate), (254, 1)):
        strokes = Strokes(5)
        strokes.show_parts([(pen_of(("#000000", opacity, 0), LIGHT), path)])
        assert darkened(qtbot, strokes, rate)[:, 50 * rate].sum() == wide


def test_a_crowd_of_lines_is_painted_in_points_where_they_have_several_pixels(crowd, monkeypatch) -> None:
    monkeypatch.setattr(crowd, "devicePixelRatioF", lambda: 2.0)
    crowd.draw()
    (picture,) = crowd._picture._layers
    assert picture.shape == (round(crowd.box.height()), round(crowd.box.width()))
    image = QImage(1000, 600, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(2.0)
    crowd.render(image)
    area = crowd.box.sceneBoundingRect()
    row = round(2 * area.center().y())
    inks = [image.pixel(x, row) for x in range(round(2 * area.left()) + 2, round(2 * area.right()) - 2)]
    assert np.diff(np.flatnonzero(np.diff(inks))).tolist() == [2]  # the spike alone reaches so high


def test_a_band_has_a_gap_where_its_runs_have_no_values(qtbot) -> None:
    x = np.arange(100.0)
    runs = [(x, np.where((x > 30) & (x < 60), np.nan, 1.0 + seed)) for seed in range(3)]
    view = Overlay(Curves(("branch_loss",), title="Branches"), LIGHT, SharedAxis(), Along())
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.show()
    lines = [drawn_of(0, "branch_loss", "L", runs, "SD", log=False)]
    view.show_contents(Contents(lines, {}), Groups([COLOURS[1]], ["all"], {0}, [None]))
    (band,) = view._bands
    assert [band.path().contains(QPointF(at, 2.0)) for at in (15, 45, 80)] == [True, False, True]
