"""Many networks on pairs of residues at once, each with its own start, order of pairs, labels, rate and decay."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch


def key(config: Any) -> Hashable | None:
    """What networks trained together must share; seeds, ξ, rate and decay are each their own."""
    if config.claim == "map" or config.batch or config.batch_norm or config.dropout or config.freeze:
        return None  # a map is many networks already; the others draw or normalise for each network alone
    shape = config.p, config.operation, config.width, config.alpha
    return shape, config.steps, config.record_every, config.prune_every, config.threads


class Pairs:
    """Members that train on all their pairs at every step."""

    def __init__(self, members: Sequence[Any]) -> None:
        from lab.models.captured import Captured
        from lab.models.stacked import Stack, StackedAdam

        stack = Stack([list(member.model.parameters()) for member in members])
        self.weights = [part.flatten(0, 1) for part in stack.parts]
        self.gradient, parts = stack.zeros()
        self.gradients = [part.flatten(0, 1) for part in parts]
        self.adam = StackedAdam(stack, [member.optimizer for member in members])
        self.labels = torch.cat([member.given for member in members])
        count = self.labels.shape[1]
        self.pairs = torch.stack([member.pairs[:count] for member in members])
        self.share = self.labels.new_full(self.labels.shape, 1 / count, dtype=stack.flat.dtype)
        self.captured = Captured(self._step, self.labels.device)

    def advance(self, steps: int) -> list[Mapping[str, np.ndarray]]:
        rows = self.captured.take(steps).double().cpu().numpy()
        return [{"train_loss": row} for row in rows.T]

    def _step(self) -> torch.Tensor:
        from lab.models.pair_network import add_gradients

        self.gradient.zero_()
        losses = add_gradients(self.weights, self.gradients, self.pairs, self.labels, self.share)
        self.adam.step(self.gradient)
        return losses
