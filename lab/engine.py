"""The engine: steps an experiment, reads its instruments and writes what they give to a sink. A plain iterator.

At the boundary before step t the run is in state θ_t: knobs, actions and checkpoints take place there, instruments read
there, and the readings that ``step`` returns belong there too. Whoever iterates decides when the next step comes: to
pause is not to ask for it.
"""

from __future__ import annotations

import inspect
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lab.config import ConfigError
from lab.experiment import Experiment, Instrument, UnreadableError
from lab.request import in_force, instruments_asked, steps_chosen
from lab.schedule import Checkpoints, Schedule, in_words
from lab.state import capture, restore, stored_boundary
from lab.stream import Event, Sink, Source
from lab.untouched import untouched

ACTS = ("knobs", "action", "instruments")  # events that a replay does again
LAUNCHED_ONE_BY_ONE = "the GPU is given every operation by itself, which is slower"
FLUSH_SECONDS = 0.15  # rows wait at most so long for the sink; of several views each is drawn less often


class NonFinite(ArithmeticError):
    """A reading of the training itself was NaN or infinite."""


class Engine:
    """One execution of one experiment.

    Args:
        experiment: Set up already.
        sink: Where rows, events and checkpoints go.
        step: Steps taken before; with ``start``, the state at that step.
        start: A checkpoint to go on from; the experiment has the knobs that were in force there.
        replay: Events to take part in again at their steps: knobs turned, actions done, instruments switched.
        again: Space readings as ``replay`` says that the same run did; else by what they take now.
        history: What was recorded before the first step of this engine; detectors look back at it.
        checkpoints: When to store the state; None for never.
        also: Instruments beyond those that always read, as ``Request.also`` names them; ``replay`` may have switched
            others by now.
        clock: How steps and readings are timed, in seconds.

    Raises:
        StateError: ``start`` does not fit the experiment.
    """

    def __init__(
        self,
        experiment: Experiment,
        sink: Sink,
        *,
        step: int = 0,
        start: Mapping[str, np.ndarray] | None = None,
        replay: Sequence[Event] = (),
        again: bool = False,
        history: Source | None = None,
        checkpoints: Checkpoints | None = None,
        also: Iterable[str] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock = clock
        self.experiment = experiment
        self.sink = sink
        self.step = experiment.now = step
        boundary = stored_boundary(start) if start is not None else {}
        if start is not None:
            restore(experiment, start)
        acts = [e for e in replay if e["kind"] in ACTS]
        done = [e for e in acts if e["step"] == self.step][: boundary.get("acts", 0)]
        self._replay = sorted((e for e in acts if e["step"] >= self.step and e not in done), key=lambda e: e["step"])
        self._acts_here = len(done)
        self._next = self.step  # nothing is to be done at a boundary before this one
        spaced = [
            e for e in replay if e["kind"] == "schedule" and "instrument" in e["payload"] and e["step"] >= self.step
        ]
        self._spaced = sorted(spaced, key=lambda e: e["step"]) if again else None
        self._checkpoints = checkpoints
        self._store_next = self.step  # no state is stored at a boundary before this one
        self._unreadable: set[tuple[str, str]] = set()  # said in the log once
        self._methods: dict[str, Callable[[], Any]] = {}
        for spec in experiment.readings:
            sink.declare(spec.name, spec.attrs)
        self.schedule = Schedule((), experiment.config, self.step)
        self._measure(in_force(also, [e for e in acts if e["step"] < self.step or e in done]))
        if boundary:
            self.schedule.remember(boundary, self.step)
        self._rows: defaultdict[str, tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))
        self.flushed = clock()  # when rows were last handed to the sink
        self._unchecked = False  # device tensors whose finiteness is not known yet
        self._machines = [(d.inputs, d.start(experiment.config)) for d in experiment.detectors]
        self._look_back(history)

    def __iter__(self) -> Iterator[int]:
        """Yield the number of steps taken, after each.

        Raises:
            NonFinite: The training gave NaN or infinity and the config does not allow it. All rows are in the sink.
        """
        experiment, clock = self.experiment, self._clock
        while self.step < experiment.config.steps:
            if self.step >= self._next:
                self._at_boundary()
            started = clock()
            readings = experiment.step()
            ended = clock()
            self.schedule.stepped(ended - started)
            self._record(readings)
            self.step += 1
            self._acts_here = 0
            experiment.now = self.step
            if ended - self.flushed > FLUSH_SECONDS:
                self.flush()
            yield self.step
        self._at_boundary(last=True)
        self.flush()

    def begin(self) -> int:
        """For steps that are taken elsewhere: do what is due at this boundary; returns the next such step."""
        steps = self.experiment.config.steps
        self._at_boundary(last=self.step >= steps)
        return min(steps, max(self._next, self.step + 1))

    def leap(self, readings: Mapping[str, np.ndarray], seconds: float) -> None:
        """Record steps that were taken elsewhere, from this boundary on; the experiment is at the state after them.

        Args:
            readings: What ``step`` would have returned, with a row for each of the k steps, shape (k, ...).
            seconds: What they took.

        Raises:
            NonFinite: As when iterating.
        """
        count = len(next(iter(readings.values())))
        self.schedule.stepped(seconds, count)
        for name, values in readings.items():
            bad = np.flatnonzero(~np.isfinite(values.reshape(count, -1)).all(axis=1))
            if len(bad) and not self.experiment.config.allow_nonfinite:
                count = int(bad[0]) + 1
            steps, rows = self._rows.setdefault(name, ([], []))
            steps.extend(range(self.step, self.step + count))
            rows.extend(values[:count])
            if len(bad):
                self._not_finite(name, self.step + int(bad[0]), float(np.sum(values[bad[0]])))
        self.step += count
        self._acts_here = 0
        self.experiment.now = self.step
        if self._clock() - self.flushed > FLUSH_SECONDS:
            self.flush()

    def set_knobs(self, values: Mapping[str, Any]) -> None:
        """Turn live knobs now, at this boundary; recorded as an event.

        Raises:
            ConfigError: A value is inadmissible, or the knob is not live. Nothing has changed then.
        """
        config, knobs = self.experiment.config, self.experiment.Config.knobs()
        new = config.changed(values)
        fixed = [name for name in new.difference(config) if not knobs[name].live]
        if fixed:
            raise ConfigError(dict.fromkeys(fixed, "cannot be changed while the run goes on; branch with it instead"))
        changed = {name: new_old[::-1] for name, new_old in new.difference(config).items()}
        if not changed:
            return
        self._store_first()
        self.flush()  # rows up to here are judged by the old knobs
        self.experiment.config = new
        self.experiment.knobs_changed(changed)
        self._record_graphs_anew()
        for _, machine in self._machines:
            machine.retune(new)
        self._acts_here += 1
        self._event("knobs", {"changed": {name: list(pair) for name, pair in changed.items()}})

    def act(self, action: str, arguments: Mapping[str, Any]) -> None:
        """Do an action of the experiment now; recorded as an event. Raises ConfigError when it cannot be called so."""
        known = [a.method for a in self.experiment.actions()]
        if action not in known:
            raise ConfigError({action: f"no such action; known: {', '.join(known) or 'none'}"})
        method = getattr(self.experiment, action)
        try:
            inspect.signature(method).bind(**arguments)
        except TypeError as error:
            raise ConfigError({action: f"does not take these arguments: {error}"}) from None
        self._store_first()
        method(**arguments)
        self._record_graphs_anew()
        self._acts_here += 1
        self._event("action", {"action": action, "arguments": dict(arguments)})

    def switch(self, on: Sequence[str] = (), off: Sequence[str] = ()) -> None:
        """Read other instruments from this boundary on; recorded as an event.

        Args:
            on: As ``Request.also`` names them; one that is on already goes on as it is asked for here.
            off: Names of those to leave.

        Raises:
            ConfigError: There is no such instrument, or it is not optional. Nothing has changed then.
        """
        known = [i.method for i in self.experiment.instruments() if i.optional]
        wanted = (*instruments_asked(on), *steps_chosen(on), *off)
        if unknown := [name for name in wanted if name not in known]:
            raise ConfigError(dict.fromkeys(unknown, f"cannot be switched; known: {', '.join(known) or 'none'}"))
        payload = {"on": [*on], "off": [*off]}
        after = in_force(self.also, [Event(step=self.step, time=0.0, kind="instruments", payload=payload)])
        if after == self.also:
            return
        self._store_first()
        self._measure(after)
        self._acts_here += 1
        self._event("instruments", payload)

    def _store_first(self) -> None:
        """A stored state is that before anything is done at its step, live and replayed."""
        if self._checkpoints is not None and self._checkpoints.due(self.step, self.schedule.seconds()):
            self.checkpoint()

    def checkpoint(self) -> None:
        """Store the state of this boundary, unless it is stored already or the run has been here before."""
        if self._checkpoints is None or self._checkpoints.stored(self.step):
            return
        self.flush()  # a run resumed from here must not lack the rows before it
        started = time.perf_counter()
        state = capture(self.experiment, {"acts": self._acts_here, **self.schedule.memory(self.step)})
        self.sink.checkpoint(self.step, state)
        size, took = sum(array.nbytes for array in state.values()), time.perf_counter() - started
        spacing = self._checkpoints.made(self.step, size, self.schedule.seconds(), took)
        if spacing is not None:
            self._event("schedule", {"checkpoints": True, "every": spacing})

    def price(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Read once more what was read only at the start, and record nothing: the first reading pays for warming up.

        Args:
            hurry: Asked before every reading; True gives up.
        """
        for item in self.schedule.unpriced():
            if hurry():
                return
            with untouched(self.experiment):
                started = self._clock()
                self._reading(item)
                self.schedule.read(item, self._clock() - started, self.step)

    def flush(self) -> None:
        """Hand all rows to the sink and let the detectors see them."""
        self.flushed = self._clock()
        listed: list[int] = []
        step = np.empty(0, np.int64)
        for name, (steps, values) in self._rows.items():
            if not steps:
                continue
            if steps != listed:  # most series have the rows of the one before: one array serves them all
                listed, step = steps.copy(), np.array(steps, np.int64)
            value = _stack(values)
            steps.clear()
            values.clear()
            self.sink.append(name, step, value)
            self._detect(name, step, value)
        if self._unchecked:
            self._unchecked = False
            self._check_device_rows()
        for graph in self.experiment.graphs:
            if graph.problem:
                self.sink.log(f"{LAUNCHED_ONE_BY_ONE}: {graph.problem}")
                graph.problem = ""

    def _record_graphs_anew(self) -> None:
        """Whatever was turned or done may have changed a number that is baked into them."""
        for graph in self.experiment.graphs:
            graph.forget()

    def _at_boundary(self, last: bool = False) -> None:
        while self._replay and self._replay[0]["step"] <= self.step:
            event = self._replay.pop(0)
            if event["kind"] == "knobs":
                self.set_knobs({name: pair[1] for name, pair in event["payload"]["changed"].items()})
            elif event["kind"] == "action":
                self.act(event["payload"]["action"], event["payload"]["arguments"])
            else:
                self.switch(event["payload"]["on"], event["payload"]["off"])
        due = self.schedule.due(self.step, last=last)
        if due:
            with untouched(self.experiment):
                for item in due:
                    self._read(item)
            for change in self._spacings():
                self._event("schedule", change)
        if last:
            self._declare_costs()
        self._next = self.schedule.next
        if self._checkpoints is not None:
            if last or self.step >= self._store_next:
                if last or self._checkpoints.due(self.step, self.schedule.seconds()):
                    self.checkpoint()
                self._store_next = self._checkpoints.next_due(self.step)
            self._next = min(self._next, self._store_next)
        if self._replay:
            self._next = min(self._next, self._replay[0]["step"])

    def _spacings(self) -> list[Any]:
        """How readings are spaced otherwise from here on."""
        if self._spaced is None:
            return self.schedule.rebalance()
        changes: list[Any] = []
        while self._spaced and self._spaced[0]["step"] <= self.step:
            changes.append(self._spaced.pop(0)["payload"])
            self.schedule.obey(changes[-1])
        return changes

    def _measure(self, also: tuple[str, ...]) -> None:
        """Read these beside the instruments that always read, from this boundary on."""
        self.also, asked = also, instruments_asked(also)
        self.experiment.chosen = steps_chosen(also)
        on = [i for i in self.experiment.instruments() if not i.optional or i.method in asked]
        self.schedule.switch(on, {name: every for name, every in asked.items() if every}, self.step)
        self._next = self.step
        for item in on:
            if item.method not in self._methods:
                self._methods[item.method] = getattr(self.experiment, item.method)
                for spec in item.series:
                    self.sink.declare(spec.name, spec.attrs)

    def _declare_costs(self) -> None:
        """Keep with every series what a reading of it took."""
        prices = self.schedule.prices()
        for item in self.experiment.instruments():
            if price := prices.get(item.method):
                for spec in item.series:
                    self.sink.declare(spec.name, spec.attrs | {"cost": in_words(price)})

    def _read(self, item: Instrument) -> None:
        started = self._clock()
        value = self._reading(item)
        if value is not None:  # an instrument may have nothing to say, for example in another scene
            for spec, part in zip(item.series, value if len(item.series) > 1 else (value,), strict=True):
                if part is not None:
                    self._keep(spec.name, part.detach().clone() if isinstance(part, torch.Tensor) else part)
        self.schedule.read(item, self._clock() - started, self.step)

    def _reading(self, item: Instrument) -> Any:
        try:
            return self._methods[item.method]()
        except UnreadableError as error:
            if (said := (item.method, str(error))) not in self._unreadable:
                self._unreadable.add(said)
                self.sink.log(f"step {self.step}: {item.series[0].label} was not read: {error}")
            return None

    def _record(self, readings: Mapping[str, Any]) -> None:
        step, rows, isfinite = self.step, self._rows, math.isfinite
        for name, value in readings.items():
            if type(value) is not float and isinstance(value, torch.Tensor):
                if not value.is_cpu:
                    self._unchecked = True
                    self._keep(name, value.detach().clone())  # rows wait, and training may write to it meanwhile
                    continue
                value = value.item() if value.ndim == 0 else value.detach().numpy().copy()
            if type(value) is float:  # nearly every reading: the shortest way, as it is taken at every step
                steps, values = rows[name]
                steps.append(step)
                values.append(value)
                if not isfinite(value):
                    self._not_finite(name, step, value)
                continue
            self._keep(name, value)
            if not np.isfinite(value).all():
                self._not_finite(name, step, float(np.sum(value)))

    def _keep(self, name: str, value: Any) -> None:
        steps, values = self._rows[name]
        steps.append(self.step)
        values.append(value)

    def _not_finite(self, name: str, step: int, value: float) -> None:
        if self.experiment.config.allow_nonfinite:
            return
        where = _first_bad_tensor(self.experiment)
        self.flush()
        self._event("nonfinite", {"series": name, "value": str(value), "tensor": where}, step)
        raise NonFinite(
            f"{name} is {value} at step {step}"
            + (f"; {where} is not finite" if where else "")
            + ". Lower the rate, or allow it with the knob allow_nonfinite."
        )

    def _check_device_rows(self) -> None:
        for spec in self.experiment.readings:
            step, value = self._last_rows.get(spec.name, (None, None))
            if step is None or value is None or np.isfinite(value).all():
                continue
            bad = int(np.flatnonzero(~np.isfinite(value.reshape(len(step), -1)).all(axis=1))[0])
            self._not_finite(spec.name, int(step[bad]), float(value.reshape(len(step), -1)[bad].sum()))

    def _detect(self, name: str, step: np.ndarray, value: np.ndarray) -> None:
        self._last_rows[name] = (step, value)
        for inputs, machine in self._machines:
            if name in inputs:
                for found in machine.feed(step, value, name):
                    self.sink.event(found.step, found.kind, found.payload)

    def _look_back(self, history: Source | None) -> None:
        self._last_rows: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        if history is None:
            return
        known = set(history.names())
        for inputs, machine in self._machines:
            for name in known & set(inputs):
                step, value = history.series(name)
                before = step < self.step
                machine.feed(step[before], value[before], name)

    def _event(self, kind: str, payload: Mapping[str, Any], step: int | None = None) -> None:
        self.sink.event(self.step if step is None else step, kind, payload)


def _stack(values: list[Any]) -> np.ndarray:
    first = values[0]
    if isinstance(first, torch.Tensor):
        stacked = torch.stack(values).detach().cpu()
        return (stacked.float() if stacked.dtype == torch.bfloat16 else stacked).numpy()
    return np.asarray(values)


def _first_bad_tensor(experiment: Experiment) -> str:
    """Name of the first parameter, gradient or state tensor that is not finite; empty when all are."""
    for name in experiment.state:
        value = getattr(experiment, name)
        if isinstance(value, torch.nn.Module):
            for path, p in value.named_parameters():
                if p.grad is not None and not torch.isfinite(p.grad).all():
                    return f"the gradient of {name}.{path}"
                if not torch.isfinite(p).all():
                    return f"{name}.{path}"
        elif isinstance(value, torch.Tensor) and value.is_floating_point() and not torch.isfinite(value).all():
            return name
    return ""
