"""Many networks of the condensation experiment at once: the start scene by stacked Adam, the phase scene by descent.

Each agrees with the single run up to the order of summation; how far apart rounding drives them is tested.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

Readings = Mapping[str, np.ndarray]


def key(config: Any) -> Hashable | None:
    """What networks trained together must share; γ, γ', rate and seed are each their own."""
    if config.scene == "start" and config.optimizer == "adam" and not config.batch:
        shape = (config.width, config.samples, config.inputs, config.activation)
    elif config.scene == "phase":
        shape = (config.all_widths(), config.mirrored)
    else:
        return None  # dropout and batches draw for each network alone, and gradient descent is not stacked
    measured = config.threshold, config.up_to_sign, config.record_every
    return config.scene, shape, measured, config.steps, config.threads


class Starts:
    """The start scene: (B, n, m) activations instead of (n, m), one Adam over all parameters."""

    def __init__(self, members: Sequence[Any]) -> None:
        from lab.models.captured import Captured
        from lab.models.mlp import activation_by_name
        from lab.models.stacked import Stack, StackedAdam

        self.phi = activation_by_name(members[0].config.activation)
        self.x, self.y = (torch.stack([getattr(member, name) for member in members]) for name in "xy")
        self.stack = Stack([list(member.networks.parameters()) for member in members])
        self.adam = StackedAdam(self.stack, [member.optimizers["net"] for member in members])
        self.captured = Captured(self._step, self.x.device)

    def advance(self, steps: int) -> list[Readings]:
        rows = self.captured.take(steps).cpu().numpy()
        return [{"train_loss": row} for row in rows.T]

    def _step(self) -> torch.Tensor:
        weight, bias, out = (part.detach().requires_grad_() for part in self.stack.parts)
        hidden = self.phi(torch.baddbmm(bias[:, None], self.x, weight.mT))
        loss = (torch.bmm(hidden, out.mT) - self.y).square().mean((1, 2))
        gradients = torch.autograd.grad(loss.sum(), (weight, bias, out))
        self.adam.step(torch.cat([gradient.flatten(1) for gradient in gradients], dim=1))
        return loss.detach()


class Phases:
    """The phase scene: for every width the networks of all members side by side, each until it is fitted."""

    def __init__(self, members: Sequence[Any], fitted: float) -> None:
        from lab.models.captured import Captured

        self.members, self.fitted = members, fitted
        self.x, self.y = members[0].x, members[0].y
        self.widths = list(members[0].networks)
        self.stacks = []
        for width in self.widths:
            stack = torch.stack([member.networks[width].detach() for member in members])
            for index, member in enumerate(members):
                member.networks[width].data = stack[index]
            self.stacks.append(stack)
        alphas = [[member.alphas[width] for member in members] for width in self.widths]
        self.alphas = [self.x.new_tensor(alpha) for alpha in alphas]
        self.losses = self.x.new_full((len(self.widths), len(members)), torch.inf)
        self.captured = Captured(self.step_all, self.x.device)

    def advance(self, steps: int) -> list[Readings]:
        rows = self.step_unfitted(steps) if self.x.is_cpu else self.captured.take(steps)
        values = rows.cpu().numpy()
        for index, member in enumerate(self.members):
            member.losses = values[-1, :, index].tolist()
        return [{"train_loss": values[:, :, i].mean(1), "losses": values[:, :, i]} for i in range(len(self.members))]

    def step_all(self) -> torch.Tensor:
        """One step of every network, the fitted ones staying where they are; losses before it, (widths, B)."""
        from lab.models.two_layer import descend_many

        for stack, alpha, losses in zip(self.stacks, self.alphas, self.losses, strict=True):
            after, loss = descend_many(stack, alpha, self.x, self.y)
            losses.copy_(torch.where(losses >= self.fitted, loss, losses))
            stack.copy_(torch.where((losses >= self.fitted)[:, None, None], after, stack))
        return self.losses

    def step_unfitted(self, steps: int) -> torch.Tensor:
        """The same for ``steps`` steps, (steps, widths, B), computing only what moves: quicker where Python is."""
        from lab.models.two_layer import descend_many

        rows = self.losses.new_empty((steps, *self.losses.shape))
        for index, (stack, alpha) in enumerate(zip(self.stacks, self.alphas, strict=True)):
            going = torch.nonzero(self.losses[index] >= self.fitted).flatten()
            neurons = stack[going]
            rows[:, index] = self.losses[index]
            for step in range(steps):
                after, loss = descend_many(neurons, alpha[going], self.x, self.y)
                rows[step:, index, going] = loss
                unfitted = loss >= self.fitted
                if not unfitted.all():
                    stack[going[~unfitted]] = neurons[~unfitted]
                    going, after = going[unfitted], after[unfitted]
                neurons = after
                if not len(going):
                    break
            stack[going] = neurons
        self.losses = rows[-1].clone()
        return rows


def batch(members: Sequence[Any], fitted: float) -> Starts | Phases:
    """The members' scene, all of them at once; the phase scene stops a network at the loss ``fitted``."""
    return Starts(members) if members[0].config.scene == "start" else Phases(members, fitted)
