"""Copies of a run whose rate decays while the run itself goes on. Wen et al. (2024), arXiv 2410.05192."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from lab.models.rates import Shape, decayed


@dataclass(frozen=True)
class Decayed:
    """What a branch came to.

    Attributes:
        began: Step at which it left the run.
        theta: Its end, (lanes, ...).
        origin: First lane where it left the run, shape of a lane.
        before: Whatever was noted there.
        clock: Ση of its way and of the run's before it, (lanes,).
    """

    began: int
    theta: Tensor
    origin: Tensor
    before: Tensor
    clock: Tensor


@final
class DecayBranches:
    """Up to ``slots`` branches at once.

    Args:
        slots: Their greatest number.
        theta: The run's parameters, (lanes, ...).
        notes: Shape of what is noted at a beginning.
        steps: Length of a decay.
        shape: Of the decay.
        least: Where an inverse decay ends, as a share of the constant rate.
    """

    def __init__(
        self, slots: int, theta: Tensor, notes: tuple[int, ...], *, steps: int, shape: Shape, least: float
    ) -> None:
        self.steps, self.least = steps, least
        self.shape: Shape = shape
        self.thetas = theta.expand(slots, *theta.shape).clone()
        self.origins = self.thetas[:, 0].clone()  # of the first lane alone
        self.before = torch.zeros(slots, *notes, dtype=torch.float64)
        self.clocks = torch.zeros(slots, len(theta), dtype=torch.float64)
        self.ages = [-1] * slots  # steps of each branch, -1 while its slot is free
        self.began = [0] * slots

    @property
    def full(self) -> bool:
        return -1 not in self.ages

    @property
    def active(self) -> list[int]:
        """Slots with a branch under way."""
        return [slot for slot, age in enumerate(self.ages) if age >= 0]

    def begin(self, step: int, theta: Tensor, clock: Tensor, before: Tensor) -> None:
        """Leave the run at ``step`` in a free slot."""
        slot = self.ages.index(-1)
        self.thetas[slot], self.origins[slot], self.clocks[slot], self.before[slot] = theta, theta[0], clock, before
        self.ages[slot], self.began[slot] = 0, step

    def share(self, slot: int) -> float:
        """The slot's rate as a share of the constant one."""
        return decayed(self.shape, self.ages[slot] / self.steps, self.least)

    def advance(self, slot: int, rates: Tensor) -> None:
        """Note a step that was taken with these rates, (lanes,)."""
        self.clocks[slot] += rates
        self.ages[slot] += 1

    def finished(self) -> list[Decayed]:
        """Branches whose decay is over; their slots are free from now on."""
        over = [slot for slot, age in enumerate(self.ages) if age == self.steps]
        ended = []
        for slot in over:
            parts = (part[slot].clone() for part in (self.thetas, self.origins, self.before, self.clocks))
            ended.append(Decayed(self.began[slot], *parts))
            self.ages[slot] = -1
        return ended

    def state_dict(self) -> dict[str, Any]:
        names = ("thetas", "origins", "before", "clocks", "ages", "began")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            known = getattr(self, name)
            setattr(self, name, value.to(known) if isinstance(value, torch.Tensor) else list(value))
