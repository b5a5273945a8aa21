"""Spectral density and traces against spectra that are known."""

import numpy as np
import pytest
import torch

from lab.measures.density import broadened, lanczos_quadrature, spectral_density
from lab.measures.hvp import Hessian
from lab.measures.operators import Matrix, random_rows
from lab.measures.trace import exact_trace, hutchinson_trace, xtrace
from tests.lab.measures.nets import closure, dense_hessian_of, symmetric, transformer


def l1_distance(density, exact: np.ndarray) -> float:
    truth = broadened(density.grid, exact, np.full(len(exact), 1 / len(exact)), density.broadening)
    return float(np.trapezoid(abs(density.density - truth), density.grid))


def test_the_density_of_a_known_spectrum_is_found():
    exact = np.concatenate([np.linspace(-1, 1, 250), np.full(50, 4.0)])
    density = spectral_density(Matrix(symmetric(exact)), probes=16, steps=80, broadening=0.1)
    assert np.trapezoid(density.density, density.grid) == pytest.approx(1, abs=1e-6)
    assert l1_distance(density, exact) < 0.1
    assert density.hvps == 16 * 80
    above = density.grid > 3
    assert np.trapezoid(density.density[above], density.grid[above]) == pytest.approx(1 / 6, abs=0.03)


def test_the_standard_error_covers_the_deviation():
    exact = np.random.default_rng(0).normal(size=400)
    density = spectral_density(Matrix(symmetric(exact)), probes=32, steps=100, broadening=0.2)
    truth = broadened(density.grid, exact, np.full(400, 1 / 400), 0.2)
    assert np.mean(abs(density.density - truth) <= 3 * density.standard_error + 1e-6) > 0.95
    assert np.isnan(spectral_density(Matrix(symmetric(exact)), probes=1, steps=5).standard_error).all()


def test_a_transformers_density_meets_its_dense_spectrum():
    exact = np.linalg.eigvalsh(dense_hessian_of("transformer"))
    model, x, y, loss = transformer()
    density = spectral_density(Hessian(closure(model, x, y, loss), model.parameters()), probes=16, steps=40)
    assert l1_distance(density, exact) < 0.15
    assert density.nodes.max() == pytest.approx(exact[-1], rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_few_distinct_eigenvalues_exhaust_the_space_without_harm(dtype):
    exact = np.repeat([-1.0, 0.0, 2.0], [10, 70, 20])
    nodes, weights = lanczos_quadrature(Matrix(symmetric(exact, dtype=dtype)), probes=64, steps=30, seed=0)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    shares = [(weights * (abs(nodes - value) < 1e-2)).sum(axis=1).mean() for value in (-1, 0, 2)]
    np.testing.assert_allclose(shares, [0.1, 0.7, 0.2], atol=0.03)
    assert nodes.min() >= -1.01
    assert nodes.max() <= 2.01


def test_a_multiple_of_the_identity_is_one_bell():
    density = spectral_density(Matrix(3 * torch.eye(50, dtype=torch.float64)), probes=2, steps=10)
    assert density.grid[density.density.argmax()] == pytest.approx(3, abs=0.01)
    assert np.trapezoid(density.density, density.grid) == pytest.approx(1, abs=1e-6)


def test_density_is_deterministic_and_checks_its_arguments():
    matrix = Matrix(symmetric(np.linspace(0, 1, 50)))
    state = torch.get_rng_state()
    np.testing.assert_array_equal(spectral_density(matrix).density, spectral_density(matrix).density)
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(ValueError, match="at least one"):
        spectral_density(matrix, probes=0)


def test_hutchinson_is_unbiased_and_its_error_honest():
    exact = np.linspace(-1, 2, 200)
    matrix = Matrix(symmetric(exact))
    readings = [hutchinson_trace(matrix, probes=16, seed=seed) for seed in range(100)]
    deviations = np.array([(r.value - exact.sum()) / r.standard_error for r in readings])
    assert abs(deviations.mean()) < 0.4
    assert 0.7 < deviations.std() < 1.5
    assert readings[0].hvps == 16


def test_hutchinson_is_exact_on_a_diagonal():
    assert hutchinson_trace(Matrix(torch.diag(torch.arange(10.0))), probes=2).value == pytest.approx(45)


def test_xtrace_is_unbiased_and_beats_hutchinson_on_a_decaying_spectrum():
    exact = np.concatenate([2.0 ** -np.arange(20), np.full(180, 1e-3)])
    matrix = Matrix(symmetric(exact))
    ours = np.array([xtrace(matrix, hvps=40, seed=seed).value - exact.sum() for seed in range(40)])
    theirs = np.array([hutchinson_trace(matrix, probes=40, seed=seed).value - exact.sum() for seed in range(40)])
    assert abs(ours.mean()) < 4 * ours.std() / 40**0.5
    assert ours.std() < theirs.std() / 20


def test_xtrace_is_the_mean_over_probes_left_out_one_by_one():
    matrix = Matrix(symmetric(np.concatenate([2.0 ** -np.arange(20), -np.linspace(0, 0.5, 20)])))
    a, m = matrix.dense(), 6
    probes = random_rows(m, matrix, 3).numpy()
    samples = []
    for i, own in enumerate(probes):
        q, _ = np.linalg.qr(a @ np.delete(probes, i, axis=0).T)
        rest = own - q @ (q.T @ own)
        samples.append(np.trace(q.T @ a @ q) + (len(a) - m + 1) * (rest @ a @ rest) / (rest @ rest))
    reading = xtrace(matrix, hvps=2 * m, seed=3)
    assert reading.value == pytest.approx(np.mean(samples), rel=1e-10)
    assert reading.standard_error == pytest.approx(np.std(samples, ddof=1) / m**0.5, rel=1e-10)


def test_xtrace_states_its_error_on_a_flat_indefinite_spectrum():
    exact = np.linspace(-1, 2, 200)
    readings = [xtrace(Matrix(symmetric(exact)), hvps=30, seed=seed) for seed in range(60)]
    deviations = np.array([(r.value - exact.sum()) / r.standard_error for r in readings])
    assert abs(deviations.mean()) < 0.5
    assert 0.5 < deviations.std() < 2


def test_low_rank_and_zero_matrices_have_exact_xtraces():
    assert xtrace(Matrix(symmetric(np.array([5.0, 3.0] + [0.0] * 98))), hvps=20).value == pytest.approx(8, rel=1e-9)
    assert xtrace(Matrix(torch.zeros(100, 100)), hvps=20).value == 0


def test_enough_products_make_the_trace_exact():
    matrix = Matrix(symmetric(np.linspace(-1, 2, 37)))
    assert exact_trace(matrix).value == pytest.approx(18.5)
    reading = xtrace(matrix, hvps=37)
    assert (reading.standard_error, reading.hvps) == (0, 37)
    for refused in (lambda: xtrace(matrix, hvps=3), lambda: hutchinson_trace(matrix, probes=1)):
        with pytest.raises(ValueError, match="at least"):
            refused()
