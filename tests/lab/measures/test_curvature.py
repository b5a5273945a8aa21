"""Sharpness under preconditioners and curvature along directions, against dense products and closed forms, float64."""

import numpy as np
import pytest
import torch
from torch import nn

from lab.measures.curvature import (
    alignment,
    direction_curvature,
    gradient_curvature,
    lambda_max,
    preconditioned,
    preconditioned_gradient_curvature,
    top_eigenpairs,
    update_curvature,
)
from lab.measures.groups import blocks, layers
from lab.measures.hvp import Hessian
from lab.measures.operators import UndefinedError, flatten
from lab.measures.preconditioners import Preconditioner, adam_diagonal, heavy_ball_factor, preconditioner
from tests.lab.measures.nets import closure, mlp, transformer

OPTIMIZERS = {
    "gd": lambda p: torch.optim.SGD(p, lr=0.01),
    "heavy ball": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, dampening=0.3),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.8, nesterov=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.001, alpha=0.9, momentum=0.5),
    "centred rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.001, alpha=0.9, centered=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.9, 0.99), eps=1e-4),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.8, 0.99)),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
}


def trained(make, steps: int = 5):
    model, x, y, loss = mlp()
    optimizer = make(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        loss(model(x), y).backward()
        optimizer.step()
    return model, closure(model, x, y, loss), optimizer


def test_adam_sharpness_is_the_top_eigenvalue_of_the_non_symmetric_product():
    model, loss, optimizer = trained(OPTIMIZERS["adam"])
    hessian = Hessian(loss, model.parameters())
    v = flatten(optimizer.state[p]["exp_avg_sq"] for p in model.parameters())
    diagonal = (1 / (1 - 0.9**5)) * (0.1 / 1.9) / ((v / (1 - 0.99**5)).sqrt() + 1e-4)
    exact = np.linalg.eigvals(diagonal.numpy()[:, None] * hessian.dense())
    assert abs(exact.imag).max() < 1e-10
    d = preconditioner(optimizer, model.parameters())
    reading = lambda_max(preconditioned(hessian, d), tol=1e-11)
    assert reading.value == pytest.approx(exact.real.max(), rel=1e-8)
    assert d.threshold == 200


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stability_on_a_quadratic_ends_at_two_over_lr(name):
    """Steps with P frozen: just below λ_max(D H) = 2/η they shrink, just above they grow."""
    hessian_value = 3.0
    p = nn.Parameter(torch.ones(1, dtype=torch.float64))
    template = OPTIMIZERS[name]([p])
    group = template.param_groups[0]
    if "betas" in group:  # as momentum with an exponential average, after long bias correction
        momentum, factor = group["betas"][0], None
        d = float(adam_diagonal(torch.zeros(1, dtype=torch.float64), 10**6, group["betas"], 1.0))
    else:
        momentum = group["momentum"]
        factor = heavy_ball_factor(momentum, group.get("dampening", 0.0), group.get("nesterov", False))
        d = factor
    for ratio, grows in ((0.98, False), (1.02, True)):
        lr = ratio * 2 / (hessian_value * d)
        x, buffer = 1.0, 0.0
        for _ in range(3000):
            g = hessian_value * x
            if factor is None:
                buffer = momentum * buffer + (1 - momentum) * g
                x -= lr * buffer
            else:
                buffer = momentum * buffer + (1 - group.get("dampening", 0.0)) * g if momentum else g
                x -= lr * (g + momentum * buffer if group.get("nesterov") else buffer)
            if abs(x) > 1e6:
                break
        assert (abs(x) > 1e6) is grows


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_coming_steps_preconditioner_is_that_after_the_step(name):
    model, loss, optimizer = trained(OPTIMIZERS[name])
    params = list(model.parameters())
    before = Hessian(loss, params)
    coming = preconditioner(optimizer, params, before.gradient)
    optimizer.zero_grad(set_to_none=True)
    loss().backward()
    optimizer.step()
    torch.testing.assert_close(coming.diagonal, preconditioner(optimizer, params).diagonal)
    assert (coming.diagonal > 0).all()


def test_adams_diagonal_moves_the_parameters_as_the_optimiser_does():
    p = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = torch.optim.Adam([p], lr=0.1, betas=(0.0, 0.9), eps=1e-3)  # without momentum a step is -η D g
    g = torch.tensor([0.3, -0.7], dtype=torch.float64)
    d = preconditioner(optimizer, [p], g)
    before, p.grad = p.detach().clone(), g.clone()
    optimizer.step()
    torch.testing.assert_close(p.detach(), before - 0.1 * d.diagonal * g)


def test_learning_rates_of_groups_go_into_the_diagonal():
    a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([{"params": [a], "lr": 0.1}, {"params": [b], "lr": 0.3}], lr=0.1)
    d = preconditioner(optimizer, [a, b])
    torch.testing.assert_close(d.diagonal, torch.tensor([1.0, 1, 3, 3, 3]))
    assert d.lr == 0.1
    optimizer.param_groups[1]["momentum"] = 0.9
    with pytest.raises(UndefinedError, match="differ in momentum"):
        preconditioner(optimizer, [a, b])


def test_preconditioners_that_do_not_exist_are_refused():
    p = nn.Parameter(torch.ones(2))
    with pytest.raises(UndefinedError, match="no step"):
        preconditioner(torch.optim.Adam([p]), [p])
    with pytest.raises(TypeError, match="Adagrad"):
        preconditioner(torch.optim.Adagrad([p]), [p])
    with pytest.raises(ValueError, match="does not train"):
        preconditioner(torch.optim.SGD([p], lr=1), [nn.Parameter(torch.ones(2))])


def test_directional_curvatures_are_those_of_the_dense_matrices():
    model, loss, optimizer = trained(OPTIMIZERS["adam"])
    hessian = Hessian(loss, model.parameters())
    d = preconditioner(optimizer, model.parameters())
    H, g, D = hessian.dense(), hessian.gradient.numpy(), d.diagonal.numpy()
    u = D * g
    assert gradient_curvature(hessian) == pytest.approx(g @ H @ g / (g @ g), rel=1e-10)
    assert preconditioned_gradient_curvature(hessian, d) == pytest.approx(g @ (D * (H @ g)) / (g @ g), rel=1e-10)
    assert update_curvature(hessian, d) == pytest.approx(u @ H @ u / (u @ g), rel=1e-10)
    s = np.sqrt(D)
    rayleigh = (s * g) @ (s[:, None] * H * s) @ (s * g) / ((s * g) @ (s * g))
    assert update_curvature(hessian, d) == pytest.approx(rayleigh, rel=1e-10)


def test_curvature_along_the_gradient_may_exceed_lambda_max_and_that_along_the_update_may_not():
    H, D = np.array([[1.0, 0.9], [0.9, 1.0]]), np.array([1.0, 4.0])
    product = D[:, None] * H  # not symmetric: g·DHg/g·g is bounded by its symmetric part
    (_, highest), directions = np.linalg.eigh((product + product.T) / 2)
    p = nn.Parameter(torch.from_numpy(np.linalg.solve(H, directions[:, 1])))  # where that direction is the gradient
    hessian = Hessian(lambda: p @ torch.from_numpy(H) @ p / 2, [p])
    d = Preconditioner(torch.from_numpy(D), lr=1.0)
    largest = np.linalg.eigvals(product).max()
    assert preconditioned_gradient_curvature(hessian, d) == pytest.approx(highest)
    assert highest > 1.05 * largest > update_curvature(hessian, d)


def test_update_curvature_decides_the_sign_of_the_loss_change():
    p = nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
    scale = torch.tensor([1.0, 5.0], dtype=torch.float64)
    d = Preconditioner(torch.tensor([2.0, 0.3], dtype=torch.float64), lr=1.0)
    hessian = Hessian(lambda: (scale * p**2).sum() / 2, [p])
    critical = 2 / update_curvature(hessian, d)
    for ratio in (0.99, 1.01):
        moved = p.detach() - ratio * critical * d.diagonal * hessian.gradient
        rises = float((scale * moved**2).sum() / 2) > hessian.value
        assert rises is (ratio > 1)


def test_a_tiny_gradient_does_not_underflow_and_a_zero_one_is_refused():
    p = nn.Parameter(torch.tensor([3e-30, 1e-30]))
    scale = torch.tensor([2.0, 4.0])
    d = Preconditioner(torch.tensor([1.0, 1.0]), lr=0.1)
    hessian = Hessian(lambda: (scale * p**2).sum() / 2 + 1, [p])
    expected = (2 * 36 + 4 * 16) / (36 + 16)
    assert gradient_curvature(hessian) == pytest.approx(expected, rel=1e-6)
    assert update_curvature(hessian, d) == pytest.approx(expected, rel=1e-6)
    with torch.no_grad():
        p.zero_()
    flat = Hessian(lambda: (scale * p**2).sum() / 2, [p])
    for reading in (
        gradient_curvature,
        lambda h: update_curvature(h, d),
        lambda h: alignment(h.gradient, torch.eye(2)),
    ):
        with pytest.raises(UndefinedError, match="zero"):
            reading(flat)


def test_alignment_is_the_length_of_the_projection():
    vectors = torch.eye(4, dtype=torch.float64)
    g = torch.tensor([3.0, 0.0, 4.0, 0.0], dtype=torch.float64)
    assert alignment(g, vectors[0]) == pytest.approx(0.6)
    assert alignment(-g, vectors[2]) == pytest.approx(0.8)
    assert alignment(g, vectors[[0, 2]]) == pytest.approx(1.0)
    model, loss, _ = trained(OPTIMIZERS["gd"])
    hessian = Hessian(loss, model.parameters())
    values, full = np.linalg.eigh(hessian.dense())
    pairs = top_eigenpairs(hessian, 2, tol=1e-12)
    expected = np.linalg.norm(full[:, -2:].T @ hessian.gradient.numpy()) / float(hessian.gradient.norm())
    assert alignment(hessian.gradient, pairs.vectors) == pytest.approx(expected, rel=1e-6)
    assert direction_curvature(hessian, pairs.vectors[0] * 7) == pytest.approx(values[-1], rel=1e-9)


def test_sharpness_per_layer_is_that_of_the_diagonal_blocks():
    model, x, y, loss = mlp()
    hessian = Hessian(closure(model, x, y, loss), model.parameters())
    dense, first = hessian.dense(), 0
    groups = layers(model)
    assert list(groups) == ["0", "2", "4"]
    for params in groups.values():
        size = sum(p.numel() for p in params)
        exact = np.linalg.eigvalsh(dense[first : first + size, first : first + size])[-1]
        assert lambda_max(hessian.block(params), tol=1e-10).value == pytest.approx(exact, rel=1e-9)
        first += size


def test_preconditioned_sharpness_per_block_is_that_of_the_block_with_its_part_of_the_diagonal():
    model, loss, optimizer = trained(OPTIMIZERS["adam"])
    hessian = Hessian(loss, model.parameters())
    whole, first = preconditioner(optimizer, model.parameters()).diagonal.numpy(), 0
    for params in blocks(model).values():
        block = hessian.block(params)
        part = slice(first, first := first + block.size)
        exact = np.linalg.eigvals(whole[part, None] * hessian.dense()[part, part]).real.max()
        found = lambda_max(preconditioned(block, preconditioner(optimizer, params)), tol=1e-10)
        assert found.value == pytest.approx(exact, rel=1e-7)


def test_parameters_are_grouped_by_layer_and_by_block():
    model = transformer()[0]
    assert list(blocks(model)) == ["embedding", "blocks", "head"]
    assert list(blocks(model, depth=2)) == ["embedding", "blocks.0", "blocks.1", "head"]
    assert sum(p.numel() for g in layers(model).values() for p in g) == sum(p.numel() for p in model.parameters())
    model.head.weight.requires_grad_(False)
    assert len(layers(model)["head"]) == 1
    with pytest.raises(ValueError, match="depth"):
        blocks(model, depth=0)
