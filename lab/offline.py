"""Instruments read after the run, from states that were stored or computed again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lab.config import ConfigError
from lab.engine import untouched
from lab.experiment import Experiment, Instrument
from lab.state import restore, stored_config

Rows = dict[str, tuple[list[int], list[np.ndarray]]]


def readings(
    cls: type[Experiment], device: str, names: Sequence[str], states: Iterable[tuple[int, Mapping[str, np.ndarray]]]
) -> Rows:
    """What the instruments ``names`` give at states by step: name of the series -> steps and values.

    Raises:
        ConfigError: No such instrument.
    """
    known = {item.method: item for item in cls.instruments()}
    if missing := [name for name in names if name not in known]:
        raise ConfigError(dict.fromkeys(missing, f"no such instrument; known: {', '.join(known)}"))
    rows: Rows = {}
    for step, state in states:
        experiment = cls(cls.Config.parse(stored_config(state)), device)
        experiment.setup()
        restore(experiment, state)
        experiment.now = step
        with untouched(experiment):
            for name in names:
                _read(experiment, known[name], step, rows)
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
