"""What the window asks of whoever makes, opens and lists runs; and the words it has for their states."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gui.open_run import OpenRun
from lab.experiment import Experiment

ACTIVE = ("preparing", "running", "paused")

STATE_COLOUR = {
    "preparing": "muted",
    "running": "accent",
    "paused": "warn",
    "finished": "good",
    "stopped": "muted",
    "failed": "bad",
    "interrupted": "warn",
}


@dataclass(frozen=True)
class StoredRun:
    """One row of the list of runs."""

    path: str
    title: str
    experiment: str
    preset: str = ""
    arm: str = ""
    state: str = "finished"
    created: float = 0.0  # seconds since the epoch
    outcome: str = ""
    steps: int = 0

    @property
    def search_text(self) -> str:
        words = (self.title, self.experiment, self.preset, self.arm, self.state, self.outcome, Path(self.path).name)
        return " ".join(words).casefold()


class Runs(Protocol):
    """Makes and finds runs."""

    @property
    def folder(self) -> Path:
        """Where runs are kept."""
        ...

    def start(self, experiment: type[Experiment], config: Any, preset: str, arm: str) -> OpenRun:
        """Begin a new run; it is preparing when this returns."""
        ...

    def open(self, path: str) -> OpenRun:
        """Open a run file. Raises OSError or ValueError with one clear line when it is none."""
        ...

    def branch(self, run: OpenRun, step: int, config: Any) -> OpenRun:
        """Begin a run at the checkpoint of ``run`` nearest at or before ``step``, with the knobs of ``config``."""
        ...

    def stored(self) -> list[StoredRun]:
        """All runs in the folder, newest first. May be slow; called outside the window's thread."""
        ...


def title_of(run: OpenRun) -> str:
    """What a run is called: its own title, else experiment, preset, arm and seed."""
    header = run.header
    if header.get("title"):
        return str(header["title"])
    name = run.experiment.title if run.experiment else str(header.get("experiment", "unknown experiment"))
    seed = getattr(run.config, "seed", None)
    parts = (name, header.get("preset"), header.get("arm"), None if seed is None else f"seed {seed}")
    return " – ".join(str(part) for part in parts if part)
