"""When the quadratic crosses, in closed form, and which of the five stages a run is in. Plain numbers, no torch.

With one curvature h and a gradient too small to feed v, v_t = v_s β2^(t-s), and the curvature of Ĥ_t,
h (1 - β1)/((1 + β1)(1 - β1^t)(√v̂_t + ε)), meets 2/η at a step that can be computed at s.
Bai et al. (2025), arXiv 2506.04805.
"""

import math

DECOUPLED = 0.1  # share of its level intake: below it v falls at more than nine tenths of its fastest rate


def crossing_step(
    *, curvature: float, lr: float, beta1: float, beta2: float, eps: float, square: float, step: int, forgotten: float
) -> float | None:
    """The step, as a real number, at which λ(Ĥ) of the quadratic reaches 2/η if v only decays from ``step`` on.

    Args:
        curvature: h.
        lr: η.
        beta1: Momentum in force; 0 for RMSProp.
        beta2: Decay of v.
        eps: ε.
        square: v that the update at ``step`` uses.
        step: Counted from 0, so that bias corrections at it have the power ``step + 1``.
        forgotten: Π β2 up to and including that update, β2^(step+1) when β2 never changed.

    Returns:
        The crossing, which lies before ``step`` where λ is above 2/η already; None when ε keeps λ below 2/η for good.
    """
    if square <= 0:
        return None
    needed = lr * curvature * (1 - beta1) / (2 * (1 + beta1))  # √v̂ + ε at the crossing
    crossing = float(step)
    for _ in range(100):  # a fixed point: the bias corrections depend on the step, ever less so
        correction1 = 1 - beta1 ** max(crossing + 1, 1.0)
        root = needed / correction1 - eps
        if root <= 0:
            return None
        correction2 = max(1 - forgotten * beta2 ** (crossing - step), 1 - beta2)
        previous, crossing = crossing, step + math.log(square / (root**2 * correction2)) / -math.log(beta2)
        if abs(crossing - previous) < 1e-6:
            break
    return crossing


def next_stage(
    previous: int, *, sharpness: float, gradient_curvature: float, v_ratio: float, threshold: float, beta2: float
) -> int:
    """The stage at a record, 1 to 5 (see STAGES in views.py), from what is recorded there and the stage before it.

    Above 2/η a step is 3, or 4 once the curvature along the gradient is above as well, for as long as v does not rise.
    When v rises after that it is 5, until it falls again. Below 2/η it is 2 where v gets less than a tenth of what
    would hold it level, (v_t/v_{t-1} - β2)/(1 - β2) < 0.1, and 1 otherwise.
    """
    if v_ratio > 1:
        return 5 if previous >= 3 else 1
    if sharpness > threshold:
        return 4 if gradient_curvature > threshold else 3
    return 2 if v_ratio - beta2 < DECOUPLED * (1 - beta2) else 1
