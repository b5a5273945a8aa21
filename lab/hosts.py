"""Where a run computes: in the calling thread, in a spawned child, on a worker. The messages are the same.

This is the one file of lab that knows of run files: it joins the engine and a writer, and answers commands
(lab.link says which) at step boundaries.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from lab import environment, load_torch, registry
from lab.config import ConfigError
from lab.devices import check_device
from lab.engine import Engine, NonFinite
from lab.experiment import Experiment
from lab.link import Link, Outbox
from lab.offline import readings
from lab.request import Estimate, Request, new_path
from lab.schedule import Checkpoints
from lab.state import StateError, stored_config, without_boundary
from lab.stream import Event, MemoryRun
from lab.verdict import StudyRow, Verdict
from storage.errors import RunFileError, StorageFull
from storage.reader import RunReader
from storage.writer import RunWriter

SEND_SECONDS = 0.05  # messages wait at most so long
LOOK_SECONDS = 0.02  # commands are looked for so often: asking a pipe costs 30 microseconds


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


def estimate(request: Request, seconds: float = 0.8, hurry: Callable[[], bool] = lambda: False) -> Estimate | None:
    """What a whole run and each reading will take, from running its first steps for a moment.

    Args:
        request: What would run.
        seconds: Length of the moment.
        hurry: Asked after every step; True gives up, and the result is None.

    Raises:
        ConfigError, UnknownName, or whatever the experiment raises.
    """
    load_torch()
    cls = registry.experiment(request.experiment)
    check_device(request.device)
    config = cls.Config.parse(request.config)
    torch.set_num_threads(config.threads)
    experiment = cls(config, request.device)
    experiment.setup()
    engine = Engine(experiment, memory := MemoryRun(), also=request.also)
    until = time.perf_counter() + seconds
    taken = 0
    for step in engine:
        taken = step
        if hurry():
            return None
        if time.perf_counter() > until:
            break
    engine.flush()
    engine.price(hurry)
    size = sum(step.nbytes + value.nbytes for step, value in map(memory.series, memory.names()))
    schedule, size = engine.schedule, int(size * config.steps / max(taken, 1))
    return Estimate(config.steps * schedule.seconds_per_step(), size, schedule.share(), schedule.prices())


def measure(request: Request, at: Sequence[int] = ()) -> list[str]:
    """Read the instruments ``request.also`` and add what they give to the finished run file ``request.out``.

    Args:
        request: Experiment, file, instruments and device.
        at: Steps; those without a checkpoint are computed again from the one before. Empty: every checkpoint.

    Returns:
        Names of the series that were added to.

    Raises:
        ConfigError: No such instrument.
        StateError: No checkpoint at or before a step.
    """
    load_torch()
    cls = registry.experiment(request.experiment)
    check_device(request.device)
    with RunReader(request.out) as reader:
        state = reader.state
        rows = readings(cls, request.device, request.also, _states(cls, request, reader, at))
    attrs = {name: series.attrs for name, series in cls.series().items()}
    writer = RunWriter.append_to(request.out)
    for name, (steps, values) in rows.items():
        writer.declare(name, attrs[name])
        writer.merge(name, steps, np.stack(values))
    where = list(at) or "checkpoints"
    writer.event(max(at, default=0), "measured", {"instruments": list(request.also), "at": where})
    writer.close(state)
    return list(rows)


def _states(
    cls: type[Experiment], request: Request, reader: RunReader, at: Sequence[int]
) -> Iterator[tuple[int, Mapping[str, np.ndarray]]]:
    stored = reader.checkpoints()
    for step in at or stored:
        before = [checkpoint for checkpoint in stored if checkpoint <= step]
        if not before:
            raise StateError(f"{request.out} holds no checkpoint at or before step {step}")
        state = reader.checkpoint(before[-1])
        if before[-1] < step:
            state = advance(cls, request.device, state, before[-1], step, tuple(reader.events()))
        yield step, state


def explain(error: BaseException) -> str:
    """One clear line with the remedy where one is known."""
    name = type(error).__name__
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return "The GPU is out of memory. Use a smaller width or batch, or run on the CPU."
    if isinstance(error, MemoryError):
        return "Out of memory. Use a smaller width, batch or sample size."
    if isinstance(error, (NonFinite, ConfigError, StateError, RunFileError)):
        return str(error)
    return f"{name}: {error}".splitlines()[0]


@dataclass(frozen=True)
class Found:
    """What a run file says of its run. ``state`` is empty without a file, and may be damaged; ``problem`` is why the
    run failed by itself, or what is wrong with the file."""

    state: str = ""
    outcome: str = ""
    problem: str = ""


def examine(path: str) -> Found:
    """How far the run in a file is, and by what a failed one failed. Never raises."""
    if not Path(path).exists():
        return Found()
    try:
        with RunReader(path) as reader:
            state = reader.state
            problem = ""
            if state == "failed":
                failures = [event["payload"] for event in reader.events() if event["kind"] == "failure"]
                problem = str(failures[-1].get("message", "failed")) if failures else ""
            return Found(state, str(reader.verdict.get("outcome", "")) if state == "finished" else "", problem)
    except RunFileError as error:
        return Found("damaged", "", str(error))


def steps_taken(path: str) -> int:
    """The newest recorded step; 0 before there is any."""
    try:
        with RunReader(path) as reader:
            return reader.last_step()
    except RunFileError:
        return 0


def study_row(path: str, cls: type[Experiment], *, anew: bool = True) -> StudyRow:
    """A finished run as the numbers that a study compares.

    Args:
        anew: Judge it anew; else the verdict that its file keeps will do, which is much quicker to read.

    Raises:
        RunFileError, ConfigError: It cannot be read.
    """
    with RunReader(path) as reader:
        config, arm, kept = cls.Config.parse(reader.config), str(reader.header["arm"] or ""), reader.verdict
        verdict = Verdict.from_json(kept) if kept and not anew else _judged(cls, config, reader)
        numbers = reader.last_numbers()
    return StudyRow.of(cls.arms, arm, config, verdict, numbers)


def _judged(cls: type[Experiment], config: Any, reader: RunReader) -> Verdict:
    try:
        return cls.verdict(config, reader)
    except (KeyError, IndexError, ValueError) as error:
        return Verdict.not_comparable(f"too little was recorded ({error})")


def mark_failed(path: str, why: str) -> str:
    """Say in the file of a run whose process died that it failed; returns what stood in the way, if anything did."""
    if not path:
        return ""
    try:
        writer = RunWriter.append_to(path)
        writer.log(why)
        writer.close("failed")
    except (RunFileError, OSError) as error:
        return f" Its file could not be marked: {error}"
    return ""


def _end(outbox: Outbox, state: str, problem: str) -> tuple[str, str]:
    outbox.put(("end", state, problem))
    outbox.send()
    return state, problem


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
        start = _Start.of(request, self._cls)
        torch.set_num_threads(start.config.threads)
        self.experiment = self._cls(start.config, request.device)
        self.experiment.setup()
        self._writer = start.writer(self._cls)
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
            history=start.history,
            checkpoints=checkpoints
            or Checkpoints(start.config.steps, begin=start.step, budget=start.config.checkpoint_megabytes * 1e6),
            also=request.also,
        )
        self._reached = start.step  # farther than the engine once the run was taken back
        if start.changed:
            self.experiment.knobs_changed(start.changed)
        if request.parent:
            changed = {name: list(pair) for name, pair in start.changed.items()}
            self.sink.event(start.step, "branch", {"parent": start.parent_run, "changed": changed})
        self._paused, self._remaining, self._slow, self._stopping = False, -1, 0.0, False
        self._rate, self._rate_from = 0.0, (time.perf_counter(), start.step)

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
            state, problem = "failed", explain(error)
            self.fail(error, problem)
        while not self.finish(state):  # the disk is full: wait for room, another place, or a second stop
            if not self._wait_for_room():
                break
        return state, problem

    def _steps(self) -> str:
        looked = sent = time.perf_counter()
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
            if now - sent > SEND_SECONDS or self._paused or self._remaining == 0:
                sent = now
                self._report(step, now)
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
            state, events, history = reader.checkpoint(earlier[-1]), reader.events(), _before(reader, earlier[-1])
        config = self._cls.Config.parse(stored_config(state))
        self.experiment = self._cls(config, self._request.device)
        self.experiment.setup()
        self.engine = Engine(
            self.experiment,
            self.sink,
            step=earlier[-1],
            start=state,
            replay=events,
            history=history,
            checkpoints=Checkpoints(config.steps),
            also=self._request.also,
        )
        self._outbox.put(("config", config.model_dump(mode="json")))
        self._paused, self._remaining = False, step - earlier[-1]
        if self._remaining:
            self._outbox.put(("state", "running", ""))
        else:
            self._pause()

    def _refuse_in_the_past(self) -> None:
        if self.engine.step < self._reached:
            raise ConfigError(
                {"": f"the run has been at step {self._reached} already; branch at step {self.engine.step} to change"}
            )

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
                self._outbox.put(("config", self.experiment.config.model_dump(mode="json")))
            case "act":
                self._refuse_in_the_past()
                self.engine.act(*arguments)
            case "checkpoint":
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
            self._rate, self._rate_from = (step - then) / (now - since), (now, step)
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


@dataclass
class _Start:
    """Where a run begins: afresh, at its own last checkpoint, or at another run's."""

    request: Request
    config: Any
    step: int = 0
    state: Mapping[str, np.ndarray] | None = None
    replay: tuple[Event, ...] = ()
    history: MemoryRun | None = None
    changed: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    parent_run: str = ""

    @classmethod
    def of(cls, request: Request, experiment: type[Experiment]) -> _Start:
        if request.resume:
            return cls._resumed(request, experiment)
        if request.parent:
            return cls._branched(request, experiment)
        return cls(request, experiment.Config.parse(request.config), replay=request.replay)

    @classmethod
    def _resumed(cls, request: Request, experiment: type[Experiment]) -> _Start:
        with RunReader(request.out) as reader:
            events = tuple(reader.events())
            steps = reader.checkpoints()
            if not steps:
                return cls(request, experiment.Config.parse(reader.config), replay=events, history=_before(reader, 0))
            state = reader.checkpoint(steps[-1])
            history = _before(reader, steps[-1])
        config = experiment.Config.parse(stored_config(state))
        return cls(request, config, steps[-1], state, events, history)

    @classmethod
    def _branched(cls, request: Request, experiment: type[Experiment]) -> _Start:
        with RunReader(request.parent) as reader:
            at, events = request.at, tuple(reader.events())
            earlier = [step for step in reader.checkpoints() if step <= at]
            if not earlier:
                first = next(iter(reader.checkpoints()), "none at all")
                raise StateError(f"{request.parent} holds no checkpoint at or before step {at}; its first is {first}")
            state, history, run_id = reader.checkpoint(earlier[-1]), _before(reader, at), str(reader.header["run_id"])
        if earlier[-1] < at:
            state = advance(experiment, request.device, state, earlier[-1], at, events)
        old = experiment.Config.parse(stored_config(state))
        config = old.changed(request.config)
        changed = config.difference(old)
        turned = {name: (was, new) for name, (new, was) in changed.items()}
        return cls(request, config, at, without_boundary(state), (), history, turned, run_id)

    def writer(self, experiment: type[Experiment]) -> RunWriter:
        request = self.request
        if request.resume:
            writer = RunWriter.append_to(request.out)
            writer.set_state("running")
            return writer
        path = (
            Path(request.out)
            if request.out
            else new_path(request.experiment, request.preset, request.arm, self.config.seed)
        )
        header = {
            "experiment": request.experiment,
            "title": experiment.title,
            "preset": request.preset,
            "arm": request.arm,
            "seed": self.config.seed,
            "device": request.device,
            "parent_run": self.parent_run,
            "parent_step": self.step if request.parent else -1,
            "app_version": environment.app_version(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        config = self.config.model_dump(mode="json")
        writer = RunWriter.create(path, header, config, environment.describe(request.device))
        if experiment.views:
            writer.set_default_view(experiment.views[0].names)
        return writer


def _before(reader: RunReader, step: int) -> MemoryRun:
    """The scalar series of a run up to ``step``: what detectors may look back at."""
    memory = MemoryRun()
    for name in reader.names():
        steps, value = reader.series(name)
        if value.ndim == 1 and len(steps):
            memory.append(name, steps[steps < step], value[steps < step])
    return memory


def advance(
    experiment: type[Experiment],
    device: str,
    state: Mapping[str, np.ndarray],
    step: int,
    until: int,
    events: tuple[Event, ...],
) -> Mapping[str, np.ndarray]:
    """The state at step ``until``, recomputed from an earlier checkpoint with everything that was done in between."""
    twin = experiment(experiment.Config.parse(stored_config(state)), device)
    twin.setup()
    memory = MemoryRun()
    before = tuple(event for event in events if event["step"] < until)
    engine = Engine(
        twin, memory, step=step, start=state, replay=before, checkpoints=Checkpoints(until, every=until + 1)
    )
    for reached in engine:
        if reached == until:
            engine.checkpoint()
            break
    else:
        raise StateError(f"the run has only {engine.step} steps; there is no step {until} to branch from")
    return memory.checkpoints[until]
