"""Corrupted grokking: what its instruments read, what its knobs do, and what its verdict accepts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.engine import Engine
from lab.experiments.corrupted_grokking import CorruptedGrokking
from lab.measures.corruption_checks import PHASES, POINTS, ignoring, inversion_step, phase_number
from lab.panels.corrupted_grokking import ACCURACIES
from lab.stream import MemoryRun

SMALL = {"p": 11, "width": 60, "alpha": 0.6, "xi": 0.3, "steps": 20}


def started(preset: str = "demo", **values: Any) -> tuple[CorruptedGrokking, MemoryRun, Engine]:
    experiment = CorruptedGrokking(CorruptedGrokking.configure(preset, values=SMALL | values))
    experiment.setup()
    run = MemoryRun()
    return experiment, run, Engine(experiment, run)


def finished(preset: str = "demo", **values: Any) -> tuple[CorruptedGrokking, MemoryRun]:
    experiment, run, engine = started(preset, **values)
    for _ in engine:
        pass
    return experiment, run


def test_the_five_accuracies_equal_asking_every_pair():
    experiment, run = finished(p=5, xi=0.4)
    size, count, _ = experiment.config.cells()[0]
    assert (size, count) == (15, 6)
    eye, (u, v, w) = torch.eye(5), (part[0].detach() for part in experiment.model.neurons())
    right = {name: [] for name in ACCURACIES}
    for place, (n, m) in enumerate(experiment.pairs.tolist()):
        said = int(((eye[n] @ u.T + eye[m] @ v.T).square() @ w).argmax())
        given = int(experiment.given[0, place]) if place < size else None
        asked = {"train": given, "clean": given if place >= count else None, "test": None}
        asked |= {"given": given if place < count else None, "true": (n + m) % 5 if place < count else None}
        asked["test"] = (n + m) % 5 if place >= size else None
        for name, label in asked.items():
            if label is not None:
                right[f"{name}_accuracy"].append(said == label)
    for name, found in right.items():
        assert run.series(name)[1][-1] == pytest.approx(np.mean(found)), name


def test_a_step_is_adamw_on_the_mean_square_of_one_hot_targets():
    experiment, _, engine = started(weight_decay=5.0)
    weights = [p.detach().clone().requires_grad_() for p in experiment.model.parameters()]
    reference = torch.optim.AdamW(weights, lr=1e-2, betas=(0.9, 0.98), weight_decay=5.0)
    size = experiment.config.cells()[0][0]
    n, m = experiment.pairs[:size].unbind(1)
    for _ in range(3):
        next(iter(engine))
        square = (weights[0][0, n] + weights[1][0, m]).square()
        loss = (square @ weights[2][0].T - torch.nn.functional.one_hot(experiment.given[0], 11)).square().mean()
        reference.zero_grad()
        loss.backward()
        reference.step()
    for parameter, expected in zip(experiment.model.parameters(), weights, strict=True):
        torch.testing.assert_close(parameter, expected, rtol=1e-4, atol=1e-6)


def test_each_network_of_a_map_trains_as_it_would_alone():
    shares = {"row_values": "0 15", "xi_values": "0.1 0.5", "steps": 4}
    together, run = finished("map", **shares)
    alone, _, engine = started(xi=0.5, weight_decay=15.0, steps=4)
    drawn = started("map", **shares)[0].model.state_dict()
    alone.model.load_state_dict({name: p[-1:] for name, p in drawn.items()})
    assert torch.equal(alone.given[0], together.given[3])
    for _ in engine:
        pass
    for one, many in zip(alone.model.parameters(), together.model.parameters(), strict=True):
        torch.testing.assert_close(one, many[-1:], rtol=1e-4, atol=1e-6)
    assert run.series("phase_map")[1].shape[1:] == (2, 2)
    assert run.series("map_columns")[1].tolist() == [[0.1, 0.5]]


def test_pruning_is_seen_in_the_readings_and_leaves_the_training_alone():
    whole, _ = finished()
    pruned, run, engine = started()
    for step in engine:
        if step == 5:
            engine.set_knobs({"prune": 1.0})
        if step == 15:
            engine.set_knobs({"prune": 0.0})
    engine.flush()
    assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), pruned.model.parameters(), strict=True))
    step, found = run.series("pruned_accuracies")
    clean = [run.series(name)[1] for name in ACCURACIES]
    zeros = [(labels == 0).double().mean().item() for _, labels in pruned._groups(0)]
    assert found[list(step).index(10)].tolist() == pytest.approx(zeros)  # nothing is left but the first class
    assert found[-1].tolist() == [part[-1] for part in clean]
    kept = run.series("kept")[1]
    assert [row.sum() for row in kept] == [60, 0, 60]
    assert run.series("lowest_test_accuracy")[1].shape[1:] == (POINTS,)


def test_pruning_below_an_ipr_keeps_the_neurons_above_it():
    _, run = finished(prune=0.3, prune_by="IPR below")
    ipr, kept = run.series("ipr")[1][-1], run.series("kept")[1][-1]
    assert 0 < kept.sum() < 60 and (kept == (ipr >= 0.3)).all()


def test_frozen_steps_change_no_weight_and_no_running_statistics():
    experiment, _, engine = started(freeze=True, batch_norm=True, dropout=0.5, batch=16)
    before = {name: value.clone() for name, value in experiment.model.state_dict().items()}
    for step in engine:
        if step == 3:
            break
    assert all(torch.equal(value, before[name]) for name, value in experiment.model.state_dict().items())


def test_labels_drawn_anew_stay_among_the_corrupted_pairs():
    experiment, run, engine = started()
    before, count = experiment.given.clone(), experiment.config.cells()[0][1]
    engine.act("redraw_labels", {})
    changed = experiment.given[0] != before[0]
    assert changed[:count].any() and not changed[count:].any()
    for _ in engine:
        pass
    assert "steered" in CorruptedGrokking.verdict(experiment.config, run).reason


def test_multiplication_is_read_in_the_order_of_its_discrete_logarithm():
    _, run = finished(operation="multiply")
    assert np.isfinite(run.series("ipr")[1]).all()
    with pytest.raises(ConfigError, match="no prime"):
        CorruptedGrokking.configure(values={"operation": "multiply", "p": 12})


@pytest.mark.parametrize(
    ("now", "label"),
    [
        ((1.0, 0.95, 0.95, 1.0, 0.95), "coexistence"),
        ((0.9, 0.5, 0.99, 1.0, 0.99), "partial inversion"),
        ((0.65, 0.01, 1.0, 1.0, 1.0), "full inversion"),
        ((1.0, 1.0, 0.1, 1.0, 0.2), "memorisation"),
        ((0.3, 0.1, 0.4, 1.0, 0.99), "forgetting"),
        ((0.02, 0.02, 0.02, 0.9, 0.3), "forgetting"),
        ((0.02, 0.02, 0.02, 0.02, 0.02), "confusion"),
        ((1.0, np.nan, 1.0, 1.0, 1.0), "coexistence"),
    ],
)
def test_phases_are_told_by_their_cut_offs(now, label):
    assert PHASES[phase_number(*now, classes=97) - 1].label == label


def made_up(config: Any, train: list[float], **last: Any) -> MemoryRun:
    """A run whose training accuracy took these values, evenly over its steps, and whose other series end as said."""
    steps = np.linspace(0, config.steps, len(train)).astype(int)
    run = MemoryRun(train_accuracy=(steps, train))
    for name, value in last.items():
        run.append(name, steps, np.repeat(np.array(value)[None], len(steps), 0))
    return run


def curve(at_half: float, at_seventy: float) -> np.ndarray:
    return np.interp(np.linspace(0, 1, POINTS), [0, 0.5, 0.7, 1], [0.1, at_half, at_seventy, 0.0])


@pytest.mark.parametrize(
    ("given", "repaired", "random", "outcome"),
    [
        (0.93, 0.99, 0.17, "reproduced"),
        (0.02, 0.99, 0.17, "not reproduced"),
        (0.93, 0.60, 0.17, "not reproduced"),
        (0.93, 0.99, 0.90, "not reproduced"),
    ],
)
def test_coexistence_needs_both_accuracies_and_a_repair_by_order(given, repaired, random, outcome):
    config = CorruptedGrokking.configure("demo", "coexistence")
    series = {"test_accuracy": 0.98, "given_accuracy": given, "lowest_true_accuracy": curve(0.9, repaired)}
    series |= {"lowest_test_accuracy": curve(1.0, 1.0), "random_true_accuracy": curve(random, 0.1)}
    assert CorruptedGrokking.verdict(config, made_up(config, [0.0, 0.98], **series)).outcome == outcome


@pytest.mark.parametrize(
    ("train", "outcome"),
    [([0, 1.0, 0.6536], "reproduced"), ([0, 0.7, 0.6536], "not reproduced"), ([0, 1.0, 1.0], "not reproduced")],
)
def test_full_inversion_needs_two_stages(train, outcome):
    config = CorruptedGrokking.configure("demo", "full-inversion")
    assert ignoring(config) == pytest.approx(0.6536, abs=1e-4)
    run = made_up(config, train, test_accuracy=1.0, given_accuracy=0.01)
    assert CorruptedGrokking.verdict(config, run).outcome == outcome


@pytest.mark.parametrize(
    ("train", "step"),
    [
        ([0.1, 0.99, 0.9, 0.8, 0.65], 30),  # 1 - ξ/2 is 0.825
        ([0.1, 0.5, 0.6, 0.65, 0.65], None),  # never learnt
        ([0.1, 1.0, 1.0, 1.0, 0.9], None),  # never lost
        ([0.1, 0.99, 0.6, 1.0, 1.0], 20),
    ],
)
def test_inversion_is_when_what_was_learnt_is_first_lost(train, step):
    assert inversion_step(np.arange(5) * 10, np.array(train), 0.35) == step


def test_the_verdict_says_when_the_labels_were_given_up():
    config = CorruptedGrokking.configure("demo", "full-inversion")
    run = made_up(config, [0, 1.0, 0.7, 0.6536], test_accuracy=1.0, given_accuracy=0.01)
    notes = [check.note for check in CorruptedGrokking.verdict(config, run).checks]
    assert "training at 0.99 from step 166; inverted at step 333" in notes


def test_products_and_dropout_can_show_a_claim_but_not_refute_it():
    series = {"test_accuracy": 1.0, "given_accuracy": 0.5}
    for values, name in (({"dropout": 0.35}, "dropout = 0.35"), ({"operation": "multiply"}, "operation = multiply")):
        config = CorruptedGrokking.configure("demo", "partial-inversion", values)
        shown = CorruptedGrokking.verdict(config, made_up(config, [0, 1.0, 0.8], **series))
        assert shown.outcome == "reproduced"
        missed = CorruptedGrokking.verdict(config, made_up(config, [0, 1.0, 1.0], **series))
        assert missed.outcome == "not comparable" and name in missed.reason


def test_nothing_corrupted_is_no_inversion():
    config = CorruptedGrokking.configure("demo", "clean")
    run = made_up(config, [0, 1.0, 1.0], test_accuracy=1.0, given_accuracy=np.nan)
    assert CorruptedGrokking.verdict(config, run).outcome == "not reproduced"


@pytest.mark.parametrize(("sign", "outcome"), [(1.0, "reproduced"), (-1.0, "not reproduced")])
def test_batch_norm_is_judged_by_the_order_of_scales(sign, outcome):
    config = CorruptedGrokking.configure("demo", "batch-norm")
    ipr = np.append(np.linspace(0.05, 0.9, 499), np.nan)
    series = {"ipr": ipr, "neuron_scale": 0.1 + sign * 0.05 * np.nan_to_num(ipr), "test_accuracy": 1.0}
    run = made_up(config, [0, 0.82], **series, given_accuracy=0.08)
    assert CorruptedGrokking.verdict(config, run).outcome == outcome


@pytest.mark.parametrize(("phases", "outcome"), [((4, 1, 3), "reproduced"), ((4, 4, 3), "not reproduced")])
def test_a_map_is_judged_by_its_phases_along_the_decay(phases, outcome):
    config = CorruptedGrokking.configure("map")
    run = MemoryRun(phase_map=([config.steps], np.array([*phases, 5])[None, :, None].repeat(5, 2)))
    assert CorruptedGrokking.verdict(config, run).outcome == outcome


def test_a_map_beyond_memory_is_refused():
    many = " ".join(str(number / 1000) for number in range(900))
    with pytest.raises(ConfigError, match="lower N or the values of the map"):
        started("map", p=97, width=2000, row_values=many, xi_values=many)


def test_runs_outside_the_claim_are_not_comparable():
    config = CorruptedGrokking.configure("demo", "full-inversion")
    run = made_up(config, [0, 1.0, 0.6536], test_accuracy=1.0, given_accuracy=0.01)
    run.event(100, "knobs", {"changed": {"prune": [0.0, 0.7]}})
    assert CorruptedGrokking.verdict(config, run).outcome == "reproduced"  # looking is no steering
    run.event(200, "knobs", {"changed": {"weight_decay": [15.0, 0.0]}})
    assert CorruptedGrokking.verdict(config, run).reason == "the training was steered at step 200"
    branch = MemoryRun(test_accuracy=([500], [1.0]))
    assert "branch from step 500" in CorruptedGrokking.verdict(config, branch).reason
    cut = CorruptedGrokking.configure("demo", "full-inversion", {"claim": "forgetting", "steps": 400})
    learnt = made_up(cut, [0, 1.0, 0.6536], test_accuracy=1.0, given_accuracy=0.01)
    assert "1500 or more" in CorruptedGrokking.verdict(cut, learnt).reason
    small = CorruptedGrokking.configure("demo", values={"p": 43})
    assert "p = 97" in CorruptedGrokking.verdict(small, made_up(small, [1.0], test_accuracy=1.0)).reason


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch": 9000}, "more than the 4704 training pairs: lower it"),
        ({"batch": 1, "batch_norm": True}, "a batch of 1"),
        ({"claim": "map", "row_values": "5 x"}, "row_values: 'x' is no number"),
        ({"claim": "map", "batch": 10}, "without batch, batch_norm and dropout"),
        ({"claim": "map", "xi_values": "0 1.5"}, "xi_values in 0 to 0.9"),
        ({"claim": "map", "map_rows": "training share", "row_values": "0 0.5"}, "0.1 to 0.95"),
    ],
)
def test_settings_that_cannot_run_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        CorruptedGrokking.configure(values=values)
