"""The checks of a verdict on an adaptive optimiser's loss spikes; the thresholds are ours.

Each gives its checks, and why a run says nothing yet where it does not. Bai et al. (2025), arXiv 2506.04805.
"""

from __future__ import annotations

import math

import numpy as np

from lab.measures.detectors import Interval, spikes
from lab.measures.second_moment import crossing_after_free_decay, free_since
from lab.measures.spike_record import SpikeRecord, led
from lab.measures.step_windows import envelope_rise
from lab.optimizers import average_factor
from lab.verdict import Check

SPIKES = 3
BEFORE = {"above_before": 100, "along_before": 30}  # steps before a spike in which λ_max, λ_grad of Ĥ exceed 2/η
LASTING = 30  # steps, the median of the crossings
CALM = 50  # steps before the quadratic's crossing in which v has to decay freely
RISE_WITHIN = 200  # steps after it


def spike_checks(record: SpikeRecord) -> tuple[tuple[Check, ...], str]:
    """Spikes, each after λ_max(Ĥ) and then λ_grad(Ĥ) have crossed 2/η, and crossings that last."""
    # what follows an intervention within 100 steps may be its doing, and is no evidence
    found = [
        spike
        for spike in spikes(record.loss_step, record.loss)
        if spike.start - record.knobs.last_intervention(spike.start) >= BEFORE["above_before"]
    ]
    above, along = record.crossings()
    lengths = [crossing.length for crossing in above if crossing.length is not None]
    highest = max((spike.numbers["height"] for spike in found), default=0.0)
    note = f"highest {highest:.3g} x the running median" if found else ""
    checks = (
        Check(
            "spikes of the loss",
            float(len(found)),
            SPIKES,
            note=note,
        ),
        Check(
            "share of spikes led by λ_max and then λ_grad over 2/η",
            float(np.mean([led(spike.start, above, along, **BEFORE) for spike in found])) if found else math.nan,
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
    return checks, _network_too_early(record, above) if len(found) < SPIKES else ""


def _network_too_early(record: SpikeRecord, above: list[Interval]) -> str:
    """Why fewer than three spikes say nothing yet; empty where they do."""
    if short := record.too_short():
        return short
    settled = [crossing for crossing in above if crossing.start >= record.memory]  # before that v only fills up
    if settled:
        since = record.last - settled[0].start
        if since < record.memory:
            return f"too short: λ_max(Ĥ) first crossed 2/η {since} steps before the end, less than v's {record.memory}"
        return ""
    late = record.step >= 0.75 * record.last
    lr, beta1, eps = (record.knob(name, record.last) for name in ("lr", "beta1", "eps"))
    highest = np.nanmax(record.sharpness[late]) * average_factor(beta1) / eps * lr / 2  # that λ_max(Ĥ)·η/2 can reach
    ratio = record.v_ratio[late]
    if highest > 1 and np.isfinite(ratio).any() and np.nanmedian(ratio) < 1:
        return f"too short: v still falls and λ_max(Ĥ)·η/2 is at {record.excess[-1]:.2g}; set more steps"
    return ""  # no v, ε, or a v that is level, keeps λ_max(Ĥ) below 2/η


def free_decay_checks(record: SpikeRecord) -> tuple[tuple[Check, ...], str]:
    """v decays freely, λ_max(Ĥ) crosses 2/η when the closed form says so, the loss comes back."""
    largest = Check("largest λ_max(Ĥ)·η/2", float(np.nanmax(record.excess)), low=1.0)
    rise = Check(
        "largest rise of the loss envelope", envelope_rise(record.loss_step, record.loss, 0, math.inf), low=1e3
    )
    crossed = crossing_after_free_decay(record.step, record.excess, record.decoupling, record.knobs, calm=CALM)
    if crossed is None or not record.adaptive:
        return (largest, rise), _quadratic_too_early(record)
    begin = math.ceil(crossed.step)
    predicted = record.predicted_crossing(crossed.free_row) if crossed.calm >= CALM else None
    note = f"v did not decay freely for {CALM} steps before the crossing"
    if predicted:
        note = f"measured {crossed.step:.1f}, closed form from step {record.step[crossed.free_row]}: {predicted:.1f}"
    before = (record.step >= crossed.step - CALM) & (record.step < crossed.step)
    off = np.abs(record.v_ratio - record.knobs.at("beta2", record.step))[before]
    end = min(begin + RISE_WITHIN, record.knobs.next_intervention(begin - 1))
    checks = (
        largest,
        Check("crossing, measured less closed form [steps]", crossed.step - (predicted or math.nan), -2, 2, note),
        Check(f"|v_t/v_(t-1) - β2| in the {CALM} steps before", float(off.max()), high=1e-4),
        Check(
            f"rise of the loss envelope in {RISE_WITHIN} steps",
            envelope_rise(record.loss_step, record.loss, begin, end),
            low=1e3,
        ),
    )
    if not checks[-1].passed:
        if not record.loss[record.loss_step >= begin].any():
            return checks, "the loss underflowed to exactly 0: nothing is left to grow"
        if record.loss_step[-1] < begin + RISE_WITHIN:
            return checks, f"too short: the loss needs up to {RISE_WITHIN} steps from the crossing at step {begin}"
    return checks, ""


def _quadratic_too_early(record: SpikeRecord) -> str:
    """Why a run without a crossing says nothing yet; empty where it does."""
    row = len(record.step) - 1
    if record.last - record.step[free_since(record.step, record.decoupling, record.knobs, row)] >= CALM:
        predicted = record.predicted_crossing(row)
        if predicted is None:
            return ""  # ε is a floor that λ_max(Ĥ) will not get over
        return f"too short: v is decaying freely and λ_max(Ĥ) will cross 2/η at step {predicted:.0f}; set more steps"
    return record.too_short()
