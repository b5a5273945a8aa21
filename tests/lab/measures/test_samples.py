"""GGN, empirical Fisher, NTK and gradient noise against loops over samples, float64."""

import numpy as np
import pytest
import torch
from torch import nn

from lab.measures.curvature import lambda_max
from lab.measures.gauss_newton import GaussNewton
from lab.measures.groups import layers
from lab.measures.hvp import Hessian
from lab.measures.operators import UndefinedError, flatten
from lab.measures.samples import empirical_fisher, gradient_noise, ntk, per_sample_gradients, per_sample_jacobians
from tests.lab.measures.nets import ALL, closure, mlp


def looped_jacobian(model: nn.Module, x: torch.Tensor) -> np.ndarray:
    """Rows ∂f_a(x_i)/∂θ, sample-major, by plain autograd."""
    params = list(model.parameters())
    rows = []
    for sample in x:
        for output in model(sample[None]).reshape(-1):
            rows.append(flatten(torch.autograd.grad(output, params, retain_graph=True, materialize_grads=True)).numpy())
    return np.stack(rows)


def output_hessian(net: str, outputs: np.ndarray) -> np.ndarray:
    """Closed form of ∇²_f ℓ for the mean losses of the test networks, shape (N·C, N·C)."""
    n, c = outputs.shape
    if net == "mlp":
        return np.eye(n * c) * 2 / (n * c)
    p = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    blocks = np.zeros((n, c, n, c))
    for i in range(n):
        blocks[i, :, i, :] = (np.diag(p[i]) - np.outer(p[i], p[i])) / n
    return blocks.reshape(n * c, n * c)


@pytest.mark.parametrize("net", ALL)
def test_the_gauss_newton_matrix_is_exact_for_squared_error_and_cross_entropy(net):
    model, x, y, loss = ALL[net]()
    jacobian = looped_jacobian(model, x)
    exact = jacobian.T @ output_hessian(net, model(x).detach().numpy()) @ jacobian
    ggn = GaussNewton(lambda: model(x), lambda f: loss(f, y), model.parameters())
    rows = torch.randn(20, ggn.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    np.testing.assert_allclose(ggn(rows).numpy(), rows.numpy() @ exact, atol=1e-11)
    np.testing.assert_allclose(ggn(rows[0]).numpy(), exact @ rows[0].numpy(), atol=1e-11)
    forward = ggn.jacobian_products(rows[:2]).flatten(1)
    np.testing.assert_allclose(forward.numpy(), rows[:2].numpy() @ jacobian.T, atol=1e-11)
    assert lambda_max(ggn, tol=1e-9).value == pytest.approx(np.linalg.eigvalsh(exact)[-1], rel=1e-8)


def test_it_is_the_hessian_of_a_linear_model():
    torch.manual_seed(0)
    model, x, y = nn.Linear(4, 3).double(), torch.randn(10, 4, dtype=torch.float64), torch.randint(0, 3, (10,))
    loss = nn.functional.cross_entropy
    ggn = GaussNewton(lambda: model(x), lambda f: loss(f, y), model.parameters())
    np.testing.assert_allclose(ggn.dense(), Hessian(closure(model, x, y, loss), model.parameters()).dense(), atol=1e-14)


def test_gauss_newton_of_some_layers_and_of_linear_losses():
    model, x, y, loss = mlp()
    whole = GaussNewton(lambda: model(x), lambda f: loss(f, y), model.parameters()).dense()
    part = GaussNewton(lambda: model(x), lambda f: loss(f, y), layers(model)["2"]).dense()
    np.testing.assert_allclose(part, whole[32:104, 32:104], atol=1e-13)
    assert not GaussNewton(lambda: model(x), lambda f: f.sum(), model.parameters()).dense().any()


def test_gauss_newton_refuses_what_has_no_outputs_to_differentiate():
    model, x, y, loss = mlp()
    with pytest.raises(UndefinedError, match="empty"):
        GaussNewton(lambda: model(x[:0]), lambda f: loss(f, y[:0]), model.parameters())
    with pytest.raises(UndefinedError, match="do not depend"):
        GaussNewton(lambda: model(x).detach(), lambda f: loss(f, y), model.parameters())


@pytest.mark.parametrize("net", ALL)
def test_per_sample_gradients_and_jacobians_are_those_of_a_loop(net):
    model, x, y, loss = ALL[net]()
    gradients = per_sample_gradients(model, loss, x, y, chunk=4)
    params = list(model.parameters())
    for i in range(len(x)):
        alone = flatten(torch.autograd.grad(loss(model(x[i : i + 1]), y[i : i + 1]), params, materialize_grads=True))
        torch.testing.assert_close(gradients[i], alone, rtol=1e-10, atol=1e-13)
    jacobians = torch.cat(list(per_sample_jacobians(model, x, chunk=4).values()), dim=2)
    np.testing.assert_allclose(jacobians.flatten(end_dim=1).numpy(), looped_jacobian(model, x), atol=1e-13)


@pytest.mark.parametrize("net", ALL)
def test_the_ntk_is_j_j_transposed_and_the_sum_of_its_layers(net):
    model, x, _, _ = ALL[net]()
    exact = looped_jacobian(model, x)
    kernel = ntk(model, x)
    np.testing.assert_allclose(kernel.numpy(), exact @ exact.T, atol=1e-11)
    torch.testing.assert_close(sum(ntk(model, x, params=params) for params in layers(model).values()), kernel)
    cut = 2 * len(exact) // len(x)
    np.testing.assert_allclose(ntk(model, x[:2], x[2:]).numpy(), (exact @ exact.T)[:cut, cut:], atol=1e-11)


def test_the_empirical_fisher_is_the_mean_outer_product():
    model, x, y, loss = mlp()
    gradients = per_sample_gradients(model, loss, x, y)
    g = gradients.numpy()
    fisher = empirical_fisher(gradients)
    np.testing.assert_allclose(fisher.dense(), g.T @ g / len(g), atol=1e-13)
    assert lambda_max(fisher, tol=1e-10).value == pytest.approx(np.linalg.norm(g, 2) ** 2 / len(g), rel=1e-9)


@pytest.mark.parametrize("samples", [12, 400])
def test_gradient_noise_is_the_covariance(samples):
    gradients = torch.randn(samples, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = np.cov(gradients.numpy().T, ddof=0)
    noise = gradient_noise(gradients, k=5)
    assert noise.trace == pytest.approx(np.trace(exact))
    np.testing.assert_allclose(noise.eigenvalues, np.linalg.eigvalsh(exact)[::-1][:5], rtol=1e-10)
    np.testing.assert_allclose(noise.operator.dense(), exact, atol=1e-13)
    stretched = noise.eigenvalues[:, None] * noise.eigenvectors.numpy()
    np.testing.assert_allclose(noise.operator(noise.eigenvectors).numpy(), stretched, atol=1e-12)
    assert noise.noise_scale == pytest.approx(np.trace(exact) / float(noise.mean @ noise.mean))


def test_frozen_and_tied_parameters_follow_the_rule_of_the_hessian():
    model, x, y, loss = mlp()
    model[0].weight.requires_grad_(False)
    model[4].bias.requires_grad_(False)
    assert per_sample_gradients(model, loss, x, y).shape == (12, 122 - 24 - 2)
    tied = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Tanh(), nn.Linear(2, 2, bias=False)).double()
    tied[2].weight = tied[0].weight
    inputs = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    jacobian = looped_jacobian(tied, inputs)
    np.testing.assert_allclose(ntk(tied, inputs).numpy(), jacobian @ jacobian.T, atol=1e-13)


def test_coupled_samples_empty_batches_and_foreign_parameters_are_refused():
    x, y = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(4, 3)
    for layer in (nn.BatchNorm1d(3), nn.Dropout(0.5)):
        model = nn.Sequential(nn.Linear(3, 3), layer)
        with pytest.raises(UndefinedError, match="eval"):
            per_sample_gradients(model, nn.functional.mse_loss, x, y)
        assert per_sample_gradients(model.eval(), nn.functional.mse_loss, x, y).isfinite().all()
    model = nn.Linear(3, 3)
    with pytest.raises(UndefinedError, match="empty"):
        ntk(model, x[:0])
    with pytest.raises(ValueError, match="not one of"):
        ntk(model, x, params=[nn.Parameter(torch.ones(2))])
    with pytest.raises(UndefinedError, match="at least 2"):
        gradient_noise(torch.ones(1, 5))
    with pytest.raises(UndefinedError, match="no scale"):
        _ = gradient_noise(torch.tensor([[1.0], [-1.0]])).noise_scale
