"""How anchor-function ends, and what masking by hand does to it: live, replayed and resumed."""

from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.engine import Engine
from lab.experiments.anchor_function import AnchorFunction, uniform_shift
from lab.measures.decoder_checks import ANCHOR_EDGES
from lab.schedule import Checkpoints
from lab.stream import MemoryRun

SMALL = {"width": 32, "head_width": 8, "mlp_width": 16, "train_size": 100, "test_size": 50, "measure_budget": 1.0}


def started(arm: str = "", **values: Any) -> tuple[AnchorFunction, MemoryRun, Engine]:
    experiment = AnchorFunction(AnchorFunction.configure("demo", arm, values))
    experiment.setup()
    run = MemoryRun()
    return experiment, run, Engine(experiment, run, checkpoints=Checkpoints(experiment.config.steps, every=2))


def finished(arm: str = "", **values: Any) -> tuple[AnchorFunction, MemoryRun]:
    experiment, run, _ = started(arm, **values)
    for _ in Engine(experiment, run):  # without checkpoints: 250 of them would fill 2 GB
        pass
    return experiment, run


@pytest.fixture(scope="module")
def circuit() -> tuple[AnchorFunction, MemoryRun]:
    experiment = AnchorFunction(AnchorFunction.configure("demo", "circuit", {"steps": 350}))
    experiment.setup()
    run = MemoryRun()
    for _ in Engine(experiment, run, also=["causal_effect"]):
        pass
    return experiment, run


def test_enough_sequences_make_a_circuit_of_two_edges(circuit: tuple[AnchorFunction, MemoryRun]):
    experiment, run = circuit
    verdict = AnchorFunction.verdict(experiment.config, run)
    assert verdict.outcome == "reproduced", verdict
    assert len(verdict.checks) == 3 + len(ANCHOR_EDGES)


def test_the_shift_shows_in_its_effect_and_not_in_its_attention(circuit: tuple[AnchorFunction, MemoryRun]):
    experiment, run = circuit
    assert uniform_shift(experiment.config) == pytest.approx(0.2286, abs=1e-4)
    assert run.series("shift_attention")[1][-1] < 0.5 < run.series("shift_effect")[1][-1]
    (_, test), (_, left) = run.series("test_accuracy"), run.series("accuracy_without")
    assert run.series("shift_effect")[1][-1] == pytest.approx(test[-1] - left[-1][0])


def test_the_causal_flow_finds_the_two_edges_among_all(circuit: tuple[AnchorFunction, MemoryRun]):
    _, run = circuit
    effect, (anchor, key) = run.series("causal_effect")[1][-1], run.series("shown_roles")[1][-1]
    found = {tuple(map(int, np.unravel_index(i, effect.shape))) for i in effect.ravel().argsort()[-2:]}
    assert found == {(0, 0, key, anchor), (1, 0, 8, key)}


def test_a_masked_edge_takes_the_answer_and_a_second_click_gives_it_back(circuit: tuple[AnchorFunction, MemoryRun]):
    experiment, run = circuit
    key = int(run.series("shown_roles")[1][-1][1])
    whole = experiment.accuracies()
    experiment.mask_edge(1, 8, key)
    seen, test, loss, probe = experiment.accuracies()
    assert (seen, test, loss) == whole[:3] and probe < 0.1
    _, _, attention, weighted = experiment.flow()
    assert attention[1, 0, 8, key] == 0 and weighted[1, 0, 8, key] == 0
    experiment.mask_edge(1, 8, key, None)
    assert experiment.accuracies()[3] == whole[3]


def test_a_model_without_attention_learns_by_heart():
    experiment, run = finished("mlp", steps=500, train_size=200, batch=20)
    verdict = AnchorFunction.verdict(experiment.config, run)
    assert verdict.outcome == "not reproduced"
    assert run.series("train_accuracy")[1][-1] > 0.99 and run.series("test_accuracy")[1][-1] < 0.1
    with pytest.raises(ConfigError, match="no attention"):
        experiment.mask_edge(0, 1, 0)


@pytest.mark.parametrize("task", ["identity", "shifts", "near-synonym", "composition", "context", "reversed context"])
def test_every_task_marks_its_anchor_and_key(task: str):
    experiment, run = finished(**SMALL, task=task, steps=1, length=7, modulus=5)
    tokens, (anchor, key) = run.series("shown_tokens")[1][0], run.series("shown_roles")[1][0]
    assert tokens[anchor] <= 10 < 20 <= tokens[key] and abs(anchor - key) == 1
    if task in ("identity", "near-synonym") or task.endswith("context"):
        assert tokens[key] == experiment.probe.labels[0]
    if task == "near-synonym":
        assert tokens[anchor] == 9


def test_test_sequences_do_not_depend_on_how_many_train():
    few, many = (started(**SMALL | {"train_size": size})[0] for size in (100, 200))
    assert torch.equal(few.test.tokens, many.test.tokens)
    assert torch.equal(few.train.tokens[:1] < 107, torch.ones(1, 9, dtype=torch.bool))


def steered(engine: Engine) -> None:
    for step in engine:
        if step == 3:
            engine.act("mask_edge", {"layer": 0, "target": 8, "source": 8})
            engine.act("mask_head", {"layer": 1, "head": 0})
            engine.act("redraw_noise", {})
        if step == 5:
            engine.set_knobs({"train_masked": True, "lr": 1e-3})


def test_masks_and_new_noise_are_replayed_and_resumed_bit_for_bit():
    values = SMALL | {"steps": 8, "look_every": 1}
    experiment, run, engine = started(**values)
    steered(engine)
    again = started(**values)[0]
    replayed = MemoryRun()
    for _ in Engine(again, replayed, replay=run.events()):
        pass
    stored = run.checkpoints[6]
    rest = AnchorFunction(experiment.config)
    rest.setup()
    resumed = MemoryRun()
    for _ in Engine(rest, resumed, step=6, start=stored):
        pass
    for name in ("train_loss", "attention", "probe_accuracy", "shown_tokens"):
        step, value = run.series(name)
        np.testing.assert_array_equal(value, replayed.series(name)[1], err_msg=name)
        later, same = resumed.series(name)
        np.testing.assert_array_equal(value[np.isin(step, later)], same, err_msg=name)
    assert rest.masks.edges == experiment.masks.edges != []


def test_masks_act_on_the_training_only_when_asked_to():
    values = SMALL | {"steps": 6}
    plain, masked = started(**values), started(**values)
    masked[2].act("mask_head", {"layer": 0, "head": 0})
    for engine in (plain[2], masked[2]):
        for _ in engine:
            pass
    np.testing.assert_array_equal(plain[1].series("train_loss")[1], masked[1].series("train_loss")[1])
    _, run, engine = started(**values, train_masked=True)
    engine.act("mask_head", {"layer": 0, "head": 0})
    for _ in engine:
        pass
    assert (run.series("train_loss")[1] != plain[1].series("train_loss")[1]).all()


@pytest.mark.parametrize(
    ("values", "what"),
    [({"train_size": 100, "batch": 200}, "200"), ({"probe": "seen", "train_size": 100, "shown": 100}, "shown")],
)
def test_impossible_settings_are_refused_before_the_start(values: dict[str, Any], what: str):
    with pytest.raises(ConfigError, match=what):
        AnchorFunction.configure("demo", "", values)


@pytest.mark.parametrize("arguments", [{"layer": 2, "head": 0}, {"layer": 0, "head": 1}])
def test_a_head_that_is_not_there_is_not_masked(arguments: dict[str, int]):
    _, run, engine = started(**SMALL)
    with pytest.raises(ConfigError, match="layers 0 to 1, heads 0 to 0"):
        engine.act("mask_head", arguments)
    assert not run.events()


def made_up(
    test: float = 0.99,
    train: float = 1.0,
    broadcast: float = 0.95,
    without: tuple[float, ...] = (0.1, 1, 1, 1, 0.01),
    step: int = 1200,
) -> MemoryRun:
    run = MemoryRun()
    run.append("test_accuracy", [0, step], [0.0, test])
    run.append("train_accuracy", [0, step], [0.0, train])
    run.append("broadcast", [0, step], [0.1, broadcast])
    run.append("accuracy_without", [0, step], [[0.0] * 5, list(without)])
    return run


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({}, "reproduced"),
        ({"test": 0.94}, "not reproduced"),
        ({"train": 0.98}, "not reproduced"),
        ({"broadcast": 0.7}, "not reproduced"),
        ({"without": (0.5, 1, 1, 1, 0)}, "not reproduced"),
        ({"without": (0.1, 1, 0.9, 1, 0)}, "not reproduced"),
        ({"without": (0.1, 1, 1, 1, 0.2)}, "not reproduced"),
        ({"test": 0.5, "step": 300}, "not comparable"),
    ],
)
def test_the_verdict_follows_each_number(changed: dict[str, Any], outcome: str):
    config = AnchorFunction.configure("demo")
    assert AnchorFunction.verdict(config, made_up(**changed)).outcome == outcome


def test_a_failure_after_steering_refutes_nothing():
    config, run = AnchorFunction.configure("demo"), made_up(test=0.5)
    run.event(10, "action", {"action": "mask_head", "arguments": {"layer": 0, "head": 0}})
    assert AnchorFunction.verdict(config, run).outcome == "not reproduced"  # masks alone touch no training
    run.event(20, "knobs", {"changed": {"train_masked": [False, True]}})
    verdict = AnchorFunction.verdict(config, run)
    assert verdict.outcome == "not comparable" and "step 20" in verdict.reason


@pytest.mark.parametrize("changed", [{"task": "shifts"}, {"length": 10}, {"modulus": 7}])
def test_other_tasks_are_not_held_against_these_thresholds(changed: dict[str, Any]):
    config = AnchorFunction.configure("demo", "", changed)
    assert AnchorFunction.verdict(config, made_up()).outcome == "not comparable"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"norm": "pre"}, "measured at post"),
        ({"model": "lstm"}, "no attention"),
        ({"warmup": 1000}, "of at least 2000"),
    ],
)
def test_a_failure_of_another_network_or_within_the_warm_up_refutes_nothing(changed: dict[str, Any], reason: str):
    config = AnchorFunction.configure("demo", "", changed)
    assert reason in AnchorFunction.verdict(config, made_up(test=0.5)).reason
