"""What was done to runs on their way: two with the same knobs may be two things. No Qt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gui.views.marks import ACTS
from gui.views.text import changes, whole
from lab.differing import SEEDS

if TYPE_CHECKING:
    from lab.stream import Event

NONE = "no intervention"
MOST_WORDS = 40  # letters of an act in a name


@dataclass(frozen=True, order=True)
class Act:
    """A knob turned, an action, instruments switched, or a branch taken; equal ones are the same thing done.

    Attributes:
        payload: JSON text of what was done; of a branch, of what it changed beside its seeds.
    """

    step: int
    kind: str
    payload: str

    @classmethod
    def of(cls, event: Event) -> Act:
        done = event["payload"]
        if event["kind"] == "branch":  # from whichever run: branches of several seeds are seeds of one thing
            done = {"changed": {name: pair for name, pair in done.get("changed", {}).items() if name not in SEEDS}}
        return cls(event["step"], event["kind"], json.dumps(done, sort_keys=True))

    @property
    def words(self) -> str:
        """``prune_memorising at 700``; of a branch only where it began, for its knobs say what it changed."""
        if self.kind == "branch":
            return f"branch from {whole(self.step)}"
        said = changes(json.loads(self.payload))
        return f"{said if len(said) <= MOST_WORDS else f'{said[: MOST_WORDS - 1]}…'} at {whole(self.step)}"


def acts_of(events: Iterable[Event]) -> tuple[Act, ...]:
    """What was done to a run, as its file has it."""
    return tuple(Act.of(event) for event in events if event["kind"] in ACTS)


def interventions(headers: Sequence[Mapping[str, Any]], acts: Sequence[tuple[Act, ...]]) -> list[str]:
    """What only some of the runs had done to them, in words; nothing where a run has no such act.

    A branch has its parent's acts before it, too, where its parent is among the runs.

    Args:
        headers: Of the runs.
        acts: What each one's file has.
    """
    places = {str(header["run_id"]): place for place, header in enumerate(headers)}

    def past(place: int) -> set[Act]:
        header = headers[place]
        parent = places.get(str(header["parent_run"] or ""), place)
        born_with = (act for act in past(parent) if act.step < header["parent_step"]) if parent != place else ()
        return {*born_with, *acts[place]}

    pasts = [past(place) for place in range(len(headers))]
    shared = set.intersection(*pasts) if pasts else set()
    return [", ".join(act.words for act in sorted(past - shared)) for past in pasts]
