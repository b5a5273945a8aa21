"""Edge weights of the flow graph: a circuit whose answer is known, and brute force over every edge."""

import numpy as np
import pytest
import torch

from lab.measures.ablation import ablated
from lab.measures.attention import attention_maps
from lab.measures.information_flow import causal_edge_effects, flow_graph, value_norm_weights
from lab.models.architecture import Architecture
from lab.models.attention import Edge
from lab.models.matching_noise import add_matching_noise
from lab.models.transformer import Transformer
from tests.lab.measures.shift_circuit import LENGTH, sequences, shift_circuit


def decoder(norm: str = "post") -> Transformer:
    sizes = Architecture(11, 6, width=8, layers=2, heads=2, norm=norm)
    return Transformer(sizes, torch.Generator().manual_seed(0), dtype=torch.float64)


def some_tokens(batch: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(11, (batch, 5), generator=generator), torch.randint(11, (batch,), generator=generator)


def test_the_circuit_answers_and_only_its_two_edges_carry_the_answer():
    model = shift_circuit()
    tokens, labels, key = sequences()
    assert torch.equal(model.predict(tokens).argmax(-1), labels)
    for row in range(3):
        effects = causal_edge_effects(model, tokens[row : row + 1], labels[row : row + 1], score="accuracy")
        expected = torch.zeros(2, 1, LENGTH, LENGTH, dtype=torch.float64)
        expected[0, 0, key[row], key[row] - 1] = 1  # the key learns that the anchor stands before it
        expected[1, 0, -1, key[row]] = 1  # the last token reads the key
        assert torch.equal(effects, expected)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("rows", [1, 7, 512])
def test_causal_effects_equal_cutting_one_edge_after_another(norm, rows):
    model, (tokens, labels) = decoder(norm), some_tokens()

    def score() -> torch.Tensor:
        return -torch.nn.functional.cross_entropy(model(tokens)[:, -1], labels)

    whole, expected = score(), torch.zeros(2, 2, 5, 5, dtype=torch.float64)
    for layer, head, target, source in np.ndindex(2, 2, 5, 5):
        if source <= target:
            with ablated(model, edges=[Edge(layer, target, source, head)]):
                expected[layer, head, target, source] = whole - score()
    effects = causal_edge_effects(model, tokens, labels, rows=rows)
    torch.testing.assert_close(effects, expected.detach(), rtol=0, atol=1e-12)
    assert effects[1, :, :-1].abs().max() == 0


def test_causal_effects_stand_on_the_ablation_that_is_on():
    model, (tokens, labels) = decoder(), some_tokens()
    outer = Edge(0, torch.tensor([4, 3, 2]), torch.tensor([1, 0, 2]), 1)
    with ablated(model, edges=[outer], heads=[(1, 0)]):
        before = model.ablation
        effects = causal_edge_effects(model, tokens, labels)
        assert model.ablation is before
        whole = -torch.nn.functional.cross_entropy(model(tokens)[:, -1], labels)
        with ablated(model, edges=[Edge(1, 4, 2, 1)]):
            cut = -torch.nn.functional.cross_entropy(model(tokens)[:, -1], labels)
    assert effects[1, 1, 4, 2].item() == pytest.approx((whole - cut).item(), abs=1e-12)
    assert effects[1, 0].abs().max() < 1e-15  # a silent head's edges carry nothing
    assert effects[0, 1, 4, 1].item() != 0  # the outer edge is cut in the first sequence alone


def test_an_unknown_score_is_refused():
    with pytest.raises(ValueError, match="'margin'"):
        causal_edge_effects(decoder(), *some_tokens(), score="margin")


@pytest.mark.parametrize("noise", [False, True])
def test_value_norm_is_the_length_of_what_one_token_receives_from_another(noise):
    model, (tokens, _) = decoder(), some_tokens()
    if noise:
        add_matching_noise(model, torch.Generator().manual_seed(2), alpha=0.5, beta=0.5)
    trace = model.trace(tokens)
    weights = value_norm_weights(model, trace)
    assert weights.shape == (2, 3, 2, 5, 5)
    x = trace.residual[0]
    for head, target, source in ((0, 4, 2), (1, 3, 0), (1, 1, 1)):
        moved = x[0, source] @ model.blocks[0].attention.vo_matrix(head)
        expected = trace.pattern[0][0, head, target, source] * moved.norm()
        torch.testing.assert_close(weights[0, 0, head, target, source], expected)


def test_the_graph_holds_the_circuits_edges_as_plain_arrays():
    model = shift_circuit()
    tokens, _, _ = sequences()
    maps = attention_maps(model, tokens)[:, 0].numpy()
    graph = flow_graph(maps, threshold=0.5)
    drawn = {
        (*graph.nodes[source].tolist(), *graph.nodes[target].tolist()): weight
        for (source, target), weight in zip(graph.edges, graph.weights, strict=True)
    }
    assert drawn[0, 1, 1, 2] == 1 and drawn[1, 2, 2, 5] == 1
    assert set(graph.head.tolist()) == {-1}
    assert graph.nodes.shape == (3 * LENGTH, 2)
    assert [(graph.nodes[a] + [1, 0]).tolist() for a, _ in graph.residual] == [
        graph.nodes[b].tolist() for _, b in graph.residual
    ]
    assert len(graph.residual) == 2 * LENGTH


def test_heads_are_averaged_chosen_or_side_by_side():
    weights = np.zeros((1, 2, 2, 2))
    weights[0, 0, 1, 0], weights[0, 1, 1, 0], weights[0, 1, 1, 1] = 0.4, -0.9, 0.05
    mean, second, every = (flow_graph(weights, head=head) for head in ("mean", 1, "all"))
    assert mean.weights.tolist() == [-0.25] and mean.edges.tolist() == [[0, 3]]
    assert second.weights.tolist() == [-0.9] and second.head.tolist() == [1]
    assert every.weights.tolist() == [0.4, -0.9] and every.head.tolist() == [0, 1]
    assert len(flow_graph(weights, head="all", threshold=0).weights) == 3  # what is exactly 0 is no edge
    assert flow_graph(weights, threshold=2).edges.shape == (0, 2)


def test_shapes_and_heads_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3, 3\)"):
        flow_graph(np.zeros((2, 3, 3)))
    with pytest.raises(ValueError, match="heads 0 to 0"):
        flow_graph(np.zeros((2, 1, 3, 3)), head=1)
