"""Numerical ranks of tangent spaces against the closed forms, and what they say when the answer is unclear."""

import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lab.measures import model_rank as mr
from lab.measures import optimistic as size
from lab.models.mlp import MLP

KERNEL = (0.6, 0.8, 1.0)


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def tanh_net(weight: Tensor, out: Tensor, bias: Tensor | None = None) -> MLP:
    """A two-layer tanh net with these weights, no output bias."""
    m, d = weight.shape
    model = MLP((d, m, 1), hidden_bias=bias is not None, output_bias=False, dtype=torch.float64)
    model.load_state_dict(
        {"layers.0.weight": weight, "layers.1.weight": out[None]} | ({} if bias is None else {"layers.0.bias": bias})
    )
    return model


def convolution_target() -> tuple[Tensor, Tensor]:
    """Σ_s tanh(0.6 x_s + 0.8 x_{s+1} + x_{s+2}) on five inputs, written as three dense neurons."""
    weight = torch.zeros(3, 5, dtype=torch.float64)
    for row in range(3):
        weight[row, row : row + 3] = torch.tensor(KERNEL, dtype=torch.float64)
    return weight, torch.ones(3, dtype=torch.float64)


def widened(construction: str) -> MLP:
    """The same function in a net of width 6 with hidden bias, 42 parameters."""
    weight, out = convolution_target()
    zeros, new = torch.zeros(3, 5, dtype=torch.float64), gaussian(3, 5, seed=3)
    match construction:
        case "null":
            rows, outs = torch.cat([weight, zeros]), torch.cat([out, 0 * out])
        case "split half":
            rows, outs = torch.cat([weight, weight]), torch.cat([out / 2, out / 2])
        case "split uneven":
            rows, outs = torch.cat([weight, weight]), torch.cat([0.3 * out, 0.7 * out])
        case "zero output":
            rows, outs = torch.cat([weight, new]), torch.cat([out, 0 * out])
        case "cancelling pair":
            extra = torch.stack([new[0], new[0], zeros[0]])
            rows, outs = torch.cat([weight, extra]), torch.cat([out, torch.tensor([0.8, -0.8, 0.0]).double()])
        case _:
            raise AssertionError(construction)
    return tanh_net(rows, outs, torch.zeros(6, dtype=torch.float64))


CONSTRUCTIONS = [("null", 21), ("split half", 21), ("split uneven", 21), ("zero output", 24), ("cancelling pair", 28)]


def test_the_tangent_matrix_is_the_gradient_of_every_sample():
    model, x = MLP((3, 4, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(0)), gaussian(5, 3)
    rows = []
    for i, c in itertools.product(range(5), range(2)):
        gradients = torch.autograd.grad(model(x)[i, c], list(model.parameters()))
        rows.append(torch.cat([g.flatten() for g in gradients]))
    torch.testing.assert_close(mr.tangent_matrix(model, x), torch.stack(rows))


def test_the_tangent_matrix_is_in_float64_and_leaves_out_what_does_not_train():
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3)
    second.weight = first.weight
    second.bias.requires_grad_(False)
    model = nn.Sequential(first, nn.BatchNorm1d(3, affine=False), nn.Tanh(), second).eval()
    tangent = mr.tangent_matrix(model, torch.ones(2, 3))
    assert tangent.shape == (6, 9) and tangent.dtype == torch.float64
    expected = torch.autograd.grad(model.double()(torch.ones(2, 3).double())[1, 2], first.weight)[0].flatten()
    torch.testing.assert_close(tangent[5], expected)
    assert first.weight.grad is None


@pytest.mark.parametrize(("rank_a", "rank_b"), list(itertools.product(range(5), repeat=2)))
def test_factorisations_of_all_ranks_have_the_closed_rank(rank_a, rank_b):
    a, b = (gaussian(4, r, seed=i) @ gaussian(r, 4, seed=i + 2) for i, r in enumerate((rank_a, rank_b)))
    tangent = mr.tangent_matrix_of(torch.matmul, a, b)
    assert mr.numerical_rank(tangent).rank == size.factorisation_rank(4, rank_a, rank_b)


def test_balanced_factors_reach_the_optimistic_size_and_one_unit_factor_does_not():
    assert [size.factorisation_size(4, r) for r in range(5)] == [0, 7, 12, 15, 16]
    matrix = gaussian(4, 2) @ gaussian(2, 4, seed=1)
    u, s, vh = torch.linalg.svd(matrix)
    s[2:] = 0  # on the stratum, not near it
    balanced = mr.tangent_matrix_of(torch.matmul, u * s.sqrt(), s.sqrt()[:, None] * vh)
    assert mr.numerical_rank(balanced).rank == 12
    identity = mr.tangent_matrix_of(torch.matmul, torch.eye(4), matrix)
    assert mr.numerical_rank(identity).rank == 16


def test_the_staircase_of_a_4_x_4_matrix_is_the_known_one():
    assert [size.factorisation_stratum(4, n) for n in range(1, 17)] == [1] * 7 + [2] * 5 + [3] * 3 + [4]


def test_nested_observed_entries_make_a_rank_three_matrix_stable_at_fifteen():
    target = torch.tensor([[4, 0.6, 1.8, 0.8], [8, 2.7, 5.1, 3.6], [8, 2.2, 2.6, 1.6], [6, 0.9, 2.7, 1.2]]).double()
    u, s, vh = torch.linalg.svd(target)
    s[3:] = 0
    order = [0, 1, 2, 3, 4, 8, 12, 5, 6, 7, 9, 13, 10, 11, 14, 15]
    tangent = mr.tangent_matrix_of(torch.matmul, u * s.sqrt(), s.sqrt()[:, None] * vh)[order]
    assert mr.recovery_size(mr.sample_ranks(tangent), 15) == 15


def test_products_of_parameters_have_the_number_of_nonzero_coefficients():
    x, a, b = gaussian(20, 5), torch.tensor([1.0, -2, 0, 0, 0]), torch.tensor([0.0, 1, 0, 0, 0])
    assert mr.numerical_rank(mr.tangent_matrix_of(lambda a, b: x @ (a**2 - b**2), a, b)).rank == 2
    deep = mr.tangent_matrix_of(lambda a, b, c: x @ (a * b * c), a, a, a)
    assert mr.numerical_rank(deep).rank == 2


@pytest.mark.parametrize(("factor", "expected"), [(0.0, 2), (1.5, 3)])
def test_a_shared_factor_has_its_closed_size(factor, expected):
    x = gaussian(20, 2)
    theta = torch.tensor([0.5, 1.0, factor, factor])
    tangent = mr.tangent_matrix_of(lambda t: t[0] + t[1] * x[:, 0] + t[2] * t[3] * x[:, 1], theta)
    assert mr.numerical_rank(tangent).rank == expected == size.shared_factor_size(factor * factor)


@pytest.mark.parametrize("hidden_bias", [False, True])
@pytest.mark.parametrize("inputs", [1, 4])
def test_independent_tanh_neurons_have_the_closed_size(inputs, hidden_bias):
    weight, out, bias = gaussian(3, inputs), gaussian(3, seed=1), gaussian(3, seed=2) if hidden_bias else None
    result = mr.model_rank(tanh_net(weight, out, bias), gaussian(200, inputs, seed=3))
    assert result.rank == size.tanh_size(3, inputs, hidden_bias=hidden_bias) == mr.tanh_rank(weight, out, bias)
    assert result.clear


@pytest.mark.parametrize("bias", [False, True])
def test_convolutions_have_the_closed_sizes_with_and_without_sharing(bias):
    x, kernel, out = gaussian(400, 6), gaussian(2, 3), gaussian(2, 4, seed=1)
    shift = gaussian(2, seed=2) if bias else torch.zeros(0)
    patches = x.unfold(1, 3, 1)  # (n, positions, s)

    def shared(kernel, out, shift):
        hidden = torch.einsum("npk,ck->ncp", patches, kernel) + (shift[:, None] if bias else 0.0)
        return torch.einsum("ncp,cp->n", hidden.tanh(), out)

    def unshared(kernels, out, shifts):
        hidden = torch.einsum("npk,cpk->ncp", patches, kernels) + (shifts if bias else 0.0)
        return torch.einsum("ncp,cp->n", hidden.tanh(), out)

    closed = size.convolution_sizes(2, 6, 3, hidden_bias=bias)
    assert mr.numerical_rank(mr.tangent_matrix_of(shared, kernel, out, shift)).rank == closed["shared"]
    kernels, shifts = kernel[:, None].expand(2, 4, 3), shift[:, None].expand(-1, 4)
    assert mr.numerical_rank(mr.tangent_matrix_of(unshared, kernels, out, shifts)).rank == closed["unshared"]
    dense = torch.zeros(2, 4, 6, dtype=torch.float64)
    for p in range(4):
        dense[:, p, p : p + 3] = kernel
    model = tanh_net(dense.flatten(0, 1), out.flatten(), shifts.flatten() if bias else None)
    assert mr.model_rank(model, x).rank == closed["dense"]


def test_images_have_the_closed_sizes():
    assert size.convolution_sizes(1, 28, 3, dims=2) == {"shared": 685, "unshared": 6760, "dense": 530660}
    assert size.convolution_sizes(1, 5, 3, hidden_bias=True) == {"shared": 7, "unshared": 15, "dense": 21}
    x, kernel, out = gaussian(60, 1, 5, 5), gaussian(1, 1, 3, 3), gaussian(1, 3, 3, seed=1)
    tangent = mr.tangent_matrix_of(lambda k, a: (functional.conv2d(x, k).tanh() * a).sum((1, 2, 3)), kernel, out)
    assert mr.numerical_rank(tangent).rank == size.convolution_sizes(1, 5, 3, dims=2)["shared"] == 18


@pytest.mark.parametrize(("construction", "expected"), CONSTRUCTIONS)
def test_the_same_function_has_another_rank_at_another_point(construction, expected):
    model = widened(construction)
    result = mr.model_rank(model, gaussian(400, 5, seed=9))
    assert result.rank == expected
    assert result.gap > 1e9
    first, last = model.layers
    assert mr.tanh_rank(first.weight, last.weight[0], first.bias) == expected


@pytest.mark.parametrize(("construction", "expected"), CONSTRUCTIONS)
def test_local_linear_recovery_sets_in_exactly_at_the_model_rank(construction, expected):
    model = widened(construction)
    train, test = (mr.tangent_matrix(model, gaussian(n, 5, seed=s)) for n, s in ((32, 9), (200, 10)))
    assert mr.recovery_size(mr.sample_ranks(train), expected) == expected
    start = 1e-3 * gaussian(42, seed=11)
    assert mr.linear_recovery_error(train[: expected - 1], test, start) > 1e-5
    assert mr.linear_recovery_error(train[:expected], test, start) < 1e-12


@pytest.mark.parametrize("width", [3, 6, 12, 30])
def test_width_is_free(width):
    weight, out = convolution_target()
    rows, outs = torch.zeros(width, 5).double(), torch.zeros(width).double()
    rows[:3], outs[:3] = weight, out
    assert mr.model_rank(tanh_net(rows, outs, torch.zeros(width).double()), gaussian(400, 5)).rank == 21


def test_a_generic_point_has_full_rank_and_repeated_inputs_have_rank_one():
    model = MLP((5, 6, 1), output_bias=False, bias_std=1.0, generator=torch.Generator().manual_seed(1)).double()
    assert mr.model_rank(model, gaussian(400, 5)).rank == 42
    repeated = mr.tangent_matrix(model, gaussian(1, 5).expand(30, 5))
    assert (mr.sample_ranks(repeated) == 1).all()
    assert mr.recovery_size(mr.sample_ranks(repeated), 21) is None


def test_neurons_with_the_same_weight_up_to_sign_count_once():
    w = gaussian(1, 1)
    for second, expected in ((w, 2), (-w, 2), (2 * w, 4)):
        rows, out = torch.cat([w, second]), torch.tensor([1.0, 0.5]).double()
        assert mr.model_rank(tanh_net(rows, out), gaussian(50, 1)).rank == expected == mr.tanh_rank(rows, out)
    rows, out = torch.cat([w, 2 * w]), torch.tensor([1.0, 0.0]).double()
    assert mr.model_rank(tanh_net(rows, out), gaussian(50, 1)).rank == 3 == mr.tanh_rank(rows, out)


@pytest.mark.parametrize("biases", [None, (0.0, 0.0), (0.7, -0.2)])
@pytest.mark.parametrize("outs", [(0.0, 0.0), (0.0, 1.0), (1.0, 0.5)])
def test_neurons_without_input_weight_add_linear_functions_and_a_constant(biases, outs):
    rows = torch.cat([gaussian(1, 3), torch.zeros(2, 3)])
    out = torch.tensor([1.0, *outs]).double()
    bias = None if biases is None else torch.tensor([0.4, *biases]).double()
    assert mr.model_rank(tanh_net(rows, out, bias), gaussian(100, 3)).rank == mr.tanh_rank(rows, out, bias)


def spectrum(*values: float) -> Tensor:
    q = torch.linalg.qr(gaussian(len(values), len(values))).Q
    return q @ torch.diag(torch.tensor(values, dtype=torch.float64))


def test_a_clear_gap_is_reported_and_an_unclear_one_warned_about():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clear = mr.numerical_rank(spectrum(4, 2, 1, 1e-13, 1e-14))
    assert (clear.rank, clear.clear) == (3, True)
    assert clear.tolerance == pytest.approx(4e-9)
    assert clear.gap == pytest.approx(1e13, rel=0.1)
    np.testing.assert_allclose(clear.around_gap(3), [2, 1, 1e-13], rtol=0.01)
    with pytest.warns(mr.UnclearRank, match=r"rank 4 at rtol 1e-06 is unclear.*1\.0e-05"):
        unclear = mr.numerical_rank(spectrum(1, 1e-2, 1e-4, 1e-5, 3e-7), rtol=1e-6)
    assert not unclear.clear
    assert unclear.gap == pytest.approx(1e-5 / 3e-7)


def test_a_full_rank_is_clear_only_when_its_smallest_value_is_far_above_the_tolerance():
    assert mr.numerical_rank(spectrum(3, 2, 1)).gap == pytest.approx(1 / 3e-9)
    with pytest.warns(mr.UnclearRank):
        assert mr.numerical_rank(spectrum(1, 1, 1e-8)).rank == 3


def test_a_saturated_net_on_equally_spaced_inputs_says_that_its_rank_is_unclear():
    weight, bias = torch.ones(3, 1).double(), torch.tensor([-7.0, 0, 7]).double()
    model = tanh_net(weight, torch.ones(3).double(), bias)
    tangent = mr.tangent_matrix(model, torch.linspace(-15, 14, 9, dtype=torch.float64)[:, None])
    with pytest.warns(mr.UnclearRank, match=r"rank 9 .*3\.6e-09"):
        mr.numerical_rank(tangent)
    assert mr.numerical_rank(tangent, rtol=1e-6).rank == 8


def test_degenerate_matrices_have_an_answer():
    zero = mr.numerical_rank(torch.zeros(3, 2).double())
    assert (zero.rank, zero.clear, zero.gap) == (0, True, math.inf)
    assert mr.numerical_rank(torch.ones(1, 1).double()).rank == 1
    assert mr.numerical_rank(torch.ones(4, 3).double().T).rank == 1
    assert mr.tanh_rank(torch.zeros(2, 3), torch.zeros(2)) == 0


def test_unusable_input_is_an_error_that_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"float64, got torch\.float32"):
        mr.numerical_rank(torch.ones(2, 2))
    with pytest.raises(ValueError, match="NaN"):
        mr.numerical_rank(torch.full((2, 2), math.nan).double())
    with pytest.raises(ValueError, match="rtol"):
        mr.numerical_rank(torch.ones(2, 2).double(), rtol=0.0)
    with pytest.raises(ValueError, match=r"samples limit the rank; take 84 inputs"):
        mr.model_rank(widened("zero output"), gaussian(5, 5))
    with pytest.raises(ValueError, match="0 samples"):
        mr.tangent_matrix(widened("null"), torch.zeros(0, 5))
    with pytest.raises(ValueError, match="multiple of 2"):
        mr.sample_ranks(torch.ones(3, 2).double(), outputs=2)
    with pytest.raises(ValueError, match="3 output weights for 2 neurons"):
        mr.tanh_rank(torch.ones(2, 1), torch.ones(3))
    with pytest.raises(ValueError, match="no such model: rank 5"):
        size.factorisation_size(4, 5)
    with pytest.raises(ValueError, match="no such model: 1 kernels of 4 on 3"):
        size.convolution_sizes(1, 3, 4)
