"""The checks of a verdict on a river valley's scenes; the thresholds are ours. Wen et al. (2024), arXiv 2410.05192.

Each gives its checks, and why a run is not comparable where it is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lab.models.rates import stationary_hill_loss
from lab.stream import Source
from lab.verdict import Check

COUNTS = (20, 50, 100)  # eigenvectors that span the hill


def factors(config: Any) -> tuple[float, ...]:
    """Rates of the lanes over η."""
    return (1.0,) if config.rates == "one" else (1.0, 0.5, 0.2) if config.scene == "valley" else (1.0, 2.0, 0.5)


def setting(config: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """Knobs of the scene's setting, and those that may be larger; a failure elsewhere does not refute the claim."""
    if config.scene == "valley":
        return {"least": 0.1}, {"walkers": 500, "decay_steps": 200}
    table = {"tokens": 10, "certain": 0.5, "batch": 64}
    if config.scene == "schedules":
        return table | {"lr": 5.0, "contexts": 200, "zipf": 1.0}, {"steps": 4300}
    if not config.zipf:
        return table | {"lr": 20.0, "contexts": 40}, {"decay_steps": 200, "steps": 3300}
    return table | {"lr": 5.0, "contexts": 200, "zipf": 1.0}, {"decay_steps": 200, "branch_every": 1800}


def valley_checks(config: Any, run: Source) -> tuple[tuple[Check, ...], str]:
    """The walls hold their closed form, a decay takes it off, and the way grows with the rate."""
    step, hill = run.series("hill_by_rate")
    rates = config.lr * np.array(factors(config))
    expected = np.array([stationary_hill_loss(lr, config.gamma, config.sigma) for lr in rates])
    late = hill[step >= step[-1] / 2].mean(axis=0)
    error = np.abs(late / expected - 1).max() if config.sigma else np.nan
    before, after = (run.series(name)[1][-1, 0] for name in ("before_hill", "decayed_hill"))
    removed = 1 - after / before if before else np.nan
    river = run.series("river_by_rate")[1][-1]
    ratio = np.abs(river[0] / river / (rates[0] / rates) - 1).max() if config.slope else np.nan
    checks = (
        Check("hill loss off its closed form", float(error), high=0.03, note=f"late mean {late[0]:.4g}"),
        Check("share of the hill loss that a decay removes", float(removed), low=0.9),
        Check("way along the river over rate, off being equal", float(ratio), high=0.01),
    )
    reason = "the closed form is that of a straight river" if config.bend else ""
    if config.rates == "one":
        reason = reason or "one rate alone cannot show that the way grows with it"
    return checks, reason


def table_checks(config: Any, run: Source) -> tuple[tuple[Check, ...], str]:
    """A decay moves in the hill where the stable way does not; without a power law, in uncertain contexts."""

    def last(name: str) -> np.ndarray:
        return run.series(name)[1][-1]

    if not config.zipf:
        drop = last("before_hill") + last("before_river") - last("decayed_loss")
        uncertain = (last("before_hill") - last("decayed_hill"))[0] / drop[0]
        beats = (last("decayed_hill") / last("constant_hill"))[0]
        note = f"{last('decayed_hill')[0]:.3g} against {last('constant_hill')[0]:.3g}"
        return (
            Check("share of the decay's drop in uncertain contexts", float(uncertain), low=0.9),
            Check("hill loss after a decay over that of a constant rate", float(beats), high=1.0, note=note),
        ), ""
    began = run.series("decayed_from")[1]
    ways = np.diff(began)  # between branch points; those made by hand may lie close to one another
    longest = 1 + int(ways.argmax()) if len(ways) else 0
    stable, decay = (float(run.series(name)[1][longest, -1]) for name in ("stable_share", "decay_share"))
    checks = [
        # a way without any hill part has no ratio: one part in a million stands for it
        Check(
            "hill share of a decay over that of the stable way",
            decay / max(stable, 1e-6),
            low=5,
            note=f"{decay:.3g} against {stable:.3g}, k = {COUNTS[-1]}",
        )
    ]
    reason = ""
    if config.rates == "three" and config.replicates > 1:
        own = int((began % config.branch_every == 0).argmax()) if config.branch_every else 0
        loss, spread = (run.series(name)[1][own] for name in ("decayed_loss", "decayed_spread"))
        for slow, fast, words in ((2, 0, "η over η/2"), (0, 1, "2η over η")):
            gap = (loss[slow] - loss[fast]) / spread[[slow, fast]].max()
            note = f"{loss[fast]:.4g} against {loss[slow]:.4g}"
            checks.append(Check(f"gain of the decayed loss, {words}, in sd", float(gap), low=3, note=note))
    else:
        reason = "the order of rates needs three rates and several replicates"
    if len(began) < 2:
        reason = reason or "too short: the stable way is measured between two branches"
    return tuple(checks), reason


def schedule_checks(config: Any, run: Source) -> tuple[tuple[Check, ...], str]:
    """WSD-S ends below WSD, and the cosines above it."""
    step, losses = run.series("schedule_loss")
    loss, spread = losses[-1], run.series("schedule_spread")[1][-1]
    words = f"equal {config.compare}"
    note = f"{loss[1]:.4g} against {loss[0]:.4g}"
    checks = (
        Check(f"WSD-S below WSD at {words}, in sd", float((loss[0] - loss[1]) / spread[:2].max()), low=1, note=note),
        Check("cosine over WSD", float(loss[2] / loss[0]), low=1.5, note=f"{loss[2]:.4g}"),
        Check("cyclic cosine over WSD", float(loss[3] / loss[0]), low=1.5, note=f"{loss[3]:.4g}"),
    )
    reason = "" if step[-1] == config.steps else f"too short: at step {step[-1]} of {config.steps}"
    if config.replicates < 2:
        reason = reason or "one replicate has no spread"
    return checks, reason
