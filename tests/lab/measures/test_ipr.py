"""The inverse participation ratio on known vectors, and the order that makes multiplication periodic."""

import math
from itertools import pairwise

import pytest
import torch

from lab.measures.ipr import discrete_log_order, fourier_ipr, inverse_participation_ratio, neuron_ipr


def test_ipr_is_one_for_one_component_and_its_inverse_count_for_equal_ones():
    vectors = torch.tensor([[0, 0, 5.0, 0], [1, -1, 1, 1]])
    assert inverse_participation_ratio(vectors).tolist() == [1.0, 0.25]
    assert inverse_participation_ratio(vectors, r=3).tolist() == [1.0, 1 / 16]
    assert inverse_participation_ratio(torch.tensor([3 + 4j, 5j])).item() == pytest.approx(0.5)


def test_ipr_ignores_scale_and_is_nan_for_a_zero_vector():
    x = torch.randn(9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    tiny = inverse_participation_ratio(x * 1e-120)
    torch.testing.assert_close(tiny, inverse_participation_ratio(x))
    assert math.isnan(float(inverse_participation_ratio(torch.zeros(4))))


def test_fourier_ipr_of_a_cosine_is_one_and_of_a_spike_one_over_the_bins():
    n = torch.arange(97, dtype=torch.float64)
    rows = torch.stack([torch.cos(2 * torch.pi * k * n / 97 + 0.3) for k in (1, 7, 48)])
    torch.testing.assert_close(fourier_ipr(rows), torch.ones(3, dtype=torch.float64))
    assert float(fourier_ipr(torch.eye(97)[:1])) == pytest.approx(1 / 49)


def test_fourier_ipr_of_gaussian_rows_is_about_two_over_the_bins():
    rows = torch.randn(2000, 97, generator=torch.Generator().manual_seed(0))
    assert float(fourier_ipr(rows).mean()) == pytest.approx(2 / 49, rel=0.03)


@pytest.mark.parametrize("p", [2, 3, 11, 23, 97])
def test_the_discrete_log_order_visits_every_unit_once_by_powers(p):
    order = discrete_log_order(p)
    assert sorted(order.tolist()) == list(range(1, p))
    root = int(order[1]) if p > 2 else 1
    assert all(int(b) == int(a) * root % p for a, b in pairwise(order))


def test_the_discrete_log_order_turns_a_multiplicative_character_into_a_cosine():
    order = discrete_log_order(23)
    log = torch.zeros(23, dtype=torch.float64)
    log[order] = torch.arange(22, dtype=torch.float64)
    row = torch.cos(2 * torch.pi * 3 * log / 22)
    row[0] = 0
    assert float(fourier_ipr(row[None], order=order)) == pytest.approx(1)
    assert float(fourier_ipr(row[None])) < 0.3


def test_rows_below_the_floor_are_masked():
    rows = torch.eye(5)[:3] * torch.tensor([[1.0], [1e-4], [0.0]])
    assert fourier_ipr(rows, floor=1e-3).isnan().tolist() == [False, True, True]
    assert fourier_ipr(rows).isnan().tolist() == [False, False, True]


def test_unusable_input_is_an_error_that_says_what_is_wrong():
    with pytest.raises(ValueError, match="prime, got 12"):
        discrete_log_order(12)
    with pytest.raises(ValueError, match="NaN"):
        fourier_ipr(torch.full((1, 4), math.nan))
    with pytest.raises(ValueError, match="at least one component"):
        inverse_participation_ratio(torch.zeros(3, 0))
    with pytest.raises(ValueError, match="order r"):
        inverse_participation_ratio(torch.ones(3), r=1)


def test_a_neuron_has_the_mean_ipr_of_its_parts_and_none_where_one_decayed():
    wave = torch.cos(2 * torch.pi * torch.arange(8) / 8)[None].repeat(2, 1)
    spike = torch.eye(8)[:2] * torch.tensor([[1.0], [1e-6]])
    found = neuron_ipr([wave, wave, spike], floor=1e-3)
    assert float(found[0]) == pytest.approx((1 + 1 + 1 / 5) / 3) and found[1].isnan()
