"""What a decoder is made of and what flows through it: shared by its layers, its start and the measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),  # GPT-2's
}


@dataclass(frozen=True)
class Architecture:
    """Sizes and choices of a decoder.

    Attributes:
        vocabulary: Number of tokens V.
        positions: Longest sequence n_max.
        width: Residual width d.
        layers: Number of blocks L; 0 leaves embedding and unembedding.
        heads: Heads H per layer.
        head_width: d_k = d_v; None means d/H.
        mlp_width: d_ff; None means 4d.
        norm: Layer norm after the sum ("post", no final norm) or before the branch ("pre", with a final norm).
        activation: Of the MLP: "relu", "gelu" or "gelu_tanh".
        position: "learned" vectors, "rotary" turns of q and k (base 10,000), or "none".
        bias: Biases in attention and MLP.
        head_bias: Bias of the unembedding.
        tied: The unembedding is the embedding.
        outputs: Numbers read off each token, for a decoder that answers by values; None means V logits.
    """

    vocabulary: int
    positions: int
    width: int = 64
    layers: int = 2
    heads: int = 1
    head_width: int | None = None
    mlp_width: int | None = None
    norm: Literal["post", "pre"] = "post"
    activation: str = "relu"
    position: Literal["learned", "rotary", "none"] = "learned"
    bias: bool = False
    head_bias: bool = True
    tied: bool = False
    outputs: int | None = None

    def __post_init__(self) -> None:
        for name in ("vocabulary", "positions", "width", "heads", "d_k", "d_ff", "d_out"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.layers < 0:
            raise ValueError(f"layers is {self.layers}: it must be at least 0")
        if self.head_width is None and self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of {self.heads} heads: give head_width")
        if self.tied and self.d_out != self.vocabulary:
            raise ValueError(
                f"outputs is {self.d_out}: a tied unembedding has one for each of {self.vocabulary} tokens"
            )
        if self.norm not in ("post", "pre"):
            raise ValueError(f"norm {self.norm!r} is unknown: 'post' or 'pre'")
        if self.position not in ("learned", "rotary", "none"):
            raise ValueError(f"position {self.position!r} is unknown: 'learned', 'rotary' or 'none'")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r} is unknown: one of {', '.join(ACTIVATIONS)}")
        if self.position == "rotary" and self.d_k % 2:
            raise ValueError(f"head_width {self.d_k} is odd: rotary positions turn pairs")

    @property
    def d_k(self) -> int:
        return self.width // self.heads if self.head_width is None else self.head_width

    @property
    def d_ff(self) -> int:
        return 4 * self.width if self.mlp_width is None else self.mlp_width

    @property
    def d_out(self) -> int:
        return self.vocabulary if self.outputs is None else self.outputs


@dataclass
class Trace:
    """Everything that flowed in one forward pass; one entry per layer unless said otherwise.

    Attributes:
        token_part: Token embeddings, (B, n, d).
        position_part: Learned position vectors, (n, d), or zeros.
        residual: Stream before layer 0 and after each layer, L + 1 tensors (B, n, d).
        after_attention: Stream between attention and MLP, (B, n, d).
        pattern: Attention after softmax and ablation, (B, H, n, n); row = reading token, column = token read.
        value: Values of each head, (B, H, n, d_v); matching noise appends the token itself.
        head_output: What each head adds to the stream, (B, H, n, d); with the output bias it sums to attention_output.
        attention_output: Output of the attention branch, (B, n, d).
        mlp_output: Output of the MLP branch, (B, n, d).
        logits: (B, n, V).
    """

    token_part: Tensor
    position_part: Tensor
    residual: list[Tensor] = field(default_factory=list)
    after_attention: list[Tensor] = field(default_factory=list)
    pattern: list[Tensor] = field(default_factory=list)
    value: list[Tensor] = field(default_factory=list)
    head_output: list[Tensor] = field(default_factory=list)
    attention_output: list[Tensor] = field(default_factory=list)
    mlp_output: list[Tensor] = field(default_factory=list)
    logits: Tensor = field(default_factory=lambda: torch.empty(0))
