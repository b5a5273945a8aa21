import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.filter import FilterError, compiled, numbers_in
from storage.numbers import Number

FACTS = {"lr": 0.02, "verdict": "reproduced", "optimizer": "adam", "seed": 3, "tags": ("paper", "draft"), "star": True}
NUMBERS = {Number("train_loss"): 0.5, Number("train_loss", "min"): 0.25}


def look(name):
    if name == "":
        return "adam spikes reproduced don't"
    return NUMBERS.get(name) if isinstance(name, Number) else FACTS.get(name)


def matches(text):
    return compiled(text, {*FACTS, "width"}, {"train_loss"})(look)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "spikes ADAM",
        "don't",
        'lr > 0.01 and verdict == "reproduced"',
        "0.01 < lr <= 0.02",
        "lr * 100 == 2 or seed == 4",
        'optimizer in ("adam", "sgd") and not seed == 4',
        '"paper" in tags and star == true',
        "last(train_loss) > min(train_loss)",
        "-lr < 0",
        '"spikes" and seed > 2',
        "width == none",
    ],
)
def test_a_run_is_found(text):
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "spikes sgd",
        "lr > 0.02",
        "width > 0",  # the run has no such knob
        "width != 3",
        "width + 1 > 0",
        'lr > "a"',
        "lr / 0 > 1",
        '"rejected" in tags',
        '"sgd" and seed > 2',
    ],
)
def test_a_run_is_left_out(text):
    assert not matches(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr >", "it is not finished"),
        ("lrr > 1", "did you mean lr?"),
        ("last(loss) > 1", "no run has a series loss"),
        ("mean(train_loss) > 1", "whole number"),
        ("at(train_loss, 1.5) > 1", "whole number"),
        ("exit() == 1", "there is no exit()"),
        ("lr.real > 0", "cannot be used"),
        ("tags[0] == 1", "cannot be used"),
        ("lr ** 99999999 > 1", "cannot be used"),
        ("[x for x in tags] == 1", "cannot be used"),
        ("(lambda: 1)() == 1", "there is no such call"),
        ("lr is 1 == 1", "write == and !="),
        ("lr > 1" * 1000, "longer than"),
        ("(" * 300 + "lr > 1" + ")" * 300, "not an expression"),
        ("not " * 60 + "lr > 1", "too deeply"),
    ],
)
def test_what_is_no_filter_says_why(text, said):
    with pytest.raises(FilterError) as error:
        matches(text)
    assert said in str(error.value)


@given(st.text(max_size=60), st.sampled_from(["", " > 1", " == 'a'", " in (1, 2)", '"']))
def test_any_text_is_a_filter_or_says_why(text, end):
    try:
        assert matches(text + end) in (True, False)
    except FilterError as error:
        assert "\n" not in str(error)


def test_an_expression_tells_which_numbers_it_asks_for():
    text = "mean(train_loss, 20) < 0.1 and at(train_loss, 500) > last(train_loss)"
    assert numbers_in(text) == [
        Number("train_loss", "mean", 20),
        Number("train_loss", "at", 500),
        Number("train_loss", "last"),
    ]
    assert numbers_in("train loss") == numbers_in("mean( <") == []


@given(st.lists(st.floats(allow_nan=True, allow_infinity=False, width=32), min_size=1, max_size=30), st.integers(0, 40))
def test_numbers_agree_with_their_definitions(values, count):
    import numpy as np

    step, value = 10 * np.arange(len(values)), np.array(values)
    of = {s: Number("x", s, count if s in ("mean", "at") else None).of(step, value) for s in ("first", "last", "at")}
    assert np.array_equal([of["first"], of["last"]], [values[0], values[-1]], equal_nan=True)
    row = [v for s, v in zip(step, values, strict=True) if s <= count][-1:]
    assert np.array_equal([of["at"]], row or [math.nan], equal_nan=True)
    finite = [v for v in values if not math.isnan(v)]
    for statistic, pick in (("min", min), ("max", max)):
        found = Number("x", statistic).of(step, value)
        assert found == pick(finite) if finite else math.isnan(found)
    mean = Number("x", "mean", count).of(step, value)
    assert mean == pytest.approx(float(np.mean(values[-max(count, 1) :], dtype=float)), nan_ok=True)


@pytest.mark.parametrize("text", ["last(train_loss)", "mean(train_loss, 20)", "at(a b, 0)"])
def test_a_number_is_named_by_its_text(text):
    assert str(Number.parse(text)) == text


@pytest.mark.parametrize("text", ["train_loss", "last()", "median(x)", "mean(x)", "last(x, 3)", "at(x, -1)"])
def test_a_text_that_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match=r"number|statistic"):
        Number.parse(text)
