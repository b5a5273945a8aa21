"""Instruments read after the run, from states that were stored or computed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lab import load_torch, registry
from lab.config import ConfigError
from lab.devices import check_device
from lab.experiment import Experiment, Instrument, StoredStates, UnreadableError
from lab.hosts.start import advance
from lab.request import Request, instruments_asked, steps_chosen
from lab.state import StateError, restore, stored_config
from lab.untouched import untouched
from storage.reader import RunReader
from storage.writer import RunWriter

Rows = dict[str, tuple[list[int], list[np.ndarray]]]


def measure(request: Request, at: Sequence[int] = ()) -> list[str]:
    """Read the instruments ``request.also`` and add what they give to the finished run file ``request.out``.

    Args:
        request: Experiment, file, instruments and device.
        at: Steps; those without a checkpoint are computed again from the one before. Empty: every checkpoint.

    Returns:
        Names of the series that were added to.

    Raises:
        ConfigError: No such instrument, or one that could be read nowhere.
        StateError: No checkpoint at or before a step.
    """
    load_torch()
    cls = registry.experiment(request.experiment)
    check_device(request.device)
    with RunReader(request.out) as reader:
        state = reader.state
        rows = readings(
            cls, request.device, request.also, _states(cls, request, reader, at), _Replay(cls, request, reader)
        )
    attrs = {name: series.attrs for name, series in cls.series().items()}
    writer = RunWriter.append_to(request.out)
    for name, (steps, values) in rows.items():
        writer.declare(name, attrs[name])
        writer.merge(name, steps, np.stack(values))
    where = list(at) or "checkpoints"
    writer.event(max(at, default=0), "measured", {"instruments": list(request.also), "at": where})
    writer.close(state)
    return list(rows)


class _Replay:
    """The states of a stored run at any step, computed again from the checkpoint before where there is none."""

    FEW = 12  # checkpoints do not tell a path

    def __init__(self, cls: type[Experiment], request: Request, reader: RunReader) -> None:
        self._cls, self._request, self._reader = cls, request, reader

    def checkpoints(self) -> Sequence[int]:
        """The stored ones; every step that can be computed where these are few."""
        stored = self._reader.checkpoints()
        return range(stored[0], stored[-1] + 1) if stored and len(stored) < self.FEW else stored

    def checkpoint(self, step: int) -> Mapping[str, np.ndarray]:
        return next(_states(self._cls, self._request, self._reader, [step]))[1]


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


def readings(
    cls: type[Experiment],
    device: str,
    also: Sequence[str],
    states: Iterable[tuple[int, Mapping[str, np.ndarray]]],
    stored: StoredStates | None = None,
) -> Rows:
    """What instruments, named as in ``Request.also``, give at states by step: name of the series -> steps and values.

    Raises:
        ConfigError: No such instrument, or one that could be read nowhere.
    """
    known = {item.method: item for item in cls.instruments()}
    names, chosen = list(instruments_asked(also)), steps_chosen(also)
    problems: dict[str, str] = {}
    if missing := [name for name in names if name not in known]:
        raise ConfigError(dict.fromkeys(missing, f"no such instrument; known: {', '.join(known)}"))
    rows: Rows = {}
    for step, state in states:
        experiment = cls(cls.Config.parse(stored_config(state)), device)
        experiment.setup()
        restore(experiment, state)
        experiment.now, experiment.stored, experiment.chosen = step, stored, chosen
        with untouched(experiment):
            for name in names:
                try:
                    _read(experiment, known[name], step, rows)
                except UnreadableError as error:
                    problems[name] = str(error)
    if nowhere := {name: why for name, why in problems.items() if known[name].series[0].name not in rows}:
        raise ConfigError(nowhere)
    return rows


def _read(experiment: Experiment, item: Instrument, step: int, rows: Rows) -> None:
    value: Any = getattr(experiment, item.method)()
    if value is None:  # nothing to say, for example in another scene
        return
    for series, part in zip(item.series, value if len(item.series) > 1 else (value,), strict=True):
        if part is not None:
            steps, values = rows.setdefault(series.name, ([], []))
            steps.append(step)
            values.append(np.asarray(part.detach().cpu() if isinstance(part, torch.Tensor) else part))
