"""How the scenes of the loss jump are judged; the thresholds are ours. Wang et al. (2024), arXiv 2405.03095."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lab.stream import Source
from lab.verdict import Check, Verdict

CLOSE = 100  # steps after a switch that are all recorded, and in which the jump is looked for
RESTLESS = 2.0  # times that the error may vary before a switch; no control leaps by more
WAVES = ((1, 1.0), (4, 0.5))  # k and amplitude of the solution on which frequencies are compared
LEARNT = 0.1  # share of its amplitude below which the error of a frequency counts as learnt


def judge_switch(config: Any, run: Source, at: int) -> Verdict:
    """The error jumps after a switch at step ``at``, while the new loss falls.

    Where the solution has k = 1 and 4, it jumps at the lower one.
    """
    step, error = run.series("relative_error")
    after = (step > at) & (step <= at + CLOSE)
    if at < 2000 or after.sum() < CLOSE:
        return Verdict.not_comparable(f"a switch after 2000 steps or more, and {CLOSE} steps behind it, are judged")
    calm = error[(step <= at) & (step >= at - CLOSE)]
    before = calm.min()
    top = int(step[after][error[after].argmax()])
    back = step[(step > top) & (error < 2 * before)]
    note = f"at {top}; below twice that before " + (f"again from step {back[0]}" if len(back) else "no more")
    model_step, model = run.series("model_loss")
    start = model[np.searchsorted(model_step, at)]
    checks = [
        Check("error within 100 steps over that before", float(error[after].max() / before), low=5.0, note=note),
        Check("model loss at the end over that at the switch", float(model[-1] / start), high=0.5),
    ]
    if config.equation != "burgers":  # its front has all frequencies
        mode_step, modes = run.series("mode_error")
        then, now = (modes[int(np.searchsorted(mode_step, row))] for row in (at, top))
        checks += [
            Check("error at k = 1 over that at k = 4, before", float(then[0] / then[3]), high=1.0),
            Check("error at k = 1 over that at k = 4, at the top", float(now[0] / now[3]), low=1.0),
        ]
    reason = _outside(config)
    if not reason and calm.max() > RESTLESS * before:
        reason = (
            f"the error already varied {calm.max() / before:.2g} times in the {CLOSE} steps before the switch: "
            "lower lr, or switch later"
        )
    return Verdict.not_comparable(reason, *checks) if reason else Verdict.of(*checks)


def _outside(config: Any) -> str:
    """Why the jump of a run says nothing about the claim; empty where it does."""
    if config.equation != "burgers" and config.waves() != WAVES:
        return "the order of frequencies is that of k = 1 and 4 with amplitudes 1 and 1/2"
    if config.moments == "reset" or config.lr_after not in (0.0, config.lr_end):
        return "a changed rate or fresh moments alone make the error jump"
    if config.first != "data" or config.blend:
        return "the claim is about leaving the data altogether: set the first loss to data and keep nothing of it"
    return ""


def judge_scratch(config: Any, run: Source) -> Verdict:
    """On the data k = 1 comes first, on the equation k = 4."""
    if config.equation != "poisson" or config.waves() != WAVES:
        return Verdict.not_comparable("the order of frequencies is that of Poisson's equation with k = 1 and 4")
    if config.steps < 1500:
        return Verdict.not_comparable(f"too short: {config.steps} of 1500 steps")
    low, high = (learnt(run, "curved_error", k) for k in (1, 4))
    low_second, high_second = (learnt(run, "second_curved_error", k) for k in (1, 4))
    return Verdict.of(
        Check("first network: steps to k = 4 less steps to k = 1", high - low, low=1, note=f"{low:g} and {high:g}"),
        Check(
            "second network: steps to k = 1 less steps to k = 4",
            low_second - high_second,
            low=1,
            note=f"{low_second:g} and {high_second:g}",
        ),
    )


def learnt(run: Source, name: str, k: int) -> float:
    """First step from which on |E_k| stays below LEARNT times the amplitude (1 at k = 1, 1/2 at k = 4); inf if never.

    From which on: a coefficient that changes its sign passes 0 while it still swings.
    """
    step, value = run.series(name)
    above = np.flatnonzero(value[:, k - 1] >= LEARNT * {1: 1.0, 4: 0.5}[k])
    first = above[-1] + 1 if len(above) else 0
    return float(step[first]) if first < len(step) else math.inf
