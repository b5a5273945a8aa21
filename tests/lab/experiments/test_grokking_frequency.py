"""What grokking-frequency measures and how it is judged, against closed forms and made-up series."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from lab.config import ConfigError
from lab.engine import Engine
from lab.experiments.grokking_frequency import GrokkingFrequency
from lab.hosts.preview import preview
from lab.measures.frequency_checks import FOUND
from lab.stream import MemoryRun
from lab.verdict import StudyRow, Verdict


def started(arm: str = "uneven", **values: Any) -> tuple[GrokkingFrequency, MemoryRun, Engine]:
    experiment = GrokkingFrequency(GrokkingFrequency.configure("demo", arm, values))
    experiment.setup()
    run = MemoryRun()
    return experiment, run, Engine(experiment, run)


def finished(arm: str = "uneven", **values: Any) -> tuple[GrokkingFrequency, MemoryRun]:
    experiment, run, engine = started(arm, **values)
    for _ in engine:
        pass
    return experiment, run


def check(verdict: Verdict, words: str) -> Any:
    return next(item for item in verdict.checks if words in item.name)


def test_the_spectra_of_the_data_follow_the_knobs_before_training():
    low = {}
    for sampling in ("uneven", "even"):
        run = preview(GrokkingFrequency, GrokkingFrequency.configure(values={"sampling": sampling}))
        train, test = (run.series(f"target_{part}_spectrum")[1][0] for part in ("train", "test"))
        low[sampling] = train[1]
        assert test[6] == pytest.approx(0.5, abs=2e-3)
        assert run.series("target_train_curve")[1][0, 50] == pytest.approx(train[1], rel=1e-12)
        mismatch = np.abs(train - test).sum() / test.sum()
        assert run.series("spectrum_mismatch")[1][0] == pytest.approx(mismatch)
    assert low["uneven"] == pytest.approx(0.2064, abs=5e-4) and low["even"] < 1e-6


def test_the_first_steps_are_those_of_a_plain_loop():
    experiment, run = finished(steps=20)
    plain = GrokkingFrequency(experiment.config)
    plain.setup()
    optimizer = torch.optim.Adam(plain.model.parameters(), lr=experiment.config.lr)
    for step in range(20):
        loss = (plain.model(plain.train_x)[:, 0] - plain.train_y).square().mean()
        assert run.series("train_loss")[1][step] == pytest.approx(loss.item(), rel=1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_residual_and_relative_error_are_those_of_target_less_output():
    experiment, run = finished(steps=30)
    with torch.no_grad():
        x, y = experiment.test_x[:, 0].double().numpy(), experiment.test_y.double().numpy()
        residual = y - experiment.model(experiment.test_x)[:, 0].double().numpy()
    k = run.series("frequency")[1][-1]
    expected = np.abs(np.exp(-1j * np.outer(k, x)) @ residual) / len(x)
    np.testing.assert_allclose(run.series("residual_test_spectrum")[1][-1], expected, atol=1e-12)
    error, size = run.series("relative_error")[1][0], run.series("target_train_spectrum")[1][0]
    np.testing.assert_array_equal(np.isfinite(error), size >= 0.1 * size.max())


def test_uneven_samples_raise_the_test_loss_and_even_ones_do_not():
    ended = {}
    for arm in ("uneven", "even"):
        experiment, run = finished(arm, steps=1500)
        ended[arm] = GrokkingFrequency.verdict(experiment.config, run)
    assert ended["uneven"].outcome == "reproduced", ended["uneven"]
    assert ended["even"].outcome == "not reproduced"
    assert check(ended["uneven"], "spurious").value == pytest.approx(0.19, abs=0.01)
    assert check(ended["even"], "spurious").value < 0.05
    assert check(ended["even"], "highest test MSE").value < 0.50


def test_even_samples_can_take_over_in_mid_run():
    experiment, run, engine = started(steps=40)
    for step in engine:
        if step == 20:
            engine.act("sample_evenly", {})
    low = run.series("target_train_spectrum")[1][:, 1]
    assert low[0] > 0.2 and low[-1] < 1e-6
    assert "steered at step 20" in GrokkingFrequency.verdict(experiment.config, judged(run)).reason


def judged(run: MemoryRun) -> MemoryRun:
    """The run as if its last reading were at step 200."""
    copy = MemoryRun()
    for name in run.names():
        step, value = run.series(name)
        copy.append(name, [*step[:-1], 200], value)
    for event in run.events():
        copy.event(event["step"], event["kind"], event["payload"])
    return copy


def test_added_parity_samples_are_taken_from_the_test_set():
    experiment, run, engine = started("parity-0.5", bits=6, width=20, steps=10)
    for step in engine:
        if step == 5:
            engine.act("add_samples", {"count": 3})
    assert len(experiment.train_x) == 35 and len(experiment.test_x) == 29
    assert len(torch.cat([experiment.train_x, experiment.test_x]).unique(dim=0)) == 64
    with pytest.raises(ConfigError, match="something must be left"):
        engine.act("add_samples", {"count": 29})
    with pytest.raises(ConfigError, match="only the sine"):
        engine.act("sample_evenly", {})
    with torch.no_grad():
        loss = (experiment.model(experiment.test_x)[:, 0] - experiment.test_y).square().mean()
    assert run.series("test_loss")[1][-1] == pytest.approx(float(loss), rel=1e-6)


def test_impossible_samples_are_refused_before_the_start():
    with pytest.raises(ConfigError, match="cannot hold 45 chosen"):
        GrokkingFrequency.configure(values={"samples": 40, "near_first": 30, "near_third": 15})
    with pytest.raises(ConfigError, match="leaves out the target"):
        GrokkingFrequency.configure(values={"highest": 5})


def small_images(**values: Any) -> dict[str, Any]:
    return {"samples": 60, "batch": 20, "width": 16, "steps": 4, "record_every": 2} | values


def test_spectra_of_images_are_those_along_their_principal_direction_over_all_classes():
    experiment, run = finished("images", **small_images())
    x, y = experiment.test_x.double().numpy(), experiment.test_y.double().numpy()
    assert len(y) == 1000 and y.shape[1] == 10 and len(experiment.train_y) == 60
    train = experiment.train_x.double().numpy()
    direction = np.linalg.svd(train - train.mean(0))[2][0]
    direction *= np.sign(direction[np.abs(direction).argmax()])
    k = run.series("frequency")[1][-1]
    assert k[-1] == pytest.approx(2 * math.pi)
    transform = np.exp(-1j * np.outer(k, x @ direction)) @ y / len(y)
    found = run.series("target_test_spectrum")[1][-1]
    np.testing.assert_allclose(found, np.sqrt((np.abs(transform) ** 2).sum(1)), atol=1e-5)
    right = experiment.answers(experiment.test_x).argmax(1) == experiment.test_y.argmax(1)
    assert run.series("test_accuracy")[1][-1] == pytest.approx(right.double().mean().item())


def test_images_go_through_mini_batches_and_can_be_moved_to_training_without_them():
    _, _, engine = started("images", **small_images())
    with pytest.raises(ConfigError, match="mini-batches"):
        engine.act("add_samples", {"count": 3})
    experiment, _, engine = started("images", **small_images(batch=0))
    engine.act("add_samples", {"count": 3})
    for _ in engine:
        pass
    assert len(experiment.train_x) == 63 and len(experiment.test_x) == 997


@pytest.mark.parametrize(
    ("values", "words"),
    [({"folder": "no such folder"}, "no folder"), ({"samples": 1800}, "leave none"), ({"batch": 61}, "61 is more")],
)
def test_images_that_cannot_be_had_are_refused_before_the_start(values, words):
    with pytest.raises(ConfigError, match=words):
        started("images", **small_images(**values))


STEP = np.arange(0, 2501, 25)


def sine_run(*, alias: float = 0.206, low: float = 0.19, hump: float = 0.56, end: float = 1e-3) -> MemoryRun:
    """Plateau from 100 to 800 with the given spurious amplitude and test loss, everything fitted afterwards."""
    plateau = (STEP >= 100) & (STEP <= 800)
    run = MemoryRun(train_loss=(np.arange(2500), np.where(np.arange(2500) < 820, 0.45, 1e-4)))
    run.append("test_loss", STEP, np.where(plateau, hump, np.where(STEP < 100, 0.7, end)))
    run.append("low_amplitude", STEP, np.where(plateau, low, np.where(STEP < 100, 0.3, 0.001)))
    for name in ("target_train_spectrum", "output_train_spectrum"):
        run.append(name, STEP, np.full((len(STEP), 13), alias))
    return run


def test_the_sine_is_reproduced_and_refused_by_the_number_that_misses():
    config = GrokkingFrequency.configure()
    assert GrokkingFrequency.verdict(config, sine_run()).outcome == "reproduced"
    for change, words in (
        ({"alias": 0.1}, "training samples"),
        ({"low": 0.1}, "spurious"),
        ({"hump": 0.52}, "highest test MSE"),
        ({"end": 0.02}, "at the end"),
    ):
        verdict = GrokkingFrequency.verdict(config, sine_run(**change))
        assert verdict.outcome == "not reproduced"
        assert [words in item.name for item in verdict.checks if not item.passed] == [True], change


def test_another_target_is_not_comparable():
    config = GrokkingFrequency.configure(values={"frequency": 5})
    assert GrokkingFrequency.verdict(config, sine_run()).outcome == "not comparable"


@pytest.mark.parametrize(
    ("values", "reason"), [({"lr": 1e-4}, "too short: 2500 of at least 5000"), ({"depth": 1}, "measured at 2")]
)
def test_a_run_elsewhere_can_show_the_claim_but_not_refute_it(values, reason):
    config = GrokkingFrequency.configure(values=values)
    assert GrokkingFrequency.verdict(config, sine_run()).outcome == "reproduced"
    assert reason in GrokkingFrequency.verdict(config, sine_run(end=0.02)).reason


@pytest.mark.parametrize(
    ("peak", "end", "outcome"),
    [(1.2, 0.999, "reproduced"), (1.0, 0.999, "not reproduced"), (1.2, 0.6, "not reproduced")],
)
def test_parity_needs_a_rise_of_the_test_loss_and_then_few_errors(peak, end, outcome):
    run = MemoryRun(train_loss=(np.arange(2500), np.full(2500, 0.1)))
    run.append("test_loss", STEP, np.where(STEP == 150, peak, np.where(STEP < 150, 1.0, 0.5)))
    run.append("test_accuracy", STEP, np.where(STEP < 550, 0.5, end))
    assert GrokkingFrequency.verdict(GrokkingFrequency.configure("parity"), run).outcome == outcome


def found_at(share: float, step: float) -> StudyRow:
    config = GrokkingFrequency.configure("parity", values={"share": share})
    return StudyRow("", config, "reproduced", checks={FOUND: step})


def test_a_study_of_shares_asks_for_parity_to_be_found_the_sooner_the_more_is_trained_on():
    shown = [found_at(0.2, math.inf), found_at(0.8, 400), found_at(0.8, 375), found_at(0.5, 550)]
    verdict = GrokkingFrequency.study_verdict(shown)
    assert verdict is not None and verdict.outcome == "reproduced"
    assert verdict.checks[0].note == "0.2: inf, 0.5: 550, 0.8: 387.5"
    wrong = GrokkingFrequency.study_verdict([found_at(0.5, 550), found_at(0.8, 600)])
    assert wrong is not None and wrong.outcome == "not reproduced"
    assert GrokkingFrequency.study_verdict(shown[:1]) is None
    assert GrokkingFrequency.study_verdict([StudyRow("", GrokkingFrequency.configure(), "reproduced")]) is None


def image_run(*, lag: float = 0.5, end: float = 0.57, low: float = 0.8, train: float = 1.0) -> MemoryRun:
    """Half way at step 500; the training set is learnt at 1000, where the test accuracy is ``lag``."""
    run = MemoryRun(test_loss=(STEP, np.ones(len(STEP))), train_loss=(STEP, np.ones(len(STEP))))
    run.append("train_accuracy", STEP, np.where(STEP < 500, 0.3, np.where(STEP < 1000, 0.8, train)))
    run.append("test_accuracy", STEP, np.where(STEP <= 1000, lag, end))
    k = np.array([0.5, 3.0])
    run.append("frequency", STEP, np.tile(k, (len(STEP), 1)))
    run.append("target_test_spectrum", STEP, np.tile([1.0, 0.0], (len(STEP), 1)))
    run.append("residual_test_spectrum", STEP, np.sqrt(np.tile([low, 1 - low], (len(STEP), 1))))
    return run


def test_images_are_reproduced_where_the_test_accuracy_follows_late_and_refused_by_what_misses():
    config = GrokkingFrequency.configure("images", "images")
    verdict = GrokkingFrequency.verdict(config, image_run())
    assert verdict.outcome == "reproduced" and verdict.checks[1].note == "at step 1000"
    assert check(verdict, "low frequencies' share").value == pytest.approx(0.8)
    for change, words in (
        ({"lag": 0.95, "end": 0.99}, "where that of training"),
        ({"end": 0.51}, "gain"),
        ({"low": 0.1}, "low frequencies' share"),
    ):
        verdict = GrokkingFrequency.verdict(config, image_run(**change))
        assert verdict.outcome == "not reproduced", change
        assert [words in item.name for item in verdict.checks if not item.passed] == [True], change
    assert "never reached" in GrokkingFrequency.verdict(config, image_run(train=0.9)).reason
    real = GrokkingFrequency.configure("images", values={"folder": "somewhere"})
    assert GrokkingFrequency.verdict(real, image_run()).outcome == "reproduced"
    assert "digits" in GrokkingFrequency.verdict(real, image_run(low=0.1)).reason
