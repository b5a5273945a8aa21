"""Loss jump: the losses, the switch, what is recorded around it, and what the verdict accepts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.engine import Engine
from lab.experiments.loss_jump import LossJump
from lab.measures.jump_checks import CLOSE, learnt
from lab.stream import MemoryRun

SMALL = {"width": 8, "points": 33, "switch_step": 40, "steps": 60}


def started(preset: str = "demo", **values: Any) -> tuple[LossJump, MemoryRun, Engine]:
    experiment = LossJump(LossJump.configure(preset, values=SMALL | values))
    experiment.setup()
    run = MemoryRun()
    return experiment, run, Engine(experiment, run)


def finished(preset: str = "demo", **values: Any) -> tuple[LossJump, MemoryRun]:
    experiment, run, engine = started(preset, **values)
    for _ in engine:
        pass
    return experiment, run


def test_the_losses_of_poissons_equation_equal_double_autograd():
    experiment, _, _ = started(beta=3.0)
    x = torch.linspace(-1, 1, 33, dtype=torch.float64)[:, None].requires_grad_()
    u = experiment.networks["first"](x)[:, 0]
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), x)
    pi = math.pi
    exact = torch.sin(pi * x[:, 0]) + 0.5 * torch.sin(4 * pi * x[:, 0])
    source = pi**2 * torch.sin(pi * x[:, 0]) + 8 * pi**2 * torch.sin(4 * pi * x[:, 0])
    exact_slope = pi * torch.cos(pi * x[:, 0]) + 2 * pi * torch.cos(4 * pi * x[:, 0])
    edge = 3.0 * (u[[0, -1]] - exact[[0, -1]]).square().mean()
    expected = {
        "data": (u - exact).square().mean(),
        "derivative": (slope[:, 0] - exact_slope).square().mean() + edge,
        "model": (bend[:, 0] + source).square().mean() + edge,
    }
    for kind, value in expected.items():
        torch.testing.assert_close(experiment._loss(kind, "first"), value, rtol=1e-10, atol=1e-12)


def test_the_switch_changes_the_loss_and_keeps_rate_and_moments():
    experiment, run, engine = started()
    for step in engine:
        if step == 41:
            moments = experiment.optimizers["first"].state_dict()["state"][0]
            assert moments["step"] == 41
    step, loss = run.series("train_loss")
    assert experiment.loss_now == "model" and experiment.switched_at == 40
    assert experiment.optimizers["first"].param_groups[0]["lr"] == pytest.approx(experiment.config.lr_end, rel=0.1)
    for name, before in (("data_loss", True), ("model_loss", False)):
        at, value = run.series(name)
        for row in np.flatnonzero(at < 40 if before else at >= 40):
            assert loss[list(step).index(at[row])] == pytest.approx(value[row], rel=1e-9)
    assert run.series("stage")[1].tolist() == [float(at >= 40) for at in run.series("stage")[0]]
    switch = next(event for event in run.events() if event["kind"] == "switch")
    assert (switch["step"], switch["payload"]) == (40, {"from": "data", "to": "model"})


def test_every_step_after_the_switch_is_recorded_with_what_was_before():
    _, run = finished(switch_step=30, steps=170)
    after, ratio = (run.series(name)[1] for name in ("after_switch", "error_ratio"))
    assert after.tolist() == list(range(CLOSE + 1))
    step, error = run.series("relative_error")
    assert ratio[0] == pytest.approx(error[list(step).index(30)] / error[step <= 30].min())
    assert step[step > 130].tolist() == [140, 160]
    assert run.series("solution_before")[0].tolist() == [30]
    assert run.series("mode_error")[1].shape[1] == 16
    assert 0 < run.series("gradient_share")[1][0] < 1


def test_a_wave_is_asked_to_start_at_rest():
    experiment, _, _ = started("wave", width=8, points=60, switch_step=4, steps=8, beta=2.0)
    network, start = experiment.networks["first"], experiment.at_rest.clone().requires_grad_()
    (slope,) = torch.autograd.grad(network(start).sum(), start)
    edge = (network(experiment.edge)[:, 0] - experiment.exact_edge).square().mean() + slope[:, 1].square().mean()
    torch.testing.assert_close(experiment._terms("model", "first")[1], edge, rtol=1e-10, atol=1e-12)


def test_fresh_moments_and_a_rate_after_the_switch_are_taken():
    experiment, _, engine = started(moments="reset", lr_after=2e-3)
    for step in engine:
        if step == 41:
            assert experiment.optimizers["first"].state_dict()["state"][0]["step"] == 1
    assert experiment.optimizers["first"].param_groups[0]["lr"] == 2e-3


def test_the_button_switches_there_and_back_and_a_blend_keeps_some_of_the_old_loss():
    experiment, run, engine = started()
    seen = []
    for step in engine:
        if step in (5, 10):
            engine.act("switch_loss", {})
        if step == 12:
            engine.set_knobs({"blend": 0.25})
        seen.append(experiment.loss_now)
    assert seen[4:11] == ["model"] * 5 + ["data"] * 2 and seen[-1] == "data"  # pressed: no switch of its own at 40
    mixed = experiment._mixed().item()
    parts = experiment._loss("data", "first").item(), experiment._loss("model", "first").item()
    assert mixed == pytest.approx(0.75 * parts[0] + 0.25 * parts[1])
    assert "steered at step 12" in LossJump.verdict(experiment.config, run).reason
    with pytest.raises(ConfigError, match="keep their losses"):
        started("scratch")[2].act("switch_loss", {})


def test_two_networks_start_alike_and_part_by_their_losses():
    experiment, run = finished("scratch", steps=3)
    first, second = (run.series(name)[1] for name in ("relative_error", "second_error"))
    assert first[0] == second[0]
    one, other = (list(experiment.networks[name].parameters()) for name in ("first", "second"))
    assert not torch.equal(one[0], other[0])
    same, _ = finished("scratch", steps=3, second="data")
    one, other = (list(same.networks[name].parameters()) for name in ("first", "second"))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("preset", ["heat", "burgers", "wave"])
def test_equations_with_a_time_are_trained_on_their_residual(preset):
    experiment, run = finished(preset, width=8, depth=2, points=60, switch_step=4, steps=8)
    assert run.series("stage")[1][-1] == 1.0 and run.series("solution")[1].shape[1:] == (513,)
    exact = run.series("exact")[1][0]
    assert np.abs(exact[[0, -1]]).max() < 1e-8 and np.abs(exact).max() > 0.5
    assert "a switch after 2000 steps" in LossJump.verdict(experiment.config, run).reason


def test_an_arm_of_an_equation_with_a_time_keeps_it_and_comes_to_its_switch():
    for preset in ("heat", "burgers", "heat-long"):
        config = LossJump.configure(preset, "data")
        assert config.equation in preset and config.second == "data" and config.switch_step < config.steps
    burgers = LossJump.configure("burgers", "model")
    run = made_up(burgers, 20.0, (1e-2, 2e-2), 6.0)  # its front has every frequency: no order is asked of it
    verdict = LossJump.verdict(burgers, run)
    assert verdict.outcome == "reproduced" and len(verdict.checks) == 2
    assert "again from step" in verdict.checks[0].note
    other = LossJump.configure("heat", "model", {"frequencies": "2 3"})
    assert "k = 1 and 4" in LossJump.verdict(other, made_up(other, 20.0, (7e-2, 2e-2), 6.0)).reason
    descent = LossJump.configure("demo", "model", {"optimizer": "gd"})
    assert "measured at adam" in LossJump.verdict(descent, made_up(descent, 1.0, (7e-2, 2e-2), 6.0)).reason
    blended = LossJump.configure("demo", "model", {"blend": 0.5})
    assert "leaving the data" in LossJump.verdict(blended, made_up(blended, 20.0, (7e-2, 2e-2), 6.0)).reason


def made_up(config: Any, ratio: float, modes_at_top: tuple[float, float], model: float) -> MemoryRun:
    """A run whose error jumps by ``ratio`` 19 steps after its switch."""
    at = config.switch_step
    step = np.unique(np.concatenate([np.arange(0, config.steps + 1, 20), np.arange(at, at + CLOSE + 1)]))
    top = step == at + 19
    error = np.where(top, ratio * 5e-3, 5e-3)
    modes = np.full((len(step), 16), 1e-6)
    modes[:, 3] = 1e-4
    modes[np.ix_(top, [0, 3])] = modes_at_top
    return MemoryRun(
        relative_error=(step, error), mode_error=(step, modes), model_loss=(step, np.where(step <= at, 52.0, model))
    )


@pytest.mark.parametrize(
    ("ratio", "modes", "model", "outcome"),
    [
        (20.0, (7e-2, 2e-2), 6.0, "reproduced"),
        (1.3, (7e-2, 2e-2), 6.0, "not reproduced"),
        (20.0, (1e-2, 2e-2), 6.0, "not reproduced"),
        (20.0, (7e-2, 2e-2), 50.0, "not reproduced"),
    ],
)
def test_a_jump_at_low_frequency_while_the_model_loss_falls_is_what_counts(ratio, modes, model, outcome):
    config = LossJump.configure("demo", "model")
    assert LossJump.verdict(config, made_up(config, ratio, modes, model)).outcome == outcome


def test_a_switch_by_hand_is_judged_as_that_of_the_schedule_and_a_second_one_is_not():
    pressed = LossJump.configure("demo", "model", {"switch_step": 5000})
    run = made_up(pressed, 20.0, (7e-2, 2e-2), 6.0)
    config = LossJump.configure("demo", "model")
    assert "2000 steps" in LossJump.verdict(LossJump.configure(values={"switch_step": 8950}), run).reason
    run.event(5000, "action", {"action": "switch_loss", "arguments": {}})
    verdict = LossJump.verdict(config, run)
    assert verdict.outcome == "reproduced" and verdict.checks[0].note.startswith("at 5019")
    run.event(8000, "action", {"action": "switch_loss", "arguments": {}})
    assert "switched again at step 8000" in LossJump.verdict(config, run).reason


def test_an_error_that_was_not_calm_before_the_switch_tells_nothing():
    config = LossJump.configure("demo", "model")
    run = made_up(config, 20.0, (7e-2, 2e-2), 6.0)
    step, error = run.series("relative_error")
    swinging = np.where((step < 8000) & (step % 40 == 0), 3 * error, error)
    names = {name: run.series(name) for name in run.names() if name != "relative_error"}
    verdict = LossJump.verdict(config, MemoryRun(relative_error=(step, swinging), **names))
    assert verdict.outcome == "not comparable" and "varied 3 times" in verdict.reason


@pytest.mark.parametrize("values", [{"width": 20}, {"lr": 0.01}, {"beta": 100.0}, {"activation": "sin"}])
def test_another_network_or_rate_can_show_the_jump_but_not_refute_it(values):
    config = LossJump.configure("demo", "model", values)
    verdicts = [LossJump.verdict(config, made_up(config, ratio, (7e-2, 2e-2), 6.0)) for ratio in (20.0, 1.3)]
    assert [verdict.outcome for verdict in verdicts] == ["reproduced", "not comparable"]
    assert next(iter(values)) in verdicts[1].reason


def test_a_jump_by_another_rate_is_not_comparable():
    config = LossJump.configure("demo", "raised-rate")
    verdict = LossJump.verdict(config, made_up(config, 15.0, (7e-2, 2e-2), 6.0))
    assert verdict.outcome == "not comparable" and "rate or fresh moments" in verdict.reason
    early = LossJump.configure("demo", "model", {"switch_step": 100, "steps": 1100})
    assert "after 2000 steps" in LossJump.verdict(early, made_up(early, 15.0, (7e-2, 2e-2), 6.0)).reason


@pytest.mark.parametrize(
    ("data", "model", "outcome"),
    [
        ((220, 940), (180, 120), "reproduced"),
        ((220, 940), (220, 940), "not reproduced"),
        ((940, 220), (180, 120), "not reproduced"),
        ((220, math.inf), (180, 120), "reproduced"),
    ],
)
def test_the_order_from_scratch_is_low_first_for_data_and_high_first_for_the_model(data, model, outcome):
    config = LossJump.configure("scratch")
    step = np.arange(0, config.steps, 20)
    run = MemoryRun()
    for name, (low, high) in (("curved_error", data), ("second_curved_error", model)):
        value = np.zeros((len(step), 16))
        value[:, 0], value[:, 3] = step < low, step < high
        run.append(name, step, value)
    assert LossJump.verdict(config, run).outcome == outcome


def test_a_straight_line_is_no_error_at_any_frequency_and_a_passing_zero_is_notlearnt():
    experiment, _, _ = started("scratch")
    x = experiment.fine[:, 0]
    experiment.exact_fine = (
        experiment.networks["first"](experiment.fine)[:, 0].detach() - 3 - 2 * x - torch.sin(math.pi * x)
    )
    whole, curved = experiment._errors("first")[1], experiment._errors("first")[3]
    torch.testing.assert_close(curved, torch.eye(16, dtype=torch.float64)[0], atol=1e-10, rtol=0)
    assert whole[3] > 0.1
    step = np.arange(0, 100, 20)
    swings = np.zeros((5, 16))
    swings[:, 0] = [1.0, 0.05, 0.5, 0.05, 0.01]
    assert learnt(MemoryRun(curved_error=(step, swings)), "curved_error", 1) == 60


@pytest.mark.parametrize(
    "values",
    [
        {"frequencies": "1 4 9"},
        {"frequencies": "1 20"},
        {"frequencies": ""},
        {"frequencies": "1.5 4"},
        {"amplitudes": "nan 1"},
        {"amplitudes": "1e300 1"},
    ],
)
def test_frequencies_without_their_amplitudes_are_refused(values):
    with pytest.raises(ConfigError, match="from 1 to 16"):
        LossJump.configure(values=values)
