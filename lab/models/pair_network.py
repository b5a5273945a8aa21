"""Two-layer quadratic networks on pairs of residues, f(n, m) = W (U e_n + V e_m)². Gromov (2023), Doshi et al. (2023).

Several networks of one size stand side by side, so that a phase map is one batched computation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

PIECE = 2**19  # activations computed at once: as many as stay in a core's cache
FEWEST = 128  # pairs at once, however many networks
PIECE_GPU = 2**26  # and on a GPU: a quarter of a gigabyte


class PairNetworks(nn.Module):
    """C networks without bias, every weight N(0, s²) with s = 0.5/(2N)^(1/3), as the authors' code has it.

    The one-hot inputs are never built: U e_n is row n of an embedding, which is the same number.

    Args:
        p: Residues, and classes.
        width: Hidden units N of each network.
        nets: Networks C.
        batch_norm: Normalise after the square, before W, with a learnt scale γ for each neuron.
        generator: A CPU generator that draws U, V and W.

    Attributes:
        U, V, W: Shape (C, p, N) each, one neuron a column.
    """

    def __init__(self, p: int, width: int, nets: int = 1, *, batch_norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        std = 0.5 / (2 * width) ** (1 / 3)
        u, v = (torch.randn(p, nets, width, generator=generator).transpose(0, 1) for _ in range(2))
        self.U, self.V = nn.Parameter(std * u.contiguous()), nn.Parameter(std * v.contiguous())
        self.W = nn.Parameter(std * torch.randn(nets, p, width, generator=generator))
        self.norm = nn.BatchNorm1d(nets * width) if batch_norm else None

    def hidden(self, pairs: Tensor, kept: Tensor | None = None) -> Tensor:
        """What W reads, shape (C, B, N), of pairs (B, 2). ``kept`` (B, N) multiplies pre-activations: dropout."""
        pre = _pre_activations(self.U, self.V, pairs)
        square = (pre if kept is None else pre * kept).square()
        if self.norm is not None:
            nets, _, width = square.shape
            square = self.norm(square.transpose(0, 1).flatten(1)).unflatten(1, (nets, width)).transpose(0, 1)
        return square

    def forward(self, pairs: Tensor, kept: Tensor | None = None) -> Tensor:
        """Outputs, shape (C, B, p)."""
        return self.hidden(pairs, kept) @ self.W.transpose(1, 2)

    @torch.no_grad()
    def predict(self, pairs: Tensor, units: Tensor | slice = slice(None)) -> Tensor:
        """The likeliest class in evaluation mode, shape (C, B), of pairs (B, 2), with only some hidden units.

        Taken piece by piece, so that activations stay in the cache.
        """
        self.eval()
        readout, rows = self.W[:, :, units].mT, max(FEWEST, PIECE // self.W[:, 0].numel())
        return torch.cat([(self.hidden(part)[:, :, units] @ readout).argmax(-1) for part in pairs.split(rows)], dim=1)

    def losses(self, pairs: Tensor, labels: Tensor, share: Tensor, kept: Tensor | None = None) -> Tensor:
        """Weighted mean squares against one-hot labels, shape (C,): Σ_b share_b · mean_c (f_c - y_c)² of each network.

        Args:
            pairs: Shape (B, 2).
            labels: Shape (C, B).
            share: Weight of each pair in its network's loss, shape (C, B).
            kept: As in :meth:`hidden`.
        """
        targets = functional.one_hot(labels, self.W.shape[1])
        return ((self(pairs, kept) - targets).square().mean(-1) * share).sum(1)

    def fit(self, pairs: Tensor, labels: Tensor, share: Tensor, kept: Tensor | None = None) -> Tensor:
        """:meth:`losses`, whose gradients replace those in ``grad``: by hand, except for BatchNorm and dropout."""
        if self.norm is not None or kept is not None:
            self.train()
            self.zero_grad(set_to_none=True)
            losses = self.losses(pairs, labels, share, kept)
            losses.sum().backward()
            return losses.detach()
        weights = self.U, self.V, self.W
        for weight in weights:
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad.zero_()
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        return add_gradients([weight.detach() for weight in weights], gradients, pairs, labels, share)

    def decay(self, factors: Tensor) -> None:
        """Multiply all weights of network c by ``factors[c]``: decoupled weight decay with a strength for each."""
        with torch.no_grad():
            for weight in (self.U, self.V, self.W):
                weight.mul_(factors[:, None, None])

    def neurons(self) -> tuple[Tensor, Tensor, Tensor]:
        """U, V and W with one neuron a row, shape (C, N, p) each."""
        u, v, w = (weight.transpose(1, 2) for weight in (self.U, self.V, self.W))
        return u, v, w


def _pre_activations(u: Tensor, v: Tensor, pairs: Tensor) -> Tensor:
    """U e_n + V e_m of C networks, shape (C, B, N), for pairs (B, 2) shared by all or (C, B, 2)."""
    rows = u.shape[1] * torch.arange(len(u), device=u.device)[:, None]
    n, m = pairs.unbind(-1)
    return functional.embedding(rows + n, u.flatten(0, 1)).add_(functional.embedding(rows + m, v.flatten(0, 1)))


def add_gradients(
    weights: list[Tensor], gradients: list[Tensor], pairs: Tensor, labels: Tensor, share: Tensor
) -> Tensor:
    """Weighted mean squares of C networks against one-hot labels, and their gradients by hand.

    The network is two products and a square, so its gradient is written down at once; taken piece by piece the
    activations stay in the cache, which autograd's would leave between its passes.

    Args:
        weights: U, V and W, shape (C, p, N) each.
        gradients: Alike; what comes out is added to them.
        pairs: (B, 2), or (C, B, 2) where each network has its own.
        labels: Shape (C, B).
        share: Weight of each pair in its network's loss, shape (C, B): 1/B for a plain mean, 0 for one left out.

    Returns:
        Σ_b share_b · mean_c (f_c - y_c)² of each network, shape (C,).
    """
    nets, p, width = weights[0].shape
    count = labels.shape[1]
    pairs = pairs.expand(nets, -1, -1)
    losses = labels.new_zeros(nets, dtype=weights[0].dtype)
    piece = PIECE if labels.is_cpu else PIECE_GPU
    side, rows = max(1, piece // (count * width)), max(1, piece // width)
    for net in range(0, nets, side):
        now = slice(net, net + side)
        u, v, w = (weight[now].detach() for weight in weights)
        for first in (u, v):
            first.requires_grad_()
        for row in range(0, count, rows):
            part = now, slice(row, row + rows)
            before = _pre_activations(u, v, pairs[part])
            with torch.no_grad():
                pre = before.detach()
                hidden = pre.square()
                residual = torch.bmm(hidden, w.mT)
                asked = labels[part][..., None]
                residual.scatter_add_(2, asked, residual.new_full((), -1.0).expand(asked.shape))
                weighted = residual * (share[part][..., None] * (2 / p))  # half of what the square brings down
                losses[now] += (residual * weighted).sum((1, 2)) / 2
                gradients[2][now].baddbmm_(weighted.mT, hidden)
                back = torch.bmm(weighted, w, out=hidden).mul_(pre).mul_(2)
            for gradient, more in zip(gradients, torch.autograd.grad(before, (u, v), back), strict=False):
                gradient[now] += more
    return losses
