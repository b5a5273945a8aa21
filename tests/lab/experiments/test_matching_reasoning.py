"""What matching-reasoning measures, masks, steers and concludes."""

from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.engine import Engine
from lab.experiments.matching_reasoning import MatchingReasoning
from lab.measures.decoder_checks import CHAIN_EDGES
from lab.measures.matching import reachable_steps
from lab.models.matching_noise import strengths
from lab.schedule import Checkpoints
from lab.stream import MemoryRun

SMALL = {
    "width": 32,
    "head_width": 8,
    "mlp_width": 16,
    "train_size": 1000,
    "test_size": 100,
    "batch": 20,
    "measure_budget": 1.0,
}


def started(**values: Any) -> tuple[MatchingReasoning, MemoryRun, Engine]:
    experiment = MatchingReasoning(MatchingReasoning.configure("demo", "", SMALL | values))
    experiment.setup()
    run = MemoryRun()
    return experiment, run, Engine(experiment, run, checkpoints=Checkpoints(experiment.config.steps, every=2))


def finished(**values: Any) -> tuple[MatchingReasoning, MemoryRun]:
    experiment, run, engine = started(**values)
    for _ in engine:
        pass
    return experiment, run


@pytest.mark.parametrize("kind", ["single", "double", "noised", "counted"])
def test_roles_name_what_stands_there(kind: str):
    experiment = started(kind=kind)[0]
    test, roles = experiment.test, experiment.roles(experiment.test)
    tokens, row = test.tokens, torch.arange(100)
    assert tokens.shape[1] == experiment.config.length
    queried = test.chain[row, test.start]
    assert torch.equal(tokens[row, roles["query"]], queried)
    assert torch.equal(tokens[row, roles["pair +0 first"]], queried)
    assert torch.equal(tokens[row, roles["pair +0 second"]], test.chain[row, test.start + 1])
    at_start = test.start == 0
    assert (roles["pair -1 first"][at_start] == -1).all() and (roles["pair -1 first"][~at_start] >= 0).all()
    if kind == "counted":
        assert torch.equal(tokens[row, roles["count"]], test.steps)


def test_the_reach_is_that_of_the_closed_bounds_where_order_is_no_matter():
    run = finished(kind="counted", edges=4, hops=4, layers=3, steps=1)[1]
    hops = run.series("hop_count")[1][0]
    both, one = (run.series(name)[1][0] for name in ("reach_both", "reach_one"))
    assert hops.tolist() == [1, 2, 3, 4]
    assert (one[: reachable_steps(3, "one") - 1] > 0).all() and not one[reachable_steps(3, "one") :].any()
    assert (both[: reachable_steps(3, "both")] > 0).all() and (both >= one).all()
    assert len(run.series("accuracy_by_hops")[1][0]) == len(hops)


def test_two_layers_cannot_reach_two_hops_and_three_always_can():
    assert finished(layers=2, steps=1)[1].series("reach_both")[1][0] == [0]
    assert finished(layers=3, steps=1)[1].series("reach_one")[1][0] == [1]


def test_the_chain_is_read_off_the_pattern_at_its_own_positions(monkeypatch: pytest.MonkeyPatch):
    experiment = started()[0]
    test = experiment.test
    maps = torch.zeros(3, 100, 1, 9, 9)
    for row in range(100):
        for first in range(0, 8, 2):
            maps[0, row, 0, first + 1, first] = 0.9
        for layer in (1, 2):
            maps[layer, row, 0, 8, test.pair[row, test.start[row] + layer - 1] + 1] = 0.9 - layer / 10
    monkeypatch.setattr("lab.measures.attention.attention_maps", lambda model, tokens: maps)
    attention, left = experiment.circuit()
    assert attention == pytest.approx([0.9, 0.8, 0.7]) and len(left) == len(CHAIN_EDGES)


def test_matching_noise_of_strength_zero_changes_no_step():
    plain = finished(steps=4)[1]
    noisy = finished(steps=4, noise="both", alpha=0, beta=0, noise_trained=False)[1]
    np.testing.assert_allclose(plain.series("train_loss")[1], noisy.series("train_loss")[1], rtol=1e-5)
    assert (noisy.series("noise_strength")[1] == 0).all()


@pytest.mark.parametrize(("noise", "count"), [("qk", 2), ("vo", 2), ("both", 4)])
def test_noise_is_on_the_sides_that_were_chosen_and_is_trained(noise: str, count: int):
    experiment, run = finished(steps=2, noise=noise)
    assert run.series("noise_strength")[1].shape == (2, count)
    assert (run.series("noise_strength")[1][-1] != 0.05).all()
    sides = {"qk": strengths(experiment.model, "alpha"), "vo": strengths(experiment.model, "beta")}
    others = [float(p) for side, found in sides.items() for p in found if noise not in (side, "both")]
    assert others == [0.0] * (4 - count)


def test_noise_stays_in_the_layers_that_were_chosen():
    experiment, _, engine = started(steps=3, layers=4, noise="both", noise_pairs="0, 2", alpha=0.1, beta=0.2)
    assert experiment.noise_strength().tolist() == pytest.approx([0.1, 0, 0.1, 0.2, 0, 0.2])
    for step in engine:
        if step == 2:
            engine.set_knobs({"alpha": 0.4})
            assert experiment.noise_strength()[:3].tolist() == pytest.approx([0.4, 0, 0.4])
    assert experiment.noise_strength()[[1, 4]].tolist() == [0, 0], "neither set nor trained"
    with pytest.raises(ConfigError, match="pairs 0 to 1"):
        MatchingReasoning.configure(values={"noise": "qk", "noise_pairs": "2"})


def test_the_worth_of_each_side_of_the_noise_is_read_from_the_same_weights():
    experiment, _ = finished(steps=3, noise="both", alpha=0.5, beta=0.5)
    weights = [p.detach().clone() for p in experiment.model.parameters()]
    with torch.no_grad():
        whole = (experiment.model.predict(experiment.test.tokens).argmax(-1) == experiment.test.labels).double().mean()
    found = experiment.accuracy_by_noise()
    assert found is not None and found[3] == pytest.approx(float(whole))
    assert all(torch.equal(a, b) for a, b in zip(weights, experiment.model.parameters(), strict=True))
    none = finished(steps=3, noise="both", alpha=0, beta=0, noise_trained=False)[0].accuracy_by_noise()
    assert none is not None and len(set(none)) == 1
    assert finished(steps=1)[0].accuracy_by_noise() is None


def test_other_hops_can_be_asked_for_while_it_runs_and_are_the_same_sequences_again():
    experiment, run, engine = started(steps=150, kind="counted", hops=1)
    seen = []
    for step in engine:
        if step in (1, 60, 110):
            engine.set_knobs({"asked_hops": 3 if step != 60 else 0})
            seen += [experiment.asked[3].tokens]
    assert run.series("asked_accuracy")[0].tolist() == [50, 150]
    assert (experiment.asked[3].steps == 3).all() and seen[0] is seen[2]
    with pytest.raises(ConfigError, match="ask for fewer"):
        MatchingReasoning.configure(values={"asked_hops": 5})


def test_noise_can_be_added_and_taken_away_while_it_runs():
    experiment, _, engine = started(steps=6, noise="both", alpha=0, beta=0, noise_trained=False)
    for step in engine:
        engine.set_knobs({"alpha": 0.2, "beta": 0.1} if step == 2 else {"alpha": 0.0} if step == 4 else {})
        if step == 3:
            assert experiment.noise_strength().tolist() == pytest.approx([0.2, 0.2, 0.1, 0.1])
    assert experiment.noise_strength().tolist() == pytest.approx([0, 0, 0.1, 0.1])


def steer(engine: Engine) -> None:
    for step in engine:
        if step == 3:
            engine.act("mask_edge", {"layer": 1, "target": 8, "source": 3, "head": 0})
            engine.act("mask_head", {"layer": 2, "head": 0})
        if step == 5:
            engine.set_knobs({"alpha": 0.3})


def test_masks_and_noise_are_replayed_and_resumed_bit_for_bit():
    values = {"steps": 8, "look_every": 1, "noise": "both"}
    experiment, run, engine = started(**values)
    steer(engine)
    again, replayed, _ = started(**values)
    for _ in Engine(again, replayed, replay=run.events()):
        pass
    rest = MatchingReasoning(experiment.config)
    rest.setup()
    resumed = MemoryRun()
    for _ in Engine(rest, resumed, step=6, start=run.checkpoints[6]):
        pass
    for name in ("train_loss", "attention", "masked_accuracy", "noise_strength"):
        step, value = run.series(name)
        np.testing.assert_array_equal(value, replayed.series(name)[1], err_msg=name)
        later, same = resumed.series(name)
        np.testing.assert_array_equal(value[np.isin(step, later)], same, err_msg=name)
    assert rest.masks.edges == experiment.masks.edges != []
    assert (run.series("attention")[1][-1][1, 0, 8, 3], run.series("attention")[1][0][1, 0, 8, 3] > 0) == (0, True)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"hops": 5, "edges": 4}, "5 hops"),
        ({"token_low": 50}, "10 tokens"),
        ({"noise": "both", "layers": 1}, "2 layers"),
        ({"shown": 100}, "shown"),
        ({"batch": 1000, "train_size": 1000, "shown": 0, "test_size": 50, "token_high": 24}, "tokens"),
    ],
)
def test_impossible_settings_are_refused_before_the_start(values: dict[str, Any], what: str):
    with pytest.raises(ConfigError, match=what):
        MatchingReasoning.configure("demo", "", SMALL | values)


def made_up(
    test: float = 0.99,
    scores: tuple[float, ...] = (0.95, 0.9),
    hops: tuple[float, ...] = (0.9, 0.9, 0.9),
    step: int = 1500,
) -> MemoryRun:
    run = MemoryRun()
    run.append("test_accuracy", [0, step], [0.0, test])
    run.append("matching_score", [0, step], [[0.0] * len(scores), list(scores)])
    run.append("hops", [0, step], [[0.1] * len(hops), list(hops)])
    return run


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({}, "reproduced"),
        ({"test": 0.94}, "not reproduced"),
        ({"scores": (0.89, 0.9)}, "not reproduced"),
        ({"scores": (0.95, 0.79)}, "not reproduced"),
        ({"hops": (0.9, 0.9, 0.7)}, "not reproduced"),
        ({"scores": (0.95,), "hops": (0.9, 0.9)}, "not reproduced"),
        ({"test": 0.5, "step": 500}, "not comparable"),
    ],
)
def test_the_verdict_follows_each_number(changed: dict[str, Any], outcome: str):
    assert MatchingReasoning.verdict(MatchingReasoning.configure("demo"), made_up(**changed)).outcome == outcome


def test_a_failure_after_steering_refutes_nothing():
    config, run = MatchingReasoning.configure("demo", "", {"noise": "both"}), made_up(test=0.5)
    run.event(20, "knobs", {"changed": {"shown": [0, 1]}})
    assert MatchingReasoning.verdict(config, run).outcome == "not reproduced"
    run.event(30, "knobs", {"changed": {"alpha": [0.05, 0.2]}})
    verdict = MatchingReasoning.verdict(config, run)
    assert verdict.outcome == "not comparable" and "step 30" in verdict.reason


@pytest.mark.parametrize("changed", [{"kind": "double"}, {"hops": 1}, {"split": False}, {"heads": 2}, {"layers": 4}])
def test_other_settings_are_not_held_against_these_thresholds(changed: dict[str, Any]):
    config = MatchingReasoning.configure("demo", "", changed)
    assert MatchingReasoning.verdict(config, made_up()).outcome == "not comparable"
    longer = MatchingReasoning.configure("demo", "", {"edges": 6})
    assert MatchingReasoning.verdict(longer, made_up()).outcome == "reproduced"
    assert "measured at 4" in MatchingReasoning.verdict(longer, made_up(test=0.5)).reason
