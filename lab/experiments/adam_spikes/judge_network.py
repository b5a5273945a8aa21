"""The network's checks: spikes, each after λ_max(Ĥ) and then λ_grad(Ĥ) have crossed 2/η, and crossings that last."""

from __future__ import annotations

import math

import numpy as np

from lab.experiments.adam_spikes.optimizer import momentum_factor
from lab.experiments.adam_spikes.record import Record
from lab.measures.detectors import Interval, crossings, spikes
from lab.verdict import Check, Verdict

SPIKES = 3
MAX_BEFORE = 100  # steps before a spike in which λ_max(Ĥ) has to be above 2/η
GRAD_BEFORE = 30  # and λ_grad(Ĥ)
LASTING = 30  # steps, the median of the crossings


def judge_network(record: Record) -> Verdict:
    # what follows an intervention within 100 steps may be its doing, and is no evidence
    found = [
        spike
        for spike in spikes(record.loss_step, record.loss)
        if spike.start - record.knobs.last_intervention(spike.start) >= MAX_BEFORE
    ]
    above, along = _crossings(record, record.excess), _crossings(record, record.gradient_excess)
    lengths = [crossing.length for crossing in above if crossing.length is not None]
    checks = (
        Check("spikes of the loss", float(len(found)), low=SPIKES, note=_heights(found)),
        Check(
            "share of spikes led by λ_max and then λ_grad over 2/η",
            sum(_led(spike.start, above, along) for spike in found) / len(found) if found else math.nan,
            low=1.0,
        ),
        Check(
            "first crossing of λ_max before the first of λ_grad [steps]",
            float(along[0].start - above[0].start) if above and along else math.nan,
            low=1.0,
        ),
        Check(
            "median length of λ_max crossings [steps]",
            float(np.median(lengths)) if lengths else math.nan,
            low=LASTING,
            note=f"{len(above)} crossings of λ_max, {len(along)} of λ_grad",
        ),
        Check("largest λ_max(Ĥ)·η/2", float(np.nanmax(record.excess)), low=1.0),
    )
    if not record.adaptive:
        return Verdict.of(Check("optimiser has a second moment", 0.0, low=1.0), *checks)
    reason = _too_early(record, above) if len(found) < SPIKES else ""
    return Verdict.not_comparable(reason, *checks) if reason else Verdict.of(*checks)


def _crossings(record: Record, excess: np.ndarray) -> list[Interval]:
    """Stretches above 1 that began below it: a run that starts above has not crossed."""
    return [stretch for stretch in crossings(record.step, excess, 1.0) if stretch.start > record.step[0]]


def _heights(found: list[Interval]) -> str:
    if not found:
        return ""
    return f"highest {max(spike.numbers['height'] for spike in found):.1f} x the running median"


def _led(spike: int, above: list[Interval], along: list[Interval]) -> bool:
    """Whether λ_max was over 2/η within 100 steps before a spike, λ_grad within 30, and λ_max came first."""
    first = _first_active(above, spike - MAX_BEFORE, spike)
    second = _first_active(along, spike - GRAD_BEFORE, spike)
    return first is not None and second is not None and first < second


def _first_active(stretches: list[Interval], begin: int, end: int) -> int | None:
    """Start of the first stretch that reaches into ``begin <= step <= end``."""
    return next((s.start for s in stretches if s.start <= end and (s.end is None or s.end > begin)), None)


def _too_early(record: Record, above: list[Interval]) -> str:
    """Why fewer than three spikes say nothing yet; empty where they do."""
    if record.last < record.patience:
        return f"too short: {record.last} of at least {record.patience} steps"
    settled = [crossing for crossing in above if crossing.start >= record.memory]  # before that v only fills up
    if settled:
        since = record.last - settled[0].start
        if since < record.memory:
            return f"too short: λ_max(Ĥ) first crossed 2/η {since} steps before the end, less than v's {record.memory}"
        return ""
    late = record.step >= 0.75 * record.last
    lr, eps = (float(record.knobs.at(name, record.last)) for name in ("lr", "eps"))
    most = np.nanmax(record.sharpness[late]) * momentum_factor(record.momentum_at(record.last)) / eps * lr / 2
    if most > 1 and np.nanmedian(record.v_ratio[late]) < 1:
        return f"too short: v still falls and λ_max(Ĥ)·η/2 is at {record.excess[-1]:.2g}; set more steps"
    return ""  # ε, or a v that is level, keeps λ_max(Ĥ) below 2/η
