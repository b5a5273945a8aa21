"""Taking heads, MLPs and single attention edges out of a transformer for a while, and what that costs it.

Edges are cut after the softmax, without renormalising unless asked: what token ``target`` would have read from token
``source`` is left out, everything else stays. Zhang et al. (2024), arXiv 2401.08309; circuits: arXiv 2501.08537.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor

from lab.models.attention import Ablation, Edge
from lab.models.transformer import Transformer


@contextmanager
def ablated(
    model: Transformer,
    *,
    edges: Iterable[Edge] = (),
    heads: Iterable[tuple[int, int]] = (),
    mlps: Iterable[int] = (),
    renormalise: bool = False,
) -> Iterator[Transformer]:
    """Leave these out of every forward pass inside the block, on top of what is left out already.

    No weight is touched; leaving the block, by an exception too, puts the former state back bit for bit.

    Args:
        model: Ablated while the block lasts.
        edges: Attention edges to cut.
        heads: (layer, head) to silence.
        mlps: Layers whose MLP is silenced.
        renormalise: Scale the rest of a row with a cut edge to sum 1 (for outer cuts too, once asked for).

    Raises:
        ValueError: The model has no such layer or head.
    """
    before = model.ablation
    model.ablation = Ablation(
        before.edges + tuple(edges),
        before.heads | frozenset(heads),
        before.mlps | frozenset(mlps),
        before.renormalise or renormalise,
    )
    try:
        yield model
    finally:
        model.ablation = before


class Predictor(Protocol):
    """A model that predicts the token after the last one: logits (B, vocabulary) of tokens (B, n)."""

    def predict(self, tokens: Tensor) -> Tensor: ...


@torch.no_grad()
def last_token_accuracy(model: Predictor, tokens: Tensor, labels: Tensor) -> float:
    """Share of sequences (B, n) whose most likely next token after the last one is the label (B,)."""
    return (model.predict(tokens).argmax(-1) == labels).double().mean().item()


def accuracy_without(
    model: Transformer,
    tokens: Tensor,
    labels: Tensor,
    circuits: Mapping[str, Sequence[Edge]],
    *,
    renormalise: bool = False,
) -> dict[str, float]:
    """Last-token accuracy with each named set of edges cut, one set at a time; one forward pass for each.

    An edge's effect is the accuracy of the whole model minus this.
    """
    accuracy = {}
    for name, edges in circuits.items():
        with ablated(model, edges=edges, renormalise=renormalise):
            accuracy[name] = last_token_accuracy(model, tokens, labels)
    return accuracy


def accuracy_without_heads(model: Transformer, tokens: Tensor, labels: Tensor) -> Tensor:
    """Last-token accuracy with each head silenced, (L, H); L·H forward passes."""
    layers, heads = model.architecture.layers, model.architecture.heads
    accuracy = torch.empty(layers, heads, dtype=torch.float64)
    for layer in range(layers):
        for head in range(heads):
            with ablated(model, heads=[(layer, head)]):
                accuracy[layer, head] = last_token_accuracy(model, tokens, labels)
    return accuracy


def smallest_circuit(
    model: Transformer, tokens: Tensor, labels: Tensor, candidates: Sequence[Edge], *, floor: float = 0.9
) -> list[Edge]:
    """Edges that remain when candidates are cut greedily while the accuracy stays at least ``floor``.

    Each round cuts the edge whose loss costs least accuracy (the first of equals). The result is minimal, no single one
    of its edges can go, but another order may leave fewer. At most E(E + 1)/2 forward passes for E candidates.

    Raises:
        ValueError: The whole model is below the floor already.
    """
    whole = last_token_accuracy(model, tokens, labels)
    if whole < floor:
        raise ValueError(
            f"accuracy {whole:.3f} is below the floor {floor} with no edge cut: there is no circuit to find"
        )
    kept, cut = list(candidates), []
    while kept:
        accuracy = []
        for edge in kept:
            with ablated(model, edges=[*cut, edge]):
                accuracy.append(last_token_accuracy(model, tokens, labels))
        best = max(range(len(kept)), key=accuracy.__getitem__)
        if accuracy[best] < floor:
            break
        cut.append(kept.pop(best))
    return kept
