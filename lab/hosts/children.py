"""Runs in spawned child processes: a run's arithmetic then never waits for the window's interpreter lock.

A child imports torch and warms it up while it waits, so that the first live point comes soon after Run. It answers
questions until it is given a run, which it serves and then ends, or the points of a study one after another; it also
ends when its parent goes, whatever happened there.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lab import load_torch
from lab.hosts.link import Command, Message, PipeLink, QuietLink
from lab.request import Estimate, Request

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

POLL_SECONDS = 0.02
ROOM = 1 << 20  # bytes


class Died(Exception):
    """A child process is gone before its work was done; the message says how."""


class Child:
    """A spawned process that answers questions and then serves one run, or many points of a study.

    Safe between threads.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        _make_room(theirs)
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True, name="tdlab-run")
        self._process.start()
        theirs.close()  # so that its end is seen here
        self._sending, self._listening = threading.Lock(), threading.Lock()
        self._taken = False  # the run was sent
        self._path = ""
        self._step = 0

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def estimate(self, request: Request) -> Estimate | str | None:
        """What a run would take, or the reason why it cannot run; None when a run came in between.

        Blocks for about a second.

        Raises:
            EOFError, OSError: The process died.
        """
        return self._ask("estimate", request)

    def measure(self, request: Request, at: tuple[int, ...]) -> str | None:
        """Read ``request.also`` from the checkpoints of its file (see lab.hosts.measure): why not, or nothing.

        None when the child was given a run instead.

        Raises:
            EOFError, OSError: The process died.
        """
        return self._ask("measure", request, at)

    def preview(self, request: Request) -> dict[str, Any] | str | None:
        """What a run would start from (see lab.hosts.preview): name -> attrs, steps, values; or why it cannot be said.

        None when the child was given a run instead.

        Raises:
            EOFError, OSError: The process died.
        """
        return self._ask("preview", request)

    def devices(self) -> list[tuple[str, str]] | None:
        """Devices that runs can compute on, as ``lab.devices`` says them.

        None when the child was given a run instead.

        Raises:
            EOFError, OSError: The process died.
        """
        return self._ask("devices")

    def _ask(self, *question: Any) -> Any:
        with self._listening:  # one question at a time
            with self._sending:
                if self._taken:
                    return None
                self._connection.send(question)
            return self._connection.recv()

    def run(self, request: Request, commands: queue.Queue[Command], deliver: Callable[[list[Message]], None]) -> None:
        """Run to the end, forwarding commands and messages. A process that dies becomes a failed run with its data.

        A question that is being answered is given up: whoever asked it gets None.
        """
        try:
            with self._sending:
                self._taken = True
                self._connection.send(("run", request))
            with self._listening:
                while not self._forward(commands, deliver):
                    pass
        except (EOFError, OSError):
            deliver([("end", "failed", self._buried())])
        finally:
            self.close()

    def carry_out(
        self, requests: Sequence[Request], commands: queue.Queue[Command], deliver: Callable[[list[Message]], None]
    ) -> None:
        """Run points of a study together, telling states and no data; ready for more afterwards.

        Raises:
            Died: The process is gone. What was recorded is in the files, and can be resumed.
        """
        self._path, self._step = "", 0
        try:
            self._connection.send(("study", tuple(requests)))
            while not self._forward(commands, deliver):
                pass
        except (EOFError, OSError):
            raise Died(self._how_it_went()) from None

    def close(self, wait: float = 5.0) -> None:
        """End the process after its run: by closing the pipe, and by force when it does not listen."""
        self._connection.close()
        self._process.join(wait)
        self.kill()

    def kill(self) -> None:
        """End the process at once, whether it loads torch or thinks about a question: whoever asked meets EOFError."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def _forward(self, commands: queue.Queue[Command], deliver: Callable[[list[Message]], None]) -> bool:
        with contextlib.suppress(queue.Empty):
            while True:
                self._connection.send(commands.get_nowait())
        if not self._connection.poll(POLL_SECONDS):
            return False
        messages: list[Message] = self._connection.recv()
        for message in messages:
            if message[0] == "opened":
                self._path = message[1]
            elif message[0] == "progress":
                self._step = message[1]
        deliver(messages)
        return messages[-1][0] == "end"

    def _buried(self) -> str:
        """Why the process is gone, in one line; its run file is marked failed."""

        from lab.hosts.files import mark_failed

        kept = f" What was recorded is in {self._path}; it can be resumed." if self._path else ""
        why = self._how_it_went() + kept
        return why + mark_failed(self._path, why)

    def _how_it_went(self) -> str:
        self._process.join(5.0)
        code = self._process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
        memory = "; the system may be out of memory: try a smaller width" if code == -signal.SIGKILL else ""
        return f"The run's process {how} after step {self._step}{memory}."


def _make_room(connection: Any) -> None:
    """Let a batch of rows with images in it lie between the processes: a run need not wait while the window draws."""
    if sys.platform != "win32":  # where a pipe is no socket
        with socket.socket(fileno=os.dup(connection.fileno())) as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)  # less where the system allows no more


def _serve(connection: Connection) -> None:
    """The child's whole life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which says stop
    with contextlib.suppress(EOFError, OSError):
        _warm_up()
        while True:
            what, *arguments = connection.recv()
            if what == "run":
                from lab.hosts.run import execute

                execute(arguments[0], PipeLink(connection))
                return
            if what == "study":
                from lab.hosts.many import execute_many

                execute_many(arguments[0], QuietLink(connection))
                continue
            if what == "estimate":  # whatever comes while it thinks about it is a run, which must not wait
                connection.send(_estimate(arguments[0], hurry=connection.poll))
            elif what in _ANSWERS:  # anything else is a command to a run that has just ended
                connection.send(_ANSWERS[what](*arguments))


def _warm_up() -> None:
    """Pay now for what torch loads at the first backward pass and the first optimiser."""
    load_torch()
    import torch

    import lab.hosts.run  # noqa: F401 - imported to be warm: h5py and the writer
    from lab.memory import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    weight = torch.ones(2, requires_grad=True)
    optimiser = torch.optim.Adam([weight])
    (weight**2).sum().backward()
    optimiser.step()


def _estimate(request: Request, hurry: Callable[[], bool]) -> Estimate | str | None:
    from lab.hosts.estimate import estimate
    from lab.hosts.run import explain

    try:
        return estimate(request, hurry=hurry)
    except Exception as error:  # the process's edge: the form shows the line
        return explain(error)


def _measure(request: Request, at: tuple[int, ...]) -> str:
    from lab.hosts.measure import measure
    from lab.hosts.run import explain

    try:
        measure(request, at)
    except Exception as error:  # the process's edge: the window shows the line
        return explain(error)
    return ""


def _preview(request: Request) -> dict[str, Any] | str:
    from lab import registry
    from lab.hosts.preview import preview
    from lab.hosts.run import explain

    try:
        cls = registry.experiment(request.experiment)
        run = preview(cls, cls.Config.parse(request.config), request.device)
        return {name: (dict(run.attrs(name)), *run.series(name)) for name in run.names()}
    except Exception as error:  # as above
        return explain(error)


def _devices() -> list[tuple[str, str]]:
    from lab.devices import devices

    return devices()


_ANSWERS: dict[str, Callable[..., Any]] = {
    "measure": _measure,
    "preview": _preview,
    "devices": _devices,
}


class Spare:
    """Keeps one warmed-up child ready. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: Child | None = None

    def prepare(self) -> None:
        """Start a child unless one is waiting."""
        self.peek()

    def peek(self) -> Child:
        """The waiting child, or a cold one, for a question; it stays here for whoever runs next."""
        with self._lock:
            return self._waiting()

    def take(self) -> Child:
        """The waiting child, or a cold one, for a run, though it may be busy with a question: a run goes first."""
        with self._lock:
            child, self._child = self._waiting(), None
            return child

    def _waiting(self) -> Child:
        if self._child is None or not self._child.alive:
            self._child = Child()
        return self._child

    def close(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.kill()
