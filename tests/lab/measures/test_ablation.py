"""Ablation blocks put everything back bit for bit, nest, and measure what an edge or a head is worth."""

import pytest
import torch

from lab.measures.ablation import (
    ablated,
    accuracy_without,
    accuracy_without_heads,
    last_token_accuracy,
    smallest_circuit,
)
from lab.models.architecture import Architecture
from lab.models.attention import Ablation, Edge
from lab.models.transformer import Transformer
from tests.lab.measures.shift_circuit import ANCHOR, sequences, shift_circuit


def decoder(dtype: torch.dtype = torch.float32) -> Transformer:
    return Transformer(Architecture(11, 8, width=16, heads=2), torch.Generator().manual_seed(0), dtype=dtype)


TOKENS = torch.randint(11, (4, 6), generator=torch.Generator().manual_seed(1))


def test_leaving_the_block_restores_output_and_weights_bit_for_bit():
    model = decoder()
    before, weights = model(TOKENS), {name: value.clone() for name, value in model.state_dict().items()}
    with ablated(model, edges=[Edge(0, 5, 2)], heads=[(1, 0)], mlps=[0], renormalise=True) as inside:
        assert inside is model
        assert not torch.allclose(model(TOKENS), before)
    assert torch.equal(model(TOKENS), before)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert model.ablation == Ablation()


def test_an_exception_inside_restores_too():
    model = decoder()
    before = model(TOKENS)
    with pytest.raises(RuntimeError, match="inside"), ablated(model, heads=[(0, 0)]):
        raise RuntimeError("inside")
    assert torch.equal(model(TOKENS), before)


def test_blocks_nest_and_unwind_one_by_one():
    model = decoder(torch.float64)
    with ablated(model, heads=[(0, 0)]):
        outer = model(TOKENS)
        with ablated(model, heads=[(1, 1)], edges=[Edge(1, 5, 3)]):
            nested = model(TOKENS)
        assert torch.equal(model(TOKENS), outer)
    with ablated(model, heads=[(0, 0), (1, 1)], edges=[Edge(1, 5, 3)]):
        assert torch.equal(model(TOKENS), nested)
    assert not torch.allclose(outer, nested)


def test_a_layer_that_is_not_there_is_refused_and_nothing_is_left_behind():
    model = decoder()
    with pytest.raises(ValueError, match="layers 0 to 1"), ablated(model, mlps=[2]):
        pass
    assert model.ablation == Ablation()


def test_training_continues_under_an_ablation():
    model = decoder()
    silent = model.blocks[0].attention
    with ablated(model, heads=[(0, 0), (0, 1)]):
        model.predict(TOKENS).square().sum().backward()
    assert silent.output.weight.grad.abs().max() == 0
    assert model.blocks[1].attention.output.weight.grad.abs().max() > 0


def test_named_circuits_cost_the_hand_built_model_what_they_carry():
    model = shift_circuit()
    tokens, labels, key = sequences()
    last = torch.full_like(key, 5)
    circuits = {
        "key <- anchor": [Edge(0, key, key - 1)],
        "last <- key": [Edge(1, last, key)],
        "key <- key": [Edge(0, key, key)],
        "last <- anchor": [Edge(1, last, key - 1)],
        "last <- key, layer 0": [Edge(0, last, key)],
        "nothing": [],
    }
    accuracy = accuracy_without(model, tokens, labels, circuits)
    assert last_token_accuracy(model, tokens, labels) == 1
    assert accuracy == dict.fromkeys(circuits, 1.0) | {"key <- anchor": 0.0, "last <- key": 0.0}
    assert (tokens.gather(1, key[:, None] - 1) == ANCHOR).all()


def test_silencing_either_head_of_the_circuit_loses_the_answer():
    model = shift_circuit()
    tokens, labels, _ = sequences()
    assert accuracy_without_heads(model, tokens, labels).tolist() == [[0.0], [0.0]]
    assert model.ablation == Ablation()


def test_the_smallest_circuit_of_the_hand_built_model_is_its_two_edges():
    model = shift_circuit()
    tokens, labels, key = sequences()
    last = torch.full_like(key, 5)
    shift, match = Edge(0, key, key - 1), Edge(1, last, key)
    candidates = [Edge(0, last, last), shift, Edge(0, key, key), match, Edge(1, last, key - 1)]
    assert smallest_circuit(model, tokens, labels, candidates) == [shift, match]
    with pytest.raises(ValueError, match=r"accuracy 0\.000"):
        smallest_circuit(model, tokens, labels + 1, candidates)


def test_the_accuracy_of_any_model_that_predicts_builds_no_graph():
    class Echo:
        def predict(self, tokens: torch.Tensor) -> torch.Tensor:
            assert not torch.is_grad_enabled()
            return torch.nn.functional.one_hot(tokens[:, -1], 5).float()

    assert last_token_accuracy(Echo(), torch.tensor([[0, 1], [0, 2]]), torch.tensor([1, 3])) == 0.5


@pytest.mark.parametrize("layer", [0, 1])
def test_the_prediction_under_cuts_is_the_last_token_of_the_whole_pass(layer: int):
    model = decoder()
    with ablated(model, edges=[Edge(layer, 3, 1)], heads=[(1, 0)], mlps=[0]):
        torch.testing.assert_close(model.predict(TOKENS), model(TOKENS)[:, -1], rtol=0, atol=1e-6)
