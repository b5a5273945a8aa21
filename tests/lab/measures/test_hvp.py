"""Hessian-vector products against dense Hessians made by plain double backward, float64."""

import numpy as np
import pytest
import torch
from torch import nn

from lab.measures.hvp import Hessian, hvp
from lab.measures.operators import Scaled, UndefinedError, flatten, trainable, unflatten
from tests.lab.measures.nets import ALL, closure, dense_hessian, dense_hessian_of, mlp


@pytest.mark.parametrize("net", ALL)
def test_products_are_those_of_the_dense_hessian(net):
    model, x, y, loss = ALL[net]()
    exact = dense_hessian_of(net)
    hessian = Hessian(closure(model, x, y, loss), model.parameters())
    rows = torch.randn(19, hessian.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    np.testing.assert_allclose(hessian(rows).numpy(), rows.numpy() @ exact, atol=1e-12)
    np.testing.assert_allclose(hessian(rows[3]).numpy(), exact @ rows[3].numpy(), atol=1e-12)
    np.testing.assert_allclose(hessian.dense(), exact, atol=1e-12)
    assert hessian.products == 20 + hessian.size


def test_value_and_gradient_come_for_free_and_grad_fields_stay_empty():
    model, x, y, loss = mlp()
    hessian = Hessian(closure(model, x, y, loss), model.parameters())
    assert hessian.value == pytest.approx(loss(model(x), y).item(), rel=1e-14)
    expected = flatten(torch.autograd.grad(loss(model(x), y), list(model.parameters())))
    torch.testing.assert_close(hessian.gradient, expected)
    assert all(p.grad is None for p in model.parameters())


def test_it_works_where_gradients_are_off():
    model, x, y, loss = mlp()
    with torch.no_grad():
        product = hvp(closure(model, x, y, loss), model.parameters(), torch.ones(122, dtype=torch.float64))
    assert product.abs().max() > 0


def test_a_loss_given_as_a_tensor_serves_as_well():
    model, x, y, loss = mlp()
    v = torch.ones(122, dtype=torch.float64)
    params = list(model.parameters())
    torch.testing.assert_close(hvp(loss(model(x), y), params, v), hvp(closure(model, x, y, loss), params, v))


def test_frozen_parameters_are_left_out():
    model, x, y, loss = mlp()
    model[0].weight.requires_grad_(False)
    hessian = Hessian(closure(model, x, y, loss), model.parameters())
    assert hessian.size == 122 - 24
    kept = [p for p in model.parameters() if p.requires_grad]
    np.testing.assert_allclose(hessian.dense(), dense_hessian(closure(model, x, y, loss), kept), atol=1e-12)


def test_a_tied_parameter_counts_once_and_carries_both_uses():
    weight = nn.Parameter(torch.tensor([[0.7]], dtype=torch.float64))
    first, second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    first.weight = second.weight = weight
    model = nn.Sequential(first, second)
    hessian = Hessian(lambda: model(torch.ones(1, 1, dtype=torch.float64)).sum(), [first.weight, second.weight])
    np.testing.assert_allclose(hessian.dense(), [[2.0]])  # L = w²


def test_non_contiguous_parameters_keep_row_major_order():
    p = torch.arange(6.0, dtype=torch.float64).reshape(2, 3).T.requires_grad_()
    assert not p.is_contiguous()
    scale = torch.arange(1.0, 7.0, dtype=torch.float64)
    hessian = Hessian(lambda: (scale * p.reshape(-1) ** 2).sum() / 2, [p])
    np.testing.assert_allclose(hessian.dense(), np.diag(scale.numpy()))
    torch.testing.assert_close(hessian.gradient, scale * p.detach().reshape(-1))
    table = scale.reshape(2, 3)
    turned = Hessian(lambda: (table * p.T**2).sum() / 2, [p])  # here the gradient is not contiguous either
    assert not turned._grads[0].is_contiguous()
    np.testing.assert_allclose(turned.dense(), np.diag(table.T.reshape(-1).numpy()))
    torch.testing.assert_close(turned.gradient, (table.T * p.detach()).reshape(-1))


def test_flattening_round_trips_single_vectors_and_batches():
    params = [torch.zeros(2, 3), torch.zeros(()), torch.zeros(4)]
    rows = torch.arange(22.0).reshape(2, 11)
    for vectors in (rows, rows[0]):
        pieces = unflatten(vectors, params)
        assert [tuple(p.shape[vectors.ndim - 1 :]) for p in pieces] == [(2, 3), (), (4,)]
    torch.testing.assert_close(flatten(unflatten(rows[1], params)), rows[1])


def test_a_block_is_the_diagonal_block_of_its_parameters():
    model, x, y, loss = mlp()
    params = list(model.parameters())
    hessian = Hessian(closure(model, x, y, loss), params)
    block = hessian.block(model[2].parameters())
    np.testing.assert_allclose(block.dense(), hessian.dense()[32:104, 32:104], atol=1e-13)
    torch.testing.assert_close(block.gradient, hessian.gradient[32:104])
    with pytest.raises(ValueError, match="not among"):
        block.block(model[0].parameters())


def test_a_parameter_the_loss_ignores_or_meets_linearly_has_a_zero_block():
    a, b, c = (nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64)) for _ in range(3))
    hessian = Hessian(lambda: (a**3).sum() + b.sum(), [a, b, c])
    np.testing.assert_allclose(hessian.dense(), np.diag([6.0, 12, 0, 0, 0, 0]))
    linear = Hessian(lambda: b.sum(), [b])
    np.testing.assert_array_equal(linear.dense(), np.zeros((2, 2)))


def test_an_operation_without_a_batching_rule_falls_back_to_single_products():
    class Cube(torch.autograd.Function):  # old style: vmap refuses it
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * Slope.apply(x)

    class Slope(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return 3 * x**2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return torch.as_tensor((g * 6 * x).numpy())

    p = nn.Parameter(torch.tensor([1.0, -2.0, 3.0, 4.0], dtype=torch.float64))
    np.testing.assert_allclose(Hessian(lambda: Cube.apply(p).sum(), [p]).dense(), np.diag([6.0, -12, 18, 24]))


def test_undefined_hessians_say_why():
    p = nn.Parameter(torch.ones(3))
    with pytest.raises(UndefinedError, match="empty batch"):
        Hessian(lambda: (p * torch.zeros(0, 3)).mean(), [p])
    with pytest.raises(UndefinedError, match="scalar"):
        Hessian(lambda: p**2, [p])
    with pytest.raises(UndefinedError, match="does not depend"):
        Hessian(lambda: torch.ones(()), [p])
    with pytest.raises(UndefinedError, match="unfreeze"):
        Hessian(lambda: (p**2).sum(), [torch.ones(3)])

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    with pytest.raises(UndefinedError, match="second derivative"):
        Hessian(lambda: (Once.apply(p) ** 2).sum(), [p])(torch.ones(3))


def test_fused_attention_outside_a_closure_is_explained():
    q = nn.Parameter(torch.randn(1, 2, 4, 8, generator=torch.Generator().manual_seed(0)))
    attend = nn.functional.scaled_dot_product_attention
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
        fused = (attend(q, q, q) ** 2).sum()
    with pytest.raises(UndefinedError, match="closure"):
        Hessian(fused, [q])(torch.ones(64))
    assert torch.isfinite(Hessian(lambda: (attend(q, q, q) ** 2).sum(), [q])(torch.ones(64))).all()


def test_vectors_of_another_size_are_refused():
    p = nn.Parameter(torch.ones(3))
    with pytest.raises(ValueError, match="expected"):
        Hessian(lambda: (p**2).sum(), [p])(torch.ones(4))
    with pytest.raises(ValueError, match="scale"):
        Scaled(Hessian(lambda: (p**2).sum(), [p]), torch.ones(4))


def test_trainable_keeps_the_order_given():
    a, b = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(2))
    assert [p.numel() for p in trainable([b, a, b])] == [2, 1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_and_cpu_agree():
    model, x, y, loss = mlp()
    rows = torch.randn(5, 122, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    cpu = hvp(closure(model, x, y, loss), model.parameters(), rows)
    model.cuda()
    gpu = hvp(closure(model, x.cuda(), y.cuda(), loss), model.parameters(), rows.cuda())
    torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-9, atol=1e-11)
