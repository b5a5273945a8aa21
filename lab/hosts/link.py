"""The way between a run and whoever controls it: messages out, commands in, over a queue or a pipe.

Messages are plain tuples: ("opened", path, header, the knobs it began with) ("declare", name, attrs)
("rows", name, step, value) ("event", event) ("checkpoint", step) ("log", line) ("config", knobs)
("refused", why a command was not obeyed) ("progress", step, steps per second) ("state", state, problem)
and last ("end", state, problem).

Commands: ("pause",) ("go",) ("step", count) ("slow", seconds) ("stop",) ("set", {knob: value})
("act", action, {name: value}) ("instruments", on, off) ("checkpoint",) ("goto", step) ("relocate", path).
"""

from __future__ import annotations

import io
import pickle
import queue
import select
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

KEPT = 1 << 23  # bytes of the buffer that messages are written into: larger ones are rare
Message = tuple[Any, ...]
Command = tuple[Any, ...]


class Link(Protocol):
    """The way between a run and whoever controls it."""

    def commands(self, wait: float) -> list[Command]:
        """Commands that came, after waiting at most ``wait`` seconds for one. EOFError when nobody is there."""
        ...

    def send(self, messages: list[Message]) -> None: ...


class QueueLink:
    """Between threads: commands from a queue, messages to a function."""

    def __init__(self, commands: queue.Queue[Command], deliver: Callable[[list[Message]], None]) -> None:
        self._commands, self._deliver = commands, deliver

    def commands(self, wait: float) -> list[Command]:
        found: list[Command] = []
        try:
            found.append(self._commands.get(timeout=wait) if wait else self._commands.get_nowait())
            while True:
                found.append(self._commands.get_nowait())
        except queue.Empty:
            return found

    def send(self, messages: list[Message]) -> None:
        self._deliver(messages)


def _ready(connection: Connection) -> Callable[[float], object]:
    """Whether something came within so many seconds; as ``poll`` of a connection, which prepares anew every time."""
    if not hasattr(select, "poll"):  # Windows
        return connection.poll
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return lambda wait: poll.poll(1000 * wait)


class PipeLink:
    """Between processes.

    Messages are pickled into one buffer that stays: memory that is new each time costs several times the copying.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._buffer = io.BytesIO()
        self._ready = _ready(connection)

    def commands(self, wait: float) -> list[Command]:
        found: list[Command] = []
        while self._ready(0.0 if found else wait):
            found.append(self._connection.recv())
        return found

    def send(self, messages: list[Message]) -> None:
        if self._buffer.getbuffer().nbytes > KEPT:
            self._buffer = io.BytesIO()
        self._buffer.seek(0)
        ForkingPickler(self._buffer, pickle.HIGHEST_PROTOCOL).dump(messages)
        self._connection.send_bytes(self._buffer.getbuffer()[: self._buffer.tell()])


class QuietLink(PipeLink):
    """Between processes, where nobody watches the data: only states and progress are sent."""

    def send(self, messages: list[Message]) -> None:
        told = [message for message in messages if message[0] in ("opened", "progress", "state", "end")]
        if told:
            super().send(told)


class Outbox:
    """Collects messages so that they travel together."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._messages: list[Message] = []
        self.lost = False  # nobody listens any more

    def put(self, message: Message) -> None:
        self._messages.append(message)

    def send(self) -> None:
        messages, self._messages = self._messages, []
        try:
            if messages and not self.lost:
                self._link.send(messages)
        except (OSError, EOFError):
            self.lost = True
