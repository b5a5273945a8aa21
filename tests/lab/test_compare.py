"""Comparing runs: extremes are kept, counts are right, nothing is compared that is not there."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import compare
from lab.compare import Along, NotAligned, laid_along, summary
from lab.differing import ABSENT, Difference, differences, flat, grouped, over_seeds, places, told_apart
from lab.stream import MemoryRun

finite = st.floats(-1e6, 1e6, width=32)


@st.composite
def line(draw):
    x = draw(st.lists(st.integers(-50, 200), min_size=1, max_size=30, unique=True).map(sorted))
    y = draw(st.lists(finite, min_size=len(x), max_size=len(x)))
    return np.array(x, float), np.array(y, float)


@given(st.lists(line(), min_size=1, max_size=6), st.sampled_from([5, 4000]))
@settings(deadline=None)
def test_a_min_max_band_holds_every_row_of_every_line(lines, most):
    before, compare.MOST_POINTS = compare.MOST_POINTS, most
    try:
        found = summary(lines, "min-max")
    finally:
        compare.MOST_POINTS = before
    assert np.nanmin(found.low) == min(y.min() for _, y in lines)
    assert np.nanmax(found.high) == max(y.max() for _, y in lines)
    assert (np.diff(found.x) > 0).all()
    for x, y in lines if most == 4000 else ():
        rows = np.searchsorted(found.x, x)
        assert np.array_equal(found.x[rows], x)
        assert ((found.low[rows] <= y) & (y <= found.high[rows])).all()


@given(st.lists(line(), min_size=1, max_size=6))
@settings(deadline=None)
def test_a_line_counts_between_its_ends_and_nowhere_else(lines):
    found = summary(lines, "SD")
    expected = [sum(x[0] <= at <= x[-1] for x, _ in lines) for at in found.x]
    assert found.count.tolist() == expected


@given(st.integers(1, 6), st.integers(1, 20), st.data())
def test_bands_of_equal_axes_are_those_of_the_rows(runs, rows, data):
    values = np.array(data.draw(st.lists(st.lists(finite, min_size=rows, max_size=rows), min_size=runs, max_size=runs)))
    x = np.arange(rows, dtype=float)
    lines = [(x, row) for row in values]
    sd, se, quartiles = (summary(lines, band) for band in ("SD", "SE", "quartiles"))
    spread = values.std(axis=0, ddof=1) if runs > 1 else np.zeros(rows)
    scale = np.abs(values).max() + 1
    assert sd.centre == pytest.approx(values.mean(axis=0), abs=1e-9 * scale)
    assert sd.high - sd.centre == pytest.approx(spread, abs=1e-9 * scale)
    assert se.centre - se.low == pytest.approx(spread / math.sqrt(runs), abs=1e-9 * scale)
    assert quartiles.centre == pytest.approx(np.median(values, axis=0))
    assert quartiles.low == pytest.approx(np.quantile(values, 0.25, axis=0))
    wide = summary(lines, "5-95 %")
    assert wide.high == pytest.approx(np.quantile(values, 0.95, axis=0))
    assert (wide.low <= quartiles.low + 1e-9 * scale).all() and (quartiles.high <= wide.high + 1e-9 * scale).all()
    assert (sd.count == runs).all()


def test_a_one_step_spike_outlives_the_binning_of_a_long_run():
    x = np.arange(100_000.0)
    spiky, flat_line = np.zeros(100_000), np.zeros(70_000)
    spiky[54_321] = 7.0
    found = summary([(x, spiky), (x[:70_000], flat_line)], "min-max")
    assert len(found.x) <= compare.MOST_POINTS
    assert found.high.max() == 7.0
    assert found.x[found.high.argmax()] == pytest.approx(54_321, abs=100_000 / compare.MOST_POINTS)
    assert set(found.count.tolist()) == {1, 2}


def test_means_on_a_logarithmic_axis_are_geometric_and_leave_out_what_has_no_logarithm():
    x = np.arange(2.0)
    found = summary([(x, np.array([1.0, 4.0])), (x, np.array([100.0, -1.0]))], "SD", log=True)
    assert found.centre == pytest.approx([10.0, 4.0])
    assert found.count.tolist() == [2, 1]
    assert found.low[1] == pytest.approx(4.0)


def test_missing_values_do_not_count():
    x = np.arange(3.0)
    found = summary([(x, np.array([1.0, np.nan, np.nan])), (x, np.array([3.0, 5.0, np.nan]))], "SD")
    assert found.count.tolist() == [2, 1, 0]
    assert found.centre[:2].tolist() == [2.0, 5.0]
    assert np.isnan(found.centre[2])


def test_runs_are_laid_along_steps_events_epochs_and_other_series():
    run = MemoryRun(loss=([0, 10, 20], [3.0, 2.0, 1.0]), norm=([0, 20], [1.0, 2.0]))
    run.event(20, "spike", {})
    run.event(10, "spike", {})
    step = np.array([0, 10, 20])
    assert laid_along(Along(), step, run, {}).tolist() == [0, 10, 20]
    assert laid_along(Along("event", "spike"), step, run, {}).tolist() == [-10, 0, 10]
    assert laid_along(Along("series", "norm"), step, run, {}).tolist() == [1.0, 1.5, 2.0]
    assert laid_along(Along("epoch"), step, run, {"batch_size": 5, "samples": 50}).tolist() == [0, 1, 2]
    assert np.isnan(laid_along(Along("series", "norm"), np.array([30]), run, {})).all()


@pytest.mark.parametrize(
    ("along", "missing"),
    [
        (Along("event", "jump"), "no event jump"),
        (Along("series", "norm"), "no series norm"),
        (Along("epoch"), "no series epoch"),
        (Along("time"), "no clock"),
    ],
)
def test_a_run_that_cannot_be_laid_along_an_axis_says_why(along, missing):
    with pytest.raises(NotAligned, match=missing):
        laid_along(along, np.array([0, 1]), MemoryRun(loss=([0, 1], [1.0, 2.0])), {})


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40, unique=True).map(sorted), st.data())
def test_runs_aligned_at_an_event_keep_their_spacing_and_meet_there(steps, data):
    at = data.draw(st.sampled_from(steps))
    run = MemoryRun(loss=(steps, np.zeros(len(steps))))
    for step in (at + 7, at):  # the first one counts, whatever the order in the file
        run.event(step, "spike", {})
    x = laid_along(Along("event", "spike"), np.array(steps), run, {})
    assert x[steps.index(at)] == 0
    assert np.diff(x).tolist() == np.diff(steps).tolist()


def test_time_between_sessions_does_not_count():
    class Resumed(MemoryRun):
        def clock(self):
            return np.array([0, 10, 10, 20]), np.array([100.0, 105.0, 900.0, 910.0])

    run = Resumed(loss=([0, 10, 20], [3.0, 2.0, 1.0]))
    assert laid_along(Along("time"), np.array([0, 5, 10, 20]), run, {}).tolist() == [0.0, 2.5, 5.0, 15.0]


def test_only_what_differs_is_listed_under_dotted_names():
    configs = [{"lr": 0.1, "net": {"width": 3, "depth": 2}}, {"lr": 0.1, "net": {"width": 4, "depth": 2}, "wd": None}]
    assert differences(configs) == {"net.width": [3, 4], "wd": [ABSENT, None]}
    assert flat({"a": {"b": {"c": 1}}}) == {"a.b.c": 1}
    assert differences([{"x": math.nan}, {"x": math.nan}]) == {}


def test_runs_that_differ_in_seeds_alone_are_one_group():
    configs = [{"lr": lr, "seed": seed, "dims": [1, 2]} for seed in (1, 2, 3) for lr in (0.1, 0.2)]
    assert over_seeds(configs) == [[0, 2, 4], [1, 3, 5]]
    assert told_apart(configs) == ["lr", "seed"]
    assert grouped(configs, ["dims"]) == {((1, 2),): list(range(6))}


@given(st.lists(st.fixed_dictionaries({"a": st.integers(0, 2), "b": st.integers(0, 2)}), max_size=12))
def test_every_run_is_in_exactly_one_group(configs):
    groups = grouped(configs, ["a", "b"])
    assert sorted(number for members in groups.values() for number in members) == list(range(len(configs)))
    for key, members in groups.items():
        assert all((configs[number]["a"], configs[number]["b"]) == key for number in members)


def test_colours_go_along_a_map_for_numbers_and_count_for_words():
    numbers = places([1e-3, 1e-2, 1e-1, ABSENT])
    assert numbers.continuous and numbers.log
    assert numbers.place[:3] == pytest.approx([0.0, 0.5, 1.0])
    assert np.isnan(numbers.place[3])
    words = places(["sgd", "adam", "sgd", ABSENT])
    assert not words.continuous
    assert words.values == ("adam", "sgd", ABSENT)
    assert words.place.tolist() == [1.0, 0.0, 1.0, 2.0]
    assert places([2, 1]).values == (1, 2)
    assert places([True, False, None]).continuous is False


def test_a_difference_is_a_source_on_common_steps():
    run = MemoryRun(loss=([0, 10, 20, 30], [4.0, 3.0, 2.0, 1.0]), only=([0], [1.0]), field=([0], np.ones((1, 2))))
    reference = MemoryRun(loss=([10, 30, 40], [1.0, 1.0, 9.0]), field=([0], np.ones((1, 3))))
    run.declare("loss", {"symbol": "L"})
    difference = Difference(run, reference)
    assert difference.names() == ["loss", "field"]
    step, value = difference.series("loss")
    assert (step.tolist(), value.tolist()) == ([10, 30], [2.0, 0.0])
    assert difference.series("loss", 1)[1].tolist() == [0.0]
    assert difference.attrs("loss")["symbol"] == "ΔL"
    with pytest.raises(KeyError):
        difference.series("field")


def test_the_difference_of_two_runs_keeps_where_values_stand():
    run = MemoryRun(density=([0, 5], [[1.0, 2.0], [3.0, 4.0]]), grid=([0], [[10.0, 20.0]]))
    reference = MemoryRun(density=([5, 9], [[1.0, 1.0], [1.0, 1.0]]), grid=([0], [[10.0, 20.0]]))
    difference = Difference(run, reference, ("grid",))
    assert difference.series("grid")[1].tolist() == [[10.0, 20.0]]
    assert difference.row("grid", 0).tolist() == [10.0, 20.0]
    assert difference.steps("density").tolist() == [5]
    assert difference.row("density", 0).tolist() == difference.series("density")[1][0].tolist() == [2.0, 3.0]
    assert difference.row("density", -1).tolist() == [2.0, 3.0]


def test_of_steps_taken_twice_the_later_rows_are_subtracted():
    went_back = MemoryRun(loss=([0, 1, 2], [1.0, 2.0, 3.0]))
    went_back.append("loss", [1, 2], [20.0, 30.0])
    step, value = Difference(went_back, MemoryRun(loss=([0, 1, 2], [1.0, 1.0, 1.0]))).series("loss")
    assert (step.tolist(), value.tolist()) == ([0, 1, 2], [0.0, 19.0, 29.0])
