"""Attention maps and their summaries against closed forms and loops."""

import math

import pytest
import torch

from lab.measures.attention import (
    aligned_mean,
    attention_between,
    attention_entropy,
    attention_maps,
    attention_stable_rank,
    rollout,
)
from lab.models.architecture import Architecture
from lab.models.transformer import Transformer


def some_maps(layers: int = 2, batch: int = 3, heads: int = 2, n: int = 5) -> torch.Tensor:
    model = Transformer(
        Architecture(11, 8, width=8, layers=layers, heads=heads), torch.Generator().manual_seed(0), dtype=torch.float64
    )
    return attention_maps(model, torch.randint(11, (batch, n), generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_sum_to_one_and_no_token_reads_a_later_one(dtype):
    model = Transformer(Architecture(11, 8, heads=4), torch.Generator().manual_seed(0), dtype=dtype)
    maps = attention_maps(model, torch.randint(11, (3, 8), generator=torch.Generator().manual_seed(1)))
    assert maps.shape == (2, 3, 4, 8, 8) and not maps.requires_grad
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 3, 4, 8, dtype=dtype), rtol=0, atol=1e-6)
    assert (maps.triu(1) == 0).all()


def test_reading_maps_draws_no_random_number():
    state = torch.get_rng_state()
    some_maps()
    assert torch.equal(torch.get_rng_state(), state)


def test_the_weight_between_roles_is_taken_per_sequence():
    maps, target, source = some_maps(), torch.tensor([4, 2, 3]), torch.tensor([0, 2, 1])
    between = attention_between(maps, target, source)
    assert between.shape == (2, 3, 2)
    for row in range(3):
        assert torch.equal(between[:, row], maps[:, row, :, target[row], source[row]])
    assert torch.equal(attention_between(maps[0], target, source), between[0])


def test_the_aligned_mean_is_the_mean_over_sequences_of_role_by_role_weights():
    maps, roles = some_maps(), torch.tensor([[0, 1, 4], [2, 3, 4], [1, 2, 4]])
    aligned = aligned_mean(maps, roles)
    assert aligned.shape == (2, 2, 3, 3)
    for r in range(3):
        for s in range(3):
            expected = attention_between(maps, roles[:, r], roles[:, s]).mean(1)
            torch.testing.assert_close(aligned[..., r, s], expected)
    with pytest.raises(ValueError, match="empty batch"):
        aligned_mean(maps[:, :0], roles[:0])


def test_entropy_is_one_for_uniform_zero_for_one_hot_and_a_half_for_two_of_four():
    uniform = torch.ones(1, 1, 6, 6, dtype=torch.float64).tril()
    uniform = uniform / uniform.sum(-1, keepdim=True)
    assert attention_entropy(uniform).item() == pytest.approx(1)
    assert attention_entropy(torch.eye(6, dtype=torch.float64)[None, None]).item() == 0
    two_of_four = uniform.clone()
    two_of_four[0, 0, 3, :4] = torch.tensor([0.5, 0.5, 0, 0])
    assert attention_entropy(two_of_four).item() == pytest.approx(math.log(2) / math.log(4))
    assert attention_entropy(two_of_four, over="mean").item() == pytest.approx((4 + 0.5) / 5)
    assert attention_entropy(two_of_four, first=4).item() == pytest.approx(1)


def test_entropy_takes_the_least_position_before_the_batch_mean():
    maps = some_maps()
    expected = torch.zeros(2, 2, dtype=torch.float64)
    for layer in range(2):
        for head in range(2):
            least = []
            for sequence in maps[layer, :, head]:
                rows = [-(row * (row + 1e-300).log()).sum() / math.log(t + 1) for t, row in enumerate(sequence) if t]
                least.append(min(rows))
            expected[layer, head] = torch.stack(least).mean()
    torch.testing.assert_close(attention_entropy(maps), expected)


def test_rollout_rows_sum_to_one_and_equal_the_product():
    maps = some_maps(layers=3).mean(2)
    flow, eye = rollout(maps), torch.eye(5, dtype=torch.float64)
    torch.testing.assert_close(flow.sum(-1), torch.ones(3, 5, dtype=torch.float64))
    by_hand = (maps[2, 1] + eye) / 2 @ ((maps[1, 1] + eye) / 2) @ ((maps[0, 1] + eye) / 2)
    torch.testing.assert_close(flow[1], by_hand)


@pytest.mark.parametrize("options", [{"first": 0}, {"first": 5}, {"over": "max"}])
def test_impossible_entropies_are_refused(options):
    with pytest.raises(ValueError, match=str(next(iter(options.values())))):
        attention_entropy(some_maps(), **options)


def test_the_stable_rank_is_one_for_one_mixture_n_for_the_identity_and_that_of_the_matrix_between():
    uniform, eye = torch.full((5, 5), 0.2), torch.eye(5)
    torch.testing.assert_close(attention_stable_rank(torch.stack([uniform, eye])), torch.tensor([1.0, 5.0]).double())
    maps = some_maps()
    found = attention_stable_rank(maps)
    assert found.shape == maps.shape[:-2]
    one = maps[1, 2, 0]
    expected = (one**2).sum() / torch.linalg.eigvalsh(one.T @ one)[-1]
    assert found[1, 2, 0].item() == pytest.approx(expected.item(), rel=1e-12)
