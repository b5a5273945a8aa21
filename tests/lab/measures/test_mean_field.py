"""Mean-field recursions against quadrature, the closed constants of criticality, and sampled wide networks."""

import math

import numpy as np
import pytest
import torch

from lab.measures import mean_field as mf
from lab.models.mlp import ACTIVATIONS
from lab.models.residual_mlp import residual_blocks


def gaussian_mean(function, variance: float) -> float:
    """<f>_K by the trapezoidal rule on a million points, by autograd where f is a slope."""
    z = torch.linspace(-15, 15, 1_000_001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2)
    return float((function(math.sqrt(variance) * z) * density).sum() / density.sum())


def slope(function):
    def derivative(x):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(function(x).sum(), x)[0]

    return derivative


@pytest.mark.parametrize("variance", [0.01, 1.0, 40.0])
@pytest.mark.parametrize("name", ["linear", "relu", "erf", "gelu", "tanh"])
def test_moments_are_the_gaussian_means_of_the_activation(name, variance):
    phi, dphi = ACTIVATIONS[name], slope(ACTIVATIONS[name])
    m = mf.moments(name, variance)
    # a kink costs the trapezoidal rule accuracy
    tolerance = 2e-5 if name == "relu" else 1e-11
    assert m.mean == pytest.approx(gaussian_mean(phi, variance), rel=tolerance, abs=1e-12)
    assert m.square == pytest.approx(gaussian_mean(lambda x: phi(x) ** 2, variance), rel=tolerance)
    assert m.slope_square == pytest.approx(gaussian_mean(lambda x: dphi(x) ** 2, variance), rel=tolerance)
    # d<φ²>/dK = <x φ φ'>/K
    growth = gaussian_mean(lambda x: x * phi(x) * dphi(x), variance) / variance
    assert m.square_growth == pytest.approx(growth, rel=tolerance)


@pytest.mark.parametrize("name", ["linear", "relu", "erf", "gelu", "tanh"])
def test_moments_at_zero_variance_are_the_values_at_zero(name):
    m, at_zero = mf.moments(name, 0.0), slope(ACTIVATIONS[name])(torch.zeros(1, dtype=torch.float64)).item()
    assert (m.mean, m.square) == pytest.approx((0, 0), abs=1e-15)
    if name != "relu":
        assert m.slope_square == pytest.approx(at_zero**2)


@pytest.mark.parametrize(("name", "constant"), [("relu", 2), ("linear", 1), ("tanh", 1), ("erf", math.pi / 4)])
@pytest.mark.parametrize("mu", [0.0, 0.6])
def test_the_critical_initialisation_is_the_known_constant_and_has_chi_one(name, constant, mu):
    sigma_w2 = mf.critical_sigma_w2(name, mu)
    assert sigma_w2 == pytest.approx(constant * (1 - mu**2), rel=1e-12)
    assert mf.propagate(name, 1, sigma_w2, mu=mu, start=1e-14).chi_j[0] == pytest.approx(1, abs=1e-12)


def test_relu_keeps_its_variance_and_its_jacobian_at_criticality():
    theory = mf.propagate("relu", 50, 2.0)
    np.testing.assert_allclose(theory.variance, 1, rtol=1e-12)
    np.testing.assert_allclose(theory.log_apjn, 0, atol=1e-12)
    # with a bias χ_J stays 1 but K grows by σ_b² a layer: not critical
    grown = mf.propagate("relu", 50, 2.0, 0.3)
    np.testing.assert_allclose(grown.chi_j, 1)
    np.testing.assert_allclose(grown.variance, 1 + 0.3 * np.arange(51))


def slope_of_log(theory: mf.Propagation, first: int, last: int) -> float:
    depth = np.arange(first, last + 1)
    return float(np.polyfit(np.log(depth), theory.log_apjn[depth], 1)[0])


def test_critical_erf_decays_as_one_over_depth():
    theory = mf.propagate("erf", 2000, math.pi / 4)
    assert theory.variance[-1] * 2 * 2000 == pytest.approx(1, rel=0.01)
    assert slope_of_log(theory, 10, 50) == pytest.approx(-0.981, abs=1e-3)
    assert slope_of_log(theory, 100, 1000) == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize(("name", "r"), [("relu", 1.0), ("erf", 1.2257), ("gelu", 1.0720)])
def test_pre_layernorm_with_a_full_residual_is_critical_with_a_known_exponent(name, r):
    assert slope_of_log(mf.propagate(name, 4000, 2.0, mu=1, norm="pre"), 1000, 4000) == pytest.approx(r, abs=2e-3)


def test_pre_layernorm_exponent_at_a_generic_point():
    assert slope_of_log(mf.propagate("relu", 100, 2, 1, mu=1, norm="pre"), 10, 100) == pytest.approx(0.496, abs=1e-3)


@pytest.mark.parametrize("mu", [0.0, 0.5, 0.9])
def test_pre_layernorm_settles_at_the_closed_chi(mu):
    # χ = μ² + (1-μ²) r, r = σ_w²<φ'²>₁/(σ_w²<φ²>₁ + σ_b²); for ReLU r = (σ_w²/2)/(σ_w²/2 + σ_b²)
    chi = mf.propagate("relu", 400, 2.0, 0.5, mu=mu, norm="pre").chi_j[-1]
    assert chi == pytest.approx(mu**2 + (1 - mu**2) * (1 / 1.5), rel=1e-12)


def test_post_layernorm_jacobian_is_the_closed_one_for_relu():
    chi = mf.propagate("relu", 3, 2.0, 0.5, norm="post").chi_j[-1]
    assert chi == pytest.approx(2 * 0.5 / (2.5 * (0.5 - 1 / (2 * math.pi))), rel=1e-12)
    assert chi == pytest.approx(1.174, abs=5e-4)


def test_chi_k_is_the_derivative_of_the_variance_map():
    for name in ("relu", "erf", "gelu", "tanh"):
        up, down = (mf.propagate(name, 1, 1.7, 0.2, mu=0.4, start=0.8 + h).variance[1] for h in (1e-5, -1e-5))
        assert mf.propagate(name, 1, 1.7, 0.2, mu=0.4, start=0.8).chi_k[0] == pytest.approx(
            (up - down) / 2e-5, rel=1e-8
        )


def test_correlation_depth_is_that_of_an_exponential():
    assert mf.correlation_depth(math.exp(-1 / 7)) == pytest.approx(7)
    assert mf.correlation_depth(math.exp(1 / 7)) == pytest.approx(7)
    assert mf.correlation_depth(1.0) == math.inf


@pytest.mark.parametrize(
    ("name", "sigma_w2", "sigma_b2", "mu", "norm"),
    [
        ("relu", 2.0, 0.3, 0.0, "none"),
        ("erf", 3.0, 0.2, 0.0, "none"),
        ("gelu", 2.0, 0.5, 0.5, "none"),
        ("tanh", 1.5, 0.1, 0.9, "none"),
        ("relu", 2.0, 0.5, 0.0, "pre"),
        ("erf", 1.0, 0.3, 0.9, "pre"),
        ("gelu", 1.0, 0.3, 1.0, "pre"),
        ("relu", 2.0, 0.5, 0.0, "post"),
        ("gelu", 2.0, 0.5, 0.0, "post"),
    ],
)
def test_a_sampled_wide_network_follows_the_recursion(name, sigma_w2, sigma_b2, mu, norm):
    width, depth, networks = 400, 4, 5
    generator = torch.Generator().manual_seed(0)
    variance = torch.zeros(depth)
    for _ in range(networks):
        h = torch.randn(16, width, generator=generator)
        blocks = residual_blocks(depth, width, name, sigma_w2, sigma_b2, mu=mu, norm=norm, generator=generator)
        for layer, block in enumerate(blocks):
            h = block(h).detach()
            variance[layer] += (h**2).mean() / networks
    theory = mf.propagate(name, depth, sigma_w2, sigma_b2, mu=mu, norm=norm).variance[1:]
    # one network's K fluctuates by about sqrt(2 l/N): 6 % of the mean over five at the last layer
    np.testing.assert_allclose(variance, theory, rtol=0.12)


def test_bad_settings_are_named_with_the_remedy():
    with pytest.raises(ValueError, match="no mean-field theory for 'x_tanh'"):
        mf.propagate("x_tanh", 2, 1.0)
    with pytest.raises(ValueError, match="'post', got 'post' with μ"):
        mf.propagate("relu", 2, 1.0, mu=0.5, norm="post")
    with pytest.raises(ValueError, match="LayerNorm"):
        mf.propagate("relu", 2, 0.0, norm="pre")
    with pytest.raises(ValueError, match="variance is finite"):
        mf.propagate("relu", 2000, 8.0)
    with pytest.raises(ValueError, match="not negative"):
        mf.propagate("relu", 2, -1.0)
    with pytest.raises(ValueError, match="no closed critical point"):
        mf.critical_sigma_w2("gelu")
    with pytest.raises(ValueError, match="χ is positive"):
        mf.correlation_depth(0.0)
