"""Attention maps and what is read off them: weights between roles, entropy, alignment, rollout, rank.

Maps have shape (L, B, H, n, n) or any (..., n, n): the row is the token that reads, the column the token that is read.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from lab.models.transformer import Transformer


@torch.no_grad()
def attention_maps(model: Transformer, tokens: Tensor) -> Tensor:
    """Attention after the softmax and the current ablation for tokens (B, n), shape (L, B, H, n, n).

    Cost: one forward pass; no random numbers are drawn.
    """
    return torch.stack(model.trace(tokens).pattern)


def attention_between(maps: Tensor, target: Tensor, source: Tensor) -> Tensor:
    """Weight with which each sequence's ``target`` token reads its ``source`` token.

    Roles such as key and anchor stand elsewhere in every sequence; a mean over raw positions would mix them.

    Args:
        maps: (..., B, H, n, n).
        target: Reading position per sequence, (B,).
        source: Position read per sequence, (B,).

    Returns:
        (..., B, H).
    """
    row = torch.arange(maps.shape[-4], device=maps.device)
    return maps[..., row, :, target, source].movedim(0, -2)


def aligned_mean(maps: Tensor, roles: Tensor) -> Tensor:
    """Mean over the batch of the maps between roles: entry [r, s] is how strongly role r reads role s.

    Args:
        maps: (..., B, H, n, n).
        roles: Position of each role in each sequence, (B, R), such as anchor, key and last token.

    Returns:
        (..., H, R, R).

    Raises:
        ValueError: The batch is empty.
    """
    batch, count = roles.shape
    if batch == 0:
        raise ValueError("no mean over an empty batch: at least one sequence is needed")
    index = roles[:, None, :]
    rows = maps.take_along_dim(index[..., None].expand(*maps.shape[:-2], count, maps.shape[-1]), dim=-2)
    return rows.take_along_dim(index[:, :, None, :].expand(*maps.shape[:-2], count, count), dim=-1).mean(-4)


def attention_entropy(maps: Tensor, *, over: Literal["min", "mean"] = "min", first: int = 1) -> Tensor:
    """Normalised attention entropy of each head: H_t / ln(t + 1) for the token at position t, in [0, 1].

    H_t = -Σ_s a_ts ln a_ts; 1 is uniform over the tokens in sight, 0 is one token. Wen et al. (2024), arXiv 2410.05459,
    who take the least over all positions and then the mean over the batch.

    Args:
        maps: (..., B, H, n, n).
        over: Least ("min") or mean over positions.
        first: First position counted, at least 1 (position 0 sees one token: 0/0); larger for output positions alone.

    Returns:
        (..., H).

    Raises:
        ValueError: No position is left.
    """
    n = maps.shape[-1]
    if not 1 <= first < n:
        raise ValueError(f"first position {first} in sequences of {n}: it must be from 1 to {n - 1}")
    if over not in ("min", "mean"):
        raise ValueError(f"over {over!r} is unknown: 'min' or 'mean'")
    normaliser = torch.tensor([math.log(t + 1) for t in range(first, n)], dtype=maps.dtype, device=maps.device)
    entropy = -torch.xlogy(maps[..., first:, :], maps[..., first:, :]).sum(-1) / normaliser
    return (entropy.amin(-1) if over == "min" else entropy.mean(-1)).mean(-2)


def rollout(maps: Tensor) -> Tensor:
    """Attention rollout ∏_l (½ A^(l) + ½ I), shares of each input token in each final token, (..., n, n).

    Abnar & Zuidema (2020). It takes half of every token to come through the residual path, whatever the network does.

    Args:
        maps: (L, ..., n, n), heads averaged beforehand.
    """
    eye = torch.eye(maps.shape[-1], dtype=maps.dtype, device=maps.device)
    total = eye.expand(maps.shape[1:])
    for pattern in maps:
        total = (pattern + eye) / 2 @ total
    return total


def attention_stable_rank(maps: Tensor) -> Tensor:
    """‖A‖_F²/‖A‖₂² of every map, (...), float64: 1 when all tokens read the same mixture, n for the identity.

    Hang et al. (2025), arXiv 2505.23013, whose low-complexity models have attention of low rank. Cost: an SVD a map.
    """
    sigma = torch.linalg.svdvals(maps.double())
    return sigma.square().sum(-1) / sigma[..., 0].square()
