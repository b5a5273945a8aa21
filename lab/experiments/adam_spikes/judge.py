"""Did Adam's preconditioner make the spikes? Judged by recorded series alone, with the knobs in force at each step."""

from typing import Any

import numpy as np

from lab.experiments.adam_spikes.judge_network import judge_network
from lab.experiments.adam_spikes.judge_quadratic import judge_quadratic
from lab.experiments.adam_spikes.record import Record
from lab.stream import Source
from lab.verdict import Verdict

COARSEST = 10  # steps between readings: λ_grad crosses some 10 steps before a spike


def judge(config: Any, run: Source) -> Verdict:
    """The card's checks of the run's scene; not comparable where a run cannot tell.

    A run whose η, β1, β2 or ε was turned, or whose v was reset, is held against the thresholds in force at each step.
    It can show the claim by what happened away from the interventions; it cannot refute it.
    """
    record = Record.of(config, run)
    if len(record.step) < 2 or not len(record.loss):
        return Verdict.not_comparable("nothing to judge yet: at least two readings of the curvature are needed")
    widest = int(np.diff(record.step[:-1]).max(initial=1))  # the end of a run is read off the schedule
    if widest > COARSEST:
        return Verdict.not_comparable(
            f"curvature was read up to {widest} steps apart, too coarse for the crossings before a spike: "
            f"set record_every to {COARSEST} or less"
        )
    if record.adaptive and not np.isfinite(record.loss).all():
        bad = int(record.loss_step[~np.isfinite(record.loss)][0])
        return Verdict.not_comparable(f"the loss is not finite from step {bad}: lower lr")
    verdict = (judge_quadratic if config.scene == "quadratic" else judge_network)(record)
    if verdict.outcome == "not reproduced" and record.knobs.interventions:
        at, what = record.knobs.interventions[0]
        return Verdict.not_comparable(
            f"{what} at step {at}: a run that was steered can show the claim but not refute it", *verdict.checks
        )
    return verdict
