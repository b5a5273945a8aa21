"""Pairs of residues and labels of which a share is drawn anew."""

import pytest
import torch

from lab.data.modular import corrupted, corrupted_alike, label_groups, residue_pairs


def test_labels_are_sums_and_products_modulo_p():
    pairs, sums = residue_pairs(5)
    assert len(pairs) == 25 and sums[pairs.tolist().index([3, 4])] == 2
    assert residue_pairs(5, "multiply")[1][pairs.tolist().index([3, 4])] == 2
    assert residue_pairs(7, "multiply")[1][7 * 3 + 4] == 5


def test_only_the_first_labels_are_drawn_anew_and_one_in_p_stays_true():
    labels = torch.arange(20_000) % 10
    given = corrupted(labels, 10_000, 10, torch.Generator().manual_seed(0))
    assert (given[10_000:] == labels[10_000:]).all() and (labels == torch.arange(20_000) % 10).all()
    assert abs((given[:10_000] == labels[:10_000]).double().mean() - 0.1) < 0.01
    with pytest.raises(ValueError, match="21 labels to corrupt"):
        corrupted(labels[:20], 21, 10, torch.Generator())


def test_more_corrupted_labels_of_the_same_draws_begin_with_fewer():
    labels = torch.arange(40) % 7
    few, many = corrupted_alike(labels, (10, 30), 7, torch.Generator().manual_seed(0))
    assert torch.equal(few[:10], many[:10]) and torch.equal(few[10:], labels[10:])
    assert torch.equal(few, corrupted(labels, 10, 7, torch.Generator().manual_seed(0)))


def test_groups_part_the_pairs_and_ask_the_corrupted_ones_for_both_labels():
    true, given = torch.arange(9), torch.tensor([5, 6, 2, 3])
    groups = {name: (r.tolist(), y.tolist()) for name, (r, y) in label_groups(4, 2, given, true).items()}
    assert groups["train"] == ([0, 1, 2, 3], [5, 6, 2, 3]) and groups["clean"] == ([2, 3], [2, 3])
    assert groups["given"] == ([0, 1], [5, 6]) and groups["true"] == ([0, 1], [0, 1])
    assert groups["test"] == ([4, 5, 6, 7, 8], [4, 5, 6, 7, 8])
