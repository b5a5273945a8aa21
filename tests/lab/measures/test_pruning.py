"""A pruning curve equals pruning and asking again, unit by unit."""

import torch

from lab.measures.pruning import group_accuracies, kept_units, prune_order, pruning_curve


def test_a_curve_equals_zeroing_the_units_one_by_one():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(60, 8, generator=generator, dtype=torch.float64)
    readout = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    order = torch.randperm(8, generator=generator)
    labels = torch.randint(5, (60,), generator=generator)
    groups = [(torch.arange(60), labels), (torch.arange(20, 40), labels[20:40]), (torch.arange(0), labels[:0])]
    curve = pruning_curve(hidden, readout, order, [0, 3, 8], groups)
    for count, found in zip([0, 3, 8], curve, strict=True):
        kept = hidden.clone()
        kept[:, order[:count]] = 0
        expected = torch.tensor(group_accuracies((kept @ readout.T).argmax(1), groups), dtype=torch.float64)
        torch.testing.assert_close(found, expected, equal_nan=True)
    assert curve[-1, 0] == (labels == 0).double().mean()  # with every unit gone all outputs are 0
    assert curve[:, 2].isnan().all()


def test_units_without_a_score_go_first():
    assert prune_order(torch.tensor([0.5, torch.nan, 0.1, 0.9])).tolist() == [1, 2, 0, 3]


def test_the_share_that_goes_first_is_not_kept():
    score = torch.tensor([0.5, torch.nan, 0.1, 0.9])
    assert prune_order(score, "highest").tolist() == [3, 0, 2, 1]
    assert sorted(prune_order(score, "random", seed=1).tolist()) == [0, 1, 2, 3]
    assert kept_units(score, 0.5, "lowest").tolist() == [True, False, False, True]
    assert kept_units(score, 0.25, "highest").tolist() == [True, True, True, False]
    assert kept_units(score, 0.5, "below").tolist() == [True, False, False, True]
    assert kept_units(score, 0.5, "random", seed=1).sum() == 2
