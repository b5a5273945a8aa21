"""Orthogonal noise for matching: one random matrix Z shared by a layer's W^vo and the next layer's W^qk.

W^{vo(l)} + β Z_l and W^{qk(l+1)} + α Z_l with Z_l ~ N(0, 1/d) add αβ Z_l Z_lᵀ ≈ αβ I to the kernel that compares what
layer l stored with what layer l + 1 asks for. Wang et al. (2024), arXiv 2405.15302; our reading of the abstract.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lab.models.attention import Attention
from lab.models.transformer import Transformer


class NoisyAttention(Attention):
    """Attention whose W^qk has α Z_before added and whose W^vo has β Z_after; α and β are one number per head.

    The extra terms ride in the same attention product: queries, keys and values are widened by d coordinates.
    """

    before: Tensor
    after: Tensor

    def __init__(self, plain: Attention, before: Tensor, after: Tensor, alpha: Tensor, beta: Tensor) -> None:
        nn.Module.__init__(self)  # the weights are the plain attention's own, none are made
        self.heads, self.head_width, self.rotary = plain.heads, plain.head_width, plain.rotary
        self.qkv, self.output = plain.qkv, plain.output
        self.register_buffer("before", before)
        self.register_buffer("after", after)
        self.alpha, self.beta = nn.Parameter(alpha), nn.Parameter(beta)

    def project(self, x: Tensor, last: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = super().project(x, last)
        asking = (x[:, -1:] if last else x) @ self.before * self.head_width**0.5  # undoes the scale of the scores
        extra = x[:, None].expand(-1, self.heads, -1, -1)
        q = torch.cat((q, asking[:, None] * self.alpha[:, None, None]), dim=-1)
        return q, torch.cat((k, extra), dim=-1), torch.cat((v, extra), dim=-1)

    def merge(self, mixed: Tensor) -> Tensor:
        read = (mixed[..., self.head_width :] * self.beta[:, None, None]).sum(1)
        return super().merge(mixed[..., : self.head_width]) + read @ self.after

    def head_outputs(self, mixed: Tensor) -> Tensor:
        read = mixed[..., self.head_width :] * self.beta[:, None, None]
        return super().head_outputs(mixed[..., : self.head_width]) + read @ self.after

    def qk_matrix(self, head: int) -> Tensor:
        return super().qk_matrix(head) + self.alpha[head] * self.before

    def vo_matrix(self, head: int) -> Tensor:
        return super().vo_matrix(head) + self.beta[head] * self.after


def add_matching_noise(
    model: Transformer, generator: torch.Generator, *, alpha: float = 0.05, beta: float = 0.05, trainable: bool = True
) -> None:
    """Give every adjacent pair of layers one matrix Z; α (on W^qk) and β (on W^vo) start at the given numbers.

    Call it before the optimiser is made: α and β are new parameters, one per head and layer. Where a layer has no
    neighbour (W^qk of the first, W^vo of the last) its Z is 0. Setting α or β to 0 later removes the term exactly.

    Args:
        model: Changed in place; a model that has noise already is refused.
        generator: Source of the matrices Z.
        alpha: Strength on the query-key side.
        beta: Strength on the value-output side.
        trainable: Whether α and β are trained.

    Raises:
        ValueError: Fewer than two layers, or noise is there already.
    """
    blocks, heads, d = model.blocks, model.architecture.heads, model.architecture.width
    if len(blocks) < 2:
        raise ValueError(f"matching noise joins adjacent layers: the model has {len(blocks)}")
    if any(isinstance(block.attention, NoisyAttention) for block in blocks):
        raise ValueError("the model has matching noise already: set its alpha and beta instead")
    weight = model.embedding.weight
    zero = torch.zeros(d, d, dtype=weight.dtype, device=weight.device)
    noise = [torch.randn(d, d, generator=generator, dtype=weight.dtype, device=weight.device) for _ in blocks[1:]]
    z = [zero, *(matrix / d**0.5 for matrix in noise), zero]
    for layer, block in enumerate(blocks):
        start = (torch.full((heads,), at, dtype=weight.dtype, device=weight.device) for at in (alpha, beta))
        block.attention = NoisyAttention(block.attention, z[layer].clone(), z[layer + 1].clone(), *start)
        for name, of_a_pair in (("alpha", layer > 0), ("beta", layer < len(blocks) - 1)):
            getattr(block.attention, name).requires_grad_(trainable and of_a_pair)


def strengths(model: Transformer, name: str) -> list[nn.Parameter]:
    """α of every layer with one before it, or β of every layer with one after it, one number a head."""
    blocks = list(model.blocks)
    return [getattr(block.attention, name) for block in (blocks[1:] if name == "alpha" else blocks[:-1])]


@contextmanager
def without_noise(model: Transformer, *names: str) -> Iterator[None]:
    """Set α or β of every layer to 0 for as long as the context lasts."""
    found = [(strength, strength.detach().clone()) for name in names for strength in strengths(model, name)]
    with torch.no_grad():
        for strength, _ in found:
            strength.zero_()
        try:
            yield
        finally:
            for strength, value in found:
                strength.copy_(value)
