import numpy as np
import pytest

from gui.theme import DARK, LIGHT
from gui.views.raster import Sampling, edges_of
from gui.views.scale import COUNT, Scale, palette


def shown(sampling: Sampling, cells: np.ndarray, keep="largest", centre=None) -> np.ndarray:
    reduced = sampling.reduce(cells[:, None], keep, centre)[:, 0]
    return np.where(sampling.pick < 0, np.nan, np.append(reduced, np.nan)[sampling.pick])


@pytest.mark.parametrize("low, high", [(0, 100_000), (33_000, 34_000), (33_300, 33_400)])
def test_one_cell_among_many_is_in_the_picture_at_every_zoom(low: int, high: int) -> None:
    cells = np.zeros(100_000)
    cells[33_333] = 1.0
    pixels = shown(Sampling(edges_of(np.arange(100_000.0)), low, high, 700), cells)
    assert np.nanmax(pixels) == 1.0
    at = low + (np.nanargmax(pixels) + 0.5) * (high - low) / 700
    assert abs(at - 33_333) <= max((high - low) / 700, 1.0)


def test_every_cell_in_sight_is_shown_whatever_its_width() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        places = np.cumsum(rng.choice([0.01, 1.0, 40.0], 60))
        cells = rng.normal(size=60)
        pixels = shown(Sampling(edges_of(places), places[0] - 30, places[-1] + 30, 400), cells)
        assert np.nanmax(pixels) == cells.max()
        wide = np.flatnonzero(np.diff(edges_of(places)) > 2 * (places[-1] - places[0] + 60) / 400)
        assert set(cells[wide]) <= set(pixels[np.isfinite(pixels)])


def test_beyond_the_cells_there_is_nothing() -> None:
    pixels = shown(Sampling(np.array([0.0, 1.0, 2.0]), -1.0, 3.0, 8), np.array([5.0, 6.0]))
    np.testing.assert_array_equal(pixels, [np.nan, np.nan, 5, 5, 6, 6, np.nan, np.nan])


def test_crowded_cells_show_the_largest_the_smallest_or_the_farthest_from_the_centre() -> None:
    cells = np.tile([0.1, -0.9, 0.5, np.nan], 100)
    sampling = Sampling(np.arange(401.0), 0, 400, 20)
    assert set(shown(sampling, cells)) == {0.5}
    assert set(shown(sampling, cells, "smallest")) == {-0.9}
    assert set(shown(sampling, cells, centre=0.0)) == {-0.9}


def test_the_middle_of_diverging_colours_is_the_centre() -> None:
    scale = Scale.over(-0.1, 3.0, centre=1.0)
    assert (scale.low, scale.high) == (-1.0, 3.0)
    assert float(scale.place(np.array(1.0))) == 0.5
    log = Scale.over(0.01, 10.0, log=True, centre=1.0)
    np.testing.assert_allclose([log.low, log.high, float(log.place(np.array(1.0)))], [0.01, 100.0, 0.5])


def test_logarithmic_colours_are_even_in_decades_and_take_zero_to_their_floor() -> None:
    scale = Scale.over(1e-4, 1.0, log=True)
    np.testing.assert_allclose(scale.place(np.array([0.0, -1.0, 1e-4, 1e-2, 1.0, np.inf])), [0, 0, 0, 0.5, 1, 1])
    assert Scale.over(1e-300, 1.0, log=True).low == 1e-12


@pytest.mark.parametrize("low, high", [(np.nan, np.nan), (2.0, 2.0), (0.0, 0.0), (-1e308, 1e308), (-np.inf, np.inf)])
def test_limits_of_any_data_make_a_scale(low: float, high: float) -> None:
    for log in (False, True):
        scale = Scale.over(low, high, log=log)
        assert scale.low < scale.high
        place = scale.place(np.array([low, high, 0.0, np.nan]))
        assert np.isnan(place[3])
        assert ((place[:3] >= 0) & (place[:3] <= 1) | np.isnan(place[:3])).all()
        assert scale.shades(np.array([np.nan]))[0] == COUNT


def test_dots_never_have_the_ground_s_colour() -> None:
    for theme in (LIGHT, DARK):
        ground = np.array([int(theme.ground[i : i + 2], 16) for i in (1, 3, 5)])
        dots = palette(theme, diverging=False, dots=True)[:COUNT, :3].astype(int)
        assert np.abs(dots - ground).sum(axis=1).min() > 120
