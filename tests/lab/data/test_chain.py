"""Chain sequences: every answer follows from the pairs, and training and held-out pairs never meet."""

import pytest
import torch

from lab.data.chain import draw_chains

KINDS = {"single": 9, "counted": 10, "double": 17, "noised": 21}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("held_out", [False, True])
def test_following_the_pairs_from_the_query_gives_the_answer(kind, held_out):
    steps = (1, 2, 3) if kind == "counted" else 2
    drawn = draw_chains(1500, seeded(), kind=kind, edges=4, steps=steps, tokens=(20, 79), held_out=held_out)
    assert drawn.tokens.shape == (1500, KINDS[kind])
    for tokens, label, m in zip(drawn.tokens.tolist(), drawn.labels.tolist(), drawn.steps.tolist(), strict=True):
        pairs = len(tokens) // 2 if kind != "counted" else len(tokens) // 2 - 1
        following = {tokens[2 * i]: tokens[2 * i + 1] for i in range(pairs)}
        assert len(following) == pairs  # nobody has two successors
        for a, b in following.items():
            assert ((b - a) % 5 in (2, 3)) == held_out
        query = tokens[2 * pairs]
        if kind == "counted":
            assert tokens[-1] == m
        for _ in range(m):
            query = following[query]
        assert query == label
        assert (label not in following) or kind != "noised"  # a noised query leads to the end of its chain
    low, high = (1, 79) if kind == "counted" else (20, 79)
    assert low <= drawn.tokens.min() and drawn.tokens.max() <= high


@pytest.mark.parametrize("kind", KINDS)
def test_positions_of_the_queried_chain_are_where_its_pairs_stand(kind):
    drawn = draw_chains(500, seeded(), kind=kind, edges=4, tokens=(20, 79))
    assert torch.equal(drawn.tokens.gather(1, drawn.pair), drawn.chain[:, :-1])
    assert torch.equal(drawn.tokens.gather(1, drawn.pair + 1), drawn.chain[:, 1:])
    assert torch.equal(
        drawn.chain.gather(1, drawn.start[:, None])[:, 0], drawn.tokens[:, -2 if kind == "counted" else -1]
    )
    assert torch.equal(drawn.chain.gather(1, (drawn.start + drawn.steps)[:, None])[:, 0], drawn.labels)


def test_pairs_are_shuffled_and_queries_stand_everywhere_they_may():
    drawn = draw_chains(3000, seeded(), edges=3, steps=2, tokens=(20, 59))
    assert {tuple(row) for row in drawn.pair.tolist()} == {
        (0, 2, 4), (0, 4, 2), (2, 0, 4), (2, 4, 0), (4, 0, 2), (4, 2, 0)
    }  # fmt: skip
    assert set(drawn.start.tolist()) == {0, 1}


def test_a_generator_gives_the_same_chains_again():
    first, again = (draw_chains(50, seeded(3)) for _ in range(2))
    assert torch.equal(first.tokens, again.tokens)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "0 sequences"),
        ({"steps": 5}, r"steps \[5\]"),
        ({"steps": []}, r"steps \[\]"),
        ({"edges": 1, "steps": 1, "kind": "noised"}, "no inner node"),
        ({"tokens": (40, 20)}, "from 40 to 20"),
        ({"tokens": (2, 90), "kind": "counted"}, "step counts up to 2"),
        ({"tokens": (20, 23)}, "too few"),
    ],
)
def test_impossible_requests_say_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        draw_chains(**({"count": 5, "generator": seeded()} | options))


def test_order_is_told_by_the_positions_of_the_needed_pairs():
    drawn = draw_chains(200, seeded(), edges=4, steps=2)
    found = drawn.in_order()
    for row in range(200):
        first, second = (int(drawn.pair[row, drawn.start[row] + i]) for i in (0, 1))
        assert bool(found[row]) == (first < second)
    assert 0 < found.sum() < 200


def test_a_node_stands_where_its_hop_ends():
    drawn = draw_chains(200, seeded(), edges=4, steps=2)
    for hop in (1, 2):
        token = drawn.tokens.gather(1, drawn.node(hop)[:, None])
        assert torch.equal(token, drawn.chain.gather(1, (drawn.start + hop)[:, None]))
