"""Points whose model rank has a closed form, and their ranks by singular values. After Zhang et al. (2023)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from lab.measures import optimistic

if TYPE_CHECKING:
    from lab.models.recovery import Family

RANKS: tuple[tuple[str, int], ...] = (
    *((f"r = {r}: A and B of this rank", optimistic.factorisation_rank(4, r, r)) for r in range(5)),
    ("r = 1: B of this rank, A the identity", optimistic.factorisation_rank(4, 4, 1)),
    ("plane, no x2", optimistic.shared_factor_size(0)),
    ("plane, with x2", optimistic.shared_factor_size(1)),
    ("linear plane", 3),
    ("one tanh kernel", optimistic.convolution_sizes(1, 5, 3, hidden_bias=True)["shared"]),
    ("three dense tanh units", optimistic.tanh_size(3, 5, hidden_bias=True)),
    ("three tanh kernels, not shared", optimistic.convolution_sizes(1, 5, 3, hidden_bias=True)["unshared"]),
    ("two factors, 3 of 10 inputs", 3),
    ("three factors, 3 of 10 inputs", 3),
)
"""What the points are, factors of given ranks and each family's targets, and their closed forms."""


def tangent_at(family: Family, target: str, generator: torch.Generator) -> torch.Tensor:
    """Tangent matrix (n, P) of a model where it expresses a target, at generic inputs."""
    teacher, x = family.teacher(target), family.tangent_inputs(target, generator)[0]

    def output(theta: dict[str, torch.Tensor], one: torch.Tensor) -> torch.Tensor:
        return family.predict({name: value[None, None, None] for name, value in theta.items()}, one[None, None]).sum()

    # input by input: together, all outputs' gradients would hold every activation n times
    gradients = torch.func.vmap(torch.func.grad(output), in_dims=(None, 0))(teacher, x)
    return torch.cat([gradients[name].flatten(1) for name in teacher], dim=1)


def spectra_of_targets(
    family: Family, targets: Sequence[str], generator: torch.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Model rank of each target by singular values, shape (R,), NaN without a clear gap; and these over the largest.

    The latter have shape (R, min(n, P)).
    """
    from lab.measures.model_rank import UnclearRank, numerical_rank

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnclearRank)  # NaN says so
        found = {name: numerical_rank(tangent_at(family, name, generator)) for name in dict.fromkeys(targets)}
    ranks = [float(found[name].rank) if found[name].clear else np.nan for name in targets]
    return np.array(ranks), np.stack([found[name].singular_values / found[name].singular_values[0] for name in targets])


def numerical_ranks(generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Model ranks at the points of RANKS by singular values in float64, and the gaps behind them, shape (14,) each.

    Args:
        generator: Draws the factors and inputs.

    Raises:
        UnclearRank: A spectrum without a gap: that would be no reading.
    """
    from lab.measures.model_rank import UnclearRank, numerical_rank, tangent_matrix_of
    from lab.models.recovery import Diagonal, Plane, TanhNet

    def factors(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    tangents = []
    for ra, rb in [(r, r) for r in range(5)] + [(4, 1)]:
        a = torch.eye(4, dtype=torch.float64) if ra > rb else factors(4, ra) @ factors(ra, 4)
        tangents.append(tangent_matrix_of(lambda a, b: a @ b, a, factors(4, rb) @ factors(rb, 4)))
    nets: list[tuple[Family, str]] = [(Plane(), "1+x1"), (Plane(), "x2"), (Plane(linear=True), "1")]
    nets += [(TanhNet(sharing="cnn", width=1), ""), (TanhNet(sharing="dense", width=3), "")]
    nets += [(TanhNet(sharing="unshared", width=1), ""), (Diagonal(10, 3), ""), (Diagonal(10, 3, depth=3), "")]
    tangents += [tangent_at(family, target, generator) for family, target in nets]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnclearRank)  # a rank without a gap is no reading
        found = [numerical_rank(tangent) for tangent in tangents]
    return np.array([r.rank for r in found]), np.array([r.gap for r in found])
