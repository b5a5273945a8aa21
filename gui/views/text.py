"""Numbers and symbols as plots write them."""

from __future__ import annotations

import functools
import html
import math
import re
from typing import TYPE_CHECKING, Any

from gui.theme import Theme

if TYPE_CHECKING:
    from lab.stream import Event

THIN = "\u2009"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
WIDE = "mwMW"  # letters wider than a digit
_PLAIN = str.maketrans("²³", "23")
_PART = r"(?:\{[^{}]*\}|[^\W_²³]+)"
INDEX = rf"(?:_{_PART}(?:\^{_PART}|[²³])?|\^{_PART}(?:_{_PART})?)"
"""Sub- and superscript in plain text, together where both stand there: ``_b²``, ``_t^2``, ``^{0,l}``."""


def whole(number: float) -> str:
    """A whole number with thin spaces between thousands: ``2 310``."""
    return f"{number:,.0f}".replace(",", THIN).replace("-", "\u2212")


def short(value: float, digits: int = 3) -> str:
    """A number with three significant digits: ``0.0123``, ``12 300``, ``1.2e-5``."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "\u2212∞"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        if abs(value) >= min(10**digits, 1000) - 0.5:
            return whole(value)
        return f"{value:.{digits}g}".replace("-", "\u2212")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}".replace("-", "\u2212")


def decade(exponent: int) -> str:
    """A power of ten: ``10⁻³``; 1 and 10 as they are."""
    return {0: "1", 1: "10"}.get(exponent, "10" + str(exponent).translate(_RAISED))


def indices(found: str) -> tuple[str, str]:
    """Sub- and superscript of what :data:`INDEX` found: ``b`` and ``2`` of ``_b²``."""
    written = {"_": "", "^": ""}
    for sign, part, power in re.findall(rf"([_^])({_PART})|([²³])", found):
        written[sign or "^"] = part.strip("{}") or power.translate(_PLAIN)
    return written["_"], written["^"]


@functools.lru_cache(maxsize=1024)
def rich(symbol: str) -> str:
    """HTML of a symbol as the field writes it in plain text: ``λ_max(Ĥ)`` gets its subscript, ``g_t^2`` its power."""
    return re.sub(INDEX, _stacked, html.escape(symbol))


def tip(text: str, *symbols: str) -> str:
    """A tooltip whose symbols stand as labels write them: all in it, or those that are named. Plain without any."""
    plain = html.escape(text)
    written = plain if symbols else rich(text)
    for symbol in filter(None, symbols):
        written = written.replace(html.escape(symbol), rich(symbol))
    return text if written == plain else f"<div>{written.replace(chr(10), '<br>')}</div>"


def _stacked(found: re.Match[str]) -> str:
    """A power over its index, where one of them is a single letter: without a width, the other begins there, too."""
    marks = [(text, tag) for text, tag in zip(indices(found[0]), ("sub", "sup"), strict=True) if text]
    marks.sort(key=lambda mark: (len(mark[0]), mark[0] in WIDE))
    style = ' style="letter-spacing: -0.99em"' if len(marks) == 2 and len(marks[0][0]) == 1 else ""
    return "".join(f"<{tag}{style if place == 0 else ''}>{text}</{tag}>" for place, (text, tag) in enumerate(marks))


def with_step(said: str, step: int, theme: Theme, act: Event | None = None) -> str:
    """HTML of a read-out and the step that it is of, marked where somebody had acted on the run before."""
    mark = "" if act is None else f'<span style="color:{theme.accent}">◆</span>&nbsp;'
    when = f'{mark}<span style="color:{theme.muted}">step&nbsp;{whole(step)}</span>'
    parts = [f'<span style="color:{theme.text}">{said}</span>'] if said else []
    parts.append(when)
    if act is not None:
        ago = f"{whole(step - act['step'])} after {act['kind']} {changes(act['payload'])}".strip()
        parts.append(f'<span style="color:{theme.muted}">{ago}</span>')
    return "&nbsp;&nbsp; ".join(parts)


def changes(payload: dict[str, Any]) -> str:
    """What an event says, in one line: ``η 0.02 → 0.01`` for turned knobs, an action with its arguments, else all."""
    if isinstance(action := payload.get("action"), str) and isinstance(arguments := payload.get("arguments"), dict):
        return ", ".join([action, *(f"{name} {_value(value)}" for name, value in arguments.items())])
    if isinstance(changed := payload.get("changed"), dict):
        return ", ".join(f"{name} {_value(old)} → {_value(new)}" for name, (old, new) in changed.items())
    if isinstance(on := payload.get("on"), list) and isinstance(off := payload.get("off"), list):
        return ", ".join([*(f"{name} on" for name in on), *(f"{name} off" for name in off)])
    return ", ".join(f"{name} {_value(value)}" for name, value in payload.items())


def _value(value: Any) -> str:
    text = short(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
