"""Chains for multi-step reasoning: shuffled pairs (a, b) of a chain, then a query; the answer is m steps further on.

Wang et al. (2024), arXiv 2405.15302. Training and held-out sequences share every token: the difference of neighbours
mod 5 is 0, 1 or 4 in training chains and 2 or 3 in held-out ones, so that no ordered pair occurs in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

TRAIN_RESIDUES, HELD_OUT_RESIDUES = (0, 1, 4), (2, 3)
_TRIES = 1000  # proposals per token before a range counts as too small


@dataclass(frozen=True)
class ChainSequences:
    """Sequences with their answers and where each step of the queried chain stands.

    Attributes:
        tokens: Pairs, then the query (and the step count in "counted"), (N, n), int64.
        labels: (N,).
        chain: Queried chain, (N, K + 1).
        pair: Sequence position of the first token of each pair (c_i, c_{i+1}) of that chain, (N, K).
        start: Index s of the query in the chain, (N,).
        steps: m, (N,).
    """

    tokens: Tensor
    labels: Tensor
    chain: Tensor
    pair: Tensor
    start: Tensor
    steps: Tensor

    def rows(self, index: Tensor | slice) -> ChainSequences:
        """Some of the sequences."""
        return ChainSequences(*(getattr(self, f.name)[index] for f in fields(self)))

    def to(self, device: torch.device | str) -> ChainSequences:
        return ChainSequences(*(getattr(self, f.name).to(device) for f in fields(self)))

    def node(self, hop: int) -> Tensor:
        """Where the token stands that is ``hop`` steps from the query: second of its pair, (N,)."""
        return self.pair.gather(1, (self.start + hop - 1)[:, None])[:, 0] + 1

    def in_order(self) -> Tensor:
        """Whether each pair that the answer needs stands after the one before it in the chain, (N,), bool."""
        index = torch.arange(self.pair.shape[1], device=self.pair.device)
        needed = (index >= self.start[:, None]) & (index < (self.start + self.steps)[:, None])
        return ((self.pair.diff(dim=1) > 0) | ~(needed[:, 1:] & needed[:, :-1])).all(1)

    def roles(self, *, counted: bool) -> dict[str, Tensor]:
        """Positions, (N,) each, of the query, of the count where there is one, and of the queried chain's pairs.

        Pairs are counted from the one that begins with the query; -1 where there is none.
        """
        last, edges = self.tokens.shape[1] - 1, self.pair.shape[1]
        roles = {"query": torch.full_like(self.start, last - counted)}
        if counted:
            roles["count"] = torch.full_like(self.start, last)
        for offset in range(1 - edges, edges):
            index = self.start + offset
            inside = (index >= 0) & (index < edges)
            first = self.pair.gather(1, index.clamp(0, edges - 1)[:, None])[:, 0]
            roles[f"pair {offset:+d} first"] = first.masked_fill(~inside, -1)
            roles[f"pair {offset:+d} second"] = (first + 1).masked_fill(~inside, -1)
        return roles


def draw_chains(
    count: int,
    generator: torch.Generator,
    *,
    kind: Literal["single", "double", "noised", "counted"] = "single",
    edges: int = 4,
    steps: int | Sequence[int] = 2,
    tokens: tuple[int, int] = (20, 59),
    held_out: bool | None = False,
) -> ChainSequences:
    """Draw chain sequences.

    Args:
        count: Number of sequences N.
        generator: Source of everything drawn.
        kind: "single" chain, n = 2K + 1; "counted": with m after the query, n = 2K + 2; "double": two chains, the query
            from either, n = 4K + 1; "noised": two chains with one extra pair into an inner node of each, the query m
            steps before its chain's end, n = 4K + 5.
        edges: K pairs in each chain.
        steps: m, or several to draw from uniformly ("counted" writes m itself as a token).
        tokens: Lowest and highest token, both included.
        held_out: Residues of held-out chains, of training chains, or None for any.

    Raises:
        ValueError: Sizes that cannot be, or too few tokens for distinct chains.
    """
    choices = torch.tensor([steps] if isinstance(steps, int) else list(steps))
    low, high = tokens
    if count < 1 or edges < 1 or not len(choices) or choices.min() < 1 or choices.max() > edges:
        raise ValueError(f"{count} sequences, {edges} edges, steps {choices.tolist()}: 1 ≤ steps ≤ edges is needed")
    if kind == "noised" and edges < 2:
        raise ValueError(f"noised chains of {edges} edge have no inner node: at least 2 are needed")
    if not 0 <= low <= high:
        raise ValueError(f"tokens from {low} to {high}: 0 ≤ low ≤ high is needed")
    if kind == "counted" and choices.max() >= low:
        raise ValueError(f"tokens from {low} mix with the step counts up to {int(choices.max())}: start them above")
    residues = torch.tensor({False: TRAIN_RESIDUES, True: HELD_OUT_RESIDUES, None: range(5)}[held_out])
    chains = 1 if kind in ("single", "counted") else 2
    used = torch.empty(count, 0, dtype=torch.int64)
    for at in range(chains * (edges + 1)):
        before = None if at % (edges + 1) == 0 else used[:, -1]
        used = torch.cat((used, _draw_tokens(before, used, residues, tokens, generator)[:, None]), dim=1)
    nodes = used.unflatten(1, (chains, edges + 1))
    pairs = torch.stack((nodes[:, :, :-1], nodes[:, :, 1:]), dim=-1).flatten(1, 2)
    if kind == "noised":
        for chain in nodes.unbind(1):
            inner = chain.gather(1, torch.randint(1, edges, (count, 1), generator=generator))[:, 0]
            extra = _draw_tokens(inner, used, residues, tokens, generator)
            used = torch.cat((used, extra[:, None]), dim=1)
            pairs = torch.cat((pairs, torch.stack((extra, inner), dim=1)[:, None]), dim=1)
    return _lay_out(pairs, nodes, choices, kind, generator)


def _lay_out(pairs: Tensor, nodes: Tensor, choices: Tensor, kind: str, generator: torch.Generator) -> ChainSequences:
    """Shuffle the pairs (N, E, 2) and append a query into one of the chains (N, C, K + 1)."""
    count, total, _ = pairs.shape
    row, edges = torch.arange(count), nodes.shape[2] - 1
    order = torch.rand(count, total, dtype=torch.float64, generator=generator).argsort(dim=1)
    queried = torch.randint(nodes.shape[1], (count,), generator=generator)
    steps = choices[torch.randint(len(choices), (count,), generator=generator)]
    uniform = torch.rand(count, dtype=torch.float64, generator=generator)
    start = edges - steps if kind == "noised" else (uniform * (edges - steps + 1)).long()
    chain = nodes[row, queried]
    parts = [pairs[row[:, None], order].flatten(1), chain[row, start][:, None]]
    if kind == "counted":
        parts.append(steps[:, None])
    place = order.argsort(dim=1)  # where each pair went
    pair = 2 * place.gather(1, queried[:, None] * edges + torch.arange(edges))
    return ChainSequences(torch.cat(parts, dim=1), chain[row, start + steps], chain, pair, start, steps)


def _draw_tokens(
    before: Tensor | None, used: Tensor, residues: Tensor, limits: tuple[int, int], generator: torch.Generator
) -> Tensor:
    """One new token for each row: not used yet, within the limits, and at an admitted residue from ``before``."""
    low, high = limits
    drawn = torch.empty(len(used), dtype=torch.int64)
    left = torch.arange(len(used))
    for _ in range(_TRIES):
        token = torch.randint(low, high + 1, (len(left),), generator=generator)
        if before is not None:
            residue = residues[torch.randint(len(residues), (len(left),), generator=generator)]
            token = token // 5 * 5 + (before[left] + residue) % 5
        good = (token >= low) & (token <= high) & (token[:, None] != used[left]).all(1)
        drawn[left[good]] = token[good]
        left = left[~good]
        if not len(left):
            return drawn
    raise ValueError(f"tokens {low} to {high} are too few for distinct chains at these residues: widen the range")
