"""Closed-form derivatives against automatic differentiation, float64."""

import pytest
import torch

from lab.models.closed_form import ClosedForm, Quadratic, TwoLayerTanh


def network(width: int = 4, count: int = 11) -> TwoLayerTanh:
    x = torch.linspace(-3, 3, count, dtype=torch.float64)
    return TwoLayerTanh(x, torch.sin(2 * x), width)


def losses() -> list[ClosedForm]:
    return [Quadratic(3.5), network()]


def plain_loss(loss: ClosedForm, theta: torch.Tensor) -> torch.Tensor:
    if isinstance(loss, Quadratic):
        return (loss.curvature * theta**2 / 2).sum()
    assert isinstance(loss, TwoLayerTanh)
    w, b, a, c = theta.split([loss.width, loss.width, loss.width, 1])
    return ((torch.tanh(torch.outer(loss.powers[0], w) + b) @ a + c - loss.y) ** 2).mean()


@pytest.fixture(params=losses(), ids=["quadratic", "network"])
def loss(request: pytest.FixtureRequest) -> ClosedForm:
    return request.param


@pytest.fixture
def theta(loss: ClosedForm) -> torch.Tensor:
    return torch.randn(loss.size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def test_value_and_gradient_are_those_of_autograd(loss: ClosedForm, theta: torch.Tensor):
    leaf = theta.clone().requires_grad_()
    expected = plain_loss(loss, leaf)
    (expected_gradient,) = torch.autograd.grad(expected, leaf)
    value, gradient = loss.value_and_gradient(theta)
    torch.testing.assert_close(value, expected.detach(), rtol=1e-14, atol=0)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-12, atol=1e-14)


def test_the_hessian_is_that_of_autograd(loss: ClosedForm, theta: torch.Tensor):
    expected = torch.autograd.functional.hessian(lambda p: plain_loss(loss, p), theta)
    torch.testing.assert_close(loss.hessian(theta), expected, rtol=1e-12, atol=1e-13)


def test_products_are_those_of_the_hessian(loss: ClosedForm, theta: torch.Tensor):
    rows = torch.randn(5, loss.size, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    expected = rows @ loss.hessian(theta)
    torch.testing.assert_close(loss.hessian_products(theta)(rows), expected, rtol=1e-12, atol=1e-13)


def test_the_start_is_standard_normal_with_zero_output_bias():
    wide = network(width=4000)
    theta = wide.start(torch.Generator().manual_seed(0))
    assert theta[-1] == 0 and theta.dtype == torch.float64
    assert abs(float(theta[:-1].std()) - 1) < 0.02
