"""What the residual stream holds: the logit lens, and the stream as an exact sum of what every component wrote.

Logit lens: nostalgebraist (2020). Sum: Elhage et al. (2021), A Mathematical Framework for Transformer Circuits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lab.models.architecture import Trace
from lab.models.transformer import Transformer


def logit_lens(model: Transformer, trace: Trace) -> Tensor:
    """Logits that the stream would give if the network ended there, (L + 1, B, n, V).

    Each stream passes the final norm (pre-LN models have one) and the unembedding; the last entry equals the logits.
    """
    return model.unembed(torch.stack(trace.residual))


def residual_parts(model: Transformer, trace: Trace) -> dict[str, Tensor]:
    """What every component contributes to the vector that the unembedding reads; the sum of the parts is that vector.

    A layer norm is not linear, but for the pass that was traced it is: with its standard deviation held at the value
    it had, it centres and scales each part, and its bias is a part of its own. So parts of a post-LN model, whose norms
    act on the stream, are what is left of each contribution at the end. Parts say what was written, not what would
    change if a component were cut: for that, cut it.

    Args:
        model: The traced model.
        trace: Its trace; an ablation that was on while tracing is in it.

    Returns:
        Parts (B, n, d) by name: "token", "position", "0.2" (layer.head), "0.attention bias", "0.mlp", and the biases of
        the norms: "0.attention norm bias", "0.mlp norm bias", "final norm bias". The sum agrees to 1e-10 in float64.
    """
    parts = {"token": trace.token_part, "position": trace.position_part.expand_as(trace.token_part)}
    post = model.architecture.norm == "post"
    for layer, block in enumerate(model.blocks):
        heads = trace.head_output[layer]
        parts |= {f"{layer}.{head}": heads[:, head] for head in range(heads.shape[1])}
        if block.attention.output.bias is not None:
            parts[f"{layer}.attention bias"] = block.attention.output.bias.expand_as(trace.token_part)
        if post:
            summed = trace.residual[layer] + trace.attention_output[layer]
            parts = _through_norm(parts, summed, block.attention_norm, f"{layer}.attention norm bias")
        parts[f"{layer}.mlp"] = trace.mlp_output[layer]
        if post:
            summed = trace.after_attention[layer] + trace.mlp_output[layer]
            parts = _through_norm(parts, summed, block.mlp_norm, f"{layer}.mlp norm bias")
    if isinstance(model.final_norm, nn.LayerNorm):
        parts = _through_norm(parts, trace.residual[-1], model.final_norm, "final norm bias")
    return parts


def logit_parts(model: Transformer, trace: Trace, token: Tensor) -> dict[str, Tensor]:
    """Direct contribution of every component to the last position's logit of ``token`` (B,), each (B,).

    The unembedding's bias is not a component: the sum is the logit without it.
    """
    direction = model.unembedding_weight[token]
    return {name: (part[:, -1] * direction).sum(-1) for name, part in residual_parts(model, trace).items()}


def _through_norm(parts: dict[str, Tensor], summed: Tensor, norm: nn.LayerNorm, bias: str) -> dict[str, Tensor]:
    """Each part centred and scaled as the norm did to ``summed``, and the norm's bias under its own name."""
    scale = norm.weight / (summed.var(-1, keepdim=True, unbiased=False) + norm.eps).sqrt()
    through = {name: (part - part.mean(-1, keepdim=True)) * scale for name, part in parts.items()}
    return through | {bias: norm.bias.expand_as(summed)}
