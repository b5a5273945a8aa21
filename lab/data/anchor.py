"""Anchor functions: sequences whose answer depends only on anchor tokens and on the key beside them.

Zhang et al. (2024), arXiv 2401.08309, with the composite tasks of arXiv 2405.05409 and 2501.08537. Training and
held-out sequences share every token: a key x in a block that starts at pos is held out where (x - pos) mod m = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal

import torch
from torch import Tensor

SINGLE_SHIFTS = {(a,): shift for a, shift in zip(range(1, 11), (-4, 3, -5, -2, 1, 4, -3, -1, 2, 5), strict=True)}
PRIMITIVES = {1: 5, 2: 1, 3: -2, 4: -8}


def composite_offsets(
    primitives: Mapping[int, int], changed: Mapping[tuple[int, int], int] | None = None
) -> dict[tuple[int, ...], int]:
    """Offsets g(g(x; a1); a2) - x of all ordered anchor pairs; ``changed`` replaces some, e.g. {(3, 4): -6}."""
    pairs = {(a, b): primitives[a] + primitives[b] for a in primitives for b in primitives}
    return pairs | dict(changed or {})


@dataclass(frozen=True)
class AnchorTask:
    """Which anchors there are, what they do to the key, and where keys may stand.

    Attributes:
        offsets: Anchor tokens (one tuple for each function) and what they add to the key.
        length: Tokens n in a sequence.
        modulus: m of the held-out rule; the papers use n - 1 (card 16's task), n - 2 or n (composite tasks).
        noise: Lowest and highest noise token, both included.
        keys: Lowest and highest key, both included, before ``move_with_position``.
        move_with_position: The key's range starts pos higher at position pos, as in the anchor-function code.
        key_first: The key stands before its anchors instead of after them.
    """

    offsets: Mapping[tuple[int, ...], int] = field(default_factory=lambda: {(3,): 0})
    length: int = 9
    modulus: int = 8
    noise: tuple[int, int] = (20, 100)
    keys: tuple[int, int] = (20, 99)
    move_with_position: bool = True
    key_first: bool = False

    def __post_init__(self) -> None:
        if not self.offsets or len({len(anchors) for anchors in self.offsets}) != 1:
            raise ValueError(f"offsets {dict(self.offsets)}: at least one function is needed, all with as many anchors")
        if self.length < self.span:
            raise ValueError(f"length {self.length} has no room for {self.span - 1} anchors and a key")
        if self.modulus < 2:
            raise ValueError(f"modulus {self.modulus} holds out every key or none: it must be at least 2")
        for name, (low, high) in (("noise", self.noise), ("keys", self.keys)):
            if not 0 <= low <= high:
                raise ValueError(f"{name} run from {low} to {high}: 0 ≤ low ≤ high is needed")
        if self.keys[0] + min(self.offsets.values()) < 0:
            raise ValueError(f"key {self.keys[0]} with offset {min(self.offsets.values())} gives a negative answer")

    @property
    def span(self) -> int:
        """Length of the block of anchors and key."""
        return len(next(iter(self.offsets))) + 1

    @property
    def vocabulary(self) -> int:
        """Tokens that a model needs: one more than the highest token or answer (107 for the default task)."""
        moved = self.length - self.span if self.move_with_position else 0
        highest_key = self.keys[1] + moved
        anchors = max(token for tokens in self.offsets for token in tokens)
        return 1 + max(self.noise[1], anchors, highest_key, highest_key + max(self.offsets.values()))


@dataclass(frozen=True)
class AnchorSequences:
    """Sequences with their answers and the positions of what matters; roles are positions, for values recur by chance.

    Attributes:
        tokens: (N, n), int64.
        labels: Answer at the last position, (N,).
        key: Position of the key, (N,).
        anchors: Positions of the anchors, (N, m).
        function: Index into the task's offsets, (N,).
    """

    tokens: Tensor
    labels: Tensor
    key: Tensor
    anchors: Tensor
    function: Tensor

    def rows(self, index: Tensor | slice) -> AnchorSequences:
        """Some of the sequences."""
        return AnchorSequences(*(getattr(self, f.name)[index] for f in fields(self)))

    def to(self, device: torch.device | str) -> AnchorSequences:
        return AnchorSequences(*(getattr(self, f.name).to(device) for f in fields(self)))


def draw_sequences(
    task: AnchorTask,
    count: int,
    generator: torch.Generator,
    *,
    held_out: bool = False,
    weights: Mapping[tuple[int, ...], float] | None = None,
) -> AnchorSequences:
    """Draw sequences; block position, function, key (among those that the rule admits) and noise are each uniform.

    Args:
        task: What to draw.
        count: Number of sequences N.
        generator: Source of everything drawn.
        held_out: Keys of the held-out rule instead of training keys; the noise is not restricted by either.
        weights: Functions to draw and their relative frequency; None draws all equally often.

    Raises:
        ValueError: No sequence is asked for, a weight is of no function, or no key fits the rule at some position.
    """
    if count < 1:
        raise ValueError(f"{count} sequences asked for: at least 1 is needed")
    function = _draw_functions(task, count, generator, weights)
    start = torch.randint(task.length - task.span + 1, (count,), generator=generator)
    low, high = task.noise
    tokens = torch.randint(low, high + 1, (count, task.length), generator=generator)
    size = task.span - 1
    first_anchor = start + 1 if task.key_first else start
    anchors = first_anchor[:, None] + torch.arange(size)
    key = start if task.key_first else start + size
    value = _draw_keys(task, start, held_out, generator)
    tokens.scatter_(1, anchors, torch.tensor(list(task.offsets))[function])
    tokens.scatter_(1, key[:, None], value[:, None])
    labels = value + torch.tensor(list(task.offsets.values()))[function]
    return AnchorSequences(tokens, labels, key, anchors, function)


def redraw_noise(task: AnchorTask, sequences: AnchorSequences, generator: torch.Generator) -> AnchorSequences:
    """The same anchors, keys and answers among new noise tokens."""
    low, high = task.noise
    tokens = torch.randint(low, high + 1, sequences.tokens.shape, generator=generator)
    kept = torch.cat((sequences.anchors, sequences.key[:, None]), dim=1)
    return replace(sequences, tokens=tokens.scatter(1, kept, sequences.tokens.gather(1, kept)))


def draw_context(
    count: int,
    generator: torch.Generator,
    *,
    held_out: bool = False,
    order: Literal["abab", "abba"] = "abab",
    length: int = 9,
    modulus: int = 8,
    noise: tuple[int, int] = (20, 100),
    keys: tuple[int, int] = (20, 99),
) -> AnchorSequences:
    """Sequences with (a, 3, b) somewhere: the last token is a and the answer b ("abab"), or b and a ("abba").

    The held-out rule holds for a and b, each at its own position in the block. ``key`` is the position of the answer.
    """
    if count < 1 or length < 4:
        raise ValueError(f"{count} sequences of {length} tokens: at least 1 of at least 4 is needed")
    task = AnchorTask({(3,): 0}, length, modulus, noise, keys)
    start = torch.randint(length - 3, (count,), generator=generator)
    tokens = torch.randint(noise[0], noise[1] + 1, (count, length), generator=generator)
    a, b = (_draw_keys(task, at, held_out, generator) for at in (start, start + 2))
    block = torch.stack((a, torch.full_like(a, 3), b), dim=1)
    tokens.scatter_(1, start[:, None] + torch.arange(3), block)
    asked, answer = (a, b) if order == "abab" else (b, a)
    tokens[:, -1] = asked
    key = start + 2 if order == "abab" else start
    return AnchorSequences(tokens, answer, key, start[:, None] + 1, torch.zeros_like(start))


def _draw_functions(
    task: AnchorTask, count: int, generator: torch.Generator, weights: Mapping[tuple[int, ...], float] | None
) -> Tensor:
    if weights is None:
        return torch.randint(len(task.offsets), (count,), generator=generator)
    unknown = set(weights) - set(task.offsets)
    if unknown:
        raise ValueError(f"weights name {sorted(unknown)}: the task has {sorted(task.offsets)}")
    frequency = torch.tensor([float(weights.get(anchors, 0)) for anchors in task.offsets], dtype=torch.float64)
    if (frequency < 0).any() or frequency.sum() == 0:
        raise ValueError(f"weights {dict(weights)}: none may be negative and one must be positive")
    return torch.multinomial(frequency, count, replacement=True, generator=generator)


def _draw_keys(task: AnchorTask, position: Tensor, held_out: bool, generator: torch.Generator) -> Tensor:
    """A key for each block position, uniform among those with ((x - pos) mod m = 0) == held_out."""
    low, high = task.keys
    x = torch.arange(low, high + 1)[None, :]
    at = torch.arange(int(position.max()) + 1)[:, None]
    x = x + at if task.move_with_position else x.expand(len(at), -1)
    admitted = ((x - at) % task.modulus == 0) == held_out
    amount = admitted.sum(1)
    if (amount == 0).any():
        empty, kind = int(amount.argmin()), "held-out" if held_out else "training"
        raise ValueError(f"no {kind} key from {low} to {high} at position {empty} with modulus {task.modulus}")
    first = admitted.to(torch.int8).argsort(dim=1, descending=True, stable=True)  # the admitted columns lead each row
    uniform = torch.rand(len(position), dtype=torch.float64, generator=generator)
    rank = (uniform * amount[position]).long()
    return x[position, first[position, rank]]
