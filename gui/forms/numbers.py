"""Numbers as people type and read them: ``0.02``, ``1e-5``, steps by factors. No Qt."""

import math
import re
from typing import Any

LADDER = (1.0, 2.0, 5.0)  # the 1-2-5 series: three even steps to a factor of ten


def text_of(value: Any) -> str:
    """The shortest text that reads back as exactly this value; nothing for None."""
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    mantissa, _, exponent = repr(value).partition("e")
    mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def tidy(text: str) -> str:
    """Exponents without padding: ``1e-06`` becomes ``1e-6``."""
    return re.sub(r"(?<=\de)(?:\+|(-))0*(?=\d)", lambda match: match[1] or "", text)


def typed(text: str) -> str | None:
    """What was typed, without the spaces people group digits with; None when nothing was."""
    return "".join(text.split()) or None


def number(text: str) -> float | None:
    """The finite number that ``text`` shows, if it shows one."""
    try:
        value = float(typed(text) or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def climb(value: float, steps: int, low: float | None, high: float | None) -> float:
    """``value`` moved along 1, 2, 5, 10, 20, ... by ``steps`` (down when negative), within its limits."""
    if value <= 0:
        value, steps = (low if low and low > 0 else 1e-6), max(steps - 1, 0)
    for _ in range(abs(steps)):
        value = _rung(value, up=steps > 0)
    return clamp(value, low, high)


def _rung(value: float, *, up: bool) -> float:
    decade = math.floor(math.log10(value))
    # from text, so that 0.02 and not 0.020000000000000004 is reached
    rungs = [float(f"{step:g}e{power}") for power in (decade - 1, decade, decade + 1) for step in LADDER]
    near = 1e-9 * value
    return min(r for r in rungs if r > value + near) if up else max(r for r in rungs if r < value - near)


def shift(value: float, steps: int, low: float | None, high: float | None) -> float:
    """``value`` moved by a tenth of its own decade per step, within its limits."""
    size = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 0.1
    return clamp(float(f"{value + steps * size:.12g}"), low, high)


def clamp(value: float, low: float | None, high: float | None) -> float:
    if low is not None:
        value = max(value, low)
    return value if high is None else min(value, high)
