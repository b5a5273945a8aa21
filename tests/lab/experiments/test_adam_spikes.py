"""What adam-spikes measures and how it ends, against dense references, torch's own Adam and the closed form."""

from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.data.anchor import AnchorTask, draw_sequences
from lab.engine import Engine, NonFinite
from lab.experiments.adam_spikes import AdamSpikes, decay_of_v
from lab.measures import eigen
from lab.models.spike_tasks import anchor_decoder
from lab.stream import MemoryRun


def started(preset: str = "network", arm: str = "", **values: Any) -> tuple[Any, MemoryRun, Engine]:
    experiment = AdamSpikes(AdamSpikes.configure(preset, arm, values))
    experiment.setup()
    run = MemoryRun()
    return experiment, run, Engine(experiment, run)


def finished(preset: str = "network", arm: str = "", **values: Any) -> tuple[Any, MemoryRun]:
    experiment, run, engine = started(preset, arm, **values)
    for _ in engine:
        pass
    return experiment, run


@pytest.fixture(scope="module")
def quadratic() -> tuple[AdamSpikes, MemoryRun]:
    return finished("quadratic", "spikes", steps=1000)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "momentum", "gd"])
def test_curvatures_are_those_of_the_dense_preconditioned_hessian(optimizer):
    experiment, run = finished(width=6, samples=20, steps=25, record_every=25, optimizer=optimizer, eps=1e-3)
    network, config, theta = experiment.loss, experiment.config, experiment.theta

    def loss(p: torch.Tensor) -> torch.Tensor:
        w, b, a, c = p.split([6, 6, 6, 1])
        return ((torch.tanh(torch.outer(network.powers[0], w) + b) @ a + c - network.y) ** 2).mean()

    jacobian: Any = torch.autograd.functional.jacobian(loss, theta)
    dense: Any = torch.autograd.functional.hessian(loss, theta)
    g, hessian = jacobian.numpy(), dense.numpy()
    beta1 = 0.9 if optimizer in ("adam", "momentum") else 0.0
    factor = (1 - beta1) / (1 + beta1) / (1 - beta1**26)
    denominator = np.ones(19)
    if optimizer in ("adam", "rmsprop"):
        v = 0.999 * experiment.optimizer.square.numpy() + 0.001 * g**2
        denominator = np.sqrt(v / (1 - 0.999**26)) + config.eps
    preconditioned = np.diag(factor / denominator) @ hessian
    u = g / denominator

    def last(name: str) -> float:
        return run.series(name)[1][-1]

    assert last("sharpness") == pytest.approx(np.linalg.eigvals(hessian).real.max(), rel=1e-8)
    assert last("preconditioned_sharpness") == pytest.approx(np.linalg.eigvals(preconditioned).real.max(), rel=1e-8)
    assert last("gradient_curvature") == pytest.approx(g @ hessian @ g / (g @ g), rel=1e-8)
    assert last("preconditioned_gradient_curvature") == pytest.approx(g @ preconditioned @ g / (g @ g), rel=1e-8)
    assert last("update_curvature") == pytest.approx(factor * (u @ hessian @ u) / (u @ g), rel=1e-8)
    assert last("effective_lr") == pytest.approx((config.lr / denominator).mean(), rel=1e-8)
    scale = np.sqrt(factor / denominator)
    top = np.linalg.eigh(scale[:, None] * hessian * scale)[1][:, -1]
    assert last("gradient_alignment") == pytest.approx(abs(g @ top) / np.linalg.norm(g), rel=1e-6)


def test_a_wide_network_is_read_by_products_and_agrees_with_the_dense_eigenvalues(monkeypatch):
    wide: dict[str, Any] = {"width": 70, "samples": 30, "steps": 20, "record_every": 5, "lr": 0.005}
    _, iterative = finished(**wide)
    monkeypatch.setattr(eigen, "DENSE_UP_TO", 1000)
    _, dense = finished(**wide)
    for name in ("sharpness", "preconditioned_sharpness"):
        np.testing.assert_allclose(iterative.series(name)[1], dense.series(name)[1], rtol=1e-6)
    one, other = (run.series("gradient_alignment")[1] for run in (iterative, dense))
    np.testing.assert_allclose(one, other, atol=1e-3)
    assert np.array_equal(iterative.series("train_loss")[1], dense.series("train_loss")[1])


def test_moments_are_those_that_the_step_uses():
    _, run = finished("quadratic", steps=2)
    (_, v), (_, squared), (_, ratio) = (run.series(n) for n in ("second_moment", "squared_gradient", "v_ratio"))
    assert squared[0] == 1 and v[0] == pytest.approx(0.01) and np.isnan(ratio[0])
    assert v[1] == pytest.approx(0.99 * v[0] + 0.01 * squared[1])
    assert ratio[1] == pytest.approx(v[1] / v[0])
    assert run.series("decoupling")[1][1] == pytest.approx(squared[1] / v[1])


def test_in_one_dimension_all_curvatures_coincide(quadratic):
    _, run = quadratic
    _, expected = run.series("preconditioned_sharpness")
    for name in ("preconditioned_gradient_curvature", "update_curvature"):
        np.testing.assert_allclose(run.series(name)[1], expected, rtol=1e-12)


def test_the_quadratic_crosses_when_the_closed_form_says_and_spikes_without_any_change_of_curvature(quadratic):
    experiment, run = quadratic
    step, sharpness = run.series("preconditioned_sharpness")
    crossed = int(step[np.argmax(sharpness > 2 / experiment.config.lr)])
    assert run.series("predicted_crossing")[1][300] == pytest.approx(crossed, abs=2)
    assert crossed == pytest.approx(790, abs=2)
    assert np.all(run.series("sharpness")[1] == 1)
    loss = run.series("train_loss")[1]
    assert loss[crossed - 40 : crossed].max() < 1e-30 and loss[crossed:].max() > 1e-4
    verdict = AdamSpikes.verdict(experiment.config, run)
    assert verdict.outcome == "reproduced", verdict


@pytest.mark.parametrize(("arm", "most"), [("gd", 0.075), ("beta2-0.9", 0.997), ("eps-0.1", 0.0395)])
def test_the_quadratic_controls_do_not_cross(arm, most):
    experiment, run = finished("quadratic", arm, steps=1001)
    verdict = AdamSpikes.verdict(experiment.config, run)
    assert verdict.outcome == experiment.arms[arm].expect == "not reproduced"
    largest = next(check for check in verdict.checks if check.name.startswith("largest λ_max"))
    assert largest.value == pytest.approx(most, abs=1e-3)


def test_events_mark_the_crossing_and_the_spike(quadratic):
    _, run = quadratic
    first = {}
    for event in run.events():
        first.setdefault((event["kind"], event["payload"]["series"]), event["step"])
    assert (
        first["crossing", "preconditioned_sharpness"] == first["crossing", "preconditioned_gradient_curvature"] == 789
    )
    assert first["sustained_crossing", "preconditioned_gradient_curvature"] == 791
    assert 789 < first["spike", "train_loss"] < 846


def test_the_stages_follow_each_other_through_the_first_spike(quadratic):
    _, run = quadratic
    _, stage = run.series("stage")
    assert set(stage[:7]) == {1} and set(stage[200:789]) == {2}
    assert set(stage[789:843]) == {4} and stage[843] == 5


def test_resetting_v_makes_it_the_squared_gradient_at_once():
    _, run, engine = started("quadratic", steps=30)
    for step in engine:
        if step == 20:
            engine.act("reset_second_moment", {})
    assert run.series("decoupling")[1][20] == pytest.approx(1)
    assert run.series("effective_lr")[1][20] == pytest.approx(
        0.15 / np.sqrt(run.series("squared_gradient")[1][20]), rel=1e-5
    )
    assert [e["payload"] for e in run.events() if e["kind"] == "action"] == [
        {"action": "reset_second_moment", "arguments": {}}
    ]


@pytest.mark.parametrize(("at", "outcome"), [(300, "reproduced"), (760, "not comparable")])
def test_a_turned_beta2_moves_the_crossing_to_where_the_closed_form_in_force_has_it(at, outcome):
    experiment, run, engine = started("quadratic", steps=at + 450)
    for step in engine:
        if step == at:
            engine.set_knobs({"beta2": 0.98})
    assert run.series("v_ratio")[1][at] == pytest.approx(0.98, abs=1e-6)
    step, sharpness = run.series("preconditioned_sharpness")
    # the decay that was left at 0.99 takes half as long at 0.98, whose logarithm is about twice as large
    assert step[np.argmax(sharpness > 2 / 0.15)] == pytest.approx(
        at + (788.7 - at) * np.log(0.99) / np.log(0.98), abs=1
    )
    verdict = AdamSpikes.verdict(experiment.config, run)
    assert verdict.outcome == outcome, verdict
    if outcome == "not comparable":
        assert verdict.reason.startswith(f"β2 was set from 0.99 to 0.98 at step {at}")


def test_a_diverging_run_ends_with_the_step_and_not_with_a_failed_eigenvalue():
    _, run, engine = started("quadratic", "gd", curvature=1000.0, lr=1.0, steps=200)
    with pytest.raises(NonFinite, match="train_loss"):
        list(engine)
    assert len(run.series("preconditioned_sharpness")[0]) > 50


def test_the_seed_gives_the_network_that_a_script_gets_from_it():
    experiment, _, _ = started(seed=5, width=3)
    torch.manual_seed(5)
    drawn = [torch.randn(3, dtype=torch.float64) for _ in range(3)]
    assert torch.equal(experiment.theta, torch.cat([*drawn, torch.zeros(1, dtype=torch.float64)]))
    other, _, _ = started(seed=5, init_seed=6, width=3)
    assert not torch.equal(experiment.theta, other.theta)


def test_a_quadratic_that_starts_at_its_minimum_is_refused_in_one_line():
    with pytest.raises(ConfigError, match="theta0 = 0 is the minimum"):
        AdamSpikes.configure("quadratic", values={"theta0": 0})


def test_the_guide_follows_the_free_decay_of_v(quadratic):
    experiment, run = quadratic
    guide = decay_of_v(experiment.config, run)
    assert guide is not None
    step, value = guide
    np.testing.assert_allclose(value, run.series("second_moment")[1][step], rtol=1e-3)
    assert step[1] - step[0] > 500
    assert decay_of_v(experiment.config, MemoryRun()) is None


SMALL: dict[str, dict[str, Any]] = {
    "50-d": {"width": 3, "samples": 20},
    "images": {"width": 1, "samples": 12},
    "transformer": {"width": 8, "samples": 30, "batch": 10, "layers": 1},
}


@pytest.mark.parametrize("scene", SMALL)
def test_networks_by_autograd_are_read_like_their_dense_hessian(scene):
    experiment, run = finished(scene, **SMALL[scene], steps=5, record_every=5, eps=1e-3)
    hessian, gradient = experiment.loss.curvature(experiment.theta)
    columns = torch.eye(len(gradient), dtype=gradient.dtype)[:40]
    rows = hessian(columns).double()
    torch.testing.assert_close(rows[:, :40], rows[:, :40].T, rtol=1e-3, atol=1e-5)
    g, hg = gradient.double(), hessian(gradient).double()
    assert run.series("gradient_curvature")[1][-1] == pytest.approx(float(g @ hg / (g @ g)), rel=1e-3)
    assert run.series("sharpness")[1][-1] >= run.series("gradient_curvature")[1][-1] * 0.99


def test_the_decoder_is_asked_for_the_answer_as_one_number_about_zero():
    data, init = (torch.Generator().manual_seed(seed) for seed in (1, 2))
    task = anchor_decoder(400, 8, 1, (data, init), torch.device("cpu"))
    drawn = draw_sequences(AnchorTask(), 400, torch.Generator().manual_seed(1))
    key = drawn.tokens.gather(1, drawn.key[:, None])[:, 0]
    answer = (key - 59.5) / 22.81  # keys run from 20 to 99, and a place further for each token before them
    assert abs(answer.mean()) < 0.3 and 0.9 < answer.std() < 1.1
    expected = (task.module.predict(drawn.tokens)[:, 0] - answer).square().mean()
    assert float(task.value_and_gradient(task.start())[0]) == pytest.approx(expected.item(), rel=1e-3)


def test_a_batched_step_goes_on_with_its_rows_after_a_look_at_them():
    experiment, _, engine = started("transformer", **SMALL["transformer"], steps=3, record_every=1)
    seen = []
    for _ in engine:
        seen.append(experiment.rows.tolist())
    order = [row for rows in seen[:2] for row in rows]
    assert len(set(order)) == 20, "one epoch names no row twice"


def test_the_images_of_the_largest_error_are_shown_with_it():
    experiment, run = finished("images", width=1, samples=30, steps=3)
    experiment.theta = run_start = experiment.loss.start()
    found = experiment.worst_images()
    assert found is not None
    pictures, errors = found
    singly = torch.stack([experiment.loss.value_and_gradient(run_start, torch.tensor([n]))[0] for n in range(30)])
    expected, order = singly.sort(descending=True)
    torch.testing.assert_close(errors, expected[:12])
    torch.testing.assert_close(pictures, experiment.loss.pictures[order[:12]])
    assert run.series("worst_images")[1].shape[1:] == (12, 8, 8)
    assert "worst_images" not in finished("50-d", **SMALL["50-d"], steps=2)[1].names()


def test_images_that_cannot_be_had_are_refused_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match="is no folder"):
        started("images", folder=str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="5000 images asked for: there are 1797"):
        started("images", samples=5000)
    with pytest.raises(ConfigError, match="batch 300 is more than the 200"):
        AdamSpikes.configure("network", values={"batch": 300})
