"""Information-flow graphs of a transformer: nodes are (layer, token), edges carry one stated weight.

An edge (l, source) -> (l + 1, target) of a head weighs one of
    attention     A[target, source], as the anchor-function paper draws it (Zhang et al. 2024, arXiv 2401.08309);
    value norm    A[target, source]·‖V_source W_O‖, what is moved and not only where from (Kobayashi et al. 2020);
    causal        the score lost when the edge is cut.
Attention alone misleads: a weight at its uniform value can carry the whole answer, and only the causal one shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.models.architecture import Trace
from lab.models.attention import Edge
from lab.models.transformer import Transformer


@dataclass(frozen=True)
class FlowGraph:
    """A drawn graph as plain arrays, to be stored in a run file and drawn by a view.

    Attributes:
        nodes: (layer, token), (N, 2); layer l stands before layer l's attention, layer L is the output.
        edges: Indices into nodes, source and target, (E, 2).
        head: Head of each edge, (E,); -1 where heads were averaged.
        weights: (E,).
        residual: Residual edges as indices into nodes, (R, 2).
    """

    nodes: NDArray[np.int64]
    edges: NDArray[np.int64]
    head: NDArray[np.int64]
    weights: NDArray[np.float64]
    residual: NDArray[np.int64]


def flow_graph(
    weights: NDArray[np.floating], *, head: int | Literal["mean", "all"] = "mean", threshold: float = 0.1
) -> FlowGraph:
    """Graph of the edges whose magnitude is at least ``threshold``; needs no model, so a stored row is enough.

    Args:
        weights: Edge weights [layer, head, target, source] of one sequence or of roles, (L, H, n, n).
        head: One head, their mean, or every head's edges side by side.
        threshold: Smallest |weight| that is kept, in the weight's unit.

    Raises:
        ValueError: The shape is another, or there is no such head.
    """
    if weights.ndim != 4 or weights.shape[-1] != weights.shape[-2]:
        raise ValueError(f"weights have shape {weights.shape}: (layers, heads, tokens, tokens) is needed")
    layers, heads, n, _ = weights.shape
    if head == "mean":
        kept, first = weights.mean(1, keepdims=True), -1
    elif head == "all":
        kept, first = weights, 0
    elif 0 <= head < heads:
        kept, first = weights[:, head : head + 1], head
    else:
        raise ValueError(f"head {head}: there are heads 0 to {heads - 1}")
    layer, of_head, target, source = np.nonzero((np.abs(kept) >= threshold) & (kept != 0))
    nodes = np.stack(np.meshgrid(np.arange(layers + 1), np.arange(n), indexing="ij"), axis=-1).reshape(-1, 2)
    below = np.arange(layers * n)
    return FlowGraph(
        nodes=nodes,
        edges=np.stack((layer * n + source, (layer + 1) * n + target), axis=1),
        head=of_head + first,
        weights=kept[layer, of_head, target, source].astype(np.float64),
        residual=np.stack((below, below + n), axis=1),
    )


def value_norm_weights(model: Transformer, trace: Trace) -> Tensor:
    """A[target, source]·‖V_source W_O‖ of every edge, shape (L, B, H, n, n), in units of the residual stream."""
    weights = []
    for block, pattern, value in zip(model.blocks, trace.pattern, trace.value, strict=True):
        weights.append(pattern * block.attention.head_outputs(value).norm(dim=-1)[:, :, None, :])
    return torch.stack(weights)


@torch.no_grad()
def causal_edge_effects(
    model: Transformer,
    tokens: Tensor,
    labels: Tensor,
    *,
    score: Literal["log_probability", "accuracy"] = "log_probability",
    renormalise: bool = False,
    rows: int = 512,
) -> Tensor:
    """Score lost at the last token when one edge alone is cut, for every edge, averaged over the sequences.

    Cost: H·n(n+1)/2 partial forward passes (from the edge's layer up) for each layer but the last, where only the last
    token's n edges of each head can count. Runs on top of the model's current ablation.

    Args:
        model: In evaluation or training mode; nothing of it changes.
        tokens: (B, n).
        labels: (B,).
        score: Mean log-probability of the label, in nats, or accuracy.
        renormalise: Scale the rest of the row back to sum 1.
        rows: Sequences in one batched pass; bounds the memory.

    Returns:
        (L, H, n, n), [layer, head, target, source], positive where the edge helps; in float64.
    """
    if score not in ("log_probability", "accuracy"):
        raise ValueError(f"score {score!r} is unknown: 'log_probability' or 'accuracy'")
    batch, n = tokens.shape
    trace, before = model.trace(tokens), model.ablation
    whole = _last_token_score(trace.logits[:, -1], labels, score)
    shape = (len(model.blocks), model.architecture.heads, n, n)
    effects = torch.zeros(shape, dtype=torch.float64, device=tokens.device)
    try:
        for layer, head in np.ndindex(*shape[:2]):
            first = n - 1 if layer == shape[0] - 1 else 0  # above the last layer only the last token is read
            edges = torch.tensor([(t, s) for t in range(first, n) for s in range(t + 1)], device=tokens.device)
            for target, source in (part.T for part in edges.split(max(1, rows // batch))):
                many = len(target)
                edge = Edge(layer, target.repeat_interleave(batch), source.repeat_interleave(batch), head)
                others = tuple(edge.repeated(many) for edge in before.edges)
                model.ablation = replace(before, edges=(*others, edge), renormalise=renormalise or before.renormalise)
                stream = model.run_layers(trace.residual[layer].repeat(many, 1, 1), layer)
                logits = model.unembed(stream[:, -1:])[:, 0]
                cut = _last_token_score(logits, labels.repeat(many), score).view(many, batch)
                effects[layer, head, target, source] = (whole - cut).mean(1)
    finally:
        model.ablation = before
    return effects


def _last_token_score(logits: Tensor, labels: Tensor, score: str) -> Tensor:
    """Score of each sequence, (B,), float64."""
    if score == "accuracy":
        return (logits.argmax(-1) == labels).double()
    return logits.double().log_softmax(-1).gather(1, labels[:, None])[:, 0]
