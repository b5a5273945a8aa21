"""Pairs of residues and labels of which a share is drawn anew."""

import pytest
import torch

from lab.data.modular import corrupted, residue_pairs


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
