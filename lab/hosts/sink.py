"""Where a hosted run writes: into its file, and to whoever watches."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lab.hosts.link import Outbox
from lab.stream import Event
from storage.errors import StorageFull
from storage.writer import RunWriter


class Tee:
    """The sink of a hosted run: into the file and to whoever watches. A full disk is remembered, not raised."""

    def __init__(self, writer: RunWriter, outbox: Outbox) -> None:
        self.writer = writer
        self._outbox = outbox
        self.problem = ""
        self._last: dict[str, int] = {}  # a run that was taken back repeats its rows and events
        self._said: set[str] = set()

    def declare(self, name: str, attrs: Mapping[str, str]) -> None:
        self._write(self.writer.declare, name, attrs)
        self._outbox.put(("declare", name, dict(attrs)))

    def append(self, name: str, step: ArrayLike, value: ArrayLike) -> None:
        steps = np.atleast_1d(step)
        if (last := self._last.get(name, -1)) >= steps[0]:
            step, value = steps[steps > last], np.asarray(value)[steps > last]
            if not len(step):
                return
        self._last[name] = int(steps[-1])
        self._write(self.writer.append, name, step, value)
        self._outbox.put(("rows", name, step, value))

    def event(self, step: int, kind: str, payload: Mapping[str, Any]) -> None:
        event = Event(step=int(step), time=time.time(), kind=kind, payload=dict(payload))
        key = json.dumps([event["step"], kind, event["payload"]], sort_keys=True, default=str)
        if key in self._said:
            return
        self._said.add(key)
        self._write(self.writer.event, step, kind, payload, event["time"])
        self._outbox.put(("event", event))

    def checkpoint(self, step: int, state: Mapping[str, np.ndarray]) -> None:
        self._write(self.writer.checkpoint, step, state)
        self._outbox.put(("checkpoint", step))

    def log(self, line: str) -> None:
        self._write(self.writer.log, line)
        self._outbox.put(("log", line))

    def _write(self, put: Any, *arguments: Any) -> None:
        try:
            put(*arguments)
        except StorageFull as error:  # the writer has kept what it could not write
            self.problem = str(error)
