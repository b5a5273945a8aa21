"""The scenes' training against autograd and brute force, the interventions, quick arms, and the verdict."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.data.few_points import on_a_line
from lab.engine import Engine
from lab.experiments.condensation import Condensation
from lab.measures.condensation_checks import boundary, known_scalings, phase_plane
from lab.models.two_layer import descend, drawn_start, outputs
from lab.stream import MemoryRun
from lab.verdict import StudyRow


def started(preset: str = "start", arm: str = "", **values: Any) -> tuple[Condensation, MemoryRun, Engine]:
    experiment = Condensation(Condensation.configure(preset, arm, values))
    experiment.setup()
    run = MemoryRun()
    return experiment, run, Engine(experiment, run)


def finished(preset: str = "start", arm: str = "", **values: Any) -> tuple[Condensation, MemoryRun]:
    experiment, run, engine = started(preset, arm, **values)
    for _ in engine:
        pass
    return experiment, run


def points() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([-0.5, 0.1, 0.4], dtype=torch.float64), torch.tensor([0.2, 0.0, 0.3], dtype=torch.float64)


def test_a_drawn_start_is_zero_and_has_the_scales_of_its_exponents():
    neurons, alpha = drawn_start(20_000, 1.3, 0.4, torch.Generator().manual_seed(0))
    assert float(outputs(neurons, alpha, points()[0]).abs().max()) < 1e-12
    scales = neurons.std(0)
    torch.testing.assert_close(scales[:2], torch.ones(2, dtype=torch.float64), rtol=0.02, atol=0)
    assert float(scales[2]) == pytest.approx(20_000**-0.4, rel=0.02)
    assert float(scales[2]) / alpha == pytest.approx(20_000**-1.3, rel=0.02)  # κ = β1 β2/α


def test_descent_goes_along_the_gradient_by_the_step_that_the_tangent_kernel_allows():
    neurons, alpha = drawn_start(6, 0.5, 0.0, torch.Generator().manual_seed(0))
    neurons = (neurons + 0.1 * torch.randn(12, 3, generator=torch.Generator().manual_seed(1)).double()).requires_grad_()
    x, y = points()
    loss = (outputs(neurons, alpha, x) - y).square().mean() / 2
    (gradient,) = torch.autograd.grad(loss, neurons)
    jacobian = torch.autograd.functional.jacobian(lambda p: outputs(p, alpha, x), neurons.detach())
    largest = float((outputs(neurons.detach(), alpha, x) - y).abs().max())
    rate = min(3 / float(jacobian.square().sum()), 0.02 * alpha / largest)
    after, before = descend(neurons.detach(), alpha, x, y)
    assert before == pytest.approx(float(loss.detach()))
    torch.testing.assert_close(after, neurons.detach() - rate * gradient)


def test_descent_never_raises_the_loss_and_fits_its_points():
    neurons, alpha = drawn_start(100, 0.5, 0.0, torch.Generator().manual_seed(0))
    x, y = points()
    losses = []
    for _ in range(300):
        neurons, loss = descend(neurons, alpha, x, y)
        losses.append(loss)
    assert (np.diff(losses) <= 0).all() and losses[-1] < 1e-3 * losses[0]


def test_the_explicit_regulariser_is_the_mean_of_the_dropped_loss_over_all_masks():
    explicit, _, engine = started("dropout", width=4, samples=3, steps=1, noise="explicit", dropout=0.3)
    net, x, y = explicit.networks["net"], explicit.x, explicit.y
    first, last = net.layers
    hidden = torch.tanh(first(x))
    mean = torch.zeros((), dtype=torch.float64)
    for bits in itertools.product([0.0, 1.0], repeat=12):
        mask = torch.tensor(bits, dtype=torch.float64).view(3, 4)
        weight = 0.7 ** float(mask.sum()) * 0.3 ** float(12 - mask.sum())
        mean = mean + weight * (last(hidden * mask / 0.7) - y).square().mean() / 2
    expected = torch.autograd.grad(mean, list(net.parameters()))
    next(iter(engine))
    for parameter, gradient in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-10, atol=1e-13)


def test_twins_start_alike_and_stay_alike_without_dropout():
    experiment, run = finished("dropout", "linear", width=20, steps=30, record_every=10)
    net, twin = (list(experiment.networks[name].parameters()) for name in ("net", "twin"))
    assert all(torch.equal(a, b) for a, b in zip(net, twin, strict=True))
    different, _ = finished("dropout", "condensed", width=20, steps=1)
    net, twin = (list(different.networks[name].parameters()) for name in ("net", "twin"))
    assert not all(torch.equal(a, b) for a, b in zip(net, twin, strict=True))
    assert run.series("data")[1].shape == run.series("output_x")[1].shape
    assert np.isfinite(run.series("data")[1]).sum() == 8


def test_merging_equal_neurons_leaves_the_output_and_pruning_leaves_the_big_ones():
    experiment, run, engine = started("dropout", width=6, steps=4)
    first, last = experiment.networks["net"].layers
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0], [1.0], [-2.0], [-2.0], [-2.0], [0.1]]))
        first.bias.copy_(torch.tensor([0.5, 0.5, 1.0, 1.0, 1.0, 3.0]))
        last.weight.copy_(torch.tensor([[1.0, 2.0, 1.0, 1.0, 1.0, 0.001]]))
    before = experiment.networks["net"](experiment.x).detach()
    engine.act("merge", {})
    torch.testing.assert_close(experiment.networks["net"](experiment.x).detach(), before)
    assert int((last.weight != 0).sum()) == 3
    engine.act("prune", {"share": 0.1})
    assert torch.nonzero(last.weight[0]).flatten().tolist() == [0, 2]
    for _ in engine:
        pass
    assert torch.nonzero(last.weight[0]).flatten().tolist() == [0, 2]  # what is gone does not come back
    assert Condensation.verdict(experiment.config, run).reason == "the run was steered at step 0"
    with pytest.raises(ConfigError, match="keep their neurons"):
        started("phase", widths="10 20")[2].act("prune", {})


@pytest.mark.parametrize(
    ("arm", "outcome"), [("condensed", "reproduced"), ("linear", "not reproduced"), ("x-tanh", "not reproduced")]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_small_start_condenses_in_a_hundred_steps_and_a_large_one_does_not(arm, outcome, seed):
    experiment, run = finished(arm=arm, seed=seed)
    assert Condensation.verdict(experiment.config, run).outcome == outcome
    groups = run.series("effective_neurons")[1]
    assert groups[-1] == 1 if arm == "condensed" else groups[-1] > 1
    assert run.series("cosines")[1].shape[1:] == (50, 50)


def test_below_the_boundary_wider_networks_move_less():
    experiment, run = finished("phase", "linear", widths="50 200 800", steps=1200, record_every=1200)
    verdict = Condensation.verdict(experiment.config, run)
    assert verdict.outcome == "not reproduced"
    assert [check.passed for check in verdict.checks] == [False, True]  # no condensation, and the paper's slope
    assert run.series("orientation")[1].shape[1:] == (200,)
    assert np.diff(run.series("relative_distances")[1][-1]).max() < 0
    assert np.nanmax(run.series("plane_here")[1]) == 0.5


def test_without_the_copy_of_opposite_sign_a_network_says_something_at_the_start():
    _, run = finished("phase", "linear", widths="50", steps=1, record_every=1)
    bare, single = finished("phase", "linear", widths="50", steps=1, record_every=1, mirrored=False)
    assert np.abs(run.series("output")[1][0]).max() < 1e-12 < np.abs(single.series("output")[1][0]).max()
    assert bare.networks["50"].shape == (50, 3)


def test_movement_is_that_of_the_input_weights_alone():
    experiment, run, engine = started("phase", widths="20 40", steps=1, record_every=1, gamma_prime=-1.0)
    with torch.no_grad():
        for neurons in experiment.networks.values():
            neurons[:, 2] *= 3.0
    for _ in engine:
        pass
    assert run.series("relative_distances")[1][0].tolist() == [0, 0]


def test_the_widths_of_the_paper_run_and_their_widest_matrix_of_cosines_is_bounded():
    config = Condensation.configure("phase", values={"widths": "1000 5000 10000 20000 40000"})
    assert config.portrayed_width() == 5000
    assert Condensation.configure("phase").portrayed_width() == 1000


def test_growth_is_gradient_descent_on_the_mean_square():
    experiment, _, engine = started("growth", steps=1, gamma=0.5)
    before = [p.detach().clone().requires_grad_() for p in experiment.networks["net"].parameters()]
    weight, bias, out = before
    loss = (torch.relu(experiment.x @ weight.T + bias) @ out.T - experiment.y).square().mean()
    slopes = torch.autograd.grad(loss, before)
    next(iter(engine))
    for now, then, slope in zip(experiment.networks["net"].parameters(), before, slopes, strict=True):
        torch.testing.assert_close(now, then - 0.1 * slope)


def test_the_test_error_of_a_network_that_says_the_mean_is_one():
    experiment, run, engine = started("dropout", width=4, steps=1)
    with torch.no_grad():
        experiment.networks["net"].layers[1].weight.zero_()
        experiment.networks["twin"].load_state_dict(experiment.networks["net"].state_dict())
    for _ in engine:
        pass
    _, y = on_a_line("bump", 301)
    expected = float(y.square().mean() / y.var(correction=0))
    assert run.series("test_error")[1][0] == run.series("twin_test_error")[1][0] == pytest.approx(expected)


def test_the_boundary_is_that_of_the_phase_diagram():
    np.testing.assert_allclose(boundary(np.array([-2.0, 0.0, 0.5, 1.0])), [1, 1, 1.5, 2])


def made_up(config: Any, **last: Any) -> MemoryRun:
    run = MemoryRun(condensed_fraction=([0, config.steps], [0.02, 1.0]))
    for name, value in last.items():
        run.append(name, [config.steps], np.array([value]))
    return run


PHASE = Condensation.configure("phase")
DROPOUT = Condensation.configure("dropout")


@pytest.mark.parametrize(
    ("slope", "outcome"),
    [(0.4, "reproduced"), (0.25, "not reproduced"), (0.0, "not reproduced"), (-0.5, "not reproduced")],
)
def test_the_phase_scene_is_judged_by_its_slope(slope, outcome):
    run = made_up(PHASE, movement_exponent=slope, losses=[1e-7, 1e-7, 2e-5])
    assert Condensation.verdict(PHASE, run).outcome == outcome


def test_a_slope_where_the_paper_has_none_needs_only_its_sign():
    config = Condensation.configure("phase", values={"gamma": 1.5})
    assert Condensation.verdict(config, made_up(config, movement_exponent=0.2, losses=[0.0])).outcome == "reproduced"


@pytest.mark.parametrize(("fraction", "outcome"), [(0.37, "reproduced"), (0.2, "not reproduced")])
def test_dropout_is_judged_against_its_twin(fraction, outcome):
    run = made_up(DROPOUT, weighted_fraction=fraction, twin_weighted_fraction=0.1)
    assert Condensation.verdict(DROPOUT, run).outcome == outcome


def test_a_run_that_cannot_tell_is_not_comparable():
    unfitted = made_up(PHASE, movement_exponent=0.4, losses=[1e-7, 1e-7, 2e-3])
    assert "not fitted" in Condensation.verdict(PHASE, unfitted).reason
    lax = Condensation.configure(values={"threshold": 0.6})
    assert "measured at 0.95" in Condensation.verdict(lax, made_up(lax)).reason
    slow = Condensation.configure("dropout", values={"lr": 1e-4})
    run = made_up(slow, weighted_fraction=0.2, twin_weighted_fraction=0.1)
    assert "measured at 0.001" in Condensation.verdict(slow, run).reason
    narrow = Condensation.configure("phase", values={"widths": "200 300 400"})
    assert "over a factor of 5" in Condensation.verdict(narrow, made_up(narrow)).reason
    short = Condensation.configure(values={"steps": 50})
    assert "too short" in Condensation.verdict(short, made_up(short)).reason
    half = made_up(Condensation.configure(values={"steps": 60}))
    assert "not finished" in Condensation.verdict(Condensation.configure(), half).reason


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"widths": "1"}, "from 2 to 100000"),
        ({"widths": "6000 20000"}, "the least is 6000"),
        ({"batch": 90}, "more than the 80 training points"),
    ],
)
def test_a_scene_that_cannot_run_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Condensation.configure(values=values)


@pytest.mark.parametrize(
    ("groups", "outcome"),
    [
        ([14, 1, 4, 3], "reproduced"),
        ([14, 1, 1, 1], "not reproduced"),  # a single direction, and no growth
        ([14, 6, 8, 9], "not reproduced"),
    ],
)
def test_growth_needs_one_direction_first_and_more_later(groups, outcome):
    config = Condensation.configure("growth")
    run = MemoryRun(big_groups=([0, 100, 10_000, 20_000], groups), condensed_fraction=([20_000], [0.2]))
    assert Condensation.verdict(config, run).outcome == outcome
    slow = Condensation.configure("growth", values={"lr": 0.01})
    same = Condensation.verdict(slow, run)
    assert same.outcome == outcome if outcome == "reproduced" else "measured at 0.1" in same.reason


def test_x_tanh_x_has_to_keep_more_directions_than_tanh():
    def row(activation: str, groups: float) -> StudyRow:
        config = Condensation.configure(values={"activation": activation})
        return StudyRow("", config, "reproduced", numbers={"effective_neurons": groups})

    assert Condensation.study_verdict([row("tanh", 1)]) is None
    for groups, outcome in ((3, "reproduced"), (1, "not reproduced")):
        verdict = Condensation.study_verdict([row("tanh", 1), row("x_tanh", groups)])
        assert verdict is not None and verdict.outcome == outcome


def test_known_scalings_stand_on_the_plane_where_the_table_has_them():
    plane = phase_plane(1.75, 0.3)[0]
    found = [(float(plane[np.isfinite(m)].item()), float(m[np.isfinite(m)].item())) for m in known_scalings(plane)]
    assert found == [(0.0, 0.5), (0.0, 1.0), (0.5, 0.5)]


def slope_at(gamma: float, gamma_prime: float, slope: float) -> StudyRow:
    config = Condensation.configure("phase", values={"gamma": gamma, "gamma_prime": gamma_prime})
    return StudyRow("", config, "reproduced", numbers={"movement_exponent": slope})


def test_a_plane_is_judged_by_the_sign_of_its_slopes_on_both_sides_of_the_boundary():
    below, above, near = slope_at(0.5, 0, -0.5), slope_at(2, 0.5, 0.3), slope_at(1.1, 0, -0.1)
    assert Condensation.study_verdict([below, near]) is None  # one side says nothing
    verdict = Condensation.study_verdict([below, above, near])
    assert verdict is not None and verdict.outcome == "reproduced"
    wrong = Condensation.study_verdict([below, above, slope_at(1.2, 0.5, 0.3)])  # below the boundary of 1.5
    assert wrong is not None and wrong.outcome == "not reproduced" and not wrong.checks[0].passed


def test_each_scene_opens_the_views_of_what_it_records():
    shown = {
        preset: {view.title for view in Condensation.views if view.applies(Condensation.configure(preset))}
        for preset in Condensation.presets
    }
    assert shown["phase"] - shown["dropout"] == {"Movement against width", "Exponent of movement", "Phase plane"}
    assert shown["dropout"] - shown["phase"] == {"Test error"}
    assert shown["dropout"] - shown["start"] == {"Orientation and amplitude", "Output", "Test error"}
    assert {"Cosine similarity", "Loss"} < shown["start"] < shown["growth"] == shown["dropout"]
