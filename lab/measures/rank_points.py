"""Points whose model rank has a closed form, and their ranks by singular values. After Zhang et al. (2023)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from lab.measures import optimistic

RANKS: tuple[tuple[str, int], ...] = (
    *((f"A B, ranks {r} and {r}", optimistic.factorisation_rank(4, r, r)) for r in range(5)),
    ("A B, A the identity, B of rank 1", optimistic.factorisation_rank(4, 4, 1)),
    ("plane, no x2", optimistic.shared_factor_size(0)),
    ("plane, with x2", optimistic.shared_factor_size(1)),
    ("linear plane", 3),
    ("one tanh kernel", optimistic.convolution_sizes(1, 5, 3, hidden_bias=True)["shared"]),
    ("three dense tanh units", optimistic.tanh_size(3, 5, hidden_bias=True)),
)
"""What the points are, factors of given ranks and each family's targets, and their closed forms."""


def numerical_ranks(generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Model ranks at the points of RANKS by singular values in float64, and the gaps behind them, shape (11,) each.

    Args:
        generator: Draws the factors and inputs.

    Raises:
        UnclearRank: A spectrum without a gap: that would be no reading.
    """
    from lab.measures.model_rank import UnclearRank, numerical_rank, tangent_matrix_of
    from lab.models.recovery import Family, Plane, TanhNet

    def factors(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    tangents = []
    for ra, rb in [(r, r) for r in range(5)] + [(4, 1)]:
        a = torch.eye(4, dtype=torch.float64) if ra > rb else factors(4, ra) @ factors(ra, 4)
        tangents.append(tangent_matrix_of(lambda a, b: a @ b, a, factors(4, rb) @ factors(rb, 4)))
    nets: list[tuple[Family, str]] = [(Plane(), "1+x1"), (Plane(), "x2"), (Plane(linear=True), "1")]
    nets += [(TanhNet(shared=True, width=1), "three tanh"), (TanhNet(shared=False, width=3), "three tanh")]
    for family, target in nets:
        teacher, x = family.teacher(target), family.inputs(1, 60, generator)
        names = tuple(teacher)

        def output(*values: torch.Tensor, family: Family = family, x: torch.Tensor = x, names: Any = names) -> Any:
            return family.predict({k: v[None, None, None] for k, v in zip(names, values, strict=True)}, x)

        tangents.append(tangent_matrix_of(output, *teacher.values()))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnclearRank)  # a rank without a gap is no reading
        found = [numerical_rank(tangent) for tangent in tangents]
    return np.array([r.rank for r in found]), np.array([r.gap for r in found])
