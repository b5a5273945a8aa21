"""Small run files of the tests' own experiment, for figures."""

from pathlib import Path

import numpy as np

from storage.writer import RunWriter
from tests.fakes import Tiny

EXPERIMENT = "tests.fakes:"


def tiny_run(path: Path, *, seed: int = 0, lr: float = 0.1, rows: int = 60, every: int = 1, spike: bool = True) -> Path:
    """A finished run whose loss falls by ``lr`` a step, times a factor of its seed."""
    config = Tiny.configure(values={"seed": seed, "lr": lr, "steps": rows}).model_dump(mode="json")
    header = {"experiment": EXPERIMENT, "title": Tiny.title, "preset": "demo", "arm": "", "seed": seed}
    step = np.arange(0, rows, every)
    with RunWriter.create(path, header, config, {}) as writer:
        writer.declare("train_loss", {"label": "Training loss", "symbol": "L_train"})
        writer.append("train_loss", step, (1 + seed) * (1 - lr) ** step)
        writer.declare("sharpness", {"label": "Sharpness", "symbol": "λ_max"})
        writer.append("sharpness", step, np.full(len(step), 1.0 + seed))
        writer.append("norm", step, 1.0 / (1 + step))
        writer.append("stage", step, np.where(step < rows // 2, 1, 2))
        if spike:
            writer.event(rows // 2, "spike", {})
    return path
