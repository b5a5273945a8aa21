"""Where a run computes: in the calling thread, in a spawned child, on a worker. The messages are the same.

This is the one file of lab that knows of run files: it joins the engine and a writer, and answers commands
(lab.hosts.link says which) at step boundaries.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from lab import load_torch, registry
from lab.config import Config, ConfigError
from lab.devices import check_device
from lab.engine import Engine, NonFinite
from lab.hosts.link import Link, Outbox
from lab.hosts.sink import Tee
from lab.hosts.start import Start, past
from lab.request import Request
from lab.schedule import Checkpoints
from lab.state import StateError, stored_config
from storage.errors import RunFileError, StorageFull
from storage.reader import RunReader
from storage.writer import RunWriter

CALM = 0.3  # weight of the last half second in the rate that is told
LOOK_SECONDS = 0.05  # commands are looked for so often: asking a pipe takes a fifth of a millisecond of a training step


def execute(request: Request, link: Link) -> tuple[str, str]:
    """Run to the end, the stop or the failure; returns the final state and, when it failed, one clear line.

    Everything that goes wrong ends up as a failed run with its data; only a file that cannot be opened leaves none.
    """
    outbox = Outbox(link)
    try:
        load_torch()
        run = Run(request, link, outbox)
    except (ConfigError, StateError, RunFileError, registry.UnknownName) as error:
        return _end(outbox, "failed", str(error))
    except Exception as error:  # the edge: nobody above can report it
        outbox.put(("log", traceback.format_exc()))
        return _end(outbox, "failed", explain(error))
    return _end(outbox, *run.drive())


def explain(error: BaseException) -> str:
    """One clear line with the remedy where one is known."""
    name = type(error).__name__
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return "The GPU is out of memory. Use a smaller width or batch, or run on the CPU."
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error)):
        return "Out of memory. Use a smaller width, batch or sample size."
    if isinstance(error, (NonFinite, ConfigError, StateError, RunFileError)):
        return str(error)
    return f"{name}: {error}".splitlines()[0]


def _end(outbox: Outbox, state: str, problem: str) -> tuple[str, str]:
    outbox.put(("end", state, problem))
    outbox.send()
    return state, problem


class Run:
    """A request being carried out: experiment, engine, writer, and the commands that reach them.

    Args:
        checkpoints: When to store the state; by default as a run of its own does.
    """

    def __init__(self, request: Request, link: Link, outbox: Outbox, checkpoints: Checkpoints | None = None) -> None:
        self._link, self._outbox = link, outbox
        self._request = request
        self._cls = registry.experiment(request.experiment)
        check_device(request.device)
        start = Start.of(request, self._cls)
        torch.set_num_threads(start.config.threads)
        self.experiment = self._cls(start.config, request.device)
        self.experiment.setup()
        self._writer = start.writer(self._cls)
        self.experiment.stored = OwnStates(self._writer, self._stored_at)
        self.sink = Tee(self._writer, outbox)
        config = start.config.model_dump(mode="json")
        with RunReader(self._writer.path) as reader:
            begun = dict(reader.config)
        outbox.put(("opened", str(self._writer.path), self._header(), begun))
        if config != begun:  # a resumed run, after knobs were turned
            outbox.put(("config", config))
        outbox.put(("state", "running", ""))
        self.engine = Engine(
            self.experiment,
            self.sink,
            step=start.step,
            start=start.state,
            replay=start.replay,
            again=request.again,
            history=start.history,
            checkpoints=checkpoints or Checkpoints.of(start.config, start.step, at=self._stored_at),
            also=start.also,
        )
        self._also = start.also
        knobs = self._cls.Config.knobs()
        self._reshaped = [n for n in start.changed if not knobs[n].live and n not in Config.model_fields]
        self._begun = start.step
        self._reached = start.step  # farther than the engine once the run was taken back
        if start.changed:
            self.experiment.knobs_changed(start.changed)
        if request.parent:
            changed = {name: list(pair) for name, pair in start.changed.items()}
            self.sink.event(start.step, "branch", {"parent": start.parent_run, "changed": changed})
        self._paused, self._remaining, self._slow, self._stopping = False, -1, 0.0, False
        self._told = start.config  # the knobs that whoever watches knows of
        self._rate, self._rate_from = 0.0, (time.perf_counter(), start.step)

    @property
    def _stored_at(self) -> tuple[int, ...] | None:
        """Of a replay, where the first run stored its state."""
        return self._request.stored_at if self._request.again else None

    def _header(self) -> dict[str, Any]:
        with RunReader(self._writer.path) as reader:
            return dict(reader.header)

    def drive(self) -> tuple[str, str]:
        """Step until the end; answer commands at step boundaries."""
        try:
            state = self._steps()
            self.engine.flush()
            self.engine.checkpoint()
            problem = ""
        except Exception as error:  # the run's edge: it becomes a failed run with its data
            state, problem = "failed", self._explain(error)
            self.fail(error, problem)
        while not self.finish(state):  # the disk is full: wait for room, another place, or a second stop
            if not self._wait_for_room():
                break
        return state, problem

    def _explain(self, error: Exception) -> str:
        """One clear line; a branch that cannot take a single step has knobs that its parent's state does not fit."""
        said = explain(error)
        if not self._reshaped or self.engine.step > self._begun or not said.startswith(type(error).__name__):
            return said
        names = ", ".join(self._reshaped)
        return f"A branch begins with its parent's state, which does not fit {names} as changed here. ({said})"

    def _steps(self) -> str:
        looked = sent = time.perf_counter()
        self._outbox.send()  # that it is on its way, and in which file, however long the first step takes
        self._obey(0.0)
        self._hold()
        for step in () if self._stopping else self._taken():
            now = time.perf_counter()
            self._reached = max(self._reached, step)
            if self._remaining > 0:
                self._remaining -= 1
            if self._slow:
                self._obey(self._slow)
            elif now - looked > LOOK_SECONDS:
                looked = now
                self._obey(0.0)
            if self.engine.flushed != sent or self._paused or self._remaining == 0:  # rows wait for no second clock
                self._report(step, now)
                sent = self.engine.flushed  # after the report, which hands over rows itself
            if self.sink.problem or self._remaining == 0:
                self._pause()
            self._hold()
            if self._stopping:
                break
        return "stopped" if self._stopping else "finished"

    def _taken(self) -> Iterator[int]:
        """Steps of the engine; of another one after the run was taken back."""
        while True:
            engine = self.engine
            for step in engine:
                yield step
                if engine is not self.engine:
                    break
            else:
                return

    def _go_to(self, step: int) -> None:
        """Be at a step that was taken before: the nearest checkpoint, and from there computed again, then pause."""
        if not 0 <= step <= self._reached:
            raise ConfigError({"": f"the run has not been at step {step}; it has reached {self._reached}"})
        self.engine.flush()
        self._writer.flush()
        with RunReader(self._writer.path) as reader:
            earlier = [at for at in reader.checkpoints() if at <= step]
            if not earlier:
                raise ConfigError({"": f"no checkpoint at or before step {step}"})
            state, events, history = (
                reader.checkpoint(earlier[-1]),
                reader.events(),
                past(reader, earlier[-1]),
            )
        config = self._cls.Config.parse(stored_config(state))
        self.experiment = self._cls(config, self._request.device)
        self.experiment.setup()
        self.experiment.stored = OwnStates(self._writer, self._stored_at)
        self.engine = Engine(
            self.experiment,
            self.sink,
            step=earlier[-1],
            start=state,
            replay=events,
            again=self._request.again,
            history=history,
            checkpoints=Checkpoints.of(config, earlier[-1], at=self._stored_at, after=self._reached),
            also=self._also,
        )
        self._tell_knobs()
        self._paused, self._remaining = False, step - earlier[-1]
        if self._remaining:
            self._outbox.put(("state", "running", ""))
        else:
            self._pause()

    def _tell_knobs(self) -> None:
        self._told = self.experiment.config
        self._outbox.put(("config", self._told.model_dump(mode="json")))

    def _refuse_in_the_past(self) -> None:
        if self.engine.step < self._reached:
            here = f"Branch at step {self.engine.step} to change it."
            raise ConfigError({"": f"The run has been to step {self._reached} already. {here}"})

    def _hold(self) -> None:
        """Wait at this boundary while paused."""
        while self._paused and not self._stopping:
            self._obey(0.5)

    def _obey(self, wait: float) -> None:
        try:
            commands = self._link.commands(wait)
        except (EOFError, OSError):
            self.sink.log("whoever watched this run is gone; it stops here")
            self._outbox.lost = self._stopping = True
            return
        for command in commands:
            try:
                self._do(*command)
            except (ConfigError, RunFileError) as error:
                self._outbox.put(("log", str(error)))
                self._outbox.put(("refused", str(error)))
                self._tell_knobs()  # as they still are
        if commands:
            self._outbox.send()

    def _do(self, what: str, *arguments: Any) -> None:
        match what:
            case "pause":
                self._pause()
            case "go" | "step":
                self._go(*arguments)
            case "slow":
                (self._slow,) = arguments
            case "stop":
                self._stopping = True
            case "goto":
                self._go_to(*arguments)
            case "set":
                self._refuse_in_the_past()
                self.engine.set_knobs(*arguments)
                self._tell_knobs()
            case "act":
                self._refuse_in_the_past()
                self.engine.act(*arguments)
            case "instruments":
                self._refuse_in_the_past()
                self.engine.switch(*arguments)
            case "checkpoint":
                if self.engine.step < self._reached:
                    raise ConfigError({"": "the run has been here: go to this step, or branch from it, as it is"})
                self.engine.checkpoint()
            case "relocate":
                self._writer.relocate(*arguments)
                self._outbox.put(("opened", str(self._writer.path), self._header(), None))
                self._go()
            case _:
                raise ValueError(f"unknown command {what!r}")

    def _pause(self) -> None:
        if self._paused:
            return
        self._paused, self._remaining = True, -1
        self.engine.flush()
        self.engine.checkpoint()
        self._save("paused")
        self._report(self.engine.step, time.perf_counter())
        self._outbox.put(("state", "paused", self.sink.problem))
        self._outbox.send()

    def _go(self, count: int = -1) -> None:
        self.sink.problem = ""
        if not self._save("running"):  # still no room
            self._paused = False
            self._pause()
            return
        self._paused, self._remaining = False, count
        self._rate_from = (time.perf_counter(), self.engine.step)
        self._outbox.put(("state", "running", ""))

    def _save(self, state: str) -> bool:
        try:
            self._writer.set_state(state)
            self._writer.flush()
        except StorageFull as error:
            self.sink.problem = str(error)
            return False
        return True

    def _report(self, step: int, now: float) -> None:
        self.engine.flush()
        since, then = self._rate_from
        if now - since > 0.5:
            rate = (step - then) / (now - since)
            # other programs take a core now and then: what is left of a run should not jump with them
            self._rate = self._rate + CALM * (rate - self._rate) if self._rate else rate
            self._rate_from = (now, step)
        if self.experiment.config is not self._told:  # a replayed event may have turned some
            self._tell_knobs()
        self._outbox.put(("progress", step, self._rate))
        self._outbox.send()

    def fail(self, error: BaseException, problem: str) -> None:
        try:
            self.engine.flush()
        except Exception:  # the rows themselves may be what failed; what is in the file already stays
            self.sink.log(traceback.format_exc())
        self.sink.event(self.engine.step, "failure", {"error": type(error).__name__, "message": problem})
        self.sink.log("".join(traceback.format_exception(error)))

    def finish(self, state: str) -> bool:
        """Judge the run by what is in its file, and close it. False when there was no room: call it again."""
        self._report(self.engine.step, time.perf_counter())
        try:
            self._writer.flush()
            try:
                with RunReader(self._writer.path) as reader:
                    # by the knobs it began with, as whoever opens the file will; turned ones are among its events
                    verdict = self._cls.verdict(self._cls.Config.parse(reader.config), reader)
                self._writer.set_verdict(verdict.to_json())
            except (KeyError, IndexError, ValueError, RunFileError) as error:
                self._writer.log(f"no verdict: too little was recorded ({error})")
            self._writer.close(state)
        except StorageFull as error:
            self.sink.problem = str(error)
            return False
        return True

    def _wait_for_room(self) -> bool:
        """Wait for "go" or "relocate"; False when told to stop or when nobody is there."""
        self._paused, self._stopping = True, False
        self._outbox.put(("state", "paused", self.sink.problem))
        self._outbox.send()
        self._hold()
        return not self._stopping


class OwnStates:
    """The checkpoints of the run that is being written; of a replay those alone that the first run had, too."""

    def __init__(self, writer: RunWriter, only: Collection[int] | None = None) -> None:
        self._writer, self._only = writer, only

    def checkpoints(self) -> list[int]:
        self._writer.flush()
        with RunReader(self._writer.path) as reader:
            return [step for step in reader.checkpoints() if self._only is None or step in self._only]

    def checkpoint(self, step: int) -> Mapping[str, np.ndarray]:
        with RunReader(self._writer.path) as reader:
            return reader.checkpoint(step)
