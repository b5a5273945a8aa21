"""Norms, movement, initialisation rates and path norms against closed forms and brute force over all paths."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from lab.measures.complexity import initialisation_rate, layer_complexity, model_complexity, path_norm
from lab.measures.weights import movement_exponent, parameter_norm, parameter_norms, relative_distance
from lab.models.mlp import MLP, fan_in_std


def network(*widths: int, bias_std: float = 0.4) -> MLP:
    return MLP(widths, "relu", bias_std=bias_std, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_parameter_norms_count_a_tied_parameter_once():
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    second.weight = first.weight
    with torch.no_grad():
        first.weight.fill_(2.0)
    assert parameter_norms(nn.Sequential(first, second)) == {"0.weight": 4.0}
    assert parameter_norm(nn.Sequential(first, second)) == 4.0


def test_relative_distance_is_over_all_tensors_together():
    start = [torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])]
    assert relative_distance([torch.tensor([3.0]), torch.tensor([[1.0, 4.0]])], start) == pytest.approx(1 / 5)
    assert relative_distance(start[0], start[0]) == 0


def test_relative_distance_refuses_what_has_no_answer():
    with pytest.raises(ValueError, match="zero"):
        relative_distance(torch.ones(2), torch.zeros(2))
    with pytest.raises(ValueError, match="same shapes"):
        relative_distance(torch.ones(2), torch.ones(3))
    with pytest.raises(ValueError, match="NaN"):
        relative_distance(torch.tensor([math.nan]), torch.ones(1))


@pytest.mark.parametrize(("width", "gamma"), [(64, 0.94), (256, 0.71), (1024, 0.56), (2560, 0.50)])
def test_a_fixed_std_drifts_in_its_initialisation_rate(width, gamma):
    assert initialisation_rate(0.02, width) == pytest.approx(gamma, abs=0.005)


def test_the_rate_is_read_back_from_the_weights_drawn_with_it():
    model = MLP((300, 200, 50), weight_std=fan_in_std(0.8), generator=torch.Generator().manual_seed(0))
    for complexity in model_complexity(model).values():
        assert complexity.initialisation_rate == pytest.approx(0.8, abs=0.01)


def test_rates_at_the_ends_of_their_range():
    assert initialisation_rate(0.0, 10) == math.inf
    assert math.isnan(initialisation_rate(0.5, 1))
    with pytest.raises(ValueError, match="standard deviation"):
        initialisation_rate(-1.0, 10)


def test_layer_complexity_gathers_the_measures_of_a_spectrum():
    complexity = layer_complexity(torch.diag(torch.tensor([2.0, 1.0])))
    assert complexity.frobenius_norm == pytest.approx(math.sqrt(5))
    assert complexity.spectral_norm == pytest.approx(2)
    assert complexity.stable_rank == pytest.approx(5 / 4)
    assert complexity.participation_ratio == pytest.approx(25 / 17)
    assert complexity.initialisation_rate == pytest.approx(-math.log(math.sqrt(5) / 2) / math.log(2))


def test_model_complexity_reads_matrices_and_kernels_and_no_biases():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    assert set(model_complexity(model)) == {"0.weight", "2.weight"}


@pytest.mark.parametrize("p", [1, 2])
def test_the_path_norm_is_the_sum_over_all_paths(p):
    weights = [layer.weight.detach() for layer in network(2, 3, 4, 2).layers]
    total = 0.0
    for i, j, k, q in itertools.product(range(2), range(3), range(4), range(2)):
        total += abs(float(weights[0][j, i] * weights[1][k, j] * weights[2][q, k])) ** p
    assert path_norm(weights, p=p) == pytest.approx(total ** (1 / p), rel=1e-12)


def test_a_bias_starts_paths_of_its_own():
    one = torch.ones(1, 1)
    assert path_norm([2 * one, 3 * one], [torch.tensor([5.0]), torch.tensor([7.0])], p=1) == pytest.approx(6 + 15 + 7)
    assert path_norm([0 * one, 3 * one], [None, torch.tensor([7.0])], p=1) == pytest.approx(7)


def test_the_path_norm_does_not_see_a_rescaling_of_neurons_that_relu_does_not_see():
    layers = network(3, 5, 2).layers
    weights, biases = [layer.weight.detach() for layer in layers], [layer.bias.detach() for layer in layers]
    scale = torch.tensor([0.1, 2, 30, 0.5, 1], dtype=torch.float64)
    rescaled = [weights[0] * scale[:, None], weights[1] / scale]
    assert path_norm(rescaled, [biases[0] * scale, biases[1]]) == pytest.approx(path_norm(weights, biases), rel=1e-12)


def test_the_path_norm_survives_products_that_leave_the_range_of_floats():
    down, up = 1e-100 * torch.eye(2, dtype=torch.float64), 1e100 * torch.eye(2, dtype=torch.float64)
    assert path_norm([down] * 4 + [up] * 4) == pytest.approx(math.sqrt(2), rel=1e-9)
    assert path_norm([up] * 4) == math.inf
    assert path_norm([torch.zeros(2, 2)]) == 0


def test_the_path_norm_refuses_no_layers_and_other_powers():
    with pytest.raises(ValueError, match="at least one"):
        path_norm([])
    with pytest.raises(ValueError, match="p is 1 or 2"):
        path_norm([torch.eye(2)], p=3)


def test_the_movement_exponent_is_the_power_of_the_width():
    widths = (100, 200, 800)
    assert movement_exponent(widths, np.array([m**0.3 for m in widths])) == pytest.approx(0.3)
    assert movement_exponent(widths, np.array([1.0, 0.0, 2.0])) is None
    assert movement_exponent((100,), np.array([1.0])) is None
