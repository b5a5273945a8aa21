"""Anchor sequences follow their rules exactly, whatever is drawn."""

import pytest
import torch

from lab.data.anchor import (
    PRIMITIVES,
    SINGLE_SHIFTS,
    AnchorTask,
    composite_offsets,
    draw_context,
    draw_sequences,
    redraw_noise,
)

COMPOSITE = AnchorTask(
    composite_offsets(PRIMITIVES, {(3, 4): -6}), 9, 7, noise=(20, 99), move_with_position=False, key_first=True
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("task", [AnchorTask(), AnchorTask(SINGLE_SHIFTS), COMPOSITE], ids=["one", "ten", "pairs"])
def test_every_sequence_follows_the_rules(task, held_out):
    drawn = draw_sequences(task, 4000, seeded(), held_out=held_out)
    functions = list(task.offsets)
    for tokens, label, key, anchors, function in zip(
        drawn.tokens.tolist(),
        drawn.labels.tolist(),
        drawn.key.tolist(),
        drawn.anchors.tolist(),
        drawn.function.tolist(),
        strict=True,
    ):
        block = [key, *anchors] if task.key_first else [*anchors, key]
        assert block == list(range(block[0], block[0] + task.span))
        assert tuple(tokens[at] for at in anchors) == functions[function]
        assert label == tokens[key] + task.offsets[functions[function]]
        assert ((tokens[key] - block[0]) % task.modulus == 0) == held_out
        moved = block[0] if task.move_with_position else 0
        assert task.keys[0] + moved <= tokens[key] <= task.keys[1] + moved
        assert all(task.noise[0] <= token <= task.noise[1] for at, token in enumerate(tokens) if at not in block)


def test_everything_admitted_is_drawn():
    drawn = draw_sequences(AnchorTask(), 60_000, seeded())
    pairs = {
        (at, key)
        for at, key in zip(drawn.key.tolist(), drawn.tokens.gather(1, drawn.key[:, None])[:, 0].tolist(), strict=True)
    }
    admitted = {(pos + 1, base + pos) for pos in range(8) for base in range(20, 100) if base % 8}
    assert pairs == admitted
    assert set(drawn.tokens[:, 0].tolist()) == set(range(20, 101)) | {3}


def test_keys_are_equally_frequent():
    drawn = draw_sequences(AnchorTask(), 70_000, seeded(), held_out=True)
    counts = torch.bincount(drawn.tokens.gather(1, drawn.key[:, None])[:, 0] - drawn.key + 1, minlength=100)
    counts = counts[counts > 0]
    assert len(counts) == 10
    assert (counts - 7000).abs().max() < 5 * 7000**0.5


def test_the_vocabulary_holds_every_token_and_answer():
    assert AnchorTask().vocabulary == 107  # keys reach 106
    for task in (AnchorTask(), AnchorTask(SINGLE_SHIFTS), COMPOSITE):
        drawn = draw_sequences(task, 20_000, seeded())
        assert max(drawn.tokens.max(), drawn.labels.max()) < task.vocabulary


def test_composite_offsets_are_sums_but_for_the_changed_pair():
    offsets = composite_offsets(PRIMITIVES, {(3, 4): -6})
    assert (offsets[1, 2], offsets[4, 3], offsets[3, 4], len(offsets)) == (6, -10, -6, 16)


def test_weights_choose_the_functions():
    drawn = draw_sequences(AnchorTask(SINGLE_SHIFTS), 9000, seeded(), weights={(3,): 8, (9,): 1})
    counts = torch.bincount(drawn.function, minlength=10).tolist()
    assert counts[2] + counts[8] == 9000
    assert abs(counts[8] - 1000) < 150


def test_a_generator_gives_the_same_set_again_and_touches_no_global_state():
    state = torch.get_rng_state()
    first, again = (draw_sequences(AnchorTask(), 50, seeded(7)) for _ in range(2))
    assert torch.equal(first.tokens, again.tokens) and torch.equal(first.labels, again.labels)
    assert torch.equal(torch.get_rng_state(), state)


def test_new_noise_leaves_the_block_and_the_answer():
    task = AnchorTask()
    drawn = draw_sequences(task, 500, seeded())
    noisy = redraw_noise(task, drawn, seeded(1))
    for name in ("labels", "key", "anchors"):
        assert torch.equal(getattr(noisy, name), getattr(drawn, name))
    changed = (noisy.tokens != drawn.tokens).sum(1)
    assert (noisy.tokens.gather(1, drawn.key[:, None]) == drawn.tokens.gather(1, drawn.key[:, None])).all()
    assert (noisy.tokens.gather(1, drawn.anchors) == 3).all()
    assert 6 < changed.float().mean() < 7


@pytest.mark.parametrize("order", ["abab", "abba"])
@pytest.mark.parametrize("held_out", [False, True])
def test_context_sequences_ask_for_the_partner(order, held_out):
    drawn = draw_context(2000, seeded(), order=order, held_out=held_out)
    for tokens, label, key, anchor in zip(
        drawn.tokens.tolist(), drawn.labels.tolist(), drawn.key.tolist(), drawn.anchors[:, 0].tolist(), strict=True
    ):
        assert 1 <= anchor <= 6 and tokens[anchor] == 3
        a, b = tokens[anchor - 1], tokens[anchor + 1]
        assert ((a - anchor + 1) % 8 == 0) == ((b - anchor - 1) % 8 == 0) == held_out
        assert (tokens[-1], label, tokens[key]) == ((a, b, b) if order == "abab" else (b, a, a))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: draw_sequences(AnchorTask(), 0, seeded()), "0 sequences"),
        (lambda: AnchorTask(length=1), "length 1"),
        (lambda: AnchorTask(modulus=1), "modulus 1"),
        (lambda: AnchorTask({}), "at least one function"),
        (lambda: AnchorTask({(1,): 0, (1, 2): 3}), "as many anchors"),
        (lambda: AnchorTask(keys=(5, 2)), "keys run from 5 to 2"),
        (lambda: AnchorTask({(1,): -30}), "negative answer"),
        (
            lambda: draw_sequences(AnchorTask(keys=(21, 22)), 5, seeded(), held_out=True),
            "no held-out key from 21 to 22",
        ),
        (lambda: draw_sequences(AnchorTask(), 5, seeded(), weights={(4,): 1}), r"\[\(4,\)\]"),
        (lambda: draw_sequences(AnchorTask(), 5, seeded(), weights={(3,): 0}), "must be positive"),
        (lambda: draw_context(5, seeded(), length=3), "of 3 tokens"),
    ],
)
def test_impossible_requests_say_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()
