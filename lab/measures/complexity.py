"""Complexity of a network read from its weights: ranks and scales per layer, initialisation rate, path norm.

Zhang et al. (2024), 2405.05409; Zhang et al. (2025), 2501.08537; Hang et al. (2025), 2505.23013.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lab.measures import rank
from lab.measures._matrix import as_matrix


@dataclass(frozen=True)
class LayerComplexity:
    """Scale and soft ranks of one weight matrix; ``lab.measures.rank`` defines the ranks."""

    frobenius_norm: float
    spectral_norm: float
    stable_rank: float
    participation_ratio: float
    effective_rank: float
    initialisation_rate: float


def initialisation_rate(std: float, fan_in: int) -> float:
    """The γ with std = fan_in^-γ, -ln std/ln fan_in: a std of 0.02 has γ = 0.94 at width 64, 0.56 at 1024.

    Infinite for std = 0; NaN for a single input, where every rate gives 1.
    """
    if std < 0 or fan_in < 1:
        raise ValueError(f"a standard deviation >= 0 and a fan-in >= 1 are needed, got {std} and {fan_in}")
    if fan_in == 1:
        return math.nan
    return -math.log(std) / math.log(fan_in) if std > 0 else math.inf


def layer_complexity(weight: Tensor) -> LayerComplexity:
    """The complexity of one weight, shape (out, in, ...); for an embedding (vocabulary, d) the fan-in is d.

    γ is taken from the root mean square of the entries, at initialisation their standard deviation.
    Cost: one SVD, a few milliseconds at 200 x 400.
    """
    matrix = as_matrix(weight)
    sigma = rank.singular_values(matrix)
    frobenius = float(torch.linalg.vector_norm(sigma))
    return LayerComplexity(
        frobenius_norm=frobenius,
        spectral_norm=float(sigma[0]),
        stable_rank=rank.stable_rank(sigma),
        participation_ratio=rank.participation_ratio(sigma),
        effective_rank=rank.effective_rank(sigma),
        initialisation_rate=initialisation_rate(frobenius / math.sqrt(matrix.numel()), matrix.shape[1]),
    )


def model_complexity(model: nn.Module) -> dict[str, LayerComplexity]:
    """``layer_complexity`` of every parameter of two or more dimensions, by name; tied ones once."""
    return {name: layer_complexity(p) for name, p in model.named_parameters() if p.ndim >= 2}


def path_norm(weights: Sequence[Tensor], biases: Sequence[Tensor | None] | None = None, *, p: int = 2) -> float:
    """(Σ_paths Π|w|^p)^{1/p} over all paths from input to output: φ_p of Neyshabur et al. (2015), 1503.00036.

    A bias counts as a weight from a constant input. For positively homogeneous activations of degree 1 (ReLU, linear)
    the value does not change when a neuron's input weights are multiplied and its output weights divided by the same
    number.

    Args:
        weights: W_1 ... W_L, the input's first, shapes (m_l, m_{l-1}).
        biases: b_1 ... b_L, shapes (m_l,), each may be None.
        p: 2, or 1 for the ℓ1 path norm.

    Returns:
        The norm, in the unit of a product of L weights; infinite only where it does not fit a float. Cost: one
        forward pass.
    """
    if p not in (1, 2):
        raise ValueError(f"p is 1 or 2, got {p}")
    if not weights:
        raise ValueError("a path needs at least one weight matrix")
    paths = as_matrix(weights[0]).new_ones(weights[0].shape[1])
    constant, log_scale = paths[:1] * (biases is not None), 0.0
    for weight, bias in zip(weights, biases or [None] * len(weights), strict=True):
        paths = as_matrix(weight).abs() ** p @ paths
        if bias is not None:
            paths = paths + bias.detach().double().abs() ** p * constant
        # deep products leave the range of floats, so the scale of paths and constant is kept as a logarithm
        largest = torch.maximum(paths.max(), constant.max())
        largest = torch.where(largest > 0, largest, 1.0)
        paths, constant, log_scale = paths / largest, constant / largest, log_scale + float(largest.log())
    total = float(paths.sum())
    if total == 0:
        return 0.0
    log_norm = (log_scale + math.log(total)) / p
    return math.exp(log_norm) if log_norm < 709 else math.inf
