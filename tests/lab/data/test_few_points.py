"""The small sets are what their formulas say."""

import math

import pytest
import torch

from lab.data.few_points import four, on_a_line, shown_grid, sine_sum


def test_sine_sums_lie_on_their_formula_over_the_cube():
    x, y = sine_sum(2000, torch.Generator().manual_seed(0))
    assert x.shape == (2000, 5) and float(x.min()) > -4 and float(x.max()) < 2
    assert x.mean(0).tolist() == pytest.approx([-1] * 5, abs=0.15)
    assert float(y[3]) == pytest.approx(sum(3.5 * math.sin(5 * float(xi) + 1) for xi in x[3]))


def test_four_points_bend_outside_a_third():
    x, y = four()
    assert y.tolist() == pytest.approx([0.2 + 0.2 * (0.5 - 1 / 3), 0.0, 0.1, 0.15 + 0.2 * (0.5 - 1 / 3)])
    assert len(x) == 4


def test_a_bump_is_even_and_flat_in_the_middle():
    x, y = on_a_line("bump", 9)
    torch.testing.assert_close(y, y.flip(0))
    assert float(y[4]) == pytest.approx(2 * math.tanh(1.8)) and float(x[0]) == -1.5


def test_hinges_bend_where_their_neurons_switch_on():
    x, y = on_a_line("four hinges", 2001)
    slopes = torch.diff(y[:, 0]) / torch.diff(x[:, 0])
    expected = {-0.5: 0, -0.2: 2, 0.2: 1, 0.6: -0.5, 0.9: 0}
    for at, slope in expected.items():
        assert float(slopes[int((at + 1) * 1000)]) == pytest.approx(slope, abs=1e-9)
    x, y = on_a_line("two hinges", 4)
    assert y[:, 0].tolist() == pytest.approx([0.4 / 3, 0, 0, 0.4 / 3])


def test_an_output_is_drawn_evenly_and_at_the_data():
    x, y = four()
    grid, data = shown_grid(x, y)
    assert len(grid) == 205 and (grid.diff() > 0).all() and float(grid[0]) == pytest.approx(-0.6)
    assert torch.equal(data[~data.isnan()], y) and torch.equal(grid[~data.isnan()], x)
