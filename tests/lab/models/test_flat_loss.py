"""Losses of a flat parameter vector against automatic differentiation, float64."""

import pytest
import torch

from lab.models.flat_loss import FlatLoss, ModuleLoss, Quadratic, TwoLayerTanh
from lab.models.mlp import MLP


def network(width: int = 4, count: int = 11) -> TwoLayerTanh:
    x = torch.linspace(-3, 3, count, dtype=torch.float64)
    return TwoLayerTanh(x, torch.sin(2 * x), width)


def module() -> ModuleLoss:
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    model = MLP((2, 3, 1), "tanh", generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return ModuleLoss(model, lambda rows: (model(x[rows])[:, 0] - x[rows, 0] ** 2).square().mean(), torch.arange(9))


def plain_loss(loss: FlatLoss, theta: torch.Tensor) -> torch.Tensor:
    if isinstance(loss, Quadratic):
        return (loss.h * theta**2 / 2).sum()
    if isinstance(loss, ModuleLoss):
        w, b, a, c = theta.split([6, 3, 3, 1])
        x = torch.randn(9, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        return ((torch.tanh(x @ w.view(3, 2).T + b) @ a + c - x[:, 0] ** 2) ** 2).mean()
    assert isinstance(loss, TwoLayerTanh)
    w, b, a, c = theta.split([loss.width, loss.width, loss.width, 1])
    return ((torch.tanh(torch.outer(loss.powers[0], w) + b) @ a + c - loss.y) ** 2).mean()


SIZES = {"quadratic": (Quadratic(3.5), 1), "network": (network(), 13), "module": (module(), 13)}


@pytest.fixture(params=SIZES)
def loss(request: pytest.FixtureRequest) -> FlatLoss:
    return SIZES[request.param][0]


@pytest.fixture
def theta(request: pytest.FixtureRequest, loss: FlatLoss) -> torch.Tensor:
    size = next(size for known, size in SIZES.values() if known is loss)
    return torch.randn(size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def test_value_and_gradient_are_those_of_autograd(loss: FlatLoss, theta: torch.Tensor):
    leaf = theta.clone().requires_grad_()
    expected = plain_loss(loss, leaf)
    (expected_gradient,) = torch.autograd.grad(expected, leaf)
    value, gradient = loss.value_and_gradient(theta)
    torch.testing.assert_close(value, expected.detach(), rtol=1e-13, atol=0)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-12, atol=1e-14)


def test_hessian_and_its_gradient_are_those_of_autograd(loss: FlatLoss, theta: torch.Tensor):
    hessian, gradient = loss.curvature(theta)
    expected = torch.autograd.functional.hessian(lambda p: plain_loss(loss, p), theta)
    torch.testing.assert_close(torch.from_numpy(hessian.dense()), expected, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(gradient, loss.value_and_gradient(theta)[1], rtol=1e-12, atol=1e-14)


def test_a_module_starts_as_drawn_and_a_step_sees_its_rows_while_curvature_sees_the_probe():
    loss = module()
    theta = loss.start()
    whole, _ = loss.value_and_gradient(theta)
    some, gradient = loss.value_and_gradient(theta, torch.tensor([0, 4]))
    assert some != whole
    assert not torch.allclose(gradient, loss.curvature(theta)[1])
    assert torch.equal(loss.start(), theta)


def test_the_start_is_standard_normal_with_zero_output_bias():
    wide = network(width=4000)
    theta = wide.start(torch.Generator().manual_seed(0))
    assert theta[-1] == 0 and theta.dtype == torch.float64
    assert abs(float(theta[:-1].std()) - 1) < 0.02
