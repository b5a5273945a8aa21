"""How the scenes of condensation are judged: the phase scene beside theory and numbers of Luo et al. (2021), JMLR 22.

The thresholds of the others are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.interventions import first_intervention
from lab.stream import Source
from lab.verdict import Check, StudyRow, Verdict, unlike

PAPER_SLOPES = {0.5: -0.506, 1.0: 0.007, 1.75: 0.372}  # S_w at γ' = 0: Luo et al. (2021), Fig. 3
MARGIN = 0.25  # in γ, on both sides of the boundary
SMALL = 2.0  # γ of the start scene from which tanh keeps one direction


def boundary(gamma_prime: np.ndarray) -> np.ndarray:
    """γ on the boundary of the condensed regime: 1 for γ' <= 0, 1 + γ' above. Luo et al. (2021), Sec. 4."""
    return 1 + np.maximum(gamma_prime, 0)


def phase_plane(gamma: float, gamma_prime: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """γ' from -2 to 2, the boundary's γ there, and this run's γ where it stands, NaN elsewhere; shape (N,) each."""
    plane = np.unique([*np.arange(-20, 21) / 10, gamma_prime])
    return plane, boundary(plane), np.where(plane == gamma_prime, gamma, np.nan)


def known_scalings(plane: np.ndarray) -> list[np.ndarray]:
    """γ of the NTK, the mean field (also Xavier) and LeCun (also He) where they stand over γ', NaN elsewhere.

    Luo et al. (2021), Table 1.
    """
    return [np.where(plane == at, gamma, np.nan) for gamma, at in ((0.5, 0.0), (1.0, 0.0), (0.5, 0.5))]


def paper_slope(config: Any) -> float:
    """The paper's S_w; NaN where it has none."""
    return PAPER_SLOPES.get(config.gamma, np.nan) if config.gamma_prime == 0 else np.nan


def judge_runs(rows: Sequence[StudyRow]) -> Verdict | None:
    """What needs several runs: both regimes of the phase plane, and the multiplicity of activations."""
    checks = [*_plane(rows), *_multiplicity(rows)]
    return Verdict.of(*checks) if checks else None


def _multiplicity(rows: Sequence[StudyRow]) -> list[Check]:
    """From small starts x tanh x, of multiplicity 2 at 0, keeps more directions than tanh. Xu et al. (2025)."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.config.scene == "start" and row.config.gamma >= SMALL:
            found.setdefault(row.config.activation, []).append(row.numbers.get("effective_neurons", np.nan))
    if not {"tanh", "x_tanh"} <= set(found):
        return []
    more = min(found["x_tanh"]) - max(found["tanh"])
    return [Check("directions of x tanh x beyond those of tanh, at least", more, 1.0)]


def _plane(rows: Sequence[StudyRow]) -> list[Check]:
    """The regimes over (γ', γ): S_w is negative below the boundary and positive above it. Luo et al. (2021), Sec. 4.

    Runs nearer to the boundary than MARGIN are left out: there S_w is near zero, and finite widths shift it.
    """
    sides: dict[bool, list[bool]] = {False: [], True: []}
    for row in rows:
        slope = row.numbers.get("movement_exponent", np.nan)
        above = row.config.gamma - float(boundary(np.array(row.config.gamma_prime)))
        if row.config.scene == "phase" and abs(above) >= MARGIN and np.isfinite(slope):
            sides[above > 0].append((slope > 0) == (above > 0))
    if not (sides[False] and sides[True]):
        return []
    return [
        Check(f"share with S_w {sign} {where} the boundary", float(np.mean(right)), 0.9, 1.0, f"{len(right)} runs")
        for right, sign, where in ((sides[False], "< 0", "below"), (sides[True], "> 0", "above"))
    ]


def judge_start(config: Any, run: Source) -> Verdict:
    """Pairs of one direction: few at the start, nearly all at the end."""
    if config.steps < 100:
        return Verdict.not_comparable(f"too short: {config.steps} of 100 steps")
    if config.threshold != 0.95:
        return Verdict.not_comparable(unlike(config, {"threshold": 0.95}))
    fraction = run.series("condensed_fraction")[1]
    return Verdict.of(
        Check("pairs of one direction at the start", float(fraction[0]), 0, 0.1),
        Check("pairs of one direction at the end", float(fraction[-1]), 0.95, 1),
    ).excused(unlike(config, {"lr": 1e-3, "samples": 80, "inputs": 5, "optimizer": "adam", "batch": 0}))


def judge_growth(config: Any, run: Source) -> Verdict:
    """The big neurons gather in one direction, and more directions come later."""
    if config.steps < 20_000:
        return Verdict.not_comparable(f"too short: {config.steps} of 20000 steps")
    if outside := unlike(config, {"threshold": 0.95, "up_to_sign": False}):
        return Verdict.not_comparable(outside)
    step, groups = run.series("big_groups")
    fewest = int(groups[1:].argmin()) + 1
    return Verdict.of(
        Check("fewest groups of big neurons", float(groups[fewest]), 1, 1, f"at step {step[fewest]}"),
        Check("groups that come later", float(groups[-1] - groups[fewest]), 1),
    ).excused(unlike(config, {"target": "four hinges", "activation": "relu", "optimizer": "gd", "lr": 0.1, "batch": 0}))


def judge_phase(config: Any, run: Source) -> Verdict:
    """Movement grows with width, by the paper's exponent where it has one."""
    widths = config.all_widths()
    if len(widths) < 3 or widths[-1] < 5 * widths[0]:
        return Verdict.not_comparable(f"widths {config.widths}: a slope needs three or more over a factor of 5")
    worst = float(np.max(run.series("losses")[1][-1]))
    if worst > 1e-4:
        return Verdict.not_comparable(f"not fitted: a loss is still {worst:.1e}, above 1e-4; take more steps")
    slope, known = float(run.series("movement_exponent")[1][-1]), paper_slope(config)
    checks = [Check("S_w: movement grows with width", slope, 0.1)]
    if np.isfinite(known):
        checks.append(Check("S_w beside the paper's", slope, known - 0.1, known + 0.1, f"the paper's is {known:g}"))
    return Verdict.of(*checks).excused(unlike(config, {"mirrored": True}))


def judge_dropout(config: Any, run: Source) -> Verdict:
    """The condensed share of the amplitude, against that of the twin without dropout."""
    if config.steps < 12_000:
        return Verdict.not_comparable(f"too short: {config.steps} of 12000 steps")
    net, twin = (float(run.series(name)[1][-1]) for name in ("weighted_fraction", "twin_weighted_fraction"))
    check = Check("weighted fraction over the twin's", net / twin, 3.0, note=f"{net:.3f} and {twin:.3f}")
    same = {"lr": 1e-3, "samples": 8, "target": "bump", "activation": "tanh", "optimizer": "adam", "noise": "dropped"}
    return Verdict.of(check).excused(unlike(config, same, {"width": 500}))


SCENES = {"start": judge_start, "growth": judge_growth, "phase": judge_phase, "dropout": judge_dropout}
"""How a run of each scene is judged, from its config and record."""


def judge(config: Any, run: Source) -> Verdict:
    """The scene's checks on the last reading; not comparable after an intervention or before the end."""
    steered = first_intervention(run)
    if steered:
        return Verdict.not_comparable(f"the run was steered at step {steered['step']}")
    step, _ = run.series("condensed_fraction")
    if not len(step) or step[-1] < config.steps:
        return Verdict.not_comparable("not finished: the last reading is the one that counts")
    return SCENES[config.scene](config, run)
