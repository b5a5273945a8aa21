"""Where a run begins: afresh, at its own last checkpoint, or at another run's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lab import environment
from lab.engine import Engine
from lab.experiment import Experiment
from lab.request import Request, in_force, new_path
from lab.schedule import Checkpoints
from lab.state import StateError, stored_config, without_boundary
from lab.stream import Event, MemoryRun
from storage.errors import NameTaken
from storage.reader import RunReader
from storage.writer import RunWriter


@dataclass
class Start:
    """Where a run begins: afresh, at its own last checkpoint, or at another run's."""

    request: Request
    config: Any
    step: int = 0
    state: Mapping[str, np.ndarray] | None = None
    replay: tuple[Event, ...] = ()
    history: MemoryRun | None = None
    also: tuple[str, ...] = ()
    changed: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    parent_run: str = ""

    @classmethod
    def of(cls, request: Request, experiment: type[Experiment]) -> Start:
        if request.resume:
            return cls._resumed(request, experiment)
        if request.parent:
            return cls._branched(request, experiment)
        return cls(request, experiment.Config.parse(request.config), replay=request.replay, also=request.also)

    @classmethod
    def _resumed(cls, request: Request, experiment: type[Experiment]) -> Start:
        with RunReader(request.out) as reader:
            events, also = tuple(reader.events()), reader.also
            steps = reader.checkpoints()
            if not steps:
                config, history = experiment.Config.parse(reader.config), past(reader, 0)
                return cls(request, config, replay=events, history=history, also=also)
            state = reader.checkpoint(steps[-1])
            history = past(reader, steps[-1])
        config = experiment.Config.parse(stored_config(state))
        return cls(request, config, steps[-1], state, events, history, also)

    @classmethod
    def _branched(cls, request: Request, experiment: type[Experiment]) -> Start:
        with RunReader(request.parent) as reader:
            at, events = request.at, tuple(reader.events())
            also = request.also or in_force(reader.also, [event for event in events if event["step"] <= at])
            earlier = [step for step in reader.checkpoints() if step <= at]
            if not earlier:
                first = next(iter(reader.checkpoints()), "none at all")
                raise StateError(f"{request.parent} holds no checkpoint at or before step {at}; its first is {first}")
            state, history, run_id = (
                reader.checkpoint(earlier[-1]),
                past(reader, at),
                str(reader.header["run_id"]),
            )
        if earlier[-1] < at:
            state = advance(experiment, request.device, state, earlier[-1], at, events)
        old = experiment.Config.parse(stored_config(state))
        config = old.changed(request.config)
        changed = config.difference(old)
        turned = {name: (was, new) for name, (new, was) in changed.items()}
        return cls(request, config, at, without_boundary(state), request.replay, history, also, turned, run_id)

    def writer(self, experiment: type[Experiment]) -> RunWriter:
        request = self.request
        if request.resume:
            writer = RunWriter.append_to(request.out)
            writer.set_state("running")
            return writer
        header = {
            "experiment": request.experiment,
            "title": experiment.title,
            "preset": request.preset,
            "arm": request.arm,
            "seed": self.config.seed,
            "device": request.device,
            "also": " ".join(self.also),
            "parent_run": self.parent_run,
            "parent_step": self.step if request.parent else -1,
            "app_version": environment.app_version(),
        }
        writer = self._create(header)
        if experiment.views:
            writer.set_default_view(experiment.views[0].names)
        return writer

    def _create(self, header: Mapping[str, Any]) -> RunWriter:
        """The new file: where the request says, else under a name that no other process takes meanwhile."""
        request, config = self.request, self.config.model_dump(mode="json")
        place = environment.describe(request.device)
        while True:
            free = new_path(request.experiment, request.preset, request.arm, self.config.seed)
            try:
                return RunWriter.create(request.out or free, header, config, place)
            except NameTaken:
                if request.out:
                    raise


def past(reader: RunReader, step: int) -> MemoryRun:
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
    """The state at step ``until``, recomputed from an earlier checkpoint with all that was done to it in between."""
    twin = experiment(experiment.Config.parse(stored_config(state)), device)
    twin.setup()
    memory = MemoryRun()
    before = tuple(event for event in events if event["step"] < until and event["kind"] != "instruments")
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
