"""Jets through a network equal double autograd, in value and in the gradient of a loss made of them."""

import pytest
import torch

from lab.models.jets import jet
from lab.models.mlp import MLP


def network(widths: tuple[int, ...], activation: str = "tanh") -> MLP:
    generator = torch.Generator().manual_seed(0)
    return MLP(widths, activation, weight_std=0.9, bias_std=0.5, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("activation", ["tanh", "sin"])
@pytest.mark.parametrize(("widths", "axis"), [((1, 5, 5, 1), 0), ((2, 6, 4, 5, 1), 1)])
def test_a_jet_equals_double_autograd_and_so_does_its_gradient(widths, axis, activation):
    model = network(widths, activation)
    x = torch.linspace(-1, 1, 7 * widths[0], dtype=torch.float64).view(7, widths[0]).requires_grad_()
    u = model(x)[:, 0]
    (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first[:, axis].sum(), x, create_graph=True)
    expected = (u, first[:, axis], second[:, axis])
    value, along = jet(model, x.detach(), [0] * axis + [2])
    found = (value, *along[axis])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    weights = list(model.parameters())[:-1]  # the last bias has no part in a derivative
    wanted = torch.autograd.grad((expected[1] * expected[2]).sum(), weights)
    for one, other in zip(torch.autograd.grad((found[1] * found[2]).sum(), weights), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_derivatives_along_two_inputs_come_together_and_no_higher_than_asked():
    model = network((2, 6, 4, 1))
    x = torch.linspace(-1, 1, 14, dtype=torch.float64).view(7, 2)
    u, (space, time) = jet(model, x, (2, 1))
    for axis, found in enumerate((space, time)):
        value, along = jet(model, x, [0] * axis + [2])
        torch.testing.assert_close(u, value, rtol=1e-14, atol=0)
        torch.testing.assert_close(found, along[axis][: len(found)], rtol=1e-13, atol=1e-15)
    assert len(space) == 2 and len(time) == 1


def test_a_network_without_a_rule_is_refused():
    with pytest.raises(ValueError, match="tanh, sin"):
        jet(network((1, 3, 1), "relu"), torch.zeros(2, 1, dtype=torch.float64))
