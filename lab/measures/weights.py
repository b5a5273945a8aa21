"""Size and movement of parameters: norms by name, and the distance from a start relative to its norm."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lab.measures._matrix import finite


def parameter_norms(model: nn.Module) -> dict[str, float]:
    """Frobenius norm of every parameter, by name, in float64; a tied parameter once, under its first name."""
    return {name: float(torch.linalg.vector_norm(p.detach().double())) for name, p in model.named_parameters()}


def parameter_norm(model: nn.Module) -> float:
    """‖θ‖₂ over all parameters, tied ones once, in float64."""
    return math.hypot(*parameter_norms(model).values())


def relative_distance(now: Tensor | Sequence[Tensor], start: Tensor | Sequence[Tensor]) -> float:
    """RD = ‖θ(t) - θ(0)‖/‖θ(0)‖, the movement that tells linear from condensed training. Luo et al. (2021), Sec. 4.

    Args:
        now: θ(t), one tensor or several of any shapes.
        start: θ(0), of the same shapes.

    Returns:
        RD, without unit. Its slope ln RD over ln m, m the width, is the exponent S_w.

    Raises:
        ValueError: The shapes differ, θ(0) is zero, or a value is not finite.
    """
    pairs = [(a.shape, b.shape) for a, b in zip(_as_list(now), _as_list(start), strict=True)]
    if any(a != b for a, b in pairs):
        raise ValueError(f"θ(t) and θ(0) need the same shapes, got {pairs}")
    after, before = (torch.cat([t.detach().flatten().double() for t in _as_list(p)]) for p in (now, start))
    scale = torch.linalg.vector_norm(finite(before, "θ(0)"))
    if scale == 0:
        raise ValueError("θ(0) is zero: there is no distance relative to it")
    return float(torch.linalg.vector_norm(finite(after, "θ(t)") - before) / scale)


def movement_exponent(widths: Sequence[int], distances: np.ndarray) -> float | None:
    """S_w, the slope of ln RD over ln m: negative in the linear regime, positive in the condensed. Luo et al. (2021).

    Args:
        widths: m of each network, at least two for a slope.
        distances: RD of each, shape (W,).

    Returns:
        The slope; None where there is none, because a network stood still or is alone.
    """
    if len(distances) < 2 or not (distances > 0).all():
        return None
    return float(np.polyfit(np.log(widths), np.log(distances), 1)[0])


def _as_list(parameters: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return [parameters] if isinstance(parameters, Tensor) else parameters
