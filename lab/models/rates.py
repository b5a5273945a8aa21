"""Learning rates over a run: constant, decayed, and as WSD, WSD-S and cosine schedules at equal compute.

Wen et al. 2024, arXiv 2410.05192.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Shape = Literal["linear", "inverse"]
FIRST, SECOND = 1 / 4.3, 2 / 4.3  # budgets in shares of WSD's whole compute: 1000, 2000 (and 4000) of 4300 steps
DECAY = 0.1  # share of a budget


def stationary_hill_loss(lr: float, gamma: float, sigma: float) -> float:
    """Hill loss of a constant rate in a straight valley, ησ²/(2(2 - ηγ)); infinite from ηγ = 2 on."""
    return lr * sigma**2 / (2 * (2 - lr * gamma)) if lr * gamma < 2 else math.inf


def decayed(shape: Shape, done: float, least: float) -> float:
    """The rate as a share of the constant one, ``done`` in [0, 1] of the decay being behind.

    linear: 1 - done. inverse: 1/rate grows evenly from 1 to 1/``least``; what a noise term of variance ~ 1/t asks for.
    """
    return 1 - done if shape == "linear" else 1 / (1 - done + done / least)


def _decay(shape: Shape, steps: int, least: float) -> list[float]:
    return [decayed(shape, k / steps, least) for k in range(steps)]


def _cosine(steps: int) -> list[float]:
    return [(1 + math.cos(math.pi * k / steps)) / 2 for k in range(steps)]


@dataclass(frozen=True)
class Plan:
    """Four schedules that spend the same number of steps, each in shares of one peak rate.

    Attributes:
        shares: Rates over the peak rate, shape (steps, 4), in the order of ``names``.
        save: Steps before which WSD puts its trunk aside, to decay a copy.
        load: Steps before which it goes on from that trunk.
        ends: Steps by which the budgets of WSD and WSD-S are reached, shape (2, 3).
    """

    shares: np.ndarray
    save: tuple[int, ...]
    load: tuple[int, ...]
    ends: np.ndarray
    names = ("WSD", "WSD-S", "cosine", "cyclic cosine")


def plan(steps: int, shape: Shape = "linear", least: float = 0.1, *, by_step: bool = False) -> Plan:
    """Three budgets, the second twice and the last four times the first, in ``steps`` steps of compute.

    WSD decays copies of one trunk, so its decays cost compute of their own; WSD-S goes on from what was decayed, and
    spends on its last budget what that saves. With ``by_step`` it stops at WSD's last budget and saves it.

    Args:
        steps: Compute of each schedule, at least 43.
    """
    budgets = [round(FIRST * steps), round(SECOND * steps)]
    decays = [max(1, round(DECAY * budget)) for budget in budgets]
    stable = [budget - decay for budget, decay in zip(budgets, decays, strict=True)]
    last = round(4 * FIRST * steps)
    wsd_ends = [budgets[0], budgets[1] + decays[0], steps]
    last_decay = max(1, round(DECAY * last))
    wsd = [1.0] * stable[0] + _decay(shape, decays[0], least)
    wsd += [1.0] * (stable[1] - stable[0]) + _decay(shape, decays[1], least)
    wsd += [1.0] * (steps - len(wsd) - last_decay) + _decay(shape, last_decay, least)
    end = last if by_step else steps
    final = max(1, round(DECAY * end))
    wsd_s = [1.0] * stable[0] + _decay(shape, decays[0], least)
    wsd_s += [1.0] * (stable[1] - budgets[0]) + _decay(shape, decays[1], least)
    wsd_s += [1.0] * (end - final - budgets[1]) + _decay(shape, final, least) + [0.0] * (steps - end)
    cycles = _cosine(budgets[0]) + _cosine(budgets[1] - budgets[0]) + _cosine(steps - budgets[1])
    return Plan(
        np.array([wsd, wsd_s, _cosine(steps), cycles]).T,
        save=(stable[0], stable[1] + decays[0]),
        load=(budgets[0], wsd_ends[1]),
        ends=np.array([wsd_ends, [*budgets, end]]),
    )
