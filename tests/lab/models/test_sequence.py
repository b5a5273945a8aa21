"""The control models answer from all tokens, come from their generator, and refuse what they cannot read."""

import pytest
import torch

from lab.models.sequence import SequenceLSTM, SequenceMLP

TOKENS = torch.randint(11, (4, 6), generator=torch.Generator().manual_seed(1))


def made(kind: str, seed: int = 0) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    if kind == "mlp":
        return SequenceMLP(11, 6, generator, width=5, hidden=(7, 8), dtype=torch.float64)
    return SequenceLSTM(11, generator, width=5, hidden=7, dtype=torch.float64)


def test_the_mlp_is_the_product_written_out():
    model = made("mlp")
    first, second = (layer for layer in model.hidden if isinstance(layer, torch.nn.Linear))
    x = torch.cat([model.embedding.weight[TOKENS[:, at]] for at in range(6)], dim=1)
    x = (x @ first.weight.T + first.bias).clamp(min=0)
    x = (x @ second.weight.T + second.bias).clamp(min=0)
    torch.testing.assert_close(model.predict(TOKENS), x @ model.unembedding.weight.T + model.unembedding.bias)


def test_the_lstm_reads_token_after_token():
    model = made("lstm")
    state = None
    for at in range(6):
        out, state = model.lstm(model.embedding(TOKENS[:, at : at + 1]), state)
    torch.testing.assert_close(model.predict(TOKENS), model.unembedding(out[:, -1]))


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_weights_come_from_the_generator_alone(kind):
    state = torch.get_rng_state()
    first, again, other = made(kind), made(kind), made(kind, 1)
    assert torch.equal(torch.get_rng_state(), state)
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b) and not torch.equal(a, c)


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_every_token_counts(kind):
    model, base = made(kind), TOKENS[:1]
    for at in range(6):
        other = base.clone()
        other[0, at] = (other[0, at] + 1) % 11
        assert not torch.equal(model(base), model(other))


def test_impossible_tokens_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 5\)"):
        made("mlp")(TOKENS[:, :5])
    with pytest.raises(ValueError, match=r"\(0, 6\)"):
        made("mlp")(TOKENS[:0])
    with pytest.raises(ValueError, match=r"\(4, 0\)"):
        made("lstm")(TOKENS[:, :0])
