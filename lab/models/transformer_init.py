"""Initial weights of the transformer: torch's own, or N(0, d_in^(-2γ)) with a rate γ for each group of matrices.

γ is the initialisation rate of Zhang et al. (2024), arXiv 2405.05409, and (2025), arXiv 2501.08537: γ = 0.5 is the
usual 1/√d_in, a larger γ a smaller start. A fixed σ has the equivalent rate -ln σ / ln d_in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from lab.models.transformer import Transformer, torch_init

GROUPS: tuple[str, ...] = ("embedding", "qk", "vo", "mlp")


@torch.no_grad()
def normal_init(
    model: Transformer,
    generator: torch.Generator,
    *,
    gamma: float | Mapping[str, float] = 0.5,
    std: float | None = None,
    fan_in: int | None = None,
    residual_scaling: Literal["none", "mlp", "both"] = "none",
    zero_bias: bool = False,
) -> None:
    """Draw every matrix from N(0, σ²), σ = d_in^(-γ), or with one σ for all.

    Args:
        model: Its matrices are replaced; norms become 1 and 0.
        generator: Source of the numbers.
        gamma: Rate γ, or one for each of "embedding" (with positions and unembedding), "qk", "vo" and "mlp".
        std: One σ for every matrix instead of γ (GPT-2's is 0.02).
        fan_in: One d_in for every matrix; None takes each matrix's own (for embeddings the width).
        residual_scaling: Divide σ by √(2L) for the MLP's second matrix ("mlp"), or attention's output too ("both").
        zero_bias: Biases 0; otherwise they stay U(±1/√d_in), as torch draws them.

    Raises:
        ValueError: A group of γ is missing or unknown, or ``std`` is negative.
    """
    rates: dict[str, float] = dict.fromkeys(GROUPS, gamma) if isinstance(gamma, int | float) else dict(gamma)
    if set(rates) != set(GROUPS):
        raise ValueError(f"γ is given for {sorted(rates)}: it is needed for {', '.join(GROUPS)}")
    if std is not None and std < 0:
        raise ValueError(f"std is {std}: it cannot be negative")
    if residual_scaling not in ("none", "mlp", "both"):
        raise ValueError(f"residual_scaling {residual_scaling!r} is unknown: 'none', 'mlp' or 'both'")
    scaled = {"none": (), "mlp": ("mlp_out",), "both": ("mlp_out", "output")}[residual_scaling]
    torch_init(model, generator)
    for name, group, weight in matrices(model):
        sigma = std if std is not None else (fan_in or weight.shape[1]) ** -rates[group]
        if name.endswith(scaled):
            sigma /= math.sqrt(2 * len(model.blocks))
        weight.normal_(0, sigma, generator=generator)
    if zero_bias:
        for module in model.modules():
            if isinstance(module, nn.Linear) and module.bias is not None:
                module.bias.zero_()


def matrices(model: Transformer) -> Iterator[tuple[str, str, Tensor]]:
    """Name, group of γ and weights (d_out, d_in) of each matrix; q, k and v one by one, as views of the model's."""
    yield "embedding", "embedding", model.embedding.weight
    if model.position is not None:
        yield "position", "embedding", model.position.weight
    for layer, block in enumerate(model.blocks):
        attention = block.attention
        yield f"{layer}.query", "qk", attention.query_weight
        yield f"{layer}.key", "qk", attention.key_weight
        yield f"{layer}.value", "vo", attention.value_weight
        yield f"{layer}.output", "vo", attention.output.weight
        yield f"{layer}.mlp_in", "mlp", block.mlp_in.weight
        yield f"{layer}.mlp_out", "mlp", block.mlp_out.weight
    if model.unembedding is not None:
        yield "unembedding", "embedding", model.unembedding.weight


def equivalent_gamma(std: float, fan_in: int) -> float:
    """Rate γ at which d_in^(-γ) equals ``std``: -ln σ / ln d_in (0.94 for σ = 0.02 at d_in = 64)."""
    if std <= 0 or fan_in < 2:
        raise ValueError(f"no γ for σ = {std} at d_in = {fan_in}: σ > 0 and d_in ≥ 2 are needed")
    return -math.log(std) / math.log(fan_in)
