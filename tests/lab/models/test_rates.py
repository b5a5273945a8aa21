"""Decays end where they should, and the four schedules spend the same compute."""

import numpy as np
import pytest

from lab.models.rates import decayed, plan


def test_linear_falls_to_zero_and_the_inverse_of_inverse_is_linear():
    assert [decayed("linear", done, 0.1) for done in (0, 0.25, 1)] == [1, 0.75, 0]
    inverse = np.array([1 / decayed("inverse", done, 0.1) for done in (0, 0.5, 1)])
    assert inverse == pytest.approx([1, 5.5, 10])


def test_every_schedule_spends_all_steps_and_every_budget_ends_decayed():
    chosen = plan(4300)
    assert chosen.shares.shape == (4300, 4) and chosen.shares.min() >= 0 and chosen.shares.max() == 1
    assert chosen.ends.tolist() == [[1000, 2100, 4300], [1000, 2000, 4300]]
    for lane, ends in enumerate(chosen.ends):
        for end in ends:
            assert chosen.shares[end - 1, lane] < 0.011
            assert end == 4300 or chosen.shares[end, lane] == 1
    # WSD's trunk: 900, 1800 and 3600 steps at the full rate, decays of 100, 200 and 400
    assert (chosen.save, chosen.load) == ((900, 1900), (1000, 2100))
    assert (chosen.shares[:, 0] == 1).sum() == 3600 + 3  # the first step of each decay is still at the full rate


def test_by_step_wsd_s_stops_at_the_last_budget_of_wsd():
    chosen = plan(4300, by_step=True)
    assert chosen.ends[1, 2] == 4000 and not chosen.shares[4000:, 1].any() and chosen.shares[3590, 1] == 1


@pytest.mark.parametrize("steps", [43, 100, 999])
def test_short_plans_have_as_many_steps_too(steps):
    assert plan(steps).shares.shape == (steps, 4)
