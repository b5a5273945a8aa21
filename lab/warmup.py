"""The learning-rate course of the reasoning papers' code: a linear warm-up, then constant or along a cosine."""

import math


def warmup_share(step: int, *, warmup: int, floor: float = 0.0, cosine: int | None = None) -> float:
    """Share of the peak rate at a step.

    Args:
        step: Counted from 0.
        warmup: Steps on which the rate rises linearly, reaching the peak on the last.
        floor: Share from which it rises and to which the cosine falls.
        cosine: Steps of the half wave after the warm-up; None stays at the peak.
    """
    if step < warmup:
        return floor + (1 - floor) * (step + 1) / warmup
    if cosine is None:
        return 1.0
    wave = (1 + math.cos(math.pi * min(1.0, (step - warmup) / cosine))) / 2
    return floor + (1 - floor) * wave
