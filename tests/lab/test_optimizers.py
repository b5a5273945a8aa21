"""Adam and its relatives against torch and by hand, float64."""

import math

import pytest
import torch

from lab.optimizers import FlatAdam, drop_gradients


def test_adam_takes_the_steps_of_torch_bit_for_bit():
    theta = torch.randn(7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    leaf = theta.clone().requires_grad_()
    reference = torch.optim.Adam([leaf], lr=0.02, betas=(0.9, 0.99), eps=1e-8)
    own = FlatAdam("adam", theta)
    for step in range(200):
        gradient = torch.sin(torch.arange(7, dtype=torch.float64) * step + 1) * theta
        leaf.grad = gradient.clone()
        reference.step()
        theta = own.step(theta, own.moments(gradient, 0.9, 0.99, 1e-8), 0.02)
        assert torch.equal(theta, leaf.detach())


@pytest.mark.parametrize("kind", ["momentum", "gd"])
def test_without_a_second_moment_a_step_is_descent_along_an_average_of_gradients(kind):
    theta, own = torch.ones(1, dtype=torch.float64), FlatAdam(kind, torch.ones(1, dtype=torch.float64))
    gradients = [torch.full((1,), g, dtype=torch.float64) for g in (1.0, 4.0)]
    for gradient in gradients:
        theta = own.step(theta, own.moments(gradient, 0.9, 0.99, 1e-8), 0.1)
    average = (0.9 * 1 + 4) / 1.9 if kind == "momentum" else 4.0
    assert float(theta) == pytest.approx(1 - 0.1 * 1 - 0.1 * average, rel=1e-14)


def test_a_constant_gradient_stays_its_own_average_when_the_betas_change_on_the_way():
    own = FlatAdam("adam", torch.zeros(1, dtype=torch.float64))
    gradient = torch.full((1,), 3.0, dtype=torch.float64)
    for beta1, beta2 in ((0.9, 0.9), (0.5, 0.9999), (0.99, 0.6)):
        for _ in range(5):
            moments = own.moments(gradient, beta1, beta2, 0.0)
            assert float(moments.mean) / moments.correction1 == pytest.approx(3, rel=1e-12)
            assert float(moments.denominator) == pytest.approx(3, rel=1e-12)
            own.step(gradient, moments, 0.1)
        own.betas_changed(beta1, beta2)


def test_a_gradient_is_held_against_the_moments_it_meets():
    gradient = torch.tensor([1.0, 2.0], dtype=torch.float64)
    moments = FlatAdam("adam", gradient).moments(gradient, 0.9, 0.99, 0.0)
    found = moments.beside(gradient, 0.1)
    effective = 0.1 * (1 + 1 / 2) / 2  # √v̂ is |g| after one step
    expected = (2.5, 4.0, 0.025, 0.04, math.nan, 100.0, 100.0, effective)
    assert found == pytest.approx(expected, nan_ok=True)
    plain = FlatAdam("gd", gradient).moments(gradient, 0.9, 0.99, 0.0).beside(gradient, 0.1)
    assert plain[2:7] == (None,) * 5 and plain[7] == pytest.approx(0.1)


def test_gradients_of_every_group_are_dropped_as_zero_grad_does():
    parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(3)]
    optimizer = torch.optim.SGD([{"params": parameters[:2]}, {"params": parameters[2:]}], lr=0.1)
    torch.stack(list(parameters[1:])).sum().backward()
    drop_gradients(optimizer)
    assert [p.grad for p in parameters] == [None, None, None]
