"""How runs over depth are judged: agreement with mean-field theory, and a power of depth; and trained networks.

Doshi et al. (2023), arXiv 2111.12143; the thresholds are ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lab.measures.depth_fit import DepthFit, fit_depth
from lab.stream import Source
from lab.verdict import Check, Verdict, unlike

FIRST = 10  # layers before it are the transient and belong to no fit
FEWEST = 20  # networks whose mean shows an exponent: ln J of one network wanders by about √(l/N)·2
SHORTEST = 30  # layers that tell a power law from an exponential with a window from FIRST on
LAST_BLOCKS = 3  # χ_J is a mean over so many blocks at the end
STEEPEST = 1.5  # |ζ| of every known critical network is at most 1.23; chi = 0.95 over 50 layers already gives 1.3
FAR = 10.0  # |ln J| over the depth beyond which no network trains


def fit_curve(log_apjn: np.ndarray) -> DepthFit:
    """The fits over layers FIRST ... L of a curve that begins at l = 0."""
    return fit_depth(log_apjn[1:], FIRST)


def judge(config: Any, run: Source) -> Verdict:
    """Agreement with the theory, in one block and over depth, and growth by a power of depth."""
    if any(event["kind"] in ("knobs", "action") for event in run.events()):
        return Verdict.not_comparable("the network changes with depth: a knob was turned or an action taken on the way")
    if config.scene == "training":
        return _judge_training(config, run)
    if config.width < 100:
        return Verdict.not_comparable(f"width {config.width}: the theory is one of wide networks, take 100 or more")
    if config.nets < FEWEST:
        return Verdict.not_comparable(
            f"{config.nets} networks: one wanders too far for an exponent, take {FEWEST} or more"
        )
    step, measured = run.series("log_apjn")
    _, theory = run.series("theory_log_apjn")
    rows = min(len(measured), len(theory))
    step, measured, theory = step[:rows], measured[:rows], theory[:rows]
    if rows < 1 or step[-1] < SHORTEST:
        return Verdict.not_comparable(f"too short: {SHORTEST} blocks tell a power law from an exponential")
    if not (np.isfinite(measured).all() and np.isfinite(theory).all()):
        return Verdict.not_comparable("no signal, or one beyond all numbers: ln J is not finite")
    chi, chi_theory = (run.series(name)[1][-LAST_BLOCKS:].mean() for name in ("block_apjn", "theory_block_apjn"))
    allowed = 0.15 * np.sqrt(step[1:] * 256 / config.width)
    fit, expected = fit_curve(measured), fit_curve(theory)
    checks = [
        Check("χ_J of the last blocks over the theory's", float(chi / chi_theory), 0.94, 1.06),
        Check(
            "largest |ln J - theory| / (0.15 √(256 l/N))", float((np.abs(measured - theory)[1:] / allowed).max()), 0, 1
        ),
        Check("ζ - ζ of the theory", fit.exponent - expected.exponent, -0.1, 0.1, f"layers {FIRST} to {fit.last}"),
        Check(
            "|ζ|: a power of depth, not an exponential",
            abs(fit.exponent),
            0,
            STEEPEST,
            f"R² of an exponential {fit.rate_r2:.4f}, of a power law {fit.exponent_r2:.4f}",
        ),
    ]
    return Verdict.of(*checks, *_map_checks(run))


def _map_checks(run: Source) -> list[Check]:
    if "chi_map" not in run.names():
        return []
    chi, theory = (run.series(name)[1][-LAST_BLOCKS:].mean(0) for name in ("chi_map", "theory_chi_map"))
    error = Check("median relative error of χ_J on the map", float(np.median(np.abs(chi / theory - 1))), 0, 0.06)
    clear = np.abs(theory - 1) > 0.1
    if not clear.any():  # critical everywhere, as with LayerNorm and μ = 1
        return [error]
    side = float(((chi[clear] > 1) == (theory[clear] > 1)).mean())
    return [
        error,
        Check("share of the map on the right side of χ_J = 1", side, 0.98, 1, "where |χ - 1| > 0.1"),
    ]


def _judge_training(config: Any, run: Source) -> Verdict:
    """The network at the run's point learns, those where J changes by many orders of magnitude do not."""
    step, accuracy = run.series("test_accuracy")
    on_grid, chi = run.series("accuracy_map")[1][-1], run.series("theory_chi_map")[1][0]
    far = on_grid[np.abs(np.log(chi)) * config.train_depth > FAR]
    checks = [Check("test accuracy at the run's point", float(accuracy[-1]), low=0.5)]
    if len(far):
        checks.append(Check(f"median test accuracy where |ln J| is above {FAR:g}", float(np.median(far)), high=0.3))
    if step[-1] < config.steps or config.steps < 300:
        return Verdict.not_comparable(f"too short: {step[-1]} of at least 300 steps", *checks)
    return Verdict.of(*checks).excused(unlike(config, {"train_lr": 0.02, "train_depth": 30}, {"width": 128}))
