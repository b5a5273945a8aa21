"""Depth as the axis: the carried tangents against dense Jacobians, theory that follows the knobs, and the verdict."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.engine import Engine
from lab.experiments.partial_jacobians import PartialJacobians, critical_point
from lab.measures.mean_field import propagate
from lab.models import residual_mlp
from lab.models.deep_grid import DeepGrid
from lab.stream import MemoryRun


def started(preset: str = "curve", arm: str = "", **values: Any) -> tuple[PartialJacobians, MemoryRun, Engine]:
    experiment = PartialJacobians(PartialJacobians.configure(preset, arm, values))
    experiment.setup()
    run = MemoryRun()
    return experiment, run, Engine(experiment, run)


def finished(preset: str = "curve", arm: str = "", **values: Any) -> tuple[PartialJacobians, MemoryRun]:
    experiment, run, engine = started(preset, arm, **values)
    for _ in engine:
        pass
    return experiment, run


def test_carried_tangents_are_those_of_the_whole_networks_jacobian(monkeypatch):
    blocks, make = [], residual_mlp.ResidualBlock
    monkeypatch.setattr(residual_mlp, "ResidualBlock", lambda *a, **k: blocks.append(make(*a, **k)) or blocks[-1])
    experiment, run, engine = started(activation="erf", width=16, nets=1, probes=3, steps=4, sigma_b2=0.3)
    h, tangents = experiment.h.clone(), experiment.tangents.clone()
    for _ in engine:
        pass
    jacobian = torch.autograd.functional.jacobian(lambda x: torch.nn.Sequential(*blocks)(x[None])[0], h[0])
    expected = (tangents[:, 0] @ jacobian.T).square().sum(1).mean().log()
    assert run.series("log_apjn")[1][-1] == pytest.approx(float(expected), rel=1e-12)


def test_the_theory_is_the_recursion_from_the_knobs():
    _, run = finished(activation="gelu", width=16, nets=2, probes=1, steps=12, sigma_b2=0.2, mu=0.5, variance0=2.0)
    theory = propagate("gelu", 12, 2.0, 0.2, mu=0.5, start=2.0)
    np.testing.assert_allclose(run.series("theory_log_apjn")[1], theory.log_apjn, rtol=1e-12)
    np.testing.assert_allclose(run.series("theory_variance")[1], theory.variance, rtol=1e-12)
    np.testing.assert_allclose(run.series("theory_block_apjn")[1], theory.chi_j, rtol=1e-12)


def test_measurement_and_theory_follow_a_knob_turned_on_the_way():
    _, run, engine = started(width=150, nets=20, probes=4, steps=12)
    for step in engine:
        if step == 6:
            engine.set_knobs({"sigma_w2": 1.0})
    measured = run.series("block_apjn")[1]
    np.testing.assert_allclose(run.series("theory_block_apjn")[1], [1.0] * 6 + [0.5] * 6)
    np.testing.assert_allclose([measured[:6].mean(), measured[6:].mean()], [1.0, 0.5], rtol=0.06)
    assert PartialJacobians.verdict(PartialJacobians.configure(), run).reason.startswith("the network changes")


def test_going_to_critical_stops_the_decay_until_sigma_is_turned():
    experiment, run, engine = started(arm="relu-ordered", width=16, nets=1, steps=9)
    for step in engine:
        if step == 3:
            engine.act("continue_at_criticality", {})
        if step == 6:
            engine.set_knobs({"sigma_w2": 1.0})
    np.testing.assert_allclose(run.series("theory_block_apjn")[1], [0.75] * 3 + [1.0] * 3 + [0.5] * 3)
    assert not experiment.go_critical


def test_critical_points_have_chi_one():
    for activation in ("relu", "erf", "tanh", "gelu"):
        sigma_w2, sigma_b2 = critical_point(activation, 1.7, 0.4, "pre")
        assert propagate(activation, 300, sigma_w2, sigma_b2, mu=0.4, norm="pre").chi_j[-1] == pytest.approx(1)
    assert critical_point("relu", 3.0, 0.6, "none") == (pytest.approx(1.28), 0.0)
    with pytest.raises(ConfigError, match="no critical point of gelu"):
        critical_point("gelu", 2.0, 0.0, "none")


def test_the_map_measures_the_theory_at_every_point_of_its_grid():
    _, run = finished("map", width=100, nets=1, map_columns=2, map_rows=3, map_nets=6, steps=6)
    assert run.series("map_sigma_w2")[1].tolist() == [[2.0, 4.0]]
    assert run.series("map_sigma_b2")[1].tolist() == [[0.0, 1.0, 2.0]]
    np.testing.assert_equal(run.series("map_here")[1][-1], [2.0, np.nan, np.nan])
    np.testing.assert_allclose(run.series("theory_chi_map")[1][-1], [[1, 2]] * 3)  # ReLU: σ_w²/2 whatever the bias
    np.testing.assert_allclose(run.series("chi_map")[1][-3:].mean(0), [[1, 2]] * 3, rtol=0.12)


def test_layernorm_after_the_activation_takes_no_residual():
    with pytest.raises(ConfigError, match="mu = 0 only"):
        PartialJacobians.configure(values={"norm": "post", "mu": 0.5})


def test_a_map_whose_blocks_take_minutes_is_refused():
    with pytest.raises(ConfigError, match="lower width, map_nets"):
        PartialJacobians.configure("map", "", {"map_rows": 50, "map_columns": 50, "map_nets": 50, "width": 2000})


@pytest.mark.parametrize(("arm", "outcome"), [("layernorm-residual", "reproduced"), ("relu-ordered", "not reproduced")])
def test_a_quick_arm_ends_as_the_paper_says(arm, outcome):
    experiment, run = finished(arm=arm, width=100, nets=20, probes=1, steps=30)
    verdict = PartialJacobians.verdict(experiment.config, run)
    assert verdict.outcome == outcome, verdict
    assert len(PartialJacobians.series()) >= len(run.names()) > 12


def made_up(log_apjn: np.ndarray, theory: np.ndarray, chi: float = 1.0) -> MemoryRun:
    step = np.arange(len(theory))
    run = MemoryRun(log_apjn=(step, log_apjn), theory_log_apjn=(step, theory))
    run.append("block_apjn", step[:-1], np.full(len(step) - 1, chi))
    run.append("theory_block_apjn", step[:-1], np.ones(len(step) - 1))
    return run


DEPTH = np.arange(51)
POWER = -np.log(np.maximum(DEPTH, 1))


def test_a_power_law_beside_its_theory_is_accepted():
    assert PartialJacobians.verdict(PartialJacobians.configure(), made_up(POWER, POWER)).outcome == "reproduced"


@pytest.mark.parametrize(
    ("run", "failing"),
    [
        (made_up(POWER, POWER, 1.07), ["χ_J of the last blocks over the theory's"]),
        (made_up(POWER + 0.15, POWER), ["largest |ln J - theory| / (0.15 √(256 l/N))"]),
        (made_up(1.12 * POWER, POWER), ["ζ - ζ of the theory"]),
        (made_up(-0.3 * DEPTH, -0.3 * DEPTH), ["|ζ|: a power of depth, not an exponential"]),
    ],
)
def test_what_is_off_the_theory_or_exponential_is_refused(run, failing):
    verdict = PartialJacobians.verdict(PartialJacobians.configure(), run)
    assert {check.name for check in verdict.checks if not check.passed} == set(failing)


@pytest.mark.parametrize(
    ("values", "depth", "reason"),
    [({}, 29, "too short"), ({"width": 64}, 50, "width 64"), ({"nets": 3}, 50, "3 networks")],
)
def test_a_run_outside_the_claim_is_not_comparable(values, depth, reason):
    run = made_up(POWER[: depth + 1], POWER[: depth + 1])
    assert reason in PartialJacobians.verdict(PartialJacobians.configure(values=values), run).reason


def test_the_control_is_linear_in_depth_and_the_critical_network_is_not():
    theory = propagate("relu", 50, 1.5)
    verdict = PartialJacobians.verdict(PartialJacobians.configure(), made_up(theory.log_apjn, theory.log_apjn))
    assert verdict.checks[-1].value > 7 and "exponential 1.0000" in verdict.checks[-1].note
    assert theory.log_apjn[-1] == pytest.approx(50 * math.log(0.75))


def test_trained_networks_are_those_of_the_blocks_that_the_theory_is_about():
    point, sizes = (1.5, 0.4), (5, 7, 3)
    grid = DeepGrid(
        [(9.0, 0.0), point], sizes, 2, "erf", torch.Generator().manual_seed(0), input_square=1.0, mu=0.5, norm="pre"
    )
    blocks = [residual_mlp.ResidualBlock(7, "erf", *point, mu=0.5, norm="pre") for _ in range(2)]
    with torch.no_grad():
        for block, weight, bias in zip(blocks, grid.weights, grid.biases, strict=True):
            block.linear.weight.copy_(weight[1].T)
            block.linear.bias.copy_(bias[1, 0])
    x = torch.randn(4, 5)
    h = torch.nn.Sequential(*blocks)(x @ grid.first[1])
    expected = torch.erf(torch.nn.functional.layer_norm(h, (7,))) @ grid.readout[1]
    torch.testing.assert_close(grid(x)[1], expected)
    assert float((grid.weights[0][0].std() / grid.weights[0][1].std()).detach()) == pytest.approx((9 / 1.5) ** 0.5)


def test_networks_at_the_critical_line_learn_and_far_from_it_they_do_not():
    values = {"width": 48, "train_depth": 20, "steps": 60, "map_columns": 4, "map_rows": 2, "train_lr": 0.05}
    experiment, run = finished("training", **values)
    on_grid, (dashes,) = run.series("accuracy_map")[1][-1], run.series("critical_sigma_w2")[1]
    assert run.series("map_sigma_w2")[1][0].tolist() == [1, 2, 3, 4] and dashes == pytest.approx([2, 2], abs=1e-6)
    np.testing.assert_allclose(run.series("theory_chi_map")[1][0], [[0.5, 1, 1.5, 2]] * 2)
    assert on_grid[0, 1] == run.series("test_accuracy")[1][-1] > 2 * max(on_grid[0, 0], on_grid[0, 3])
    assert "too short: 60 of at least 300" in PartialJacobians.verdict(experiment.config, run).reason


def trained(own: float, far: float) -> MemoryRun:
    run = MemoryRun(test_accuracy=([0, 300], [0.1, own]), accuracy_map=([300], [[[far, own, far]]]))
    run.append("theory_chi_map", [0], [[[0.5, 1.0, 1.5]]])
    return run


@pytest.mark.parametrize(
    ("own", "far", "outcome"),
    [(0.6, 0.1, "reproduced"), (0.4, 0.1, "not reproduced"), (0.6, 0.35, "not reproduced")],
)
def test_training_needs_a_network_that_learns_and_others_that_do_not(own, far, outcome):
    config = PartialJacobians.configure("training")
    assert PartialJacobians.verdict(config, trained(own, far)).outcome == outcome
    quick = PartialJacobians.configure("training", values={"train_lr": 0.1})
    assert "measured at 0.02" in PartialJacobians.verdict(quick, trained(0.2, 0.1)).reason
    with pytest.raises(ConfigError, match="keep the start"):
        started("training")[2].act("continue_at_criticality", {})


def test_trained_networks_beyond_memory_are_refused():
    with pytest.raises(ConfigError, match="lower width, train_depth or the map"):
        started("training", width=2000, train_depth=200, map_columns=50, map_rows=50)


def test_a_map_that_is_critical_everywhere_has_no_side_to_be_on():
    run = made_up(POWER, POWER)
    for name, off in (("chi_map", 1.01), ("theory_chi_map", 1.0)):
        run.append(name, [0, 1, 2], np.full((3, 2, 2), off))
    verdict = PartialJacobians.verdict(PartialJacobians.configure("map"), run)
    assert verdict.outcome == "reproduced" and "median" in verdict.checks[-1].name
