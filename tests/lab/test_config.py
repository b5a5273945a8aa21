"""Knobs: validation in one line each, and what forms learn of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.config import Config, ConfigError, numbers
from tests.fakes import TinyConfig


def test_a_knob_out_of_range_is_named_with_its_range():
    with pytest.raises(ConfigError) as caught:
        TinyConfig.parse({"lr": 1e9})
    assert caught.value.errors == {"lr": "1e+09 is not admissible: a number, 1e-06 to 1000"}


def test_an_unknown_knob_comes_with_the_nearest_names():
    with pytest.raises(ConfigError, match="widht: no such knob; did you mean width"):
        TinyConfig.parse({"widht": 3})


def test_every_bad_knob_has_its_own_line():
    with pytest.raises(ConfigError) as caught:
        TinyConfig.parse({"lr": "fast", "width": 0, "steps": None, "noise": "nan"})
    assert set(caught.value.errors) == {"lr", "width", "steps", "noise"}


def test_text_from_a_command_line_becomes_numbers():
    config = TinyConfig.parse({"lr": "1e-3", "width": "7", "allow_nonfinite": "true", "init_seed": "5"})
    assert (config.lr, config.width, config.allow_nonfinite, config.init_seed) == (1e-3, 7, True, 5)


def test_knobs_tell_a_form_what_it_needs():
    knobs = TinyConfig.knobs()
    lr, seed = knobs["lr"], knobs["init_seed"]
    assert (lr.kind, lr.symbol, lr.min, lr.max, lr.log, lr.live) == ("float", "η", 1e-6, 1e3, True, True)
    assert (seed.kind, seed.optional, seed.default) == ("int", True, None)
    assert next(iter(knobs)) == "lr" and list(knobs)[-1] == "allow_nonfinite", "own knobs first, common ones last"


def test_a_changed_copy_is_validated_and_the_difference_is_named():
    config = TinyConfig()
    other = config.changed({"lr": 0.2})
    assert config.difference(other) == {"lr": (0.1, 0.2)}
    with pytest.raises(ConfigError):
        config.changed({"lr": -1})


@given(st.floats(1e-6, 1e3), st.integers(1, 1000), st.none() | st.integers(0, 2**31 - 1), st.booleans())
def test_a_config_survives_json(lr: float, width: int, seed: int | None, allow: bool):
    config = TinyConfig(lr=lr, width=width, init_seed=seed, allow_nonfinite=allow)
    assert TinyConfig.model_validate_json(config.model_dump_json()) == config


@given(st.dictionaries(st.text(max_size=10), st.none() | st.text(max_size=20) | st.floats() | st.lists(st.integers())))
def test_whatever_is_given_a_config_either_parses_or_says_why(values: dict):
    try:
        assert isinstance(Config.parse(values), Config)
    except ConfigError as error:
        assert set(error.errors) <= {str(key) for key in values}
        assert all("\n" not in line for line in error.errors.values())


def test_a_list_of_numbers_is_read_with_spaces_or_commas_and_says_what_is_none():
    assert numbers("", " 3, 1 2,2 ") == (1.0, 2.0, 3.0) and numbers("", "4 2", int) == (2, 4) and numbers("", "") == ()
    with pytest.raises(ValueError, match="sizes: 'x' is no number"):
        numbers("sizes", "1 x")
    with pytest.raises(ValueError, match=r"sizes: '1.5' is no whole number"):
        numbers("sizes", "1.5", int)
    with pytest.raises(ValueError, match="finite"):
        numbers("sizes", "1 nan")
