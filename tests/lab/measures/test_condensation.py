"""Condensation measures against hand-made groups, closed forms, and the enumeration of every dropout mask."""

import itertools
import math

import pytest
import torch

from lab.measures import condensation as cond
from lab.models.mlp import MLP


def gaussian(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def three_groups() -> torch.Tensor:
    """Twelve neurons on the axes of R³, of many lengths and both signs, with one dead neuron."""
    axes = torch.eye(3, dtype=torch.float64)[[0, 1, 0, 2, 1, 0, 2, 2, 1, 0, 1, 0]]
    lengths = torch.tensor([1, -2, 3, 1e-9, 5, -1, 1e6, -4, 2, 0, 7, 1], dtype=torch.float64)
    return axes * lengths[:, None]


def test_cosines_are_those_of_the_rows_and_a_dead_neuron_has_none():
    weight = gaussian(5, 4)
    weight[2] = 0
    cosines, alive = cond.cosine_matrix(weight)
    assert alive.tolist() == [True, True, False, True, True]
    assert (cosines[2] == 0).all() and (cosines[:, 2] == 0).all()
    for i, j in itertools.product((0, 1, 3, 4), repeat=2):
        expected = float(weight[i] @ weight[j] / (weight[i].norm() * weight[j].norm()))
        assert float(cosines[i, j]) == pytest.approx(expected, abs=1e-14)


def test_cosines_do_not_depend_on_scale_down_to_weights_whose_squares_vanish():
    weight = gaussian(6, 3)
    torch.testing.assert_close(cond.cosine_matrix(weight * 1e-250)[0], cond.cosine_matrix(weight)[0])
    torch.testing.assert_close(cond.directions(weight * 1e-250)[1] * 1e250, weight.norm(dim=1))


def test_a_non_contiguous_weight_and_a_kernel_give_the_values_of_their_matrix():
    weight = gaussian(4, 6)
    torch.testing.assert_close(cond.cosine_matrix(weight.T)[0], cond.cosine_matrix(weight.T.contiguous())[0])
    torch.testing.assert_close(cond.cosine_matrix(weight.reshape(4, 2, 3, 1))[0], cond.cosine_matrix(weight)[0])


def test_groups_are_found_up_to_sign_or_with_it():
    labels = cond.group_labels(three_groups())
    assert labels.tolist() == [0, 1, 0, 2, 1, 0, 2, 2, 1, -1, 1, 0]
    assert cond.effective_neuron_number(three_groups()) == 3
    assert cond.effective_neuron_number(three_groups(), up_to_sign=False) == 6


def test_no_two_founders_of_a_greedy_cover_are_close_and_every_member_is_close_to_its_founder():
    weight = gaussian(80, 3)
    labels = cond.group_labels(weight, 0.8)
    cosines = cond.cosine_matrix(weight)[0].abs()
    founders = [int((labels == g).nonzero()[0]) for g in range(int(labels.max()) + 1)]
    assert all(float(cosines[i, j]) <= 0.8 for i, j in itertools.combinations(founders, 2))
    assert all(float(cosines[i, founders[int(labels[i])]]) > 0.8 for i in range(80))


def test_the_leading_order_is_the_one_of_the_dense_eigenvector_and_puts_the_dead_last():
    weight = gaussian(30, 4) + 0.5
    weight[7] = 0
    order = cond.leading_order(weight)
    alive = order[:-1]
    leading = torch.linalg.eigh(cond.cosine_matrix(weight)[0]).eigenvectors[:, -1]
    assert order[-1] == 7
    assert (leading[alive].diff() >= -1e-12).all() or (leading[alive].diff() <= 1e-12).all()


def test_the_leading_order_turns_two_signs_of_one_direction_into_two_blocks():
    signs = torch.tensor([1, -1, 1, 1, -1, 1.0], dtype=torch.float64)
    order = cond.leading_order(signs[:, None] * gaussian(1, 5))
    blocks = signs[order]
    assert (blocks.diff() != 0).sum() == 1
    assert torch.equal(cond.leading_order(-signs[:, None] * gaussian(1, 5)), order)


def test_the_condensed_fraction_counts_pairs():
    weight = torch.tensor([[1.0, 0], [2, 0], [-1, 0], [0, 1], [0, 0]], dtype=torch.float64)
    assert cond.condensed_fraction(weight) == 3 / 6
    assert cond.condensed_fraction(weight, up_to_sign=False) == 1 / 6
    assert cond.mean_abs_cosine(weight) == pytest.approx(3 / 6)


def test_gaussian_rows_have_the_mean_cosine_of_random_directions():
    # 1.06 % above sqrt(2/(pi d)) is exact for d = 64: E|cos| = Γ(d/2)/(√π Γ((d+1)/2))
    exact = math.exp(math.lgamma(32) - math.lgamma(32.5)) / math.sqrt(math.pi)
    assert exact == pytest.approx(math.sqrt(2 / (math.pi * 64)), rel=0.01)
    assert cond.mean_abs_cosine(gaussian(400, 64)) == pytest.approx(exact, rel=0.01)
    assert cond.condensed_fraction(gaussian(400, 64), 0.7) == 0


def test_the_weighted_fraction_is_one_over_m_for_independent_and_one_for_equal_directions():
    ones = torch.ones(4)
    assert cond.weighted_condensed_fraction(torch.eye(4), ones) == pytest.approx(0.25)
    assert cond.weighted_condensed_fraction(torch.ones(4, 3), ones) == pytest.approx(1.0)
    heavy = torch.tensor([1.0, 0, 0, 0])
    assert cond.weighted_condensed_fraction(torch.eye(4), heavy) == pytest.approx(1.0)


def test_amplitudes_multiply_the_norms_of_both_sides():
    weight, bias, out = gaussian(5, 3), gaussian(5), gaussian(2, 5, seed=1)
    rows = cond.with_bias(weight, bias)
    expected = torch.cat([weight, bias[:, None]], 1).norm(dim=1) * out.norm(dim=0)
    torch.testing.assert_close(cond.amplitudes(rows, out), expected)
    torch.testing.assert_close(cond.amplitudes(rows, out[0]), rows.norm(dim=1) * out[0].abs())
    assert cond.with_bias(weight, None).shape == (5, 3)


def test_angles_go_around_the_circle_once():
    turn = torch.arange(-8, 8, dtype=torch.float64) * torch.pi / 8
    torch.testing.assert_close(cond.angles(3 * turn.cos()[:, None], 3 * turn.sin()), turn)
    assert cond.angles(torch.tensor([-1.0]), torch.tensor([0.0])).tolist() == [-math.pi]
    assert math.isnan(float(cond.angles(torch.zeros(1), torch.zeros(1))))


@pytest.mark.parametrize("keep", [0.5, 0.8])
def test_the_dropout_regulariser_is_the_exact_mean_over_all_masks(keep):
    model = MLP((3, 4, 2), bias_std=0.5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x, y = gaussian(6, 3), gaussian(6, 2, seed=1)
    hidden, last = torch.tanh(model.layers[0](x)), model.layers[1]

    def loss(activations):
        return ((last(activations) - y) ** 2).sum() / (2 * len(x))

    # masks of different inputs are independent and the loss is a sum over inputs: one mask for all gives the same mean
    mean = torch.zeros((), dtype=torch.float64)
    for mask in itertools.product((0, 1), repeat=4):
        probability = math.prod(keep if kept else 1 - keep for kept in mask)
        mean = mean + probability * loss(hidden * torch.tensor(mask) / keep)
    regulariser = cond.dropout_regulariser(hidden, last.weight, keep)
    assert abs(float((mean - loss(hidden) - regulariser).detach())) < 1e-12


def test_the_dropout_regulariser_can_be_trained_with():
    hidden, out = gaussian(5, 4).requires_grad_(), gaussian(2, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda h, w: cond.dropout_regulariser(h, w, 0.7), (hidden, out))
    assert float(cond.dropout_regulariser(hidden, out, 1.0).detach()) == 0


def test_a_single_neuron_and_a_dead_layer_have_no_pairs():
    for weight in (torch.ones(1, 3), torch.zeros(4, 3)):
        assert math.isnan(cond.condensed_fraction(weight))
        assert math.isnan(cond.mean_abs_cosine(weight))
    assert cond.effective_neuron_number(torch.ones(1, 3)) == 1
    assert cond.effective_neuron_number(torch.zeros(4, 3)) == 0
    assert cond.leading_order(torch.zeros(4, 3)).tolist() == [0, 1, 2, 3]
    assert math.isnan(cond.weighted_condensed_fraction(torch.zeros(4, 3), torch.zeros(4)))


def test_unusable_input_is_an_error_that_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"1 of 6 values are NaN"):
        cond.cosine_matrix(torch.tensor([[1.0, 2, 3], [1, math.nan, 2]]))
    with pytest.raises(ValueError, match="at least one row"):
        cond.cosine_matrix(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="threshold"):
        cond.group_labels(torch.eye(2), 1.0)
    with pytest.raises(ValueError, match="amplitude"):
        cond.weighted_condensed_fraction(torch.eye(2), torch.ones(3))
    with pytest.raises(ValueError, match="keep probability"):
        cond.dropout_regulariser(torch.ones(1, 2), torch.ones(1, 2), 0.0)
    with pytest.raises(ValueError, match="same m"):
        cond.dropout_regulariser(torch.ones(1, 2), torch.ones(1, 3), 0.5)


def test_merging_keeps_the_output_of_equal_neurons():
    weight, out = torch.tensor([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]]), torch.tensor([1.0, 5.0, 3.0])
    rows, total = cond.merged(weight, out, torch.tensor([0, 1, 0]))
    assert rows.tolist() == [[1.0, 2.0], [0.0, 1.0], [0.0, 0.0]] and total.tolist() == [4.0, 5.0, 0.0]
    assert weight[2].tolist() == [1.0, 2.0]
