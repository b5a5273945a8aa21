"""Model rank: the dimension of a model's tangent space, by singular values in float64. Zhang et al. (2025), 2307.08921.

R(θ) = dim span{∂f(·;θ)/∂θ_i}: the number of samples that can pin a function down near θ. On n samples the rows of the
tangent matrix J (n·c, P) are the gradients of the outputs; its rank on enough generic samples is R(θ), on few it is
rank_S(θ). A numerical rank is a reading of singular values, so the values around the gap come with it.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lab.measures._matrix import as_matrix
from lab.measures.condensation import with_bias


class UnclearRank(UserWarning):
    """The singular values have no clear gap at the tolerance: the integer depends on it."""


@dataclass(frozen=True)
class NumericalRank:
    """A rank and the evidence for it.

    Attributes:
        rank: Number of singular values above ``tolerance``.
        tolerance: rtol times the largest singular value.
        gap: σ_r/σ_{r+1}; at full rank, where there is no σ_{r+1}, σ_r/tolerance; infinite when σ_{r+1} is exactly 0.
        clear: Whether the gap is at least a factor ``CLEAR_GAP``.
        singular_values: All of them, descending, shape (min(n, P),).
    """

    rank: int
    tolerance: float
    gap: float
    clear: bool
    singular_values: np.ndarray

    def around_gap(self, count: int = 5) -> np.ndarray:
        """Up to ``count`` singular values around the gap, about half of them above it."""
        start = max(0, min(self.rank - (count + 1) // 2, len(self.singular_values) - count))
        return self.singular_values[start : start + count]


RTOL = 1e-9
"""Relative tolerance: well above float64's rounding (1e-13) and below what a generic tangent space shows (1e-6)."""
CLEAR_GAP = 1e3


def tangent_matrix(model: nn.Module, inputs: Tensor) -> Tensor:
    """Per-sample gradients of the outputs by the trainable parameters, in float64 whatever the model's type.

    Args:
        model: Treats samples apart (evaluation mode). Frozen parameters are left out, tied ones appear once.
        inputs: Shape (n, ...).

    Returns:
        J, shape (n·c, P), samples first; columns in the order of ``model.named_parameters()``. Cost: c gradients a
        sample.
    """
    trainable = {k: p.detach().double() for k, p in model.named_parameters() if p.requires_grad}
    frozen = {k: p.detach().double() for k, p in model.named_parameters() if not p.requires_grad}
    frozen |= {k: b.double() if b.is_floating_point() else b for k, b in model.named_buffers()}
    if not trainable or len(inputs) == 0:
        raise ValueError(f"a tangent matrix needs trainable parameters and samples, got {len(inputs)} samples")

    def outputs(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return torch.func.functional_call(model, {**parameters, **frozen}, (sample[None],)).flatten()

    rows = torch.func.vmap(torch.func.jacrev(outputs), in_dims=(None, 0))(trainable, inputs.detach().double())
    return torch.cat([rows[k].flatten(2) for k in trainable], dim=2).flatten(0, 1)


def tangent_matrix_of(function: Callable[..., Tensor], *parameters: Tensor) -> Tensor:
    """The same for any function of its parameters, such as the entries of a matrix product A B.

    Args:
        function: Takes the parameters, returns n numbers of any shape.
        parameters: Tensors of any shapes, P numbers in all; cast to float64.

    Returns:
        J, shape (n, P), float64. Cost: n gradients.
    """
    jacobian = torch.func.jacrev(lambda *p: function(*p).flatten(), argnums=tuple(range(len(parameters))))
    columns = jacobian(*(p.detach().double() for p in parameters))
    return torch.cat([c.reshape(len(c), p.numel()) for c, p in zip(columns, parameters, strict=True)], dim=1)


def numerical_rank(matrix: Tensor, *, rtol: float = RTOL) -> NumericalRank:
    """Number of singular values above ``rtol`` times the largest; warns with ``UnclearRank`` when there is no clear
    gap.

    Args:
        matrix: Shape (n, P), float64: in float32 rounding alone fills the spectrum down to 1e-7.
        rtol: Relative tolerance, in (0, 1).

    Returns:
        The rank with its evidence; rank 0 for a zero matrix. Cost: one SVD without vectors, n·P·min(n, P).
    """
    if matrix.dtype != torch.float64:
        raise ValueError(
            f"ranks are read in float64, got {matrix.dtype}; compute the matrix in float64, do not cast it"
        )
    if not 0 < rtol < 1:
        raise ValueError(f"rtol is in (0, 1), got {rtol}")
    sigma = torch.linalg.svdvals(as_matrix(matrix, "matrix")).cpu().numpy()
    tolerance = rtol * float(sigma[0])
    rank = int((sigma > tolerance).sum())
    if rank == 0:
        return NumericalRank(0, tolerance, math.inf, True, sigma)
    below = float(sigma[rank]) if rank < len(sigma) else tolerance
    gap = float(sigma[rank - 1]) / below if below > 0 else math.inf
    result = NumericalRank(rank, tolerance, gap, gap >= CLEAR_GAP, sigma)
    if not result.clear:
        values = ", ".join(f"{v:.1e}" for v in result.around_gap() / sigma[0])
        warnings.warn(f"rank {rank} at rtol {rtol:g} is unclear: σ/σ_max around it {values}", UnclearRank, stacklevel=2)
    return result


def model_rank(model: nn.Module, inputs: Tensor, *, rtol: float = RTOL) -> NumericalRank:
    """R(θ) at the model's parameters, on generic inputs, shape (n, ...).

    Raises:
        ValueError: The n·c rows are independent and fewer than the parameters, so the samples limit the rank and not
            the model. Take more inputs; twice the number of parameters always suffices.
    """
    tangent = tangent_matrix(model, inputs)
    result = numerical_rank(tangent, rtol=rtol)
    rows, columns = tangent.shape
    if result.rank == rows < columns:
        raise ValueError(f"all {rows} rows are independent: the samples limit the rank; take {2 * columns} inputs")
    return result


def sample_ranks(tangent: Tensor, *, outputs: int = 1, rtol: float = RTOL) -> np.ndarray:
    """rank_S for S the first n samples, n = 1 ... N, shape (N,), from the tangent matrix (N·outputs, P) of nested
    samples.

    Unclear gaps are not warned about: near the transition they are the rule. Cost: N SVDs.
    """
    samples, rest = divmod(len(tangent), outputs)
    if rest or samples == 0:
        raise ValueError(f"{len(tangent)} rows are no positive multiple of {outputs} outputs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnclearRank)
        return np.array([numerical_rank(tangent[: n * outputs], rtol=rtol).rank for n in range(1, samples + 1)])


def recovery_size(ranks: Sequence[int] | np.ndarray, rank: int) -> int | None:
    """The smallest n with rank_S = ``rank``, where local linear recovery is guaranteed; None if there is none.

    Zhang et al. (2025), JMLR 26, Lemma 1. ``ranks`` are those of ``sample_ranks``.
    """
    reached = np.flatnonzero(np.asarray(ranks) >= rank)
    return int(reached[0]) + 1 if len(reached) else None


def linear_recovery_error(train: Tensor, test: Tensor, perturbation: Tensor, *, rtol: float = RTOL) -> float:
    """How far gradient flow of the linearised model ends from its target when started ``perturbation`` away.

    The flow from v₀ fits the samples at v = v₀ - J_S⁺ J_S v₀; the error is sup |J_test v|, zero to rounding once
    rank_S = R(θ).

    Args:
        train: J_S, shape (n, P), float64.
        test: J_test, shape (k, P), float64.
        perturbation: v₀, shape (P,).
        rtol: Singular values of J_S below rtol times the largest count as zero.

    Returns:
        The error, in units of the output. Cost: one SVD of J_S.
    """
    right = torch.linalg.svd(as_matrix(train, "train"), full_matrices=False)
    seen = right.Vh[rtol * right.S.max() < right.S]
    start = perturbation.to(train)
    return float((as_matrix(test, "test") @ (start - seen.T @ (seen @ start))).abs().max())


def tanh_rank(weight: Tensor, out_weight: Tensor, bias: Tensor | None = None, *, tolerance: float = 1e-6) -> int:
    """Model rank of a two-layer tanh net at its weights, on generic inputs: m_w + m_a D, plus what flat neurons add.

    m_w counts the distinct input weights (w, b) up to sign (tanh is odd) with w ≠ 0, m_a those of them that a neuron of
    non-zero output weight uses, D is the length of (w, b). Neurons with w = 0 together add the linear functions, d,
    when one has an output weight, and the constant, 1, when one has a bias with an output weight or a non-zero bias.

    Args:
        weight: Input weights, shape (m, d).
        out_weight: Output weights of one output, shape (m,).
        bias: Hidden biases, shape (m,), or None.
        tolerance: Weights closer than this, relative to the largest, are equal; output weights below it are zero.

    Returns:
        The rank, an integer. Cost: m² d.
    """
    inputs, rows = as_matrix(weight), as_matrix(with_bias(weight, bias))
    out = as_matrix(out_weight.reshape(-1, 1), "out_weight").squeeze(1).abs()
    if len(out) != len(rows):
        raise ValueError(f"there are {len(out)} output weights for {len(rows)} neurons")
    near = tolerance * torch.linalg.vector_norm(rows, dim=1).max()
    used = out > tolerance * out.max()
    flat = torch.linalg.vector_norm(inputs, dim=1) <= near
    rank = inputs.shape[1] * bool((flat & used).any())
    if bias is not None:
        rank += bool((flat & (used | (bias.detach().abs() > near))).any())
    free = ~flat
    for neuron in range(len(rows)):
        if free[neuron]:
            distance = torch.minimum(*(torch.linalg.vector_norm(rows - s * rows[neuron], dim=1) for s in (1, -1)))
            group = free & (distance <= near)
            rank += 1 + rows.shape[1] * bool((group & used).any())
            free &= ~group
    return rank
