"""What was done to a run on its way, read from its events: verdicts judge by the knobs that were in force."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from lab.stream import Event, Source


def first_intervention(
    run: Source, *, knobs: Collection[str] | None = None, actions: Collection[str] | None = None
) -> Event | None:
    """The first event that turned one of the ``knobs`` or did one of the ``actions``; None stands for all of them."""
    for event in run.events():
        if event["kind"] == "knobs" and (knobs is None or set(knobs) & set(event["payload"]["changed"])):
            return event
        if event["kind"] == "action" and (actions is None or event["payload"]["action"] in actions):
            return event
    return None


class InForce:
    """Values of some live knobs over the steps of a run, and the interventions that break its course.

    Args:
        config: Knobs of the run; where one was turned, the events say what it was before and after.
        events: The run's events, in their order.
        names: Knobs with numbers that count.

    Attributes:
        interventions: Step and words of every turn of such a knob and of every action.
        actions: Step and name of every action.
    """

    def __init__(self, config: Any, events: list[Event], names: Collection[str]) -> None:
        self._config = config
        self._turns: dict[str, list[tuple[int, float, float]]] = {name: [] for name in names}
        self.interventions: list[tuple[int, str]] = []
        self.actions: list[tuple[int, str]] = []
        symbols = {name: knob.symbol or knob.label for name, knob in config.knobs().items()}
        for event in events:
            step, payload = event["step"], event["payload"]
            if event["kind"] == "knobs":
                for name in payload["changed"].keys() & self._turns.keys():
                    old, new = payload["changed"][name]
                    self._turns[name].append((step, float(old), float(new)))
                    self.interventions.append((step, f"{symbols[name]} was set from {old:g} to {new:g}"))
            elif event["kind"] == "action":
                self.actions.append((step, payload["action"]))
                self.interventions.append((step, f"{payload['action']} was done"))

    def at(self, name: str, step: Any) -> np.ndarray:
        """Value in force at each step, the shape of ``step``."""
        step, turns = np.asarray(step), self._turns[name]
        value = np.full(step.shape, turns[0][1] if turns else float(getattr(self._config, name)))
        for since, _, new in turns:
            value = np.where(step >= since, new, value)
        return value

    def product(self, name: str, step: int) -> float:
        """Π of the values in force at steps 0 to ``step``, such as the share β2^(step+1) left of v's start."""
        marks = sorted({0, step + 1, *(since for since, _, _ in self._turns[name] if since <= step)})
        return float(np.exp(np.sum(np.diff(marks) * np.log(self.at(name, marks[:-1])))))

    def last_intervention(self, step: int) -> float:
        """Step of the last intervention at or before ``step``, minus infinity where there was none."""
        return max((at for at, _ in self.interventions if at <= step), default=-np.inf)

    def next_intervention(self, step: int) -> float:
        """Step of the first intervention after ``step``, infinity where there is none."""
        return min((at for at, _ in self.interventions if at > step), default=np.inf)
