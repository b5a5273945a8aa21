"""Many small networks of one shape as one: a leading dimension over networks, hyper-parameters as tensors.

Small networks leave a processor waiting for Python and for kernel launches; B of them in one batched product pay that
once. The arithmetic of each is that of the single network, in another order of summation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

PIECE = 2**17  # parameters updated at once on a processor: with their moments they stay in a core's cache


class Stack:
    """The parameters of B networks as rows of one tensor, whose parts the networks' own parameters become.

    Args:
        networks: The parameters of each network, alike in number and shape. From now on they are views: what is done
            to the stack is seen in the networks.

    Attributes:
        flat: All parameters, shape (B, P).
        parts: Views of ``flat``, one a parameter, each of shape (B, *shape).
    """

    def __init__(self, networks: Sequence[Sequence[Tensor]]) -> None:
        shapes = [p.shape for p in networks[0]]
        if any([p.shape for p in network] != shapes for network in networks):
            raise ValueError("networks of one stack have parameters of the same shapes")
        self.flat = torch.stack([torch.cat([p.detach().flatten() for p in network]) for network in networks])
        self.parts = self.split(self.flat, shapes)
        for index, network in enumerate(networks):
            for p, part in zip(network, self.parts, strict=True):
                p.data = part[index]
        self._shapes = shapes

    def zeros(self) -> tuple[Tensor, list[Tensor]]:
        """A tensor like ``flat``, and its parts."""
        flat = torch.zeros_like(self.flat)
        return flat, self.split(flat, self._shapes)

    @staticmethod
    def split(flat: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
        columns = flat.split([shape.numel() for shape in shapes], dim=1)
        return [column.unflatten(1, shape or (1,)) for column, shape in zip(columns, shapes, strict=True)]


class StackedAdam:
    """Adam or AdamW over a stack, with a rate and a decay for each network; torch's own formula.

    Args:
        stack: The networks.
        optimizers: That of each network, before its first step; its moments become views too, so that a checkpoint of
            a network holds them.

    Raises:
        ValueError: Adam, not AdamW, with a weight decay.
    """

    def __init__(self, stack: Stack, optimizers: Sequence[torch.optim.Adam]) -> None:
        groups = [optimizer.param_groups[0] for optimizer in optimizers]
        (self.beta1, self.beta2), self.eps = groups[0]["betas"], groups[0]["eps"]
        self.flat = stack.flat
        self.lr = self.flat.new_tensor([float(group["lr"]) for group in groups])[:, None]
        decay = self.flat.new_tensor([group["weight_decay"] for group in groups])[:, None]
        if decay.any() and not isinstance(optimizers[0], torch.optim.AdamW):
            raise ValueError("a stack decays weights as AdamW does, not by Adam's term in the gradient")
        self.kept = 1 - self.lr * decay
        self.mean, means = stack.zeros()
        self.square, squares = stack.zeros()
        self.count = self.flat.new_zeros((), dtype=torch.float32)  # as torch keeps it
        self._betas = self.flat.new_tensor([self.beta1, self.beta2], dtype=torch.float64)
        for index, (optimizer, group) in enumerate(zip(optimizers, groups, strict=True)):
            for p, mean, square in zip(group["params"], means, squares, strict=True):
                optimizer.state[p] = {"step": self.count, "exp_avg": mean[index], "exp_avg_sq": square[index]}

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """One update of all networks by their gradients, shape (B, P); as many at a time as stay in the cache.

        The device is asked for nothing, so that a CUDA graph can hold it.
        """
        self.count += 1
        first, second = (1 - self._betas**self.count).to(self.flat.dtype)
        correction, rate = second.sqrt(), self.lr / first
        side = max(1, PIECE // self.flat.shape[1]) if self.flat.is_cpu else len(self.flat)
        for row in range(0, len(self.flat), side):
            now = slice(row, row + side)
            mean, square, slope = self.mean[now], self.square[now], gradient[now]
            mean.lerp_(slope, 1 - self.beta1)
            square.mul_(self.beta2).addcmul_(slope, slope, value=1 - self.beta2)
            denominator = square.sqrt().div_(correction).add_(self.eps)
            self.flat[now].mul_(self.kept[now]).sub_(mean.div(denominator).mul_(rate[now]))
