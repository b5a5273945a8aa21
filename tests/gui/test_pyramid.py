import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gui.views.pyramid import Pyramid

numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)


def _plain(values: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    parts = [values[a:b] for a, b in itertools.pairwise(edges)]
    low = [np.fmin.reduce(part) if len(part) else np.nan for part in parts]
    high = [np.fmax.reduce(part) if len(part) else np.nan for part in parts]
    return np.array(low), np.array(high)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), values=arrays(np.float64, st.integers(1, 700), elements=numbers))
def test_extremes_of_any_stretches_are_exact(data: st.DataObject, values: np.ndarray) -> None:
    pyramid = Pyramid()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=5)))
    for a, b in zip([0, *cuts], [*cuts, len(values)], strict=True):
        pyramid.append(np.arange(a, b), values[a:b])
    edges = np.array(sorted(data.draw(st.lists(st.integers(0, len(values)), min_size=2, max_size=20))))
    for mine, plain in zip(pyramid.extremes(edges), _plain(values, edges), strict=True):
        np.testing.assert_array_equal(mine, plain)


@settings(max_examples=60, deadline=None)
@given(size=st.integers(10, 5000), columns=st.integers(1, 300), where=st.floats(0, 0.999), chunk=st.integers(1, 999))
def test_a_one_step_spike_is_the_maximum_of_its_pixel_column(size: int, columns: int, where: float, chunk: int) -> None:
    values, pyramid = np.zeros(size), Pyramid()
    spike = int(where * size)
    values[spike] = 1.0
    steps = 3 * np.arange(size)
    for a in range(0, size, chunk):
        pyramid.append(steps[a : a + chunk], values[a : a + chunk])
    edges = np.linspace(0, 3 * size, columns + 1)
    _, high = pyramid.columns(edges)
    assert high[np.searchsorted(edges, 3 * spike, side="right") - 1] == 1.0
    assert np.nansum(high) == 1.0


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.integers(0, 50), min_size=1, max_size=60), cut=st.integers(0, 60))
def test_rows_taken_again_replace_the_earlier_ones(steps: list[int], cut: int) -> None:
    values = np.arange(len(steps), dtype=float)
    pyramid = Pyramid()
    pyramid.append(np.array(steps[:cut], np.int64), values[:cut])
    pyramid.append(np.array(steps[cut:], np.int64), values[cut:])
    expected: list[tuple[int, float]] = []
    for step, value in zip(steps, values, strict=True):
        expected = [row for row in expected if row[0] < step] + [(step, value)]
    assert list(zip(pyramid.steps.tolist(), pyramid.values.tolist(), strict=True)) == expected
    low, high = pyramid.extremes(np.array([0, len(pyramid)]))
    assert (low[0], high[0]) == (pyramid.values.min(), pyramid.values.max())


def test_a_value_is_read_at_the_newest_row_not_after_the_step() -> None:
    pyramid = Pyramid()
    assert pyramid.at(5) is None
    pyramid.append(np.array([10, 20]), np.array([1.0, 2.0]))
    assert pyramid.at(9) is None
    assert pyramid.at(10) == (10, 1.0)
    assert pyramid.at(19.9) == (10, 1.0)
    assert pyramid.at(1e9) == (20, 2.0)


@settings(max_examples=80, deadline=None)
@given(
    begin=st.integers(0, 9),
    parts=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 12), st.integers(-15, 9)), max_size=6),
    asked=st.lists(st.integers(-5, 200), min_size=1, max_size=8),
)
def test_steps_are_the_same_whether_kept_as_a_row_or_one_by_one(
    begin: int, parts: list[tuple[int, int, int]], asked: list[int]
) -> None:
    pyramid, plain = Pyramid(), np.empty(0, np.int64)
    at = begin
    for spacing, count, jump in parts:
        step = at + spacing * np.arange(count)
        pyramid.append(step, step.astype(float))
        plain = np.append(plain[plain < step[0]], step)
        at = max(int(step[-1]) + jump, 0)  # now and then the run goes back
        np.testing.assert_array_equal(pyramid.steps, plain)
        np.testing.assert_array_equal(pyramid.values, plain)
        edges = np.sort(np.array(asked, float))
        np.testing.assert_array_equal(pyramid.rows(edges), np.searchsorted(plain, edges))
        half = len(plain) // 2
        np.testing.assert_array_equal(pyramid.part(half, half + 3)[0], plain[half : half + 3])
