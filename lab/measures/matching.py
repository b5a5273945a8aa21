"""Matching: does a layer ask for exactly what an earlier layer stored? Kernels, matching matrices and scores.

Wang et al. (2024), arXiv 2405.15302. Layer 0 stores "the token before me" through W^vo(0); layer l compares its query
with that through W^qk(l). If the product of the matrices in between is near a multiple of the identity, tokens match
themselves whichever they are, trained or not. The formulas are ours, from the abstract, checked numerically.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from lab.data.chain import ChainSequences
from lab.models.transformer import Transformer


@torch.no_grad()
def matching_kernels(model: Transformer, heads: Sequence[int] | None = None) -> Tensor:
    """Kernels of layers 1 to L - 1, shape (L - 1, d, d), for row vectors.

    Ker_1 = W^qk(1) W^vo(0)ᵀ and Ker_l = W^vo(l-1) W^qk(l) W^vo(0)ᵀ, W^qk = W_Q W_Kᵀ/√d_k, W^vo = W_V W_O. In a pre-LN
    model, the norms' gains before attention are multiplied into both; post-LN gains are left out.

    Args:
        model: At least two layers.
        heads: The head used in each layer, L numbers; None means head 0 everywhere.

    Raises:
        ValueError: Fewer than two layers, or not one head per layer.
    """
    blocks = model.blocks
    heads = [0] * len(blocks) if heads is None else heads
    if len(blocks) < 2 or len(heads) != len(blocks):
        raise ValueError(
            f"{len(blocks)} layers and {len(heads)} heads: at least 2 layers and a head for each are needed"
        )
    qk = [block.attention.qk_matrix(head) for block, head in zip(blocks, heads, strict=True)]
    vo = [block.attention.vo_matrix(head) for block, head in zip(blocks, heads, strict=True)]
    if model.architecture.norm == "pre":
        gain = [block.attention_norm.weight for block in blocks]
        qk = [g[:, None] * matrix * g for g, matrix in zip(gain, qk, strict=True)]
        vo = [g[:, None] * matrix for g, matrix in zip(gain, vo, strict=True)]
    first = qk[1] @ vo[0].T
    return torch.stack([first, *(vo[layer - 1] @ qk[layer] @ vo[0].T for layer in range(2, len(blocks)))])


def normalised_embeddings(embeddings: Tensor) -> Tensor:
    """LN of each row (N, d) without gain or bias: mean 0, length √d. Scores of raw, small embeddings are all alike."""
    return layer_norm(embeddings, embeddings.shape[-1:])


def unseen_embeddings(count: int, width: int, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
    """LN of Gaussian vectors (N, d): tokens that no vocabulary has, to test whether any vector matches itself."""
    return normalised_embeddings(torch.randn(count, width, generator=generator, dtype=dtype))


def matching_matrix(kernel: Tensor, embeddings: Tensor) -> Tensor:
    """h = Ē Ker Ēᵀ, shape (..., N, N): row i asks, column j is what was stored. Kernel (..., d, d), Ē (N, d)."""
    return embeddings @ kernel @ embeddings.T


def matching_score(matrix: Tensor) -> Tensor:
    """M(h) = mean_i softmax(h_i)_i of h (..., N, N), in [0, 1].

    1/N for a kernel without preference, e^c/(e^c + N - 1) for h = c·I.
    """
    return matrix.softmax(-1).diagonal(dim1=-2, dim2=-1).mean(-1)


def matching_share(matrix: Tensor) -> Tensor:
    """Share of rows of h (..., N, N) with their largest entry on the diagonal: the score that scale cannot spoil."""
    here = torch.arange(matrix.shape[-1], device=matrix.device)
    return (matrix.argmax(-1) == here).to(matrix.dtype).mean(-1)


def diagonal_strength(kernel: Tensor) -> Tensor:
    """Mean of the diagonal over the standard deviation of all entries (..., d, d); 0 on average for a random kernel.

    c·I gives √(d²/(d - 1)) ≈ √d; a kernel of equal entries has no spread and gives an infinity or NaN.
    """
    return kernel.diagonal(dim1=-2, dim2=-1).mean(-1) / kernel.flatten(-2).std(-1, unbiased=False)


def reachable_steps(layers: int, merging: Literal["both", "one"] = "both") -> int:
    """Most reasoning steps of L layers by counting: (3^(L-1) - 1)/2 merging on both sides, 2^(L-1) - 1 on one.

    The paper states its bound as a conjecture; this is our count, which ``steps_by_merging`` simulates.
    """
    if layers < 1:
        raise ValueError(f"{layers} layers: at least 1 is needed")
    return (3 ** (layers - 1) - 1) // 2 if merging == "both" else 2 ** (layers - 1) - 1


def steps_by_merging(
    layers: int, pairs: Sequence[int], start: int, merging: Literal["both", "one"] = "both", *, causal: bool = True
) -> int:
    """Steps that a query reaches on an actual sequence when every layer merges all it can.

    After layer 1 a pair's token holds the step (c_i, c_{i+1}); in each later layer every token joins the intervals in
    its sight that share a node with its own, all tokens at once. The query stands last and starts with its own node.

    Args:
        layers: L.
        pairs: Chain index i of the pair at each place of the sequence.
        start: Chain index of the query.
        merging: An interval grows at both ends or at its far end only.
        causal: A token sees only what stands before it.

    Returns:
        Far end of the query's interval minus ``start``.
    """
    if layers < 1:
        raise ValueError(f"{layers} layers: at least 1 is needed")
    held = [*((i, i + 1) for i in pairs), (start, start)]
    for _ in range(layers - 1):
        merged = []
        for place, (low, high) in enumerate(held):
            seen = held[:place] if causal else held
            met = [at for at in seen if at[0] <= high and at[1] >= (low if merging == "both" else high)]
            low_end = min([low, *(at[0] for at in met)]) if merging == "both" else low
            merged.append((low_end, max([high, *(at[1] for at in met)])))
        held = merged
    return held[-1][1] - start


def reach_by_hops(
    layers: int, sequences: ChainSequences, hops: Sequence[int]
) -> tuple[list[int], list[float], list[float]]:
    """For each number of hops, the share of the sequences asking for it whose answer L layers can reach by merging.

    Returns:
        The hops, and the shares when every layer merges on both sides and on one; 0 where no sequence asks for so many.
    """
    asked = sequences.to("cpu")
    orders, starts = asked.pair.argsort(1).tolist(), asked.start.tolist()

    def shares(merging: Literal["both", "one"]) -> list[float]:
        pairs = zip(orders, starts, strict=True)
        reached = torch.tensor([steps_by_merging(layers, order, start, merging) for order, start in pairs])
        found = [reached[asked.steps == m] >= m for m in hops]
        return [within.double().mean().item() if len(within) else 0.0 for within in found]

    return list(hops), shares("both"), shares("one")
