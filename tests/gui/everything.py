"""An experiment with every kind of view, and run files of it. Its registry name is ``tests.gui.everything:``."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lab.stream import MemoryRun
from storage.writer import RunWriter
from tests.fakes import Tiny
from tests.made_up_views import SOURCE, SPECS

NAME = "tests.gui.everything:"
FIXED = {"frequency", "order", "places", "target", "across", "up", "tokens", "stage"}  # the same in all runs


class Everything(Tiny):
    title = "Everything"
    views = SPECS


def written(folder: Path, lrs: Sequence[float] = (0.1, 0.2), seeds: int = 2) -> list[str]:
    """Run files with the made-up data, scaled by learning rate and seed; each with a checkpoint of its own width."""
    paths = []
    for lr in lrs:
        for seed in range(seeds):
            width = round(30 * lr)
            config = Everything.configure(values={"lr": lr, "seed": seed, "width": width}).model_dump(mode="json")
            path = folder / f"lr{lr}-seed{seed}.h5"
            header = {"experiment": NAME, "title": "Everything", "seed": seed, "arm": "stable" if lr < 0.15 else ""}
            with RunWriter.create(path, header, config, {"python": "3.11"}) as writer:
                fill(writer, SOURCE, 1.0 + lr + 0.01 * seed)
                writer.checkpoint(0, {"theta": np.zeros(width), "optimizer/m": np.zeros(width)})
                checks = [{"name": "share", "value": lr, "low": None, "high": 0.15, "passed": lr < 0.15}]
                writer.set_verdict({"outcome": "reproduced" if lr < 0.15 else "not reproduced", "checks": checks})
                writer.close("finished")
            paths.append(str(path))
    return paths


def fill(writer: RunWriter, source: MemoryRun, scale: float) -> None:
    for name in source.names():
        step, value = source.series(name)
        writer.append(name, step, value if name in FIXED else scale * np.asarray(value, float))
    for event in source.events():
        writer.event(event["step"], event["kind"], event["payload"])
