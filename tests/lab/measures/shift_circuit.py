"""A two-layer circuit set by hand, whose every edge is known: it answers an anchor (token 3) with the token behind it.

Layer 0 moves each token's left neighbour into a slot of its own; in layer 1 every position looks for the slot that
holds the anchor and copies the token found there.
"""

import torch

from lab.models.architecture import Architecture
from lab.models.transformer import Transformer

VOCABULARY, LENGTH, ANCHOR = 12, 6, 3


@torch.no_grad()
def shift_circuit() -> Transformer:
    """Stream: one-hots of token, position and left neighbour, then their negatives, so that norms only scale.

    Scores are so large that patterns are one-hot.
    """
    v, n = VOCABULARY, LENGTH
    half = 2 * v + n
    sizes = Architecture(
        v, n, width=2 * half, layers=2, heads=1, head_width=v, mlp_width=1, norm="pre", head_bias=False
    )
    model = Transformer(sizes, torch.Generator().manual_seed(0), dtype=torch.float64)
    for name, weight in model.named_parameters():
        if "norm" not in name:
            weight.zero_()
    token, position, left = slice(0, v), slice(v, v + n), slice(v + n, half)
    tokens, positions = torch.eye(v, dtype=torch.float64), torch.eye(n, dtype=torch.float64)
    model.embedding.weight[:, token] = tokens
    model.position.weight[:, position] = positions
    shift, match = (block.attention for block in model.blocks)
    shift.query_weight[: n - 1, position] = 1000 * positions[1:]  # position t asks for t - 1
    shift.key_weight[:n, position] = positions
    shift.value_weight[:, token] = tokens
    shift.output.weight[left] = tokens / 4  # the norm has scaled it by about 4
    match.query_weight[ANCHOR, position] = 1000
    match.key_weight[:, left] = tokens
    match.value_weight[:, token] = tokens
    match.output.weight[token] = 2 * tokens
    for written in (model.embedding.weight.T, model.position.weight.T, shift.output.weight, match.output.weight):
        written[half:] = -written[:half]
    model.unembedding.weight[:, token] = tokens
    return model


def sequences() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens (3, 6), answers (3,) and key positions (3,); the anchor stands before the key, never at position 0."""
    tokens = torch.tensor([[5, 3, 7, 8, 9, 4], [6, 10, 3, 11, 5, 8], [4, 9, 6, 3, 5, 7]])
    key = torch.tensor([2, 3, 4])
    return tokens, tokens.gather(1, key[:, None])[:, 0], key
