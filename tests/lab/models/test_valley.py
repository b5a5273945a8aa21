"""The valley's steps follow the gradient of its loss; its noise gives the closed-form hill loss."""

import math

import pytest
import torch

from lab.models.rates import stationary_hill_loss
from lab.models.valley import Valley

CPU = torch.device("cpu")


@pytest.mark.parametrize("bend", [0.0, 0.5])
def test_a_step_without_noise_follows_the_gradient(bend):
    valley = Valley(10.0, bend, 0.01, 0.0, 5)
    theta = torch.randn(2, 1, 5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    leaf = theta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(valley.loss(leaf).sum(), leaf)
    rates = torch.tensor([0.1, 0.02], dtype=torch.float64)
    moved = valley.step(theta.clone(), rates, valley.draw(torch.Generator(), CPU))
    torch.testing.assert_close(moved, theta - rates[:, None, None, None] * gradient)
    hill, river = valley.parts(theta)
    torch.testing.assert_close(hill + river, valley.loss(theta).mean(-1))


def test_a_constant_rate_holds_the_closed_form_hill_loss_and_goes_as_far_as_its_sum():
    valley, rates = Valley(10.0, 0.0, 0.01, 1.0, 2000), torch.tensor([0.02, 0.1], dtype=torch.float64)
    theta, generator, late = valley.start(2, CPU), torch.Generator().manual_seed(0), []
    for step in range(400):
        valley.step(theta, rates, valley.draw(generator, CPU))
        late += [valley.parts(theta).hill[:, 0]] if step >= 100 else []
    expected = [stationary_hill_loss(float(lr), 10.0, 1.0) for lr in rates]
    assert expected == pytest.approx([0.005556, 0.05], rel=1e-3)
    assert torch.stack(late).mean(0).tolist() == pytest.approx(expected, rel=0.03)
    assert theta[:, 0, 0, 0].tolist() == pytest.approx([0.01 * 400 * 0.02, 0.01 * 400 * 0.1])


def test_no_rate_from_two_over_gamma_on_is_stationary():
    assert math.isinf(stationary_hill_loss(0.2, 10.0, 1.0))


def test_the_valley_from_above_is_its_loss_on_the_grid():
    valley = Valley(10.0, 0.5, 0.01, 1.0, 5)
    loss, x, y = valley.seen_from_above(3.0, 2.0)
    assert loss.shape == (len(y), len(x)) and (float(x[-1]), float(y[-1])) == (3.0, 2.5)
    torch.testing.assert_close(loss[7, 9], valley.loss(torch.stack((x[9], y[7]))))
