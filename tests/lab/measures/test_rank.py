"""Soft ranks against spectra whose answer is known."""

import math

import pytest
import torch

from lab.measures.rank import effective_rank, participation_ratio, singular_values, stable_rank

RANKS = (effective_rank, stable_rank, participation_ratio)


def rotated(spectrum: list[float], rows: int = 7, columns: int = 5) -> torch.Tensor:
    """A matrix with these singular values and random singular vectors."""
    generator = torch.Generator().manual_seed(0)
    left, right = (
        torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64)).Q[:, : len(spectrum)]
        for n in (rows, columns)
    )
    return left @ torch.diag(torch.tensor(spectrum, dtype=torch.float64)) @ right.T


@pytest.mark.parametrize("rank", RANKS)
def test_a_soft_rank_counts_equal_singular_values(rank):
    for n in (1, 2, 5):
        assert rank(rotated([3.0] * n)) == pytest.approx(n, rel=1e-12)


@pytest.mark.parametrize("rank", RANKS)
def test_a_soft_rank_ignores_scale_down_to_squares_that_vanish(rank):
    weight = rotated([3.0, 1.0, 0.2])
    for scale in (1e-200, 1e200):
        assert rank(weight * scale) == pytest.approx(rank(weight), rel=1e-10)


def test_the_definitions_on_a_spectrum_of_two():
    weight = rotated([2.0, 1.0])
    assert stable_rank(weight) == pytest.approx(5 / 4)
    assert participation_ratio(weight) == pytest.approx(25 / 17)
    assert effective_rank(weight) == pytest.approx(math.exp(-0.8 * math.log(0.8) - 0.2 * math.log(0.2)))
    linear = math.exp(-(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3))
    assert effective_rank(weight, power=1) == pytest.approx(linear)


@pytest.mark.parametrize("rank", RANKS)
def test_singular_values_serve_in_place_of_their_matrix(rank):
    weight = rotated([3.0, 1.0, 0.2])
    assert rank(singular_values(weight)) == rank(weight)


@pytest.mark.parametrize(("m", "d", "expected"), [(32, 64, 11.0), (640, 640, 160.0)])
def test_a_gaussian_matrix_has_the_stable_rank_of_marchenko_and_pastur(m, d, expected):
    weight = torch.randn(m, d, generator=torch.Generator().manual_seed(0))
    assert stable_rank(weight) == pytest.approx(m * d / (math.sqrt(m) + math.sqrt(d)) ** 2, rel=0.08)
    assert stable_rank(weight) == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("rank", RANKS)
def test_a_zero_matrix_has_rank_zero_and_zero_rows_do_not_matter(rank):
    assert rank(torch.zeros(3, 4)) == 0
    weight = rotated([3.0, 1.0])
    assert rank(torch.cat([weight, torch.zeros(2, 5)])) == pytest.approx(rank(weight))


def test_kernels_and_transposes_count_as_their_matrix():
    weight = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    assert stable_rank(weight) == pytest.approx(stable_rank(weight.flatten(1)))
    assert stable_rank(weight.flatten(1).T) == pytest.approx(stable_rank(weight.flatten(1)))


def test_unusable_input_is_an_error_that_says_what_is_wrong():
    with pytest.raises(ValueError, match="NaN"):
        stable_rank(torch.full((2, 2), math.inf))
    with pytest.raises(ValueError, match="at least one row"):
        effective_rank(torch.zeros(2, 0))
    with pytest.raises(ValueError, match="real"):
        singular_values(torch.ones(2, 2, dtype=torch.complex64))
    with pytest.raises(ValueError, match="power"):
        effective_rank(torch.eye(2), power=3)
    with pytest.raises(ValueError, match="below zero"):
        stable_rank(torch.tensor([1.0, -1.0]))
