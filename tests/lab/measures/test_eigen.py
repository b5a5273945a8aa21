"""Eigenpairs against numpy's dense solver."""

import numpy as np
import pytest
import torch
from torch import nn

from lab.measures.curvature import lambda_abs_max, lambda_max, lambda_min, top_eigenpairs
from lab.measures.eigen import NotConvergedError, eigenpairs
from lab.measures.hvp import Hessian
from lab.measures.operators import Matrix, UndefinedError
from tests.lab.measures.nets import ALL, closure, dense_hessian_of, symmetric


def wanted(eigenvalues: np.ndarray, which: str, k: int) -> np.ndarray:
    order = {"largest": -eigenvalues, "smallest": eigenvalues, "magnitude": -np.abs(eigenvalues)}[which]
    return eigenvalues[np.argsort(order)][:k]


def test_lambda_max_of_a_quadratic_is_its_largest_eigenvalue():
    p = nn.Parameter(torch.ones(3, dtype=torch.float64))
    hessian = Hessian(lambda: (torch.tensor([4.0, 2.0, -9.0]) * p**2).sum() / 2, [p])
    top = lambda_max(hessian)
    assert (top.value, lambda_min(hessian).value, lambda_abs_max(hessian).value) == pytest.approx(
        (4, -9, -9), abs=1e-13
    )
    np.testing.assert_allclose(abs(top.vector.numpy()), [1, 0, 0], atol=1e-13)


@pytest.mark.parametrize("net", ALL)
@pytest.mark.parametrize("which", ["largest", "smallest", "magnitude"])
def test_extreme_eigenpairs_of_a_network_meet_the_dense_ones(net, which):
    model, x, y, loss = ALL[net]()
    exact = np.linalg.eigvalsh(dense_hessian_of(net))
    hessian = Hessian(closure(model, x, y, loss), model.parameters())
    pairs = eigenpairs(hessian, 4, which=which, tol=1e-10)
    np.testing.assert_allclose(pairs.values, wanted(exact, which, 4), rtol=1e-9)
    np.testing.assert_allclose((pairs.vectors @ pairs.vectors.T).numpy(), np.eye(4), atol=1e-10)
    residuals = (hessian(pairs.vectors) - torch.as_tensor(pairs.values)[:, None] * pairs.vectors).norm(dim=1)
    np.testing.assert_allclose(residuals.numpy(), pairs.residuals, atol=1e-9)


@pytest.mark.parametrize("seed", range(24))
def test_the_error_stated_holds_and_the_tolerance_is_met(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(65, 300))
    exact = rng.normal(size=size) * 10 ** rng.uniform(-3, 1, size=size)  # heavy-tailed, like a network's
    which, k = ("largest", "smallest", "magnitude")[seed % 3], int(rng.integers(1, 12))
    pairs = eigenpairs(Matrix(symmetric(exact, seed)), k, which=which, tol=1e-3, seed=seed)
    errors = abs(pairs.values - wanted(exact, which, k))
    assert pairs.converged
    assert np.all(errors <= pairs.errors + 1e-13)
    assert np.all(errors <= 1e-3 * abs(pairs.values))
    assert pairs.hvps < size


@pytest.mark.parametrize(("read", "sign"), [(lambda_max, 1), (lambda_min, -1)])
def test_the_value_is_the_middle_between_the_rayleigh_quotient_and_its_bound(read, sign):
    exact = np.linspace(-2, 2, 150) ** 3
    matrix = Matrix(symmetric(exact))
    found = read(matrix, tol=0.02)
    quotient = float(found.vector @ matrix(found.vector))
    assert found.value == pytest.approx(quotient + sign * found.error, rel=1e-12)
    assert 0 <= sign * (sign * 8.0 - quotient) <= 2 * found.error


def test_a_random_start_does_not_stop_at_the_second_eigenvalue():
    exact = np.concatenate([[1.02, 1.0], np.linspace(-0.3, 0.3, 198)])
    matrix = Matrix(symmetric(exact))
    values = [lambda_max(matrix, seed=seed).value for seed in range(40)]
    np.testing.assert_allclose(values, 1.02, rtol=1e-3)


def test_degenerate_eigenvalues_come_with_their_multiplicity():
    exact = np.concatenate([[3.0] * 5, np.linspace(-1, 1, 195)])
    pairs = eigenpairs(Matrix(symmetric(exact)), 6, tol=1e-8)
    np.testing.assert_allclose(pairs.values[:5], 3.0, rtol=1e-8)
    assert pairs.values[5] == pytest.approx(1.0, rel=1e-7)
    np.testing.assert_allclose((pairs.vectors @ pairs.vectors.T).numpy(), np.eye(6), atol=1e-9)


@pytest.mark.parametrize("level", [0.0, 2.5, -2.5])
def test_a_multiple_of_the_identity_ends_at_once(level):
    pairs = eigenpairs(Matrix(level * torch.eye(100, dtype=torch.float64)), 3)
    np.testing.assert_allclose(pairs.values, level)
    assert pairs.converged
    assert pairs.hvps <= 20


def test_all_eigenpairs_can_be_asked_for():
    exact = np.linspace(-2, 1, 80)
    pairs = eigenpairs(Matrix(symmetric(exact)), 80, tol=1e-10)
    np.testing.assert_allclose(pairs.values, exact[::-1], atol=1e-12)


def test_negative_curvature_is_not_mistaken_for_sharpness():
    matrix = Matrix(symmetric(np.concatenate([[-50.0], np.linspace(-1, 2, 199)])))
    assert lambda_max(matrix).value == pytest.approx(2.0, rel=1e-3)
    assert lambda_min(matrix).value == pytest.approx(-50.0, rel=1e-3)
    assert lambda_abs_max(matrix).value == pytest.approx(-50.0, rel=1e-3)


def test_restarts_reach_the_same_pairs():
    exact = np.cumsum(np.linspace(0.01, 1, 300))
    matrix = Matrix(symmetric(exact))
    pairs = top_eigenpairs(matrix, 3, tol=1e-9, max_basis=24)
    assert pairs.hvps > 3 * 24
    np.testing.assert_allclose(pairs.values, exact[::-1][:3], rtol=1e-9)


def test_a_warm_start_saves_most_of_the_products():
    rng = np.random.default_rng(0)
    exact = rng.normal(size=400) * 10 ** rng.uniform(-3, 1, size=400)
    before = lambda_max(Matrix(symmetric(exact)))
    moved = Matrix(symmetric(exact) + 1e-3 * symmetric(rng.normal(size=400), seed=1))
    cold, warm = lambda_max(moved), lambda_max(moved, start=before.start)
    assert warm.value == pytest.approx(cold.value, rel=1e-3)
    assert warm.hvps <= cold.hvps / 2


def test_a_warm_start_sees_an_orthogonal_eigenvalue_overtake():
    values = torch.cat([torch.linspace(0, 1, 200), torch.tensor([2.0, 1.5, 1.2])]).double()
    start, found = None, 0.0
    for rise in np.linspace(0.5, 4, 60):  # eigenvectors never turn: the start is exactly orthogonal to the newcomer
        values[7] = rise
        top = lambda_max(Matrix(torch.diag(values)), start=start)
        start, found = top.start, top.value
    assert found == pytest.approx(4.0, rel=1e-3)


def test_the_gradient_may_be_the_start():
    exact = np.linspace(0, 1, 100) ** 4
    matrix = Matrix(symmetric(exact))
    assert lambda_max(matrix, start=torch.ones(100, dtype=torch.float64)).value == pytest.approx(1.0, rel=1e-3)
    with pytest.raises(ValueError, match="another layer"):
        lambda_max(matrix, start=torch.ones(99))


def test_a_budget_returns_what_was_reached_or_raises_with_it():
    exact = np.cumsum(np.linspace(0.01, 1, 300))
    matrix = Matrix(symmetric(exact))
    reached = lambda_max(matrix, tol=1e-10, max_hvps=12, strict=False)
    assert reached.hvps == 12
    assert not reached.converged
    assert abs(reached.value - exact[-1]) <= reached.error
    with pytest.raises(NotConvergedError, match="after 12 products") as caught:
        lambda_max(matrix, tol=1e-10, max_hvps=12)
    assert caught.value.reached.values[0] == reached.value
    resumed = lambda_max(matrix, tol=1e-10, start=reached.start)
    assert resumed.value == pytest.approx(exact[-1], rel=1e-10)
    with pytest.raises(ValueError, match="at least 5"):
        top_eigenpairs(matrix, 5, max_hvps=4)
    with pytest.raises(ValueError, match="choose 1 to 300"):
        top_eigenpairs(matrix, 301)


def test_float32_reaches_five_digits_and_says_when_it_cannot_reach_nine():
    exact = np.concatenate([[10.0], np.linspace(-1, 5, 299)])
    matrix = Matrix(symmetric(exact, dtype=torch.float32))
    assert lambda_max(matrix, tol=1e-5).value == pytest.approx(10.0, rel=1e-5)
    stuck = lambda_max(matrix, tol=1e-9, strict=False)
    assert not stuck.converged
    assert abs(stuck.value - 10) <= stuck.error <= 1e-4
    assert stuck.hvps < 300
    with pytest.raises(NotConvergedError, match="float64"):
        lambda_max(matrix, tol=1e-9)


def test_a_singular_matrix_has_a_smallest_eigenvalue_of_zero():
    exact = np.concatenate([[5.0, 3.0, 1.0], np.zeros(97)])
    bottom = lambda_min(Matrix(symmetric(exact)))
    assert bottom.converged
    assert abs(bottom.value) <= bottom.error <= 1e-12


def test_equal_seeds_give_equal_bits_and_the_global_generator_is_left_alone():
    matrix = Matrix(symmetric(np.linspace(-1, 1, 200) ** 3))
    state = torch.get_rng_state()
    first, second, other = lambda_max(matrix), lambda_max(matrix), lambda_max(matrix, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.vector, second.vector)
    assert not torch.equal(first.vector, other.vector)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(lambda_max(matrix, seed=generator).vector, first.vector)


def test_products_that_are_not_finite_are_refused():
    p = nn.Parameter(torch.zeros(2))
    with pytest.raises(UndefinedError, match="not finite"):
        lambda_max(Hessian(lambda: (p.abs() ** 1.5).sum(), [p]))


def test_a_zero_gradient_is_no_obstacle():
    p = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    saddle = Hessian(lambda: p[0] ** 2 - p[1] ** 2, [p])
    assert (lambda_max(saddle).value, lambda_min(saddle).value) == pytest.approx((2, -2))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_and_cpu_agree():
    matrix = symmetric(np.linspace(-1, 1, 200) ** 3)
    cpu, gpu = lambda_max(Matrix(matrix), tol=1e-8), lambda_max(Matrix(matrix.cuda()), tol=1e-8)
    assert gpu.value == pytest.approx(cpu.value, rel=1e-8)
    assert gpu.vector.is_cuda
