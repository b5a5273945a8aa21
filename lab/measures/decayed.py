"""What a decay branch came to: its parts of the loss, where it moved, and the loss between two of them.

Wen et al. (2024), arXiv 2410.05192. A problem is a lab.models.valley.Valley or a lab.models.bigram.Bigram.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from lab.measures.landscape import interpolation
from lab.measures.river import mean_mountain_shares
from lab.models.decay_branches import Decayed


def losses(problem: Any, ended: Decayed, theta: Tensor) -> dict[str, Any]:
    """Loss, hill and river part of every lane at the branch's end, before it, and of the run that went on.

    Args:
        problem: Where they are lost.
        ended: The branch.
        theta: The run at the same step, shape (lanes, replicates, ...).

    Returns:
        By series name; means over the replicates, shape (lanes,).
    """
    after, constant = problem.parts(ended.theta), problem.parts(theta)
    loss = after.hill + after.river
    return {
        "decayed_from": float(ended.began),
        "decayed_loss": loss.mean(1),
        "decayed_spread": loss.std(1, correction=min(1, loss.shape[1] - 1)),
        "decayed_hill": after.hill.mean(1),
        "decayed_river": after.river.mean(1),
        "before_hill": ended.before[0],
        "before_river": ended.before[1],
        "constant_hill": constant.hill.mean(1),
        "decayed_clock": ended.clock,
    }


def hill_shares(
    problem: Any, last: Tensor, origin: Tensor, branch: Tensor, counts: Sequence[int]
) -> dict[str, np.ndarray]:
    """Shares of two ways in the Hessian's top eigenspaces at a branch point, means over replicates, (len(counts),).

    Args:
        problem: A table, whose Hessian is known exactly.
        last: Branch point before, where the stable way began, shape (R, ...).
        origin: This branch point, alike.
        branch: Where the decay from it ended, alike.
        counts: Numbers of eigenvectors, ascending.
    """
    mountains = [problem.mountains(here, counts[-1], replicate) for replicate, here in enumerate(origin)]
    ways = {"stable_share": origin - last, "decay_share": branch - origin}
    return {name: mean_mountain_shares(way, mountains, counts) for name, way in ways.items()}


def lines(problem: Any, ways: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, np.ndarray]:
    """The loss on straight ways of the first replicate: ``line``, positions from 0 to 1, and ``NAME_line`` of each.

    Args:
        problem: Whose loss it is.
        ways: Name to both ends, shape (R, ...) each.
    """
    found = {}
    for name, ends in ways.items():
        a, b = (problem.point(end[None]) for end in ends)
        where, values = interpolation(
            lambda params: problem.loss(params["theta"]), {"theta": a}, a.flatten(), b.flatten()
        )
        found |= {"line": where, f"{name}_line": values}
    return found
