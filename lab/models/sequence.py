"""Sequence models without attention, for control arms: an MLP on concatenated embeddings and an LSTM.

Zhang et al. (2024), arXiv 2401.08309, compare decoder, MLP and LSTM on anchor functions. Both answer at the last token.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class SequenceMLP(nn.Module):
    """Embeddings of all n tokens side by side, hidden ReLU layers, logits (B, V); drawn as torch draws its layers.

    Args:
        vocabulary: Tokens V.
        length: Tokens n in every sequence.
        generator: Source of the weights; the model is made on its device.
        width: Embedding width d.
        hidden: Widths of the hidden layers.
        dtype: Of all parameters.
    """

    def __init__(
        self,
        vocabulary: int,
        length: int,
        generator: torch.Generator,
        *,
        width: int = 64,
        hidden: tuple[int, ...] = (512, 512),
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.length = length
        widths = (length * width, *hidden)
        with torch.device("meta"):
            self.embedding = nn.Embedding(vocabulary, width)
            self.hidden = nn.Sequential()
            for inputs, outputs in pairwise(widths):
                self.hidden.append(nn.Linear(inputs, outputs)).append(nn.ReLU())
            self.unembedding = nn.Linear(widths[-1], vocabulary)
        _draw(self.to(dtype).to_empty(device=generator.device), generator)

    def predict(self, tokens: Tensor) -> Tensor:
        """Logits (B, V) of the token after the last, for tokens (B, n)."""
        if tokens.ndim != 2 or tokens.shape[1] != self.length or not len(tokens):
            raise ValueError(f"tokens have shape {tuple(tokens.shape)}: (at least 1, {self.length}) is needed")
        return self.unembedding(self.hidden(self.embedding(tokens).flatten(1)))

    forward = predict


class SequenceLSTM(nn.Module):
    """Embedding, LSTM layers, unembedding of the last state; arguments as in SequenceMLP."""

    def __init__(
        self,
        vocabulary: int,
        generator: torch.Generator,
        *,
        width: int = 64,
        hidden: int = 128,
        layers: int = 2,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        with torch.device("meta"):
            self.embedding = nn.Embedding(vocabulary, width)
            self.lstm = nn.LSTM(width, hidden, num_layers=layers, batch_first=True)
            self.unembedding = nn.Linear(hidden, vocabulary)
        _draw(self.to(dtype).to_empty(device=generator.device), generator)

    def predict(self, tokens: Tensor) -> Tensor:
        """Logits (B, V) of the token after the last, for tokens (B, n)."""
        if tokens.ndim != 2 or tokens.numel() == 0:
            raise ValueError(f"tokens have shape {tuple(tokens.shape)}: (batch, length) is needed, both at least 1")
        return self.unembedding(self.lstm(self.embedding(tokens))[0][:, -1])

    forward = predict


@torch.no_grad()
def _draw(model: nn.Module, generator: torch.Generator) -> None:
    """Embeddings N(0, 1); matrices and biases U(±1/√fan_in), for an LSTM U(±1/√hidden): torch's own scales."""
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.weight.normal_(generator=generator)
        elif isinstance(module, nn.Linear | nn.LSTM):
            bound = (module.in_features if isinstance(module, nn.Linear) else module.hidden_size) ** -0.5
            for parameter in module.parameters():
                parameter.uniform_(-bound, bound, generator=generator)
