"""Causal self-attention that can be watched and cut.

The plain path is torch's fused attention; the pattern is made openly only when someone watches it or an edge is cut.
Second derivatives and vmap need ``torch.nn.attention.sdpa_kernel(SDPBackend.MATH)`` around the plain path.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from lab.models.architecture import Architecture, Trace


@dataclass(frozen=True)
class Edge:
    """One attention edge: in ``layer``, token ``target`` reads token ``source``, in one head or (None) in all.

    ``target`` and ``source`` are positions, or tensors of shape (B,) with one position per sequence of the batch.
    """

    layer: int
    target: int | Tensor
    source: int | Tensor
    head: int | None = None

    def repeated(self, times: int) -> Edge:
        """The same edge for a batch that follows itself ``times`` times."""
        target, source = (
            at.repeat(times) if isinstance(at, Tensor) and at.ndim else at for at in (self.target, self.source)
        )
        return Edge(self.layer, target, source, self.head)


@dataclass(frozen=True)
class Ablation:
    """What the forward pass leaves out; the weights stay as they are, so taking it away restores every bit.

    Attributes:
        edges: Entries of the attention pattern multiplied by 0 after the softmax.
        heads: (layer, head) whose output is 0.
        mlps: Layers whose MLP output is 0.
        renormalise: Scale what is left of a row with a cut edge back to sum 1 (a row cut whole stays 0).
    """

    edges: tuple[Edge, ...] = ()
    heads: frozenset[tuple[int, int]] = frozenset()
    mlps: frozenset[int] = frozenset()
    renormalise: bool = False

    def __bool__(self) -> bool:
        return bool(self.edges or self.heads or self.mlps)

    def check(self, layers: int, heads: int) -> None:
        """Raise ValueError where a layer or head is not in a model of ``layers`` layers of ``heads`` heads."""
        named = [(edge.layer, edge.head) for edge in self.edges] + list(self.heads) + [(at, None) for at in self.mlps]
        for layer, head in named:
            if not 0 <= layer < layers:
                raise ValueError(f"layer {layer} cannot be ablated: the model has layers 0 to {layers - 1}")
            if head is not None and not 0 <= head < heads:
                raise ValueError(f"head {head} of layer {layer} cannot be ablated: it has heads 0 to {heads - 1}")


class Attention(nn.Module):
    """Causal self-attention; q, k and v share one matrix, so that one product makes the three."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.heads, self.head_width, self.rotary = a.heads, a.d_k, a.position == "rotary"
        self.qkv = nn.Linear(a.width, 3 * a.heads * a.d_k, bias=a.bias)
        self.output = nn.Linear(a.heads * a.d_k, a.width, bias=a.bias)

    @property
    def query_weight(self) -> Tensor:
        """W^Q, shape (H·d_k, d): row i holds the input weights of neuron i. A view: writing to it writes the model."""
        return self.qkv.weight.view(3, -1, self.qkv.in_features)[0]

    @property
    def key_weight(self) -> Tensor:
        """W^K, shape (H·d_k, d), a view."""
        return self.qkv.weight.view(3, -1, self.qkv.in_features)[1]

    @property
    def value_weight(self) -> Tensor:
        """W^V, shape (H·d_v, d), a view."""
        return self.qkv.weight.view(3, -1, self.qkv.in_features)[2]

    def project(self, x: Tensor, last: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (only the last token's if ``last``), keys and values of ``x`` (B, n, d), each (B, H, n, d_k)."""
        if last:
            size, weight, bias = self.heads * self.head_width, self.qkv.weight, self.qkv.bias
            q_bias, kv_bias = (None, None) if bias is None else (bias[:size], bias[size:])
            q = linear(x[:, -1:], weight[:size], q_bias).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            kv = linear(x, weight[size:], kv_bias).unflatten(-1, (2, self.heads, -1))
            k, v = kv.permute(2, 0, 3, 1, 4)
        else:
            q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return (rotate(q, x.shape[1]), rotate(k, x.shape[1]), v) if self.rotary else (q, k, v)

    def qk_matrix(self, head: int) -> Tensor:
        """W_Q W_Kᵀ/√d_k of one head, (d, d): the score of rows x, y is x W yᵀ (biases and rotary turns left out)."""
        q, k = (weight.unflatten(0, (self.heads, -1))[head] for weight in (self.query_weight, self.key_weight))
        return q.T @ k * self.head_width**-0.5

    def vo_matrix(self, head: int) -> Tensor:
        """W_V W_O of one head, (d, d): reading row y adds y W to the stream."""
        v = self.value_weight.unflatten(0, (self.heads, -1))[head]
        return v.T @ self.output.weight.unflatten(1, (self.heads, -1))[:, head].T

    def merge(self, mixed: Tensor) -> Tensor:
        """Attended values (B, H, n, d_v) to the branch's output (B, n, d)."""
        return self.output(mixed.transpose(1, 2).flatten(2))

    def head_outputs(self, mixed: Tensor) -> Tensor:
        """What each head adds to the stream for attended values, without the output bias, (B, H, n, d).

        It is linear: given the values themselves, it says what reading each token with weight 1 would add.
        """
        return torch.einsum("bhnk,dhk->bhnd", mixed, self.output.weight.unflatten(1, (self.heads, -1)))

    def forward(
        self, x: Tensor, ablation: Ablation, layer: int, trace: Trace | None = None, last: bool = False
    ) -> Tensor:
        """Branch output (B, n, d) for the stream ``x``; of the last token alone if ``last`` (for a plain pass)."""
        q, k, v = self.project(x, last)
        edges = [edge for edge in ablation.edges if edge.layer == layer]
        pattern = None
        if trace is None and not edges:
            mixed = scaled_dot_product_attention(q, k, v, is_causal=not last, scale=self.head_width**-0.5)
        else:
            pattern = cut_edges(causal_pattern(q, k, self.head_width**-0.5), edges, ablation.renormalise)
            mixed = pattern @ v
        silent = [head for at, head in ablation.heads if at == layer]
        if silent:
            keep = torch.ones(self.heads, dtype=x.dtype, device=x.device)
            keep[silent] = 0
            mixed = mixed * keep[:, None, None]
        out = self.merge(mixed)
        if trace is not None and pattern is not None:
            trace.pattern.append(pattern)
            trace.value.append(v)
            trace.head_output.append(self.head_outputs(mixed))
            trace.attention_output.append(out)
        return out


def causal_pattern(q: Tensor, k: Tensor, scale: float) -> Tensor:
    """softmax(scale·QKᵀ) over the tokens up to each one's own position, (B, H, n, n)."""
    n = q.shape[-2]
    future = torch.ones(n, n, dtype=torch.bool, device=q.device).triu(1)
    return (q @ k.transpose(-1, -2) * scale).masked_fill(future, -torch.inf).softmax(-1)


def cut_edges(pattern: Tensor, edges: list[Edge], renormalise: bool) -> Tensor:
    """Pattern (B, H, n, n) with the edges' entries at exactly 0."""
    if not edges:
        return pattern
    batch, _, n, _ = pattern.shape
    keep = torch.ones_like(pattern)
    row = torch.arange(batch, device=pattern.device)
    for edge in edges:
        target, source = (torch.as_tensor(at, device=pattern.device) for at in (edge.target, edge.source))
        for at in (target, source):
            if at.shape not in ((), (batch,)):
                raise ValueError(
                    f"edge positions of shape {tuple(at.shape)}: one number, or one for each of {batch} rows"
                )
            if at.min() < 0 or at.max() >= n:
                raise ValueError(f"edge position {int(at.min())} to {int(at.max())} in sequences of {n} tokens")
        keep[row, slice(None) if edge.head is None else edge.head, target, source] = 0
    cut = pattern * keep
    if not renormalise:
        return cut
    left, touched = cut.sum(-1, keepdim=True), (keep == 0).any(-1, keepdim=True)
    return torch.where(touched & (left > 0), cut / left.where(left > 0, torch.ones_like(left)), cut)


def rotate(x: Tensor, end: int, base: float = 10_000.0) -> Tensor:
    """Rotary positions (Su et al. 2021): at position t, the pair (i, i + d/2) turns by t·base^(-2i/d).

    Args:
        x: Queries or keys (..., n, d) of the positions end - n to end - 1.
        end: One past the last position.
        base: Sets the slowest turn.
    """
    n, d = x.shape[-2:]
    speed = base ** (-torch.arange(0, d, 2, dtype=x.dtype, device=x.device) / d)
    angle = torch.arange(end - n, end, dtype=x.dtype, device=x.device)[:, None] * speed
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()), dim=-1)
