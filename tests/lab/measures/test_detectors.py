"""Detectors: the definitions against brute force, live against offline, and the events' numbers."""

import json
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.measures.detectors import (
    Crossing,
    GapClosing,
    Jump,
    Plateau,
    Spike,
    SustainedCrossing,
    crossings,
    intervals,
    recovery_steps,
    spikes,
)

DETECTORS = [
    Spike("x", window=7, merge=5),
    Spike("x", factor=1.5, window=3, merge=0),
    Jump("x", size=2.0, window=6, merge=4),
    Jump("x", size=1.0, window=4, merge=9, direction="down"),
    Crossing("x", 2.0),
    Crossing("x", 2.0, direction="down", hysteresis=0.5),
    SustainedCrossing("x", 2.0, records=3),
    Plateau("x", window=5, tolerance=0.6),
]

numbers = st.one_of(st.sampled_from([0.0, 1.0, 2.0, 3.0, 7.0, float("nan"), float("inf")]), st.floats(-2, 12))
rows = st.lists(st.tuples(st.integers(1, 4), numbers), min_size=1, max_size=60)


def fed_in_pieces(detector, step, value, cuts):
    machine = detector.start()
    bounds = [0, *sorted(cut % (len(step) + 1) for cut in cuts), len(step)]
    return [item for a, b in pairwise(bounds) for item in machine.feed(step[a:b], value[a:b])], machine.unfinished()


@settings(deadline=None, max_examples=80)
@given(rows=rows, cuts=st.lists(st.integers(0, 60), max_size=8), which=st.sampled_from(DETECTORS))
def test_feeding_rows_in_any_pieces_finds_the_same_events(rows, cuts, which):
    step, value = np.cumsum([gap for gap, _ in rows]), np.array([number for _, number in rows])
    whole = fed_in_pieces(which, step, value, [])
    assert fed_in_pieces(which, step, value, cuts) == whole
    assert fed_in_pieces(which, step, value, range(len(step))) == whole


@settings(deadline=None, max_examples=60)
@given(rows=rows, which=st.sampled_from(DETECTORS))
def test_events_are_causal_and_strict_json(rows, which):
    step, value = np.cumsum([gap for gap, _ in rows]), np.array([number for _, number in rows])
    machine, events = which.start(), []
    for at, number in zip(step, value, strict=True):
        for item in machine.feed(at, number):
            assert item.step == at
            json.dumps(item.payload, allow_nan=False)
            events.append(item.payload["phase"])
    assert events == ["start", "end"] * (len(events) // 2) + ["start"] * (len(events) % 2)


def spike_starts_by_the_words(step, value, factor, window, merge):
    """The definition, row by row."""
    kept = ~np.isnan(value)
    step, value = step[kept], value[kept]
    starts, last = [], None
    for at, number in zip(step, value, strict=True):
        before = value[(step >= at - window) & (step < at)]
        if at - step[0] < window or not len(before) or not 0 < np.median(before) < number / factor:
            continue
        if last is None or at - last > merge:
            starts.append(at)
        last = at
    return starts


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from([0.5, 1, 2, 3, 5, 8, 40, float("nan")])), min_size=1, max_size=80
    ),
    window=st.integers(1, 15),
    merge=st.integers(0, 12),
)
def test_spikes_follow_the_definition_on_any_series(rows, window, merge):
    step, value = np.cumsum([gap for gap, _ in rows]), np.array([number for _, number in rows], float)
    found = [item.start for item in spikes(step, value, factor=2.0, window=window, merge=merge)]
    assert found == spike_starts_by_the_words(step, value, 2.0, window, merge)


def test_a_spike_is_placed_at_its_mark_and_carries_its_peak_height_and_parameters():
    step = np.arange(0, 2000, 4)
    value = np.ones(500)
    value[200:205] = [2.9, 3.1, 53.0, 9.0, 2.0]
    machine = Spike("train_loss").start()
    start, end = machine.feed(step, value)
    assert (start.step, start.kind, start.payload["height"]) == (804, "spike", 3.1)
    assert start.payload | {"phase": "end"} == start.payload | {
        "phase": "end",
        "factor": 3.0,
        "window": 100,
        "merge": 100,
    }
    assert (end.payload["height"], end.payload["peak_step"], end.payload["start_step"]) == (53.0, 808, 804)
    assert (end.payload["last_step"], end.step) == (812, 916)


def test_two_spikes_within_the_merge_distance_are_one():
    step, value = np.arange(600), np.ones(600)
    value[[200, 300, 450]] = 5.0
    assert [(item.start, item.end) for item in spikes(step, value)] == [(200, 300), (450, 450)]


def test_a_run_that_stops_inside_a_spike_says_so():
    value = np.ones(300)
    value[280:] = 10.0
    (spike,) = spikes(np.arange(300), value)
    assert spike.end is None and spike.length is None and spike.numbers["open"] and spike.numbers["height"] == 10.0


def test_a_loss_that_underflows_to_zero_has_no_spike_since_its_ratio_is_undefined():
    value = np.zeros(300)
    value[250] = 1e-300
    assert spikes(np.arange(300), value) == []


def test_recovery_is_counted_from_the_peak_to_the_level_before():
    value = np.ones(400)
    value[200:220] = np.linspace(10, 1.0, 20)
    (spike,) = spikes(np.arange(400), value)
    assert recovery_steps(np.arange(400), value, spike) == 19
    assert recovery_steps(np.arange(210), value[:210], spike) is None


def test_crossings_have_lengths_in_steps_and_an_open_one_at_the_end():
    step, value = np.arange(0, 40, 4), np.array([0, 3, 3, 0, 0, 3, 0, 0, 3, 3])
    found = crossings(step, value, 2.0)
    assert [(item.start, item.end, item.length) for item in found] == [(4, 12, 8), (20, 24, 4), (32, None, None)]
    assert found[-1].numbers["length"] == 4 and found[-1].numbers["open"]
    assert [item.start for item in crossings(step, value, 2.0, records=2)] == [4, 32]
    assert [item.start for item in crossings(step, -value, -2.0, direction="down")] == [4, 20, 32]


def test_a_crossing_tells_its_direction_threshold_and_whether_the_run_began_above():
    machine = Crossing("sharpness", lambda config: 2 / config["lr"]).start({"lr": 0.1})
    up, down = machine.feed([0, 10, 20], [25.0, 21.0, 20.0])
    assert up.payload == {
        "series": "sharpness", "direction": "up", "hysteresis": 0.0, "phase": "start", "value": 25.0,
        "from_start": True, "threshold": 20.0, "start_step": 0,
    }  # fmt: skip
    assert (down.step, down.payload["direction"], down.payload["length"]) == (20, "down", 20)


def test_a_turned_knob_moves_the_threshold_from_the_next_row_on():
    machine = Crossing("sharpness", lambda config: 2 / config["lr"]).start({"lr": 0.1})
    assert machine.feed([0, 1], [15.0, 15.0]) == []
    machine.retune({"lr": 0.2})
    (found,) = machine.feed(2, 15.0)
    assert found.payload["threshold"] == 10.0


def test_hysteresis_makes_noise_at_the_line_one_crossing():
    value = np.array([0, 10.1, 9.9, 10.1, 9.5, 8.9, 9.5])
    assert len(intervals(Crossing("x", 10.0), (np.arange(7), value))) == 2
    (only,) = intervals(Crossing("x", 10.0, hysteresis=0.1), (np.arange(7), value))
    assert (only.start, only.end) == (1, 5)


def test_a_sustained_crossing_is_known_at_its_last_record_and_keeps_the_minimum():
    machine = SustainedCrossing("x", 1.0).start()
    start, end = machine.feed(np.arange(0, 80, 10), [0, 2, 0, 5, 3, 4, 2, 1])
    assert (start.step, start.payload["start_step"], start.payload["minimum"]) == (50, 30, 3.0)
    assert (end.step, end.payload["length"]) == (70, 40)


def test_a_plateau_begins_where_the_series_went_flat_and_ends_where_it_leaves():
    value = np.concatenate([np.linspace(2, 1, 50), np.ones(200), np.linspace(1, 0.5, 50)])
    (flat,) = intervals(Plateau("x", window=100, tolerance=0.001), (np.arange(300), value))
    assert (flat.start, flat.end) == (49, 251)


def test_a_jump_of_accuracy_is_one_event_with_its_size():
    value = np.concatenate([np.full(300, 0.1), np.linspace(0.1, 0.9, 21), np.full(300, 0.9)])
    (jump,) = intervals(Jump("accuracy", size=0.3), (np.arange(len(value)), value))
    assert jump.start == 308 and jump.numbers["height"] == pytest.approx(0.8) and jump.numbers["value"] == 0.9


def test_grokking_is_the_delay_between_train_and_test_at_their_common_steps():
    train_step, test_step = np.arange(0, 1000, 10), np.arange(0, 1000, 50)
    train, test = (train_step >= 200).astype(float), np.where(test_step >= 700, 1.0, 0.3)
    (grokking,) = intervals(GapClosing(), (train_step, train), (test_step, test))
    assert (grokking.start, grokking.end, grokking.numbers["delay"]) == (200, 700, 500)
    machine, live = GapClosing().start(), []
    for at in range(1000):  # as a run records them, in the other order
        live += machine.feed(test_step[test_step == at], test[test_step == at], "test_accuracy")
        live += machine.feed(train_step[train_step == at], train[train_step == at], "train_accuracy")
    assert [(item.step, item.payload["phase"]) for item in live] == [(200, "start"), (700, "end")]
    assert intervals(GapClosing(), (train_step, train), (train_step, train)) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Spike("x", factor=1.0), "factor is 1.0; it must be above 1"),
        (lambda: Spike("x", window=0), "window is 0"),
        (lambda: Crossing("x", 1.0, direction="left"), "direction is 'left'"),
        (lambda: Spike("x").start().feed([3, 2], [1.0, 1.0]), "must increase, got 3..2"),
        (lambda: Spike("x").start().feed([1, 2], [[1.0], [2.0]]), r"steps \(2,\) and values \(2, 1\)"),
        (lambda: GapClosing().start().feed(1, 1.0, "train_loss"), "reads train_accuracy, test_accuracy"),
    ],
)
def test_what_cannot_be_is_refused_with_the_number(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_a_hundred_thousand_rows_take_a_fraction_of_a_second():
    value = np.exp(
        0.3 * np.random.default_rng(0).standard_normal(100_000)
    )  # noisy enough for the sieve to let rows through
    began = time.process_time()
    assert spikes(np.arange(100_000), value)
    assert time.process_time() - began < 0.5
