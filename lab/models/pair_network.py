"""Two-layer quadratic networks on pairs of residues, f(n, m) = W (U e_n + V e_m)². Gromov (2023), Doshi et al. (2023).

Several networks of one size stand side by side, so that a phase map is one batched computation.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class PairNetworks(nn.Module):
    """C networks without bias, every weight N(0, s²) with s = 0.5/(2N)^(1/3), as the authors' code has it.

    The one-hot inputs are never built: U e_n is row n of an embedding, which is the same number.

    Args:
        p: Residues, and classes.
        width: Hidden units N of each network.
        nets: Networks C.
        batch_norm: Normalise after the square, before W, with a learnt scale γ for each neuron.
        generator: A CPU generator that draws U, V and W.
    """

    def __init__(self, p: int, width: int, nets: int = 1, *, batch_norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = (nets, width)
        std = 0.5 / (2 * width) ** (1 / 3)
        self.U = nn.Parameter(std * torch.randn(p, nets * width, generator=generator))
        self.V = nn.Parameter(std * torch.randn(p, nets * width, generator=generator))
        self.W = nn.Parameter(std * torch.randn(nets, p, width, generator=generator))
        self.norm = nn.BatchNorm1d(nets * width) if batch_norm else None

    def hidden(self, pairs: Tensor, kept: Tensor | None = None) -> Tensor:
        """What W reads, shape (C, B, N), of pairs (B, 2). ``kept`` (B, C N) multiplies the pre-activations: dropout."""
        n, m = pairs.unbind(1)
        pre = functional.embedding(n, self.U).add_(functional.embedding(m, self.V))
        square = (pre if kept is None else pre * kept).square()
        if self.norm is not None:
            square = self.norm(square)
        return square.view(len(pairs), *self.shape).transpose(0, 1)

    def forward(self, pairs: Tensor, kept: Tensor | None = None) -> Tensor:
        """Outputs, shape (C, B, p)."""
        return self.hidden(pairs, kept) @ self.W.transpose(1, 2)

    def neurons(self) -> tuple[Tensor, Tensor, Tensor]:
        """U, V and W with one neuron a row, shape (C, N, p) each."""
        u, v = (weight.view(-1, *self.shape).permute(1, 2, 0) for weight in (self.U, self.V))
        return u, v, self.W.transpose(1, 2)
