"""Rows that two series have in common, whatever order they come in."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gui.views.pairs import Pairs
from gui.views.pyramid import Pyramid

chunks = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 30), st.integers(1, 3), st.integers(1, 12)), min_size=1, max_size=25
)


@settings(max_examples=150, deadline=None)
@given(chunks)
def test_pairs_are_what_both_series_hold_while_both_go_on(chunks) -> None:
    pairs, series = Pairs(), (Pyramid(), Pyramid())
    for number, (which, ahead, spacing, count) in enumerate(chunks):
        begin = int(series[which].steps[-1]) + 1 + ahead % 3 if len(series[which]) else ahead % 3
        step = begin + spacing * np.arange(count)
        pairs.append(which, step, step + 0.5 * number)
        series[which].append(step, step + 0.5 * number)
    expected = np.intersect1d(series[0].steps, series[1].steps, return_indices=True)
    steps, first, second = pairs.rows
    np.testing.assert_array_equal(steps, expected[0])
    np.testing.assert_array_equal(first, series[0].values[expected[1]])
    np.testing.assert_array_equal(second, series[1].values[expected[2]])


@given(st.integers(0, 40), st.integers(0, 1))
def test_a_run_that_goes_back_replaces_the_rows_from_there_on(back: int, leader: int) -> None:
    pairs, steps = Pairs(), np.arange(40)
    for which in (0, 1):
        pairs.append(which, steps, steps + 0.0)
    again = np.arange(back, 50)
    for which in (leader, 1 - leader):
        pairs.append(which, again, again + 100.0)
    found = pairs.rows
    np.testing.assert_array_equal(found[0], np.arange(50))
    for values in found[1:]:
        np.testing.assert_array_equal(values, np.where(np.arange(50) < back, 0.0, 100.0) + np.arange(50))


def test_rows_of_one_chunk_that_go_back_hold_once() -> None:
    pairs = Pairs()
    pairs.append(0, np.array([0, 1, 2, 1, 2]), np.array([0.0, 1.0, 2.0, 10.0, 20.0]))
    pairs.append(1, np.array([0, 1, 2]), np.zeros(3))
    assert pairs.rows[1].tolist() == [0.0, 10.0, 20.0]
