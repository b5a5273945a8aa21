"""What was done to runs on their way: two with the same knobs may be two things. No Qt."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gui.views.marks import CHANGES
from gui.views.text import whole
from lab.differing import SEEDS, differences

if TYPE_CHECKING:
    from lab.stream import Event

NONE = "no intervention"


@dataclass(frozen=True, order=True)
class Act:
    """A knob turned, an action, or a branch taken; equal ones are the same thing done.

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
            changed = done.get("changed")
            done = {name: changed[name] for name in changed if name not in SEEDS} if isinstance(changed, dict) else {}
        return cls(event["step"], event["kind"], json.dumps(done, sort_keys=True))

    @property
    def knobs(self) -> set[str]:
        """Names of the knobs that it gave new values, beside seeds."""
        match self.kind, json.loads(self.payload):
            case ("knobs", {"changed": dict(changed)}) | ("branch", dict(changed)):
                return {*changed}
        return set()

    @property
    def words(self) -> str:
        """``prune → 0.6 at 700``; of a branch only where it began, for its knobs say what it changed."""
        match self.kind, json.loads(self.payload):
            case "branch", _:
                return f"branch from {whole(self.step)}"
            case "knobs", {"changed": dict(changed)}:
                said = ", ".join(f"{name} → {_exact(_new(pair))}" for name, pair in changed.items())
            case "action", {"action": str(action), "arguments": dict(arguments)}:
                said = " ".join([action, *(f"{name} {_exact(value)}" for name, value in arguments.items())])
            case kind, _:  # of another version
                said = f"{kind} {self.payload}"
        return f"{said} at {whole(self.step)}"


def _exact(value: Any) -> str:
    """A value in as few digits as tell it from every other."""
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _new(change: Any) -> Any:
    """What a knob was turned to, of what it was before and after."""
    return change[-1] if isinstance(change, list) and change else change


def acts_of(events: Iterable[Event]) -> tuple[Act, ...]:
    """What was done to a run's training, as its file has it: instruments switched on or off change no weight."""
    return tuple(Act.of(event) for event in events if event["kind"] in CHANGES)


def interventions(headers: Sequence[Mapping[str, Any]], acts: Sequence[tuple[Act, ...]]) -> list[str]:
    """What only some of the runs had done to them, in words, the last first; nothing where a run has no such act.

    A branch has its parent's acts before it, too, where its parent is among the runs.

    Args:
        headers: Of the runs.
        acts: What each one's file has.
    """
    pasts = [
        {*own, *(act for parent, until in line for act in acts[parent] if act.step < until)}
        for own, line in zip(acts, _lines(headers), strict=True)
    ]
    shared = set.intersection(*pasts) if pasts else set()
    return ["; ".join(act.words for act in sorted(past - shared, reverse=True)) for past in pasts]


def begun_alike(
    headers: Sequence[Mapping[str, Any]], acts: Sequence[tuple[Act, ...]], configs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The runs' knobs, each that all began with alike at one value.

    A branch has in its file what was in force where it began. Where its parent is among the runs and a knob was turned
    before that, the two began alike: the turning is among the interventions of both.

    Args:
        headers: Of the runs.
        acts: What each one's file has.
        configs: Their knobs.
    """
    begun = [dict(config) for config in configs]
    for own, values, line in zip(acts, begun, _lines(headers), strict=True):
        chosen = _set_by("branch", own)  # by a branch itself: it did not take them over
        for parent, until in line:
            turned = _set_by("knobs", (act for act in acts[parent] if act.step < until))
            values |= {name: configs[parent][name] for name in turned - chosen if name in configs[parent]}
            chosen |= _set_by("branch", acts[parent])
    alike = differences(configs).keys() - differences(begun).keys()
    return [{**config, **{name: start[name] for name in alike}} for config, start in zip(configs, begun, strict=True)]


def _lines(headers: Sequence[Mapping[str, Any]]) -> list[list[tuple[int, float]]]:
    """Of each run the places of those that it descends from, the nearest first, and the step at which it left them."""
    places = {str(header["run_id"]): place for place, header in enumerate(headers)}

    def line(place: int) -> Iterator[tuple[int, float]]:
        until, seen = math.inf, [place]
        while (parent := places.get(str(headers[seen[-1]]["parent_run"] or ""))) is not None and parent not in seen:
            until = min(until, headers[seen[-1]]["parent_step"] or 0)
            seen.append(parent)
            yield parent, until

    return [[*line(place)] for place in range(len(headers))]


def _set_by(kind: str, acts: Iterable[Act]) -> set[str]:
    return {name for act in acts if act.kind == kind for name in act.knobs}
