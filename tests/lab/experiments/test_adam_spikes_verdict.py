"""The verdict of adam-spikes on made-up series: what it accepts, refuses and calls not comparable."""

from typing import Any

import numpy as np
import pytest

from lab.experiments.adam_spikes import AdamSpikes
from lab.stream import MemoryRun
from lab.verdict import Verdict

CROSSING = 700.4
SPIKES = (1500, 2200, 3000)


def config(preset: str, **values: Any) -> Any:
    return AdamSpikes.configure(preset, values=values)


def fill(run: MemoryRun, step: np.ndarray, **values: Any) -> MemoryRun:
    for name, value in values.items():
        run.append(name, step, np.broadcast_to(np.asarray(value, float), step.shape))
    return run


def quadratic(knobs: Any, *, steps: int = 1200, every: int = 1, off: float = 0.0, rise: float = 1e10) -> MemoryRun:
    """v decays freely and λ crosses at 700.4; ``off`` moves λ by that many steps; the loss rises 50 steps later."""
    step = np.arange(0, steps + 1, every)
    half = knobs.lr * knobs.curvature * (1 - knobs.beta1) / (1 + knobs.beta1) / 2
    at_crossing = (half - knobs.eps) ** 2 * (1 - knobs.beta2 ** (CROSSING + 1))
    v = at_crossing * knobs.beta2 ** (step - CROSSING)
    v_hat = v / knobs.beta2**off / (1 - knobs.beta2 ** (step + 1.0))
    loss_step = np.arange(steps)
    loss = np.where(loss_step < CROSSING + 50, 1e-20, 1e-20 * rise)
    run = MemoryRun(train_loss=(loss_step, loss))
    sharpness = 2 / knobs.lr * half / (np.sqrt(v_hat) + knobs.eps)
    fill(run, step, preconditioned_sharpness=sharpness, preconditioned_gradient_curvature=sharpness, sharpness=1.0)
    return fill(run, step, v_ratio=knobs.beta2, second_moment=v, decoupling=np.where(step < 100, 1.0, 1e-12))


def network(
    knobs: Any,
    *,
    steps: int = 4000,
    every: int = 4,
    spikes: tuple[int, ...] = SPIKES,
    above: tuple[int, int] = (-50, 10),
    along: tuple[int, int] = (-12, 6),
    level: float = 0.5,
    height: float = 5.0,
) -> MemoryRun:
    """A flat loss with spikes; λ_max and λ_grad over 2/η from and to the given steps relative to each."""
    step, loss_step = np.arange(0, steps + 1, every), np.arange(steps)
    excess, gradient_excess, loss = np.full(len(step), level), np.full(len(step), 0.1), np.ones(steps)
    for spike in spikes:
        excess[(step >= spike + above[0]) & (step < spike + above[1])] = 1.5
        gradient_excess[(step >= spike + along[0]) & (step < spike + along[1])] = 1.2
        loss[spike : spike + 10] = height
    run = MemoryRun(train_loss=(loss_step, loss))
    threshold = 2 / knobs.lr
    fill(run, step, preconditioned_sharpness=excess * threshold, v_ratio=0.9995, second_moment=1.0, decoupling=0.5)
    return fill(run, step, preconditioned_gradient_curvature=gradient_excess * threshold, sharpness=30.0)


def judge(knobs: Any, run: MemoryRun) -> Verdict:
    return AdamSpikes.verdict(knobs, run)


QUADRATICS = [
    {},
    {"lr": 0.01, "curvature": 7.0, "beta1": 0.5, "beta2": 0.98, "eps": 1e-4},
    {"optimizer": "rmsprop", "beta1": 0.0, "beta2": 0.995, "lr": 0.5},
]


@pytest.mark.parametrize("knobs", QUADRATICS)
@pytest.mark.parametrize("every", [1, 7])
def test_the_quadratic_is_reproduced_at_any_knobs(knobs, every):
    chosen = config("quadratic", **knobs)
    verdict = judge(chosen, quadratic(chosen, every=every))
    assert verdict.outcome == "reproduced", verdict
    error = next(check for check in verdict.checks if "closed form" in check.name)
    assert abs(error.value) < 0.1


@pytest.mark.parametrize(
    ("changes", "failing"), [({"off": 3}, "closed form"), ({"rise": 100.0}, "rise of the loss envelope")]
)
def test_the_quadratic_is_refused_by_the_check_that_fails(changes, failing):
    chosen = config("quadratic")
    verdict = judge(chosen, quadratic(chosen, **changes))
    assert verdict.outcome == "not reproduced"
    assert [failing in check.name for check in verdict.checks if not check.passed] == [True]


def test_a_v_that_does_not_decay_freely_is_refused():
    chosen, run = config("quadratic"), MemoryRun()
    full = quadratic(chosen)
    for name in full.names():
        step, value = full.series(name)
        run.append(name, step, value + 2e-4 if name == "v_ratio" else value)
    verdict = judge(chosen, run)
    assert [check.name for check in verdict.checks if not check.passed] == ["|v_t/v_(t-1) - β2| in the 50 steps before"]


def test_a_quadratic_too_short_to_cross_is_told_when_it_will():
    chosen = config("quadratic")
    verdict = judge(chosen, quadratic(chosen, steps=600))
    assert verdict.outcome == "not comparable" and "cross 2/η at step 700" in verdict.reason


def test_a_quadratic_that_ends_before_the_loss_could_rise_is_not_comparable():
    chosen = config("quadratic")
    verdict = judge(chosen, quadratic(chosen, steps=740))
    assert verdict.outcome == "not comparable" and verdict.reason.startswith("too short: the loss needs")


def test_a_large_eps_refutes_whatever_the_length():
    chosen = config("quadratic", eps=0.1)
    run, step = MemoryRun(train_loss=(np.arange(500), np.full(500, 1e-20))), np.arange(501)
    fill(run, step, preconditioned_sharpness=0.5, preconditioned_gradient_curvature=0.5, sharpness=1.0)
    fill(run, step, v_ratio=0.99, second_moment=0.99**step, decoupling=1e-12)
    assert judge(chosen, run).outcome == "not reproduced"


def test_a_loss_that_underflowed_to_zero_cannot_spike():
    chosen = config("quadratic")
    run, made = MemoryRun(), quadratic(chosen)
    for name in made.names():
        step, value = made.series(name)
        run.append(name, step, value * (step < 500) if name == "train_loss" else value)
    verdict = judge(chosen, run)
    assert verdict.outcome == "not comparable" and "underflowed" in verdict.reason


def test_the_network_is_reproduced():
    verdict = judge(config("network"), network(config("network")))
    assert verdict.outcome == "reproduced", verdict


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"spikes": SPIKES[:2]}, "spikes of the loss"),
        ({"height": 2.9}, "spikes of the loss"),
        ({"along": (-60, 6)}, "share of spikes"),
        ({"along": (-80, -40)}, "share of spikes"),
        ({"above": (-150, -110), "along": (-140, 6)}, "share of spikes"),
        ({"above": (-20, 4)}, "median length"),
    ],
)
def test_the_network_is_refused_by_the_check_that_fails(changes, failing):
    chosen = config("network")
    verdict = judge(chosen, network(chosen, **changes))
    assert verdict.outcome == "not reproduced"
    assert failing in next(check.name for check in verdict.checks if not check.passed)


def test_a_stretch_that_the_run_begins_with_is_no_crossing():
    chosen, run = config("network"), MemoryRun()
    made = network(chosen)
    for name in made.names():
        step, value = made.series(name)
        start = (name == "preconditioned_sharpness") & (step < 8)
        run.append(name, step, np.where(start, 3 / chosen.lr, value))
    assert judge(chosen, run).checks == judge(chosen, made).checks


@pytest.mark.parametrize("optimizer", ["gd", "momentum"])
@pytest.mark.parametrize("preset", ["network", "quadratic"])
def test_an_optimiser_without_a_preconditioner_never_shows_the_claim(optimizer, preset):
    chosen = config(preset, optimizer=optimizer)
    run = network(chosen) if preset == "network" else quadratic(chosen)
    assert judge(chosen, run).outcome == "not reproduced"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"steps": 3000, "spikes": SPIKES[:2]}, "too short: 3000 of at least 4000 steps"),
        ({"spikes": (3500,)}, "first crossed 2/η"),
        ({"spikes": ()}, "v still falls"),
        ({"every": 16}, "set record_every to 10 or less"),
    ],
)
def test_a_network_run_that_cannot_tell_is_not_comparable(changes, reason):
    chosen = config("network")
    verdict = judge(chosen, network(chosen, **changes))
    assert verdict.outcome == "not comparable" and reason in verdict.reason


def test_no_rows_and_a_loss_that_is_not_finite_are_not_comparable():
    chosen = config("network")
    assert "nothing to judge yet" in judge(chosen, MemoryRun()).reason
    run = network(chosen)
    run.append("train_loss", 4001, np.nan)
    assert "not finite from step 4001" in judge(chosen, run).reason


def test_spikes_right_after_an_intervention_are_no_evidence():
    chosen, run = config("network"), network(config("network"))
    run.event(2190, "knobs", {"changed": {"eps": [1e-8, 1e-9]}})
    verdict = judge(chosen, run)
    assert verdict.checks[0].value == 2
    assert verdict.outcome == "not comparable" and "ε was set from 1e-08 to 1e-09 at step 2190" in verdict.reason


def test_a_curvature_is_held_against_the_threshold_in_force():
    chosen = config("network", lr=0.02)
    run = network(chosen, level=0.9)
    run.event(3300, "knobs", {"changed": {"lr": [0.02, 0.01]}})
    assert judge(chosen, run).outcome == "reproduced"
    assert judge(config("network", lr=0.01), run).outcome == "reproduced"  # the events say what it was before
