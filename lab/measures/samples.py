"""Gradients and Jacobians of every sample apart, and what is made of them: empirical Fisher, NTK, gradient noise.

Samples are mapped with torch.func, so the module must treat them independently: BatchNorm has to be in evaluation
mode, and dropout too (its noise is read from gradients drawn at several masks, passed to `gradient_noise` as rows).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from lab.measures.operators import Gram, UndefinedError, trainable


def per_sample_gradients(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    params: Iterable[Tensor] | None = None,
    *,
    chunk: int = 64,
) -> Tensor:
    """∇ℓ_i(θ) of each sample.

    Args:
        model: Maps a batch of one, shape (1, ...), to outputs.
        loss: ℓ(outputs, targets) of that batch of one, shape ().
        inputs: Shape (N, ...).
        targets: Shape (N, ...).
        params: Those to differentiate by, P numbers in all; default all that require a gradient.
        chunk: Samples mapped at once; memory grows with it.

    Returns:
        Shape (N, P), in the order of ``params``.
    """
    names, values = _named(model, inputs, params)

    def one(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return loss(functional_call(model, weights, (x[None],)), y[None])

    with sdpa_kernel(SDPBackend.MATH):
        grads = vmap(grad(one), in_dims=(None, 0, 0), chunk_size=chunk)(values, inputs, targets)
    return torch.cat([grads[name].reshape(len(inputs), -1) for name in names], dim=1)


def per_sample_jacobians(
    model: nn.Module, inputs: Tensor, params: Iterable[Tensor] | None = None, *, chunk: int = 64
) -> dict[str, Tensor]:
    """∂f(x_i)/∂θ of each sample: for each parameter's name the shape (N, C, its size), with C outputs a sample."""
    names, values = _named(model, inputs, params)

    def one(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(model, weights, (x[None],)).reshape(-1)

    with sdpa_kernel(SDPBackend.MATH):
        jacobians = vmap(jacrev(one), in_dims=(None, 0), chunk_size=chunk)(values, inputs)
    return {name: jacobians[name].flatten(start_dim=2) for name in names}


def ntk(
    model: nn.Module,
    inputs: Tensor,
    others: Tensor | None = None,
    params: Iterable[Tensor] | None = None,
    *,
    chunk: int = 64,
) -> Tensor:
    """Empirical neural tangent kernel Θ = J Jᵀ. Jacot et al. (2018), arXiv:1806.07572.

    Args:
        model: As in `per_sample_gradients`, with C outputs a sample.
        inputs: Shape (N, ...).
        others: Shape (M, ...); default the inputs.
        params: Those to differentiate by; a layer's give that layer's part, and the parts add up to the whole.
        chunk: Samples mapped at once.

    Returns:
        Shape (N·C, M·C), entry (i·C + a, j·C + b) = ∇f_a(x_i) · ∇f_b(x_j). Memory: (N + M)·C·P numbers.
    """
    params = None if params is None else list(params)
    left = per_sample_jacobians(model, inputs, params, chunk=chunk)
    right = left if others is None else per_sample_jacobians(model, others, params, chunk=chunk)
    total = torch.zeros((), dtype=inputs.dtype if inputs.is_floating_point() else torch.float32, device=inputs.device)
    for name, jacobian in left.items():  # parameter by parameter: the (N·C, P) matrix is never built
        total = total + jacobian.flatten(end_dim=1) @ right[name].flatten(end_dim=1).T
    return total


def empirical_fisher(gradients: Tensor) -> Gram:
    """1/N Σ_i g_i g_iᵀ of per-sample gradients, shape (N, P), as an operator.

    It takes the labels at their given values, so it is not the Fisher information: Kunstner et al. (2019),
    arXiv:1905.12558.
    """
    _require_rows(gradients, 1)
    return Gram(gradients / len(gradients) ** 0.5)


@dataclass(frozen=True)
class GradientNoise:
    """Covariance C = 1/N Σ_i (g_i - ḡ)(g_i - ḡ)ᵀ of N gradients.

    Attributes:
        mean: ḡ, shape (P,).
        trace: tr C.
        eigenvalues: The largest of C, descending, shape (K,).
        eigenvectors: Theirs, shape (K, P).
        operator: C itself, for products.
    """

    mean: Tensor
    trace: float
    eigenvalues: np.ndarray
    eigenvectors: Tensor
    operator: Gram

    @property
    def noise_scale(self) -> float:
        """tr C/|ḡ|², the batch size where noise equals signal. McCandlish et al. (2018), arXiv:1812.06162, eq. 2.9."""
        signal = float(self.mean.double() @ self.mean.double())
        if signal == 0:
            raise UndefinedError("the mean gradient is zero: the noise has no scale to be compared with")
        return self.trace / signal


def gradient_noise(gradients: Tensor, k: int = 10) -> GradientNoise:
    """Covariance of gradients over samples, mini-batches or dropout masks: trace and top eigenpairs, exactly.

    Args:
        gradients: Shape (N, P), N at least 2.
        k: Eigenpairs, at most min(N, P).

    Returns:
        The covariance with denominator N. A mini-batch of B samples drawn with replacement has noise C/B. Cost:
        min(N, P)²·max(N, P).
    """
    _require_rows(gradients, 2)
    mean = gradients.mean(dim=0)
    factors = (gradients - mean) / len(gradients) ** 0.5
    _, singular, vectors = torch.linalg.svd(factors, full_matrices=False)
    squares = (singular.double() ** 2).cpu().numpy()
    k = min(k, len(squares))
    return GradientNoise(mean, float(squares.sum()), squares[:k], vectors[:k], Gram(factors))


def _require_rows(gradients: Tensor, least: int) -> None:
    if gradients.ndim != 2 or len(gradients) < least:
        raise UndefinedError(f"gradients have shape {tuple(gradients.shape)}; expected (N, P) with N at least {least}")


def _named(model: nn.Module, inputs: Tensor, params: Iterable[Tensor] | None) -> tuple[list[str], dict[str, Tensor]]:
    """Names, in the order of the parameters asked for, and detached values."""
    if len(inputs) == 0:
        raise UndefinedError("the batch is empty: there is no sample to differentiate")
    for name, module in model.named_modules():
        mixing = isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training
        random = isinstance(module, nn.modules.dropout._DropoutNd) and module.training and module.p > 0
        if mixing or random:
            raise UndefinedError(
                f"{name!r} ({type(module).__name__}) is in training mode and couples the samples: use eval()"
            )
    by_identity = {id(p): name for name, p in model.named_parameters()}
    chosen = trainable(model.parameters() if params is None else params)
    if not all(id(p) in by_identity for p in chosen):
        raise ValueError("a parameter asked for is not one of the module's")
    return [by_identity[id(p)] for p in chosen], {by_identity[id(p)]: p.detach() for p in chosen}
