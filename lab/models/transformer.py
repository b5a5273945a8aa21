"""The decoder-only transformer that the reasoning experiments share; its forward pass can be traced and ablated.

Per layer: scores QKᵀ/√d_k under a causal mask, softmax, values, output projection d_k·H → d, then an MLP d → d_ff → d.
Post-LN: x ← LN(x + Attn(x)); x ← LN(x + MLP(x)), as in Vaswani et al. (2017) and Zhang et al. (2024), arXiv 2401.08309.
Pre-LN: x ← x + Attn(LN x); x ← x + MLP(LN x), and one final LN, as in GPT-2.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lab.models.architecture import ACTIVATIONS, Architecture, Trace
from lab.models.attention import Ablation, Attention


class Block(nn.Module):
    """One layer: attention and MLP, each with its residual sum and norm."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.pre = a.norm == "pre"
        self.activation = ACTIVATIONS[a.activation]
        self.attention_norm = nn.LayerNorm(a.width)
        self.attention = Attention(a)
        self.mlp_norm = nn.LayerNorm(a.width)
        self.mlp_in = nn.Linear(a.width, a.d_ff, bias=a.bias)
        self.mlp_out = nn.Linear(a.d_ff, a.width, bias=a.bias)

    def mlp(self, x: Tensor) -> Tensor:
        return self.mlp_out(self.activation(self.mlp_in(x)))

    def forward(
        self, x: Tensor, ablation: Ablation, layer: int, trace: Trace | None = None, last: bool = False
    ) -> Tensor:
        """Stream after the layer, (B, n, d), or of the last token alone, (B, 1, d), if ``last``."""
        branch = self.attention(self.attention_norm(x) if self.pre else x, ablation, layer, trace, last)
        attended = branch + (x[:, -1:] if last else x)
        middle = attended if self.pre else self.attention_norm(attended)
        mlp_output = self.mlp(self.mlp_norm(middle) if self.pre else middle)
        if layer in ablation.mlps:
            mlp_output = torch.zeros_like(mlp_output)
        out = middle + mlp_output if self.pre else self.mlp_norm(middle + mlp_output)
        if trace is not None:
            trace.after_attention.append(middle)
            trace.mlp_output.append(mlp_output)
            trace.residual.append(out)
        return out


class Transformer(nn.Module):
    """A causal decoder from tokens (B, n) to logits (B, n, V), drawn from ``generator`` as torch draws its own layers.

    ``normal_init`` draws it again with a chosen scale. Nothing here touches the global random state. Every sequence of
    a batch has the same length; padding on the right needs no mask, since no earlier token can read it.

    Args:
        architecture: Sizes and choices.
        generator: Source of the weights; the model is made on its device.
        dtype: Of all parameters.
    """

    def __init__(
        self, architecture: Architecture, generator: torch.Generator, *, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        self._ablation = Ablation()
        with torch.device("meta"):  # no memory and no random numbers for values that torch_init replaces
            self.embedding = nn.Embedding(a.vocabulary, a.width)
            self.position = nn.Embedding(a.positions, a.width) if a.position == "learned" else None
            self.blocks = cast("list[Block]", nn.ModuleList(Block(a) for _ in range(a.layers)))
            self.final_norm = nn.LayerNorm(a.width) if a.norm == "pre" else nn.Identity()
            self.unembedding = None if a.tied else nn.Linear(a.width, a.d_out, bias=a.head_bias)
            self.tied_bias = nn.Parameter(torch.empty(a.vocabulary)) if a.tied and a.head_bias else None
        self.to(dtype).to_empty(device=generator.device)
        torch_init(self, generator)

    @property
    def unembedding_weight(self) -> Tensor:
        """W_U, shape (V, d)."""
        return self.embedding.weight if self.unembedding is None else self.unembedding.weight

    @property
    def ablation(self) -> Ablation:
        """What the forward pass leaves out now. ``lab.measures.ablation.ablated`` sets it for a while."""
        return self._ablation

    @ablation.setter
    def ablation(self, ablation: Ablation) -> None:
        ablation.check(self.architecture.layers, self.architecture.heads)
        self._ablation = ablation

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, n, V) of ``tokens`` (B, n), under the current ablation."""
        return self.unembed(self.run_layers(self.embed(tokens)))

    def predict(self, tokens: Tensor) -> Tensor:
        """Logits of the last token alone, (B, V): ``forward(tokens)[:, -1]`` without the work that it does not need."""
        x, final = self.embed(tokens), len(self.blocks) - 1
        whole = any(edge.layer == final for edge in self._ablation.edges)  # they name positions among all tokens
        for layer, block in enumerate(self.blocks):
            x = block(x, self._ablation, layer, last=layer == final and not whole)
        return self.unembed(x[:, -1:])[:, 0]

    def embed(self, tokens: Tensor) -> Tensor:
        """Stream before layer 0, (B, n, d)."""
        self._check_shape(tokens)
        x = self.embedding(tokens)
        return x if self.position is None else x + self.position.weight[: tokens.shape[1]]

    def run_layers(self, x: Tensor, start: int = 0, trace: Trace | None = None) -> Tensor:
        """Carry the stream ``x`` (B, n, d) through layers ``start`` to L - 1."""
        for layer in range(start, len(self.blocks)):
            x = self.blocks[layer](x, self._ablation, layer, trace)
        return x

    def unembed(self, x: Tensor) -> Tensor:
        """Logits (B, n, V) of a stream (B, n, d), through the final norm where there is one."""
        bias = self.tied_bias if self.unembedding is None else self.unembedding.bias
        return functional.linear(self.final_norm(x), self.unembedding_weight, bias)

    def trace(self, tokens: Tensor) -> Trace:
        """Forward pass that keeps every intermediate; gradients flow unless the caller turns them off.

        Attention is computed openly (no fused kernel), so logits agree with ``forward`` to rounding, not bit for bit.

        Raises:
            ValueError: Empty, too long or not (B, n), or a token outside the vocabulary.
        """
        self._check_shape(tokens)
        low, high = int(tokens.min()), int(tokens.max())
        if low < 0 or high >= self.architecture.vocabulary:
            raise ValueError(f"tokens run from {low} to {high}: the vocabulary has {self.architecture.vocabulary}")
        x = self.embed(tokens)
        token_part = self.embedding(tokens)
        none = torch.zeros_like(token_part[0])
        trace = Trace(token_part, none if self.position is None else self.position.weight[: tokens.shape[1]])
        trace.residual.append(x)
        trace.logits = self.unembed(self.run_layers(x, trace=trace))
        return trace

    def _check_shape(self, tokens: Tensor) -> None:
        if tokens.ndim != 2 or tokens.numel() == 0:
            raise ValueError(f"tokens have shape {tuple(tokens.shape)}: (batch, length) is needed, both at least 1")
        if tokens.shape[1] > self.architecture.positions:
            raise ValueError(f"sequences of {tokens.shape[1]} tokens, {self.architecture.positions} positions")


@torch.no_grad()
def torch_init(model: Transformer, generator: torch.Generator) -> None:
    """Draw as torch's layers do by default: matrices and biases U(±1/√d_in), embeddings N(0, 1), norms 1 and 0."""
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.weight.normal_(generator=generator)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            module.weight.uniform_(-bound, bound, generator=generator)
            if module.bias is not None:
                module.bias.uniform_(-bound, bound, generator=generator)
        elif isinstance(module, nn.LayerNorm):
            module.weight.fill_(1)
            module.bias.zero_()
    if model.tied_bias is not None:
        model.tied_bias.zero_()
