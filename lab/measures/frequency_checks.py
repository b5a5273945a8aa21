"""How runs that are watched through spectra are judged. Zhou, Zhang, Xu (2024), arXiv 2405.17479.

The sine's thresholds are read off the paper's figures; those of parity and of images are ours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.stream import Source
from lab.verdict import Check, StudyRow, Verdict, unlike

SETTLED = 100  # steps: at initialisation the network may carry the low frequency and a large test loss by chance
FOUND = "step at which the test error is below 2 %"  # names a check that studies compare
TRAINED = 0.5  # steps times Adam's rate after which a run without grokking has none
LEARNT = 0.99  # training accuracy at which a network of classes has its training set
HALF_WAY = 0.75  # training accuracy at which it is asked which frequencies are still missing
LOW = 1.0  # angular k along the first principal direction up to which a frequency of images is low
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {  # knobs as measured, and those that may be larger
    "sine": ({"activation": "sin", "depth": 2, "init_scale": 1.0, "optimizer": "adam"},),
    "parity": ({"activation": "relu", "depth": 1, "init_scale": 1.0, "optimizer": "adam"},),
    "images": ({"activation": "relu", "depth": 3, "samples": 1000, "batch": 200},),
}
FITTED = 0.40  # train MSE at which the plateau of sin kx is over; the zero function has 0.5


def judge(config: Any, run: Source) -> Verdict:
    """The checks of the run's scene; not comparable outside the claim's setting or where a run is too short."""
    step = run.series("test_loss")[0]
    if step[-1] <= SETTLED:
        return Verdict.not_comparable(f"too short: {step[-1]} steps, and the first {SETTLED} do not count")
    checks = {"sine": _sine_checks, "parity": _parity_checks, "images": _image_checks}[config.scene](run)
    reason = _outside_the_claim(config, run)
    if reason:
        return Verdict.not_comparable(reason, *checks)
    return Verdict.of(*checks).excused(unlike(config, *SETTINGS[config.scene]), _too_short(config, run, checks))


def _too_short(config: Any, run: Source, checks: tuple[Check, ...]) -> str:
    """Why a failure may come from the length of a run alone; empty where it cannot."""
    step, least = run.series("test_loss")[0][-1], math.ceil(TRAINED / config.lr)
    if config.scene == "images":
        if config.folder:
            return "the thresholds were measured on scikit-learn's digits"
        fitted = run.series("train_accuracy")[1].max() >= LEARNT
        return "" if fitted else f"the training accuracy never reached {LEARNT}: take more steps"
    early = checks[:3] if config.scene == "sine" else checks[:1]  # what shows before the true wave is found
    undecided = all(check.passed for check in early) or not (run.series("train_loss")[1] < FITTED).any()
    return f"too short: {step} of at least {least} steps at this rate" if undecided and step < least else ""


def _outside_the_claim(config: Any, run: Source) -> str:
    """Why a run says nothing about the thresholds; empty where it does."""
    for event in run.events():
        if event["kind"] == "knobs" or (event["kind"] == "action" and event["payload"]["action"] != "snapshot"):
            return f"the run was steered at step {event['step']}"
    if config.scene == "images":
        return ""
    if config.scene == "parity":
        return "" if config.bits == 10 else f"the numbers are those of 10 bits, not of {config.bits}"
    chosen = (config.frequency, config.near_first, config.near_third)
    if config.sampling == "uneven" and chosen != (6, 20, 10):
        return "the numbers are those of sin 6x with 20 samples near sin x and 10 near sin 3x"
    return "" if config.frequency == 6 else f"the numbers are those of sin 6x, not of sin {config.frequency}x"


def _sine_checks(run: Source) -> tuple[Check, ...]:
    (step, test_loss), (loss_step, train_loss) = run.series("test_loss"), run.series("train_loss")
    alias, carried = run.series("target_train_spectrum")[1][0, 1], run.series("output_train_spectrum")[1][-1, 1]
    low = run.series("low_amplitude")[1]
    fitted = loss_step[train_loss < FITTED]
    plateau = int(fitted[0]) if len(fitted) else int(step[-1])
    during = (step >= SETTLED) & (step <= plateau)
    note = f"plateau up to step {plateau}" if len(fitted) else f"training loss never below {FITTED}"
    return (
        Check("training samples: target's |F(1)|", float(alias), low=0.15),
        Check("spurious |F(1)| of the output on the plateau", float(low[during].max(initial=-1)), 0.12, note=note),
        Check("highest test MSE on the plateau", float(test_loss[during].max(initial=-1)), low=0.54, note=note),
        Check("test MSE at the end", float(test_loss[-1]), high=0.01),
        Check("test |F(1)| of the output at the end", float(low[-1]), high=0.02),
        Check("training |F(1)|, output less target, at the end", float(carried - alias), -0.02, 0.02),
    )


def _parity_checks(run: Source) -> tuple[Check, ...]:
    step, accuracy = run.series("test_accuracy")
    test_loss = run.series("test_loss")[1]
    right = step[accuracy > 0.98]
    found = float(right[0]) if len(right) else math.inf
    before = test_loss[step <= found]
    return (
        Check("highest test MSE before, over the first", float(before.max() / test_loss[0]), low=1.02),
        Check(FOUND, found, high=float(step[-1])),
        Check("test error at the end", 1 - float(accuracy[-1]), high=0.02),
    )


def _image_checks(run: Source) -> tuple[Check, ...]:
    """Test accuracy lags behind, and what is missing on the way is not the high frequencies alone."""
    (step, train), (_, test) = run.series("train_accuracy"), run.series("test_accuracy")
    rows = min(len(train), len(test))
    learnt = _first(train[:rows] >= LEARNT)
    half = _first(train[:rows] >= HALF_WAY)
    shares = [_low_share(run, name, half) for name in ("residual_test_spectrum", "target_test_spectrum")]
    then, note = float(test[learnt]), f"at step {step[learnt]}"
    return (
        Check("training accuracy at the end", float(train[-1]), low=LEARNT),
        Check(f"test accuracy where that of training reaches {LEARNT}", then, high=0.7, note=note),
        Check("gain of the test accuracy afterwards", float(test[rows - 1]) - then, low=0.03),
        Check(
            "low frequencies' share of what is missing, over that of the target",
            shares[0] / shares[1],
            low=0.4,
            note=f"at step {step[half]}, training accuracy {train[half]:.2f}",
        ),
    )


def _first(reached: np.ndarray) -> int:
    """Row from which on it is so; the last row if never."""
    return int(reached.argmax()) if reached.any() else len(reached) - 1


def _low_share(run: Source, name: str, row: int) -> float:
    """Share of a spectrum's power at frequencies up to LOW."""
    k, power = run.series("frequency")[1][row], run.series(name)[1][row] ** 2
    return float(power[k <= LOW].sum() / power.sum())


def judge_shares(rows: Sequence[StudyRow]) -> Verdict | None:
    """Parity is found the sooner the larger the training share; None without several shares."""
    found: dict[float, list[float]] = {}
    for row in rows:
        if FOUND in row.checks:
            found.setdefault(row.config.share, []).append(row.checks[FOUND])
    if len(found) < 2:
        return None
    steps = {share: float(np.mean(found[share])) for share in sorted(found)}
    late = sum(more >= less for less, more in itertools.pairwise(steps.values()))
    note = ", ".join(f"{share:g}: {step:g}" for share, step in steps.items())
    return Verdict.of(Check("shares that find parity no sooner than the next smaller one", late, 0, 0, note))
