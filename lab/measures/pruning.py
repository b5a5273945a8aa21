"""What is left of a network when its hidden units are taken away one after another. Doshi et al. (2023), Fig. 4."""

from collections.abc import Sequence

import torch
from torch import Tensor

Group = tuple[Tensor, Tensor]  # rows and the labels asked of them, shape (G,) each


def group_accuracies(predicted: Tensor, groups: Sequence[Group]) -> list[float]:
    """Share of right predictions in each group; NaN for an empty one. ``predicted`` has shape (B,)."""
    return [(predicted[rows] == labels).double().mean().item() for rows, labels in groups]


def pruning_curve(
    hidden: Tensor, readout: Tensor, order: Tensor, counts: Sequence[int], groups: Sequence[Group]
) -> Tensor:
    """Accuracies without the first m units of an order, for every m in ``counts``.

    Built up from the last unit, whose outputs add: all m together cost about one forward pass and one argmax each, and
    with every unit gone the outputs are exactly 0.

    Args:
        hidden: Activations, shape (B, N).
        readout: W, shape (p, N).
        order: A permutation of the units, the first to go first, shape (N,).
        counts: Numbers of units taken away, ascending, from 0 to N.
        groups: Which rows are asked for which labels.

    Returns:
        Shape (len(counts), len(groups)), float64.
    """
    outputs = hidden.new_zeros(len(hidden), len(readout))
    units, weights = hidden.T.contiguous(), readout.T.contiguous()  # a unit a row: columns are slow to pick
    curve, end = [], len(order)
    for count in reversed(counts):
        added = order[count:end]
        outputs.addmm_(units[added].T, weights[added])
        end = count
        curve.append(group_accuracies(outputs.argmax(1), groups))
    return torch.tensor(curve[::-1], dtype=torch.float64)


def prune_order(score: Tensor, first: str = "lowest", *, seed: int = 0) -> Tensor:
    """Units in the order in which they go, shape (N,): by score, those without one (NaN) being lowest, or at random.

    Args:
        score: Shape (N,).
        first: lowest, highest or random.
        seed: Of the random order.
    """
    if first == "random":
        shuffled = torch.Generator().manual_seed(seed)
        return torch.randperm(len(score), generator=shuffled).to(score.device)
    lowest = torch.nan_to_num(score, nan=-torch.inf).argsort(stable=True)
    return lowest.flip(0) if first == "highest" else lowest


def kept_units(score: Tensor, amount: float, first: str, *, seed: int = 0) -> Tensor:
    """Which units pruning leaves, shape (N,), bool.

    Args:
        score: Shape (N,).
        amount: Share of the units that go; with "below", the score below which all go.
        first: An order of :func:`prune_order`, or below.
        seed: Of the random order.
    """
    if first == "below":
        return ~(torch.nan_to_num(score, nan=0.0) < amount)
    gone = prune_order(score, first, seed=seed)[: round(amount * len(score))]
    return torch.ones_like(score, dtype=torch.bool).index_fill(0, gone, False)
