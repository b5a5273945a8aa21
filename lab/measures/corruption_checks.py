"""Phases of learning with corrupted labels, and the checks of a verdict on each. Doshi et al. (2023), arXiv 2310.13061.

The cut-offs between phases and the thresholds of the checks are ours.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lab.interventions import first_intervention
from lab.stream import Source
from lab.verdict import Check, Verdict, unlike
from lab.views import Stage

PHASES = (
    Stage("coexistence", "Test and corrupted labels, both at least 0.9."),
    Stage("partial inversion", "Test at least 0.9, corrupted labels from 0.1 to 0.9."),
    Stage("full inversion", "Test at least 0.9, corrupted labels below 0.1."),
    Stage("memorisation", "Training at least 0.95, test below 0.9."),
    Stage("forgetting", "Test fell below 0.5 after 0.9, or all is at chance after having trained."),
    Stage("confusion", "None of these."),
)
POINTS = 21  # of a pruning curve


def is_map(config: Any) -> bool:
    return config.claim == "map"


def ignoring(config: Any) -> float:
    """Training accuracy of a network that ignores the corruption: 1 - ξ + ξ/p."""
    return 1 - config.xi + config.xi / config.p


def phase_number(train: float, given: float, test: float, best_train: float, best_test: float, *, classes: int) -> int:
    """Which of PHASES, counted from 1, by accuracies now and the best ones so far. Without corruption: coexistence."""
    if test >= 0.9:
        return 3 if given < 0.1 else 2 if given < 0.9 else 1
    lost = max(train, test) <= 2 / classes and best_train >= 0.5
    if lost or (best_test >= 0.9 and test < 0.5):
        return 5
    return 4 if train >= 0.95 else 6


def inversion_step(step: np.ndarray, train: np.ndarray, xi: float) -> int | None:
    """First step with a training accuracy below 1 - ξ/2 after one of 0.99, or None: when the wrong labels are given up.

    Args:
        step: Shape (T,).
        train: Training accuracy there, shape (T,).
        xi: Corrupted share ξ.
    """
    learnt = np.flatnonzero(train >= 0.99)
    lost = np.flatnonzero(train < 1 - xi / 2)
    after = lost[lost > learnt[0]] if len(learnt) else lost[:0]
    return int(step[after[0]]) if len(after) else None


def _stages(run: Source, xi: float) -> str:
    """When training accuracy was at 0.99, and when it was lost, in words."""
    step, train = run.series("train_accuracy")
    learnt, inverted = step[train >= 0.99], inversion_step(step, train, xi)
    words = [f"training at 0.99 from step {learnt[0]}"] if len(learnt) else []
    return "; ".join([*words, *([f"inverted at step {inverted}"] if inverted is not None else [])])


def _last(run: Source, name: str) -> float:
    return float(run.series(name)[1][-1])


def _coexistence(config: Any, run: Source) -> list[Check]:
    seventy, half = round(0.7 * (POINTS - 1)), (POINTS - 1) // 2
    pruned = {name: run.series(name)[1][-1] for name in ("lowest_true_accuracy", "lowest_test_accuracy")}
    return [
        Check("test accuracy", _last(run, "test_accuracy"), low=0.95),
        Check("accuracy on corrupted labels", _last(run, "given_accuracy"), low=0.85),
        Check("70 % pruned by IPR: true labels of corrupted pairs", pruned["lowest_true_accuracy"][seventy], low=0.95),
        Check("70 % pruned by IPR: test accuracy", pruned["lowest_test_accuracy"][seventy], low=0.95),
        Check("50 % pruned at random: true labels", run.series("random_true_accuracy")[1][-1][half], high=0.5),
    ]


def _partial_inversion(config: Any, run: Source) -> list[Check]:
    train = run.series("train_accuracy")[1]
    return [
        Check("test accuracy", _last(run, "test_accuracy"), low=0.9),
        Check("accuracy on corrupted labels", _last(run, "given_accuracy"), 0.1, 0.9),
        Check(
            "training accuracy, best less last", float(train.max() - train[-1]), low=0.05, note=_stages(run, config.xi)
        ),
    ]


def _full_inversion(config: Any, run: Source) -> list[Check]:
    train = run.series("train_accuracy")[1]
    return [
        Check("test accuracy", _last(run, "test_accuracy"), low=0.99),
        Check("best training accuracy", float(train.max()), low=0.99, note=_stages(run, config.xi)),
        Check("training accuracy less 1 - ξ + ξ/p", float(train[-1]) - ignoring(config), -0.01, 0.01),
        Check("training accuracy, best less last", float(train.max() - train[-1]), low=0.1),
    ]


def _forgetting(config: Any, run: Source) -> list[Check]:
    test = run.series("test_accuracy")[1]
    return [
        Check("best test accuracy", float(test.max()), low=0.9),
        Check("test accuracy at the end", float(test[-1]), high=0.5),
    ]


def _scale_of_neurons(config: Any, run: Source) -> list[Check]:
    if not config.batch_norm:
        return [Check("rank correlation of IPR and BatchNorm scale", math.nan, low=0.5, note="no BatchNorm")]
    ipr, scale = (run.series(name)[1][-1] for name in ("ipr", "neuron_scale"))
    alive = np.isfinite(ipr)
    ranks = [values[alive].argsort().argsort() for values in (ipr, scale)]
    return [
        Check("rank correlation of IPR and BatchNorm scale", float(np.corrcoef(*ranks)[0, 1]), low=0.5),
        Check("test accuracy", _last(run, "test_accuracy"), low=0.9),
        Check("accuracy on corrupted labels", _last(run, "given_accuracy"), high=0.9),
    ]


CHECKS = {
    "coexistence": _coexistence,
    "partial inversion": _partial_inversion,
    "full inversion": _full_inversion,
    "forgetting": _forgetting,
    "scale of neurons": _scale_of_neurons,
}
"""Checks of each claim about one network, from its config and run."""

_FULL_BATCH = {"lr": 1e-2, "batch": 0, "dropout": 0.0, "operation": "add"}
_BY_DECAY = _FULL_BATCH | {"batch_norm": False}
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "coexistence": (_FULL_BATCH | {"xi": 0.35}, {"steps": 600}),
    "partial inversion": (_BY_DECAY, {"steps": 500}),
    "full inversion": (_BY_DECAY, {"steps": 300}),
    "forgetting": (_BY_DECAY, {"steps": 1500}),
    "scale of neurons": ({"lr": 5e-3, "batch": 64, "dropout": 0.0, "operation": "add"}, {"steps": 1500}),
}
"""Knobs of each claim's setting, and those that may be larger; a failure elsewhere does not refute it."""


def judge_map(config: Any, run: Source) -> Verdict:
    """The phases along weight decay 0, 5 and 15 at ξ = 0.2, at the end of a map."""
    rows, columns = config.grid()
    if config.map_rows != "weight decay" or not {0.0, 5.0, 15.0} <= set(rows) or 0.2 not in columns:
        return Verdict.not_comparable("the claim is about weight decay 0, 5 and 15 at ξ = 0.2")
    if (config.p, config.width, config.alpha) != (43, 250, 0.6):
        return Verdict.not_comparable("the phases are those of p = 43, N = 250 and α = 0.6")
    step, phases = run.series("phase_map")
    if step[-1] < max(600, config.steps):
        return Verdict.not_comparable(f"too short or not finished: step {step[-1]} of {max(config.steps, 600)}")
    at = {row: float(phases[-1][rows.index(row), columns.index(0.2)]) for row in (0.0, 5.0, 15.0)}
    expected = {0.0: 4, 5.0: 1, 15.0: 3}
    return Verdict.of(
        *(Check(f"phase at λ = {row:g}, ξ = 0.2", at[row], n, n, PHASES[n - 1].label) for row, n in expected.items())
    )


def judge(config: Any, run: Source) -> Verdict:
    """The claim's checks on the last readings; not comparable after an intervention in the training."""
    steered = first_intervention(run, knobs=set(config.knobs()) - {"prune", "prune_by"})
    if steered:
        return Verdict.not_comparable(f"the training was steered at step {steered['step']}")
    if is_map(config):
        return judge_map(config, run)
    step = run.series("test_accuracy")[0]
    if (config.p, config.width) != (97, 500):
        return Verdict.not_comparable("the thresholds are those of p = 97 and N = 500")
    if step[0] > 0:
        return Verdict.not_comparable(f"a branch from step {step[0]}: what came before is in its parent")
    if step[-1] < config.steps or step[-1] < 300:
        return Verdict.not_comparable(f"too short or not finished: step {step[-1]} of {max(config.steps, 300)}")
    return Verdict.of(*CHECKS[config.claim](config, run)).excused(unlike(config, *SETTINGS[config.claim]))
