"""The quadratic's checks: v decays freely, λ_max(Ĥ) crosses 2/η when the closed form says so, the loss comes back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lab.experiments.adam_spikes.record import Record
from lab.experiments.adam_spikes.theory import crossing_step
from lab.verdict import Check, Verdict

FREE = 1e-6  # g²/v below which v counts as decaying freely: n such steps move the crossing by less than n·1e-6 steps
CALM = 50  # steps before the crossing in which v has to
RISE_WITHIN = 200  # steps
ENVELOPE = 40  # steps: longer than the half-period of the oscillation


@dataclass(frozen=True)
class Crossed:
    """λ_max(Ĥ) passing 2/η from below.

    Attributes:
        row: First recorded row above.
        step: When, interpolated between two rows: λ grows exponentially while v decays.
        free_row: Row since which v decayed freely with the knobs as they are; equal to ``row`` where it did not.
    """

    row: int
    step: float
    free_row: int


def judge_quadratic(record: Record) -> Verdict:
    largest = Check("largest λ_max(Ĥ)·η/2", float(np.nanmax(record.excess)), low=1.0)
    rise = Check("largest rise of the loss envelope", _rise(record, 0, math.inf), low=1e3)
    if not record.adaptive:
        return Verdict.of(Check("optimiser has a second moment", 0.0, low=1.0), largest, rise)
    crossed = _crossed(record)
    if crossed is None:
        reason = _too_early(record)
        return Verdict.not_comparable(reason, largest, rise) if reason else Verdict.of(largest, rise)
    begin = math.ceil(crossed.step)
    end = min(begin + RISE_WITHIN, record.knobs.next_intervention(begin - 1))
    checks = (
        largest,
        _closed_form(record, crossed),
        _calm(record, crossed),
        Check(f"rise of the loss envelope in {RISE_WITHIN} steps", _rise(record, begin, end), low=1e3),
    )
    if not checks[-1].passed:
        after = record.loss[record.loss_step >= begin]
        if not after.any():
            return Verdict.not_comparable("the loss underflowed to exactly 0: nothing is left to grow", *checks)
        if record.loss_step[-1] < begin + RISE_WITHIN:
            reason = f"too short: the loss needs up to {RISE_WITHIN} steps from the crossing at step {begin}"
            return Verdict.not_comparable(reason, *checks)
    return Verdict.of(*checks)


def _crossed(record: Record) -> Crossed | None:
    """The first crossing after a stretch of free decay; the first of all where none has one."""
    above = record.excess > 1
    found = [_describe(record, int(row)) for row in np.flatnonzero(above[1:] & ~above[:-1]) + 1]
    calm = (c for c in found if record.step[c.row] - record.step[c.free_row] >= CALM)
    return next(calm, found[0] if found else None)


def _describe(record: Record, row: int) -> Crossed:
    (left, right), (low, high) = record.step[row - 1 : row + 1], record.excess[row - 1 : row + 1]
    step = left + (right - left) * math.log(1 / low) / math.log(high / low) if low > 0 else float(right)
    return Crossed(row, float(step), _free_since(record, row))


def _free_since(record: Record, row: int) -> int:
    """First row of the stretch up to ``row`` in which v got nothing and nobody intervened."""
    free = record.decoupling[:row] < FREE
    free &= record.step[:row] >= record.knobs.last_intervention(int(record.step[row]))
    broken = np.flatnonzero(~free)
    return int(broken[-1]) + 1 if len(broken) else 0


def _predicted(record: Record, row: int) -> float | None:
    """The closed form's crossing, seen from a row."""
    step = int(record.step[row])
    lr, beta2, eps = (float(record.knobs.at(name, step)) for name in ("lr", "beta2", "eps"))
    return crossing_step(
        curvature=record.config.curvature,
        lr=lr,
        beta1=record.momentum_at(step),
        beta2=beta2,
        eps=eps,
        square=float(record.second_moment[row]),
        step=step,
        forgotten=record.knobs.forgotten(step),
    )


def _closed_form(record: Record, crossed: Crossed) -> Check:
    name = "crossing, measured less closed form [steps]"
    if record.step[crossed.row] - record.step[crossed.free_row] < CALM:
        return Check(name, math.nan, -2, 2, f"v did not decay freely for {CALM} steps before the crossing")
    predicted = _predicted(record, crossed.free_row)
    error = math.nan if predicted is None else crossed.step - predicted
    note = f"measured {crossed.step:.1f}, closed form from step {record.step[crossed.free_row]}: {predicted or 0:.1f}"
    return Check(name, error, -2, 2, note)


def _calm(record: Record, crossed: Crossed) -> Check:
    rows = (record.step >= crossed.step - CALM) & (record.step < crossed.step)
    off = np.abs(record.v_ratio - record.knobs.at("beta2", record.step))[rows]
    return Check(f"|v_t/v_(t-1) - β2| in the {CALM} steps before", float(off.max()), high=1e-4)


def _rise(record: Record, begin: int, end: float) -> float:
    """Largest ratio of the loss envelope, its maximum over 40 steps, to an earlier value of it between two steps."""
    known = (record.loss_step > begin - ENVELOPE) & (record.loss_step <= end)
    step, loss = record.loss_step[known], np.maximum(record.loss[known], np.finfo(float).tiny)
    if len(loss) == 0:
        return math.nan
    width = min(ENVELOPE, len(loss))
    envelope = np.lib.stride_tricks.sliding_window_view(loss, width).max(axis=1)
    envelope = envelope[step[width - 1 :] >= begin]
    return float((envelope / np.minimum.accumulate(envelope)).max()) if len(envelope) else math.nan


def _too_early(record: Record) -> str:
    """Why a run without a crossing says nothing yet; empty where it does."""
    row = len(record.step) - 1
    if record.step[row] - record.step[_free_since(record, row)] >= CALM:
        predicted = _predicted(record, row)
        if predicted is None:
            return ""  # ε is a floor that λ_max(Ĥ) will not get over
        return f"too short: v is decaying freely and λ_max(Ĥ) will cross 2/η at step {predicted:.0f}; set more steps"
    if record.last < record.patience:
        return f"too short: {record.last} of at least {record.patience} steps"
    return ""
