"""Matching scores against closed forms, kernels against the network's own scores, reach against counting."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch

from lab.data.chain import draw_chains
from lab.measures.decoder_checks import layers_to_reach
from lab.measures.matching import (
    diagonal_strength,
    matching_kernels,
    matching_matrix,
    matching_score,
    matching_share,
    normalised_embeddings,
    reach_by_hops,
    reachable_steps,
    steps_by_merging,
    unseen_embeddings,
)
from lab.models.architecture import Architecture
from lab.models.matching_noise import add_matching_noise
from lab.models.transformer import Transformer


def decoder(norm: str = "post", layers: int = 3, heads: int = 2) -> Transformer:
    sizes = Architecture(11, 8, width=12, layers=layers, heads=heads, norm=norm)
    return Transformer(sizes, torch.Generator().manual_seed(0), dtype=torch.float64)


def test_kernels_are_the_products_of_the_layers_matrices():
    model, heads = decoder(), [1, 0, 1]
    kernels = matching_kernels(model, heads)
    part = [slice(6 * head, 6 * head + 6) for head in heads]
    q, k, v, o = ([], [], [], [])
    for at, block in zip(part, model.blocks, strict=True):
        attention = block.attention
        q.append(attention.query_weight[at].T), k.append(attention.key_weight[at].T)
        v.append(attention.value_weight[at].T), o.append(attention.output.weight[:, at].T)
    qk = [a @ b.T / math.sqrt(6) for a, b in zip(q, k, strict=True)]
    vo = [a @ b for a, b in zip(v, o, strict=True)]
    torch.testing.assert_close(kernels[0], qk[1] @ vo[0].T)
    torch.testing.assert_close(kernels[1], vo[1] @ qk[2] @ vo[0].T)
    assert not kernels.requires_grad


def test_the_kernel_is_the_score_between_a_query_and_what_layer_zero_stored():
    """If layer 0 adds W^vo(0) of token j to the stream, token i asks layer 1 for it with score h_ij."""
    model = decoder(heads=1)
    e = normalised_embeddings(model.embedding.weight.detach())
    matrix = matching_matrix(matching_kernels(model)[0], e)
    attention = model.blocks[1].attention
    stored = e @ model.blocks[0].attention.vo_matrix(0)
    asked = e @ attention.query_weight.T
    torch.testing.assert_close(matrix, asked @ (stored @ attention.key_weight.T).T / math.sqrt(12))


def test_pre_norm_gains_are_multiplied_in():
    model = decoder("pre", layers=2, heads=1)
    plain = matching_kernels(model)[0]
    gains = [torch.rand(12, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) + 0.5 for s in (1, 2)]
    with torch.no_grad():
        for block, gain in zip(model.blocks, gains, strict=True):
            block.attention_norm.weight.copy_(gain)
    qk, vo = model.blocks[1].attention.qk_matrix(0), model.blocks[0].attention.vo_matrix(0)
    expected = gains[1].diag() @ qk @ gains[1].diag() @ (gains[0].diag() @ vo).T
    torch.testing.assert_close(matching_kernels(model)[0], expected.detach())
    assert not torch.allclose(plain, expected)


def test_the_score_of_a_scaled_identity_is_in_closed_form():
    matrix = 3 * torch.eye(7, dtype=torch.float64)
    assert matching_score(matrix).item() == pytest.approx(math.exp(3) / (math.exp(3) + 6))
    assert matching_share(matrix).item() == 1
    assert matching_score(torch.zeros(7, 7, dtype=torch.float64)).item() == pytest.approx(1 / 7)


def test_a_random_kernel_matches_one_token_in_forty():
    generator = torch.Generator().manual_seed(0)
    e = unseen_embeddings(40, 64, generator, torch.float64)
    kernels = torch.randn(200, 64, 64, generator=generator, dtype=torch.float64) / 64
    matrices = matching_matrix(kernels, e)
    assert matching_score(matrices).mean().item() == pytest.approx(0.025, abs=0.004)
    assert matching_share(matrices).mean().item() == pytest.approx(0.025, abs=0.008)
    assert abs(diagonal_strength(kernels).mean().item()) < 0.03


def test_share_is_free_of_scale_where_the_score_is_not():
    e = 0.01 * normalised_embeddings(
        torch.randn(10, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    )
    matrix = matching_matrix(torch.eye(16, dtype=torch.float64), e)
    assert matching_share(matrix).item() == 1 and matching_score(matrix).item() < 0.11


def test_the_diagonal_strength_of_the_identity_is_about_root_d():
    assert diagonal_strength(5 * torch.eye(16, dtype=torch.float64)).item() == pytest.approx(16 / math.sqrt(15))


def test_normalised_embeddings_have_mean_zero_and_length_root_d():
    e = normalised_embeddings(torch.randn(9, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    torch.testing.assert_close(e.mean(1), torch.zeros(9, dtype=torch.float64))
    torch.testing.assert_close(e.norm(dim=1), torch.full((9,), 50**0.5, dtype=torch.float64), rtol=1e-4, atol=0)


def test_matching_noise_pulls_the_kernel_towards_the_identity():
    sizes = Architecture(60, 8, width=128, layers=2, heads=1)
    model = Transformer(sizes, torch.Generator().manual_seed(0), dtype=torch.float64)
    e = unseen_embeddings(40, 128, torch.Generator().manual_seed(1), torch.float64)
    before = matching_share(matching_matrix(matching_kernels(model)[0], e)).item()
    add_matching_noise(model, torch.Generator().manual_seed(2), alpha=1, beta=1)
    after = matching_share(matching_matrix(matching_kernels(model)[0], e)).item()
    assert before < 0.2 and after > 0.9


def test_reach_follows_the_counting_argument():
    assert [reachable_steps(layers) for layers in range(1, 6)] == [0, 1, 4, 13, 40]
    assert [reachable_steps(layers, "one") for layers in range(1, 6)] == [0, 1, 3, 7, 15]
    assert layers_to_reach(np.array([0, 1, 4, 13, 40])) == pytest.approx([1, 2, 3, 4, 5])


@pytest.mark.parametrize("merging", ["both", "one"])
@pytest.mark.parametrize("layers", range(1, 6))
def test_merging_without_a_mask_reaches_the_count(merging, layers):
    pairs = list(range(100))
    assert steps_by_merging(layers, pairs, 50, merging, causal=False) == reachable_steps(layers, merging)


@pytest.mark.parametrize(
    ("order", "one", "both"),
    [
        ((3, 2, 1, 0), 3, 3),  # layer 2 gives pair 1 nodes 1 to 3; the query stands at 1 and takes them
        ((0, 1, 2, 3), 2, 3),  # forward merging fails: pair 1 does not see pair 2, but pair 2 takes pair 1 in backwards
        ((0, 1, 3, 2), 2, 4),  # pair 2 sees both neighbours: nodes 1 to 4
    ],
)
def test_under_the_causal_mask_the_order_of_the_pairs_decides(order, one, both):
    assert steps_by_merging(3, order, 0, "one") == one
    assert steps_by_merging(3, order, 0, "both") == both


def test_one_layer_reaches_nothing_and_each_further_one_at_least_a_step():
    for order in permutations(range(4)):
        reached = [steps_by_merging(layers, order, 0, "one") for layers in range(1, 6)]
        assert reached[0] == 0 and all(at >= layer for layer, at in enumerate(reached))


def test_impossible_kernels_and_depths_are_refused():
    with pytest.raises(ValueError, match="1 layers"):
        matching_kernels(decoder(layers=1))
    with pytest.raises(ValueError, match="2 heads"):
        matching_kernels(decoder(), [0, 0])
    for reach in (lambda: reachable_steps(0), lambda: steps_by_merging(0, [0], 0)):
        with pytest.raises(ValueError, match="0 layers"):
            reach()


def test_the_reach_is_the_share_of_sequences_whose_answer_merging_comes_to():
    drawn = draw_chains(60, torch.Generator().manual_seed(0), kind="counted", edges=4, steps=(1, 2, 3))
    hops, both, one = reach_by_hops(2, drawn, [1, 2, 3, 4])
    assert (both[0], one[0], both[1:], one[3]) == (1.0, 1.0, [0.0] * 3, 0.0) and hops == [1, 2, 3, 4]
    orders, asked = drawn.pair.argsort(1).tolist(), drawn.steps == 2
    far = [steps_by_merging(3, order, start) >= 2 for order, start in zip(orders, drawn.start.tolist(), strict=True)]
    expected = sum(far[row] for row in range(60) if asked[row]) / int(asked.sum())
    assert reach_by_hops(3, drawn, [2])[1] == [expected]
