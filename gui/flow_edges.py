"""Which edges of an information-flow graph are drawn, where, and which are masked. No Qt, for figures too."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lab.stream import Event
from lab.views import FlowGraph

MOST = 300  # edges drawn at once
BEND = np.linspace(0.0, 1.0, 13)  # where a curve is looked up for the pointer


class Edge(NamedTuple):
    """In ``layer`` and ``head`` token ``target`` reads token ``source``."""

    layer: int
    head: int
    target: int
    source: int


@dataclass(frozen=True)
class Edges:
    """Edges that are drawn, the weakest first.

    Attributes:
        places: Layer, head, target, source (E, 4).
        weights: (E,).
        strongest: Largest magnitude of all weights, drawn or not; 0 where there is none.
        hidden: How many more are over the threshold.
    """

    places: np.ndarray
    weights: np.ndarray
    strongest: float
    hidden: int

    def __len__(self) -> int:
        return len(self.weights)


def checked(weights: np.ndarray) -> np.ndarray:
    """A row of weights (layers, heads, target, source) as floats; ValueError where its shape is another."""
    weights = np.asarray(weights, float)
    if weights.ndim != 4 or weights.shape[2] != weights.shape[3] or not weights.size:
        raise ValueError(f"edge weights have shape {weights.shape}; (layers, heads, tokens, tokens) is needed")
    return weights


def strongest_edges(weights: np.ndarray, heads: Iterable[int], share: float, most: int = MOST) -> Edges:
    """Edges whose magnitude is over a share of the largest.

    Args:
        weights: (layers, heads, target, source); what is not finite counts as no edge.
        heads: Heads that are shown.
        share: Threshold as a share of the largest magnitude of any head, so that it means the same for all.
        most: How many at most; the strongest are kept.
    """
    size = np.where(np.isfinite(weights), np.abs(weights), 0.0)
    top = float(size.max(initial=0.0))
    shown = np.zeros(weights.shape[1], bool)
    shown[list(heads)] = True
    # strictly over, so that a threshold of 0 draws no edge that is not there
    places = np.argwhere((size > share * top) & shown[:, None, None])
    found = size[tuple(places.T)]
    hidden = max(len(found) - most, 0)
    if hidden:
        kept = np.argpartition(found, hidden)[hidden:]
        places, found = places[kept], found[kept]
    order = np.argsort(found, kind="stable")
    places = places[order]
    return Edges(places, weights[tuple(places.T)], top, hidden)


def masked_edges(events: Iterable[Event], spec: FlowGraph, step: int | None) -> set[tuple[int, int | None, int, int]]:
    """Layer, head (None: all), target and source of every edge that is masked at ``step`` (None: now).

    The action masks an edge, or gives it back when it is masked.
    """
    masked: set[tuple[int, int | None, int, int]] = set()
    for event in events:
        done = event["payload"].get("action") if event["kind"] == "action" else None
        if done is None or (step is not None and event["step"] > step):
            continue
        if done == spec.clear:
            masked.clear()
        elif done == spec.action:
            to = event["payload"].get("arguments", {})
            if all(isinstance(to.get(name), int) for name in ("layer", "target", "source")):
                masked ^= {(to["layer"], to.get("head"), to["target"], to["source"])}
    return masked


@dataclass(frozen=True)
class Frame:
    """Where the nodes of one graph stand: tokens from left to right, layers from below.

    Attributes:
        area: Left, top, width and height of what the nodes fill; heights grow downwards.
        layers: Number of layers; there is one row of nodes more.
        low, high: Stretch of tokens in sight, in tokens.
        heads: Number of heads: edges of different heads are drawn side by side.
    """

    area: tuple[float, float, float, float]
    layers: int
    low: float
    high: float
    heads: int = 1

    @property
    def gap(self) -> float:
        """Points between two tokens."""
        return self.area[2] / (self.high - self.low)

    def x(self, token: np.ndarray | float) -> np.ndarray:
        return self.area[0] + (np.asarray(token) + 0.5 - self.low) * self.gap

    def y(self, layer: np.ndarray | float) -> np.ndarray:
        return self.area[1] + (1 - np.asarray(layer) / self.layers) * self.area[3]

    def curves(self, places: np.ndarray) -> np.ndarray:
        """Begin, two controls and end (E, 4, 2) of the curve of each edge (E, 4)."""
        layer, head, target, source = places.T
        aside = (head - (self.heads - 1) / 2) * min(2.5, 0.3 * self.gap / self.heads)
        x0, x1, y0, y1 = self.x(source) + aside, self.x(target) + aside, self.y(layer), self.y(layer + 1)
        middle = (y0 + y1) / 2
        return np.stack([np.stack([x0, x0, x1, x1], 1), np.stack([y0, middle, middle, y1], 1)], axis=2)


def bent(curves: np.ndarray) -> np.ndarray:
    """Points (E, k, 2) on curves (E, 4, 2)."""
    t = BEND[:, None]
    shares = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    return np.einsum("kc,ecd->ekd", shares, curves)


def distances(curves: np.ndarray, x: float, y: float) -> np.ndarray:
    """Distance (E,) of a point from each curve."""
    points = bent(curves)
    begin, along = points[:, :-1], np.diff(points, axis=1)
    to = np.array([x, y]) - begin
    share = np.clip((to * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12), 0, 1)
    return np.hypot(*np.moveaxis(to - share[..., None] * along, -1, 0)).min(axis=1)
