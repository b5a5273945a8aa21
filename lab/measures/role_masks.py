"""Edges and heads that a user takes out of a transformer by pointing at one sequence, kept by role for all of them.

The key stands elsewhere in every sequence, so an edge is not remembered as "4 reads 3" but as "the key reads its
anchor". A token without a role is remembered by its position, and such an edge leaves out the sequences in which one of
its two positions has a role: cutting between noise tokens never cuts a circuit by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lab.config import ConfigError
from lab.measures.ablation import ablated
from lab.models.attention import Edge

Roles = Mapping[str, Tensor]  # position of each role in each sequence, (B,); -1 where a sequence lacks it


def role_at(roles: Roles, row: int, position: int) -> str:
    """Role of a position in sequence ``row``: the first that stands there, or the position as text."""
    return next((name for name, at in roles.items() if int(at[row]) == position), str(position))


class RoleMasks:
    """What is masked now; it knows no weights, so it is kept in a run's state beside the model.

    Args:
        layers: L of the transformer; 0 for a model without attention, in which nothing can be masked.
        heads: Heads H per layer.
        length: Tokens n in every sequence.
    """

    def __init__(self, layers: int, heads: int, length: int) -> None:
        self._layers, self._heads, self._length = layers, heads, length
        self.edges: list[tuple[int, str, str, int | None]] = []  # layer, target, source, head (None: all)
        self.heads: list[tuple[int, int]] = []

    def __bool__(self) -> bool:
        return bool(self.edges or self.heads)

    def toggle_edge(self, layer: int, target: int, source: int, head: int | None, *, roles: Roles, row: int) -> None:
        """Mask the edge that is pointed at in sequence ``row``, or give it back where it is masked.

        Raises:
            ConfigError: There is no such edge.
        """
        self._check(layer, head)
        if not 0 <= source <= target < self._length:
            raise ConfigError({"edge": f"token {target} of {self._length} does not read token {source}"})
        _toggle(self.edges, (layer, role_at(roles, row, target), role_at(roles, row, source), head))

    def toggle_head(self, layer: int, head: int) -> None:
        """Silence a head, or give it back. Raises ConfigError when there is no such head."""
        self._check(layer, head)
        _toggle(self.heads, (layer, head))

    def clear(self) -> None:
        self.edges, self.heads = [], []

    def edges_in(self, roles: Roles) -> list[Edge]:
        """The masked edges at their positions in the batch whose roles are given."""
        last = self._length - 1
        return [Edge(layer, *_place(target, source, roles, last), head) for layer, target, source, head in self.edges]

    @contextmanager
    def on(self, model: Any, roles: Roles) -> Iterator[None]:
        """Every forward pass inside leaves the masked edges and heads out; a model without attention stays whole."""
        if not self:
            yield
            return
        with ablated(model, edges=self.edges_in(roles), heads=self.heads):
            yield

    def state_dict(self) -> dict[str, Any]:
        return {"edges": list(self.edges), "heads": list(self.heads)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.edges, self.heads = list(state["edges"]), list(state["heads"])

    def _check(self, layer: int, head: int | None) -> None:
        if not self._layers:
            raise ConfigError({"layer": "this model has no attention to mask"})
        if not 0 <= layer < self._layers or not 0 <= (head or 0) < self._heads:
            there = f"layers 0 to {self._layers - 1}, heads 0 to {self._heads - 1}"
            raise ConfigError({"layer": f"no head {0 if head is None else head} in layer {layer}: there are {there}"})


def _toggle(items: list[Any], item: Any) -> None:
    items.remove(item) if item in items else items.append(item)


def _place(target: str, source: str, roles: Roles, last: int) -> tuple[Tensor, Tensor]:
    """Target and source positions, (B,) each; an edge that does not hold in a sequence goes where none can be."""
    like = next(iter(roles.values()))
    missing = torch.zeros_like(like, dtype=torch.bool)
    positions = []
    for name in (target, source):
        at = roles[name] if name in roles else torch.full_like(like, int(name))
        missing |= at < 0 if name in roles else torch.stack([at == other for other in roles.values()]).any(0)
        positions.append(at)
    # under the causal mask token 0 never reads the last one: cutting that changes nothing
    return positions[0].masked_fill(missing, 0), positions[1].masked_fill(missing, last)
