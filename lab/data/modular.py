"""Modular arithmetic as classification: every pair of residues, and labels of which a share is drawn anew."""

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
