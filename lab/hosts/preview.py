"""What a run would start from: the instruments that an experiment previews, read before any step."""

from __future__ import annotations

from typing import Any

import torch

from lab.config import Config
from lab.experiment import Experiment
from lab.stream import MemoryRun


def preview(cls: type[Experiment], config: Config, device: str = "cpu") -> MemoryRun:
    """Series of ``cls.previews`` at step 0 for these knobs, so that views follow a knob before training.

    Empty where the experiment previews nothing. Leaves the global generator as it was.
    """
    run = MemoryRun()
    if not cls.previews:
        return run
    with torch.random.fork_rng(devices=[]):
        experiment = cls(config, device)
        experiment.setup()
        for item in cls.instruments():
            if item.method in cls.previews:
                value: Any = getattr(experiment, item.method)()
                parts = value if len(item.series) > 1 else (value,)
                for series, part in zip(item.series, parts or [None] * len(item.series), strict=True):
                    if part is not None:
                        run.declare(series.name, series.attrs)
                        run.append(series.name, [0], _row(part))
    return run


def _row(part: Any) -> Any:
    return part.detach().cpu().numpy()[None] if isinstance(part, torch.Tensor) else [part]
