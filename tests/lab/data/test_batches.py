"""Every epoch is a permutation, and a resumed one goes on where it was."""

import pytest
import torch

from lab.data.batches import EpochBatches


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_an_epoch_meets_every_row_once():
    batches = EpochBatches(12, 4, seeded())
    one, other = (torch.cat([batches.take() for _ in range(3)]) for _ in range(2))
    assert one.sort().values.tolist() == other.sort().values.tolist() == list(range(12))
    assert one.tolist() != other.tolist()


def test_a_rest_waits_for_another_order():
    batches = EpochBatches(5, 2, seeded())
    assert all(len(set(torch.cat((batches.take(), batches.take())).tolist())) == 4 for _ in range(5))


def test_a_state_taken_within_an_epoch_goes_on_bit_for_bit():
    generator = seeded()
    batches = EpochBatches(10, 3, generator)
    batches.take()
    kept, state = batches.state_dict(), generator.get_state()
    rest = [batches.take().tolist() for _ in range(5)]
    generator = torch.Generator()
    generator.set_state(state)
    again = EpochBatches(10, 3, generator)
    again.load_state_dict(kept)
    assert [again.take().tolist() for _ in range(5)] == rest


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match="11"):
        EpochBatches(10, 11, seeded())
