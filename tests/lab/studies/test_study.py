"""Exact point sets, in a stable order, with keys that only knobs and arm decide; and study.toml gives a study back."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lab.config import ConfigError
from lab.studies.study import Axis, Study, StudyError, spaced, telling
from tests.fakes import Tiny, TinyConfig

quick = settings(max_examples=40, deadline=None)

RATES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=5, unique=True)
WIDTHS = st.lists(st.integers(1, 1000), min_size=1, max_size=5, unique=True)
SEEDS = st.lists(st.integers(0, 2**31 - 1), max_size=4, unique=True)
ARMS = st.lists(st.sampled_from(["stable", "unstable"]), max_size=2, unique=True)


def study(**values: Any) -> Study:
    return Study.of(experiment="tests.fakes:", **values)


def knobs(points: Any) -> list[tuple[Any, ...]]:
    return [(p.arm, p.config.lr, p.config.width, p.config.seed) for p in points]


@quick
@given(rates=RATES, widths=WIDTHS, seeds=SEEDS, arms=ARMS)
def test_an_outer_study_has_every_combination_once_in_the_order_of_its_axes(rates, widths, seeds, arms):
    axes = [{"knob": "lr", "values": rates}, {"knob": "width", "values": widths}]
    found = study(axes=axes, seeds=seeds, arms=arms)
    expected = [(a, r, w, s) for a, r, w, s in itertools.product(arms or [""], rates, widths, seeds or [0])]
    assert knobs(found.points(Tiny)) == expected and found.count == len(expected)


@quick
@given(pairs=st.lists(st.tuples(st.floats(1e-6, 1e3), st.integers(1, 1000)), min_size=1, unique=True), seeds=SEEDS)
def test_a_zipped_study_takes_the_values_together(pairs, seeds):
    rates, widths = zip(*pairs, strict=True)
    axes = [{"knob": "lr", "values": rates}, {"knob": "width", "values": widths}]
    found = study(axes=axes, seeds=seeds, combine="zip").points(Tiny)
    assert knobs(found) == [("", r, w, s) for (r, w), s in itertools.product(pairs, seeds or [0])]


@quick
@given(rates=RATES, seeds=SEEDS, order=st.integers(0, 2**32))
def test_a_shuffled_study_has_the_same_points_in_an_order_that_its_seed_decides(rates, seeds, order):
    axes = [{"knob": "lr", "values": rates}]
    listed = study(axes=axes, seeds=seeds).points(Tiny)
    drawn = study(axes=axes, seeds=seeds, shuffle=order).points(Tiny)
    assert drawn == study(axes=axes, seeds=seeds, shuffle=order).points(Tiny)
    assert sorted(p.key for p in drawn) == sorted(p.key for p in listed)
    assert len({p.file_name for p in drawn}) == len(drawn)


@quick
@given(rates=RATES, more=RATES)
def test_a_study_that_grows_keeps_the_keys_of_its_points(rates, more):
    small = study(axes=[{"knob": "lr", "values": rates}]).points(Tiny)
    large = study(axes=[{"knob": "lr", "values": [*more, *rates]}]).points(Tiny)
    assert {p.file_name for p in small} <= {p.file_name for p in large}
    assert len(large) == len({*rates, *more})


TEXTS = st.text(max_size=8)
VALUES = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXTS)


@quick
@given(
    set_to=st.dictionaries(st.sampled_from(["noise", "steps", "pause"]), VALUES),
    rates=st.lists(VALUES, min_size=1, max_size=4),
    seeds=SEEDS,
    arms=ARMS,
    shuffle=st.none() | st.integers(0, 10),
)
def test_study_toml_gives_the_study_back(set_to, rates, seeds, arms, shuffle):
    values = {key: value for key, value in set_to.items() if value not in (math.inf, -math.inf)}
    rates = [rate for rate in rates if rate not in (math.inf, -math.inf)] or [1]
    axes = [{"knob": "lr", "values": rates}]
    whole = study(settings=values, axes=axes, seeds=seeds, arms=arms, shuffle=shuffle, combine="zip")
    again = Study.from_toml(whole.to_toml())
    assert again == whole and again.folder_name == whole.folder_name


@quick
@example(16385.0, 1.351344168869386e-08, 2)  # the end is itself, not the start plus a difference
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(1, 50))
def test_a_range_has_its_ends_and_even_steps(low, high, count):
    values = spaced(low, high, count)
    assert len(values) == count and values[0] == low
    if count > 1:
        assert values[-1] == high
        step = (high - low) / (count - 1)
        assert all(b - a == pytest.approx(step, abs=1e-5) for a, b in itertools.pairwise(values))


def test_text_becomes_the_values_that_the_knob_takes():
    def values(knob: str, text: str) -> tuple[Any, ...]:
        return Axis.parse(knob, text, TinyConfig).values

    assert values("lr", "0.1, 1e-2") == (0.1, 0.01)
    assert values("lr", "0:1:11")[3] == 0.3  # and not 0.30000000000000004
    assert values("lr", "1e-4:1:5:log") == (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    assert values("width", "10:1000:5:log") == (10, 32, 100, 316, 1000)
    assert values("lr", "0.005:0.05:4:log") == (0.005, 0.0107722, 0.0232079, 0.05)
    assert values("width", "1:3:9") == (1, 2, 3)  # whole numbers, each once
    assert values("blow_up_at", "null,3") == ("null", 3)
    points = study(axes=[Axis.parse("blow_up_at", "null,3", TinyConfig)]).points(Tiny)
    assert [p.config.blow_up_at for p in points] == [None, 3]


@pytest.mark.parametrize(
    ("knob", "text", "words"),
    [
        ("rate", "1,2", "no such knob"),
        ("lr", "1:2", "low:high:count"),
        ("lr", "1:2:0", "count from 1"),
        ("lr", "1:2:3:cubic", "low:high:count"),
        ("lr", "0:1:3:log", "positive ends"),
    ],
)
def test_an_axis_that_is_none_is_refused_in_one_line(knob, text, words):
    with pytest.raises((ConfigError, StudyError), match=words):
        Axis.parse(knob, text, TinyConfig)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"axes": [{"knob": "lr", "values": [1]}], "settings": {"lr": 2}}, "lr: given twice"),
        ({"axes": [{"knob": "seed", "values": [1]}], "seeds": [0]}, "seed: given twice"),
        ({"axes": [{"knob": "lr", "values": []}]}, "without values"),
        (
            {"axes": [{"knob": "lr", "values": [1, 2]}, {"knob": "width", "values": [1]}], "combine": "zip"},
            "lr 2, width 1",
        ),
        ({"axes": [{"knob": "width", "values": range(1, 1000)}], "seeds": range(1000)}, "more than 100000"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_study_that_cannot_be_is_refused_in_one_line(values, words):
    with pytest.raises(StudyError, match=words) as error:
        study(**values)
    assert "\n" not in str(error.value)


def test_a_point_with_inadmissible_knobs_is_named():
    with pytest.raises(ConfigError, match="at width=0: width: 0 is not admissible"):
        study(axes=[{"knob": "width", "values": [3, 0]}]).points(Tiny)


def test_a_file_that_is_no_study_is_refused():
    for text in ("= 3", "preset = 'demo'", "experiment = 3"):
        with pytest.raises(StudyError):
            Study.from_toml(text)


def test_a_points_name_tells_what_is_in_it():
    (point,) = study(arms=["stable"], seeds=[3], axes=[{"knob": "lr", "values": [0.25]}]).points(Tiny)
    assert point.label == "stable, lr=0.25, seed=3"
    assert point.file_name == f"stable-lr=0.25-seed=3-{point.key}.h5"


def test_among_its_kind_a_point_tells_only_what_differs_by_the_symbols_of_its_knobs():
    points = study(arms=["stable"], seeds=[0, 1], axes=[{"knob": "lr", "values": [0.25, 1e-3]}]).points(Tiny)
    apart = telling(points)
    assert apart == ("lr", "seed")
    assert [point.told(apart) for point in points][:2] == [
        "η 0.25, seed 0",
        "η 0.25, seed 1",
    ]
    assert points[0].told(()) == points[0].label  # alone, it says all
