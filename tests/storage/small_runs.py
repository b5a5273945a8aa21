"""Small whole run files for tests of lists and comparisons."""

from pathlib import Path
from typing import Any

import numpy as np

from storage.writer import RunWriter


def small_run(
    path: Path,
    values: Any = (3.0, 1.0, 2.0),
    *,
    knobs: dict[str, Any] | None = None,
    state: str | None = "finished",
    verdict: str = "",
    series: str = "train_loss",
    **header: Any,
) -> Path:
    """A run that recorded ``values`` at steps 0, 10, 20, ...; with ``state`` None its writer is gone without a word."""
    config = {"lr": 0.1, "seed": 0, **(knobs or {})}
    header = {"experiment": "made-up", "title": "Made up", "seed": config["seed"], **header}
    writer = RunWriter.create(path, header, config, {"python": "3.11", "gpu": None})
    writer.declare(series, {"label": "Training loss", "symbol": "L"})
    writer.append(series, 10 * np.arange(len(values)), np.asarray(values, float))
    writer.set_default_view([series])
    writer.checkpoint(10, {"model/w": np.arange(1000.0)})
    if verdict:
        writer.set_verdict({"outcome": verdict, "reason": "", "checks": []})
    writer.close(state)
    return path
