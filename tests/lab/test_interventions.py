"""Knobs in force and interventions, read from a made-up run's events."""

import pytest

from lab.config import Config, param
from lab.interventions import InForce, first_intervention
from lab.stream import MemoryRun


class TinyKnobs(Config):
    lr: float = param(0.1, "Rate", symbol="η")
    beta2: float = param(0.99, "Memory", symbol="β2")


def test_in_force_knows_every_value_and_their_product():
    run = MemoryRun()
    run.event(10, "knobs", {"changed": {"beta2": [0.99, 0.9]}})
    run.event(20, "knobs", {"changed": {"beta2": [0.9, 0.5], "lr": [0.1, 0.2]}})
    knobs = InForce(TinyKnobs(), run.events(), ("lr", "beta2"))
    assert knobs.at("beta2", [0, 9, 10, 19, 20]).tolist() == [0.99, 0.99, 0.9, 0.9, 0.5]
    assert knobs.at("lr", [19, 20]).tolist() == [0.1, 0.2]
    assert knobs.product("beta2", 20) == pytest.approx(0.99**10 * 0.9**10 * 0.5)
    assert (knobs.last_intervention(15), knobs.next_intervention(15)) == (10, 20)
    run.event(30, "action", {"action": "reset_second_moment", "arguments": {}})
    again = InForce(TinyKnobs(), run.events(), ("lr", "beta2"))
    assert again.actions == [(30, "reset_second_moment")] and again.last_intervention(35) == 30
    assert again.interventions[0] == (10, "β2 was set from 0.99 to 0.9")


def test_the_first_intervention_is_that_of_the_named_knobs_and_actions():
    run = MemoryRun()
    run.event(5, "spike", {"phase": "start"})
    run.event(10, "knobs", {"changed": {"shown": [0, 1]}})
    run.event(20, "action", {"action": "mask", "arguments": {}})
    run.event(30, "knobs", {"changed": {"lr": [0.1, 0.2]}})
    found = [
        first_intervention(run),
        first_intervention(run, knobs=("lr",), actions=()),
        first_intervention(run, knobs=()),
        first_intervention(run, knobs=(), actions=("prune",)),
    ]
    assert [event and event["step"] for event in found] == [10, 30, 20, None]
