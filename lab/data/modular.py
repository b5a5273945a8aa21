"""Modular arithmetic as classification: every pair of residues, and labels of which a share is drawn anew."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Operation = Literal["add", "multiply"]


def residue_pairs(p: int, operation: Operation = "add") -> tuple[Tensor, Tensor]:
    """All pairs (n, m), shape (p², 2), n slowest, and n + m or n m mod p, shape (p²,)."""
    if p < 1:
        raise ValueError(f"the modulus is at least 1, got {p}")
    pairs = torch.cartesian_prod(torch.arange(p), torch.arange(p))
    return pairs, (pairs.sum(1) if operation == "add" else pairs.prod(1)) % p


def corrupted(labels: Tensor, count: int, classes: int, generator: torch.Generator) -> Tensor:
    """A copy of ``labels``, shape (n,), whose first ``count`` are drawn uniformly from all classes.

    A drawn label is the true one with probability 1/classes: what a network that ignores corruption fits is therefore
    1 - ξ + ξ/p of the labels, and not 1 - ξ.
    """
    if not 0 <= count <= len(labels):
        raise ValueError(f"{count} labels to corrupt among {len(labels)}")
    given = labels.clone()
    given[:count] = torch.randint(classes, (count,), generator=generator)
    return given


def corrupted_alike(labels: Tensor, counts: Sequence[int], classes: int, generator: torch.Generator) -> Tensor:
    """:func:`corrupted` for several counts from the same draws, of which each has more or fewer, shape (C, n)."""
    draws, rows = generator.get_state(), []
    for count in counts:
        generator.set_state(draws)
        rows.append(corrupted(labels, count, classes, generator))
    return torch.stack(rows)


def label_groups(size: int, count: int, given: Tensor, true: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Which pairs are asked for which labels: rows and labels of each group, shape (G,) each.

    Args:
        size: Training pairs, the first of all.
        count: Corrupted ones, the first of these.
        given: Labels that training sees, shape (n,), n at least ``size``.
        true: Labels of all pairs, shape (p²,).
    """
    rows = torch.arange(len(true), device=true.device)
    return {
        "train": (rows[:size], given[:size]),
        "clean": (rows[count:size], given[count:size]),
        "given": (rows[:count], given[:count]),
        "true": (rows[:count], true[:count]),
        "test": (rows[size:], true[size:]),
    }
