"""Jacobian measures against autograd's dense Jacobians, and networks of which the constants are known."""

import math

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian

from lab.measures import jacobians as jac
from lab.measures.mean_field import propagate
from lab.models.mlp import MLP
from lab.models.residual_mlp import residual_blocks


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def inputs(*shape: int, seed: int = 7) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def small(activation: str = "erf", **options):
    return residual_blocks(4, 6, activation, 2.0, 0.3, generator=seeded(), dtype=torch.float64, **options)


def brute_force(blocks, h: torch.Tensor) -> float:
    """ln J of the composition of blocks by autograd, one sample at a time."""

    def network(x):
        for block in blocks:
            x = block(x)
        return x

    total = 0.0
    for sample in h:
        dense = jacobian(network, sample[None])
        assert isinstance(dense, torch.Tensor)
        total += float(dense.square().sum()) / network(sample[None]).numel()
    return math.log(total / len(h))


@pytest.mark.parametrize("options", [{}, {"norm": "pre", "mu": 0.7}, {"norm": "post"}])
@pytest.mark.parametrize("activation", ["erf", "relu", "gelu"])
def test_the_exact_apjn_is_that_of_the_dense_jacobian(activation, options):
    blocks, h = small(activation, **options), inputs(3, 6)
    curve = jac.log_apjn(blocks, h, chunk=4)
    for depth in (1, 2, 4):
        assert float(curve[depth - 1].detach()) == pytest.approx(brute_force(blocks[:depth], h), rel=1e-10)


def test_the_exact_block_apjn_is_that_of_each_block_alone():
    blocks, h = small(), inputs(3, 6)
    chi = jac.log_block_apjn(blocks, h).detach()
    for block, state, value in zip(blocks, jac.layer_states(blocks, h), chi, strict=False):
        assert float(value) == pytest.approx(brute_force([block], state.detach()), rel=1e-10)


def test_the_block_apjn_of_a_plain_layer_is_its_closed_form():
    blocks, h = small("tanh"), inputs(5, 6)
    slope = 1 - torch.tanh(h) ** 2
    expected = ((slope**2) @ (blocks[0].linear.weight ** 2).T).mean()
    torch.testing.assert_close(jac.log_block_apjn(blocks[:1], h)[0], expected.log())


def test_probes_agree_with_the_exact_value_within_their_error():
    model = MLP((8, 30, 20, 3), "gelu", generator=seeded(), dtype=torch.float64)
    h = inputs(4, 8)
    exact = jac.log_apjn(model.blocks(), h)
    probed = jac.log_apjn(model.blocks(), h, probes=1000, generator=seeded(1))
    torch.testing.assert_close(probed, exact, rtol=0, atol=4 * math.sqrt(2 / 4000))
    blockwise = jac.log_block_apjn(model.blocks(), h, probes=1000, generator=seeded(1))
    torch.testing.assert_close(blockwise, jac.log_block_apjn(model.blocks(), h), rtol=0, atol=4 * math.sqrt(2 / 4000))


def test_probes_are_reproducible_and_leave_the_global_generator_alone():
    blocks, h, before = small(), inputs(2, 6), torch.get_rng_state()
    first, second = (jac.log_apjn(blocks, h, probes=3, generator=seeded(1)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_convolutions_count_every_number_of_a_sample():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        blocks = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Conv2d(3, 2, 2, stride=2)).double()
    h = inputs(2, 1, 6, 6)
    curve = jac.log_apjn(list(blocks), h)
    assert float(curve[-1].detach()) == pytest.approx(brute_force(blocks, h), rel=1e-10)


def test_the_curve_can_be_trained_through_its_probes():
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    weight = small()[0].linear.weight.detach()
    blocks = [lambda h: scale * torch.relu(h) @ weight.T] * 3
    curve = jac.log_apjn(blocks, inputs(2, 6), probes=4, generator=seeded())
    # a positive scale changes no ReLU gate, so ln J^{0,l} = 2 l ln(scale) + a constant
    (slope,) = torch.autograd.grad(curve.sum(), scale)
    assert float(slope) == pytest.approx(2 * (1 + 2 + 3) / 1.3)


def test_a_chaotic_float32_network_does_not_overflow():
    # sin(1000 h) stays at h = 0 while J grows by 1e6 a block, to 1e300
    blocks = [lambda h: torch.sin(1e3 * h)] * 50
    expected = torch.arange(1, 51, dtype=torch.float64) * math.log(1e6)
    torch.testing.assert_close(jac.log_apjn(blocks, torch.zeros(2, 5)), expected)
    torch.testing.assert_close(jac.log_apjn(blocks, torch.zeros(2, 5), probes=2, generator=seeded()), expected)


def test_dead_relus_give_minus_infinity_and_no_nan():
    blocks = [torch.relu, lambda h: 2 * h]
    assert jac.log_apjn(blocks, -torch.ones(2, 3)).tolist() == [-math.inf, -math.inf]
    half = jac.log_apjn(blocks, torch.tensor([[-1.0, 1.0]]))
    torch.testing.assert_close(half, torch.tensor([0.5, 2.0], dtype=torch.float64).log())


def test_the_spectrum_of_an_orthogonal_block_is_flat():
    orthogonal = torch.linalg.qr(inputs(5, 5)).Q
    spectrum = jac.jacobian_singular_values(lambda h: 3 * h @ orthogonal, inputs(2, 5))
    torch.testing.assert_close(spectrum, torch.full((2, 5), 3.0, dtype=torch.float64))


def test_the_dense_jacobian_is_that_of_autograd_and_its_spectrum_adds_up_to_the_apjn():
    block, h = small("gelu")[0], inputs(3, 6)
    dense = jac.block_jacobian(block, h).detach()
    for row, sample in zip(dense, h, strict=True):
        torch.testing.assert_close(row, jacobian(lambda x: block(x[None])[0], sample))
    energy = jac.jacobian_singular_values(block, h).detach().square().sum(1).mean() / 6
    assert float(energy.log()) == pytest.approx(float(jac.log_block_apjn([block], h)[0].detach()), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "sigma_w2", "sigma_b2", "mu", "norm"),
    [
        ("relu", 2.0, 0.0, 0.0, "none"),
        ("relu", 1.0, 0.5, 0.0, "none"),
        ("erf", 3.0, 0.2, 0.0, "none"),
        ("gelu", 2.0, 0.5, 0.0, "none"),
        ("relu", 2.0, 0.5, 0.0, "pre"),
        ("relu", 2.0, 0.5, 0.0, "post"),
        ("erf", 1.0, 0.3, 0.9, "pre"),
        ("erf", 1.0, 0.3, 1.0, "pre"),
    ],
)
def test_a_sampled_wide_network_has_the_jacobians_of_mean_field_theory(name, sigma_w2, sigma_b2, mu, norm):
    depth, width, generator = 10, 300, seeded()
    theory = propagate(name, depth, sigma_w2, sigma_b2, mu=mu, norm=norm)
    measured = torch.zeros(depth, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(3):
            blocks = residual_blocks(depth, width, name, sigma_w2, sigma_b2, mu=mu, norm=norm, generator=generator)
            h = torch.randn(1, width, generator=generator)
            measured += jac.log_block_apjn(blocks, h, probes=10, generator=generator) / 3
    assert float(measured[-3:].exp().mean()) == pytest.approx(float(theory.chi_j[-3:].mean()), rel=0.06)


def test_signal_and_gradient_variances_follow_the_theory_of_a_critical_network():
    generator = seeded()
    signal, backward = torch.zeros(5, dtype=torch.float64), torch.zeros(5, dtype=torch.float64)
    for _ in range(5):
        blocks = residual_blocks(4, 400, "relu", 2.0, generator=generator)
        h, gradient = torch.randn(2, 16, 400, generator=generator)
        signal += jac.signal_variances(blocks, h).detach() / 5
        backward += jac.log_gradient_variances(blocks, h, gradient).exp() / 5
    # a ReLU layer's K fluctuates by sqrt(5/N), so the last layer's mean over five networks by 10 %
    assert signal.numpy() == pytest.approx(1.0, rel=0.25)
    assert backward.numpy() == pytest.approx(1.0, rel=0.25)


def test_gradient_variances_are_those_of_backpropagation():
    blocks, h, gradient = small(), inputs(3, 6).requires_grad_(), inputs(3, 6, seed=8)
    states = jac.layer_states(blocks, h)
    expected = [g.square().mean().log() for g in torch.autograd.grad(states[-1], states, gradient)]
    torch.testing.assert_close(jac.log_gradient_variances(blocks, h, gradient), torch.stack(expected))
    with torch.no_grad():
        torch.testing.assert_close(jac.log_gradient_variances(blocks, h, gradient), torch.stack(expected))


def test_gradient_variances_stay_finite_where_float32_gradients_do_not():
    logs = jac.log_gradient_variances([lambda h: torch.sin(h) * 1e6] * 20, torch.zeros(1, 4), torch.ones(1, 4))
    torch.testing.assert_close(logs, torch.arange(20, -1, -1) * math.log(1e12) * torch.ones(21).double())
    dead = jac.log_gradient_variances([torch.relu], -torch.ones(1, 2), torch.ones(1, 2))
    assert dead.tolist() == [-math.inf, 0.0]


def test_correlations_are_cosines_and_grow_in_the_ordered_phase():
    blocks = residual_blocks(12, 300, "erf", 1.0, 0.5, generator=seeded())
    first, second = torch.randn(2, 4, 300, generator=seeded(1))
    values = jac.correlations(blocks, first, second).detach()
    expected = torch.cosine_similarity(first, second).mean().double()
    torch.testing.assert_close(values[0], expected, rtol=1e-5, atol=1e-6)
    assert (values.diff() > 0).all() and float(values[-1]) > 0.99


def test_unusable_input_is_an_error_that_says_what_is_wrong():
    with pytest.raises(ValueError, match="at least one block"):
        jac.log_apjn([], torch.ones(1, 2))
    with pytest.raises(ValueError, match="one sample"):
        jac.log_apjn([torch.relu], torch.ones(0, 2))
    with pytest.raises(ValueError, match="NaN"):
        jac.log_apjn([torch.relu], torch.tensor([[math.nan]]))
    with pytest.raises(ValueError, match=r"NaN or infinite at layer 2.*float64"):
        jac.log_apjn([torch.relu, torch.exp], torch.tensor([[1e3]]))
    with pytest.raises(ValueError, match="probes and chunk"):
        jac.log_apjn([torch.relu], torch.ones(1, 2), probes=0)
