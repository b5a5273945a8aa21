"""Small networks and dense references that the curvature tests share."""

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn


class Transformer(nn.Module):
    """Two pre-norm layers on a few tokens, the last token's logits."""

    def __init__(self, width: int = 4, vocabulary: int = 5) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, width, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(2)
        )
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embedding(tokens)
        for block in self.blocks:
            hidden = block(hidden)
        return self.head(hidden[:, -1])


def mlp(dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor, Tensor, Callable]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)).to(dtype)
    return model, torch.randn(12, 3, dtype=dtype), torch.randn(12, 2, dtype=dtype), nn.functional.mse_loss


def cnn() -> tuple[nn.Module, Tensor, Tensor, Callable]:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(3, 4, 2), nn.GELU(), nn.Flatten(), nn.Linear(4, 3)
    ).double()
    return model, torch.randn(9, 1, 6, 6, dtype=torch.float64), torch.randint(0, 3, (9,)), nn.functional.cross_entropy


def transformer() -> tuple[nn.Module, Tensor, Tensor, Callable]:
    torch.manual_seed(0)
    return Transformer().double(), torch.randint(0, 5, (7, 6)), torch.randint(0, 5, (7,)), nn.functional.cross_entropy


ALL = {"mlp": mlp, "cnn": cnn, "transformer": transformer}


@functools.cache
def dense_hessian_of(net: str) -> np.ndarray:
    """Of one of `ALL`, at its initial parameters."""
    model, x, y, loss = ALL[net]()
    return dense_hessian(closure(model, x, y, loss), list(model.parameters()))


def closure(model: nn.Module, x: Tensor, y: Tensor, loss: Callable) -> Callable[[], Tensor]:
    return lambda: loss(model(x), y)


def dense_hessian(loss: Callable[[], Tensor], params: list[Tensor]) -> np.ndarray:
    """All rows by double backward at once, without any code of lab."""
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        grads = torch.autograd.grad(loss(), params, create_graph=True)
    gradient = torch.cat([g.reshape(-1) for g in grads])
    every = torch.eye(len(gradient), dtype=gradient.dtype)
    rows = torch.autograd.grad(gradient, params, every, allow_unused=True, is_grads_batched=True)
    pieces = [
        p.new_zeros(len(every), p.numel()) if r is None else r.flatten(1) for r, p in zip(rows, params, strict=True)
    ]
    return torch.cat(pieces, dim=1).detach().numpy()


def symmetric(eigenvalues: np.ndarray, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """A matrix with the given eigenvalues and random eigenvectors."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues), len(eigenvalues))))
    return torch.tensor((q * eigenvalues) @ q.T).to(dtype)
