"""How events are marked, on every view and on the slider alike."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from gui.theme import Theme
from gui.views.text import changes, whole

if TYPE_CHECKING:
    from lab.stream import Event

GLYPHS = {"knobs": "d", "action": "d", "spike": "t", "crossing": "t1", "branch": "s", "failure": "x", "nonfinite": "x"}
CHANGES = ("knobs", "action", "branch")  # what somebody did to the training
ACTS = (*CHANGES, "instruments")  # what somebody did to the run: marked on every view
UNMARKED = ("schedule", "checkpoint")  # housekeeping of the engine, marked only where a view asks for it


def marked(events: Iterable[Event], kinds: tuple[str, ...] | None = None) -> list[Event]:
    """Events that get a mark: of the given kinds and what was done to the run, or all but housekeeping.

    What lasted is marked where it began.
    """
    wanted = None if kinds is None else {*kinds, *ACTS}
    chosen = (e for e in events if (e["kind"] in wanted if wanted is not None else e["kind"] not in UNMARKED))
    return [event for event in chosen if event["payload"].get("phase") != "end"]


def event_colour(kind: str, theme: Theme) -> str:
    """Colour of the marks of a kind of event."""
    if kind in ("spike", "failure", "nonfinite"):
        return theme.bad
    if kind in ("knobs", "action", "instruments"):
        return theme.accent
    return theme.good if kind == "branch" else theme.warn


def event_text(event: Event) -> str:
    """What happened, for a tooltip."""
    said = changes({name: value for name, value in event["payload"].items() if name != "phase"})
    when = datetime.fromtimestamp(event["time"]).strftime("%H:%M:%S")
    return f"step {whole(event['step'])}: {event['kind']}" + (f" ({said})" if said else "") + f", {when}"
