"""What happened in a run so far, and the knobs that were in force at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gui.runs.open_run import OpenRun
from gui.views.marks import CHANGES

if TYPE_CHECKING:
    from lab.stream import Event


class History:
    """Events of a run, pulled as they come, and the configs that turned knobs led through."""

    def __init__(self, run: OpenRun) -> None:
        self._run = run
        self.events: list[Event] = []
        self._acts: list[Event] = []

    def pull(self) -> bool:
        """Read new events; whether there were any."""
        new = self._run.source.events(len(self.events))
        self.events.extend(new)
        self._acts.extend(event for event in new if event["kind"] in CHANGES)
        return bool(new)

    def last_act(self, step: int) -> Event | None:
        """What was done to the run last before the state at ``step``: a knob turned, an action, a branch."""
        return max((e for e in reversed(self._acts) if e["step"] <= step), key=lambda e: e["step"], default=None)

    def configs(self) -> list[tuple[int, Any]]:
        """Configs in force: ``(first step, config)`` in rising order, the first from step 0.

        They are built from the old and new values that the events tell, so they are right whether the run's config is
        the one it began with (a stored run) or the one in force now (a live run).
        """
        turns = sorted((e for e in self.events if e["kind"] == "knobs"), key=lambda e: e["step"])
        values: dict[str, Any] = {}
        for event in turns:
            for name, (old, _) in _changed(event).items():
                values.setdefault(name, old)
        configs = [(0, self._with(values))]
        for event in turns:
            values |= {name: new for name, (_, new) in _changed(event).items()}
            if configs[-1][0] == event["step"]:
                configs.pop()
            configs.append((event["step"], self._with(values)))
        return configs

    def _with(self, values: dict[str, Any]) -> Any:
        return self._run.config.model_copy(update=values) if values else self._run.config


def _changed(event: Event) -> dict[str, tuple[Any, Any]]:
    changed = event["payload"].get("changed", {})
    return {name: (pair[0], pair[1]) for name, pair in changed.items()}
