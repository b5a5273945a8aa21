"""What the window asks of whoever makes, opens and lists runs; and the words it has for their states."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gui.runs.open_run import OpenRun

if TYPE_CHECKING:
    from lab.experiment import Experiment
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without
    from storage.numbers import Number

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


def label(entry: RunEntry) -> str:
    """What a stored run is called in lists."""
    return " – ".join(part for part in label_parts(entry) if part)


def label_parts(entry: RunEntry) -> tuple[str, str]:
    """The experiment's title; and what tells its runs apart."""
    seed = None if entry.seed is None else f"seed {entry.seed}"
    parts = (entry.preset, entry.arm, seed)
    return entry.title or entry.experiment or entry.path.name, " – ".join(part for part in parts if part)


def search_text(entry: RunEntry) -> str:
    """Everything that a filter may ask for."""
    words = (label(entry), entry.experiment, entry.state, entry.outcome, entry.problem, entry.path.name)
    return " ".join(word for word in words if word).casefold()


def started(entry: RunEntry) -> float:
    """Seconds since the epoch; 0 where the file does not say."""
    try:
        return datetime.fromisoformat(entry.created).timestamp()
    except ValueError:
        return 0.0


class Runs(Protocol):
    """Makes and finds runs."""

    device: str
    """Where new runs compute."""
    watched: list[Path]
    """Folders and files that are listed beside the runs folder."""
    numbers: list[Number]
    """Numbers that lists show beyond those that are always kept."""
    left: int
    """Files that the last look at the folders left unread."""

    @property
    def folder(self) -> Path:
        """Where runs are kept."""
        ...

    def start(
        self, experiment: type[Experiment], config: Any, preset: str, arm: str, also: tuple[str, ...] = ()
    ) -> OpenRun:
        """Begin a new run, the optional instruments ``also`` switched on; it is preparing when this returns."""
        ...

    def measure(self, run: OpenRun, also: tuple[str, ...], at: tuple[int, ...]) -> str:
        """Read instruments from the checkpoints of a stored run (``at``: at these steps) and add them to its file.

        Returns why it cannot be, or nothing. May take long; called outside the window's thread.
        """
        ...

    def preview(self, experiment: type[Experiment], config: Any) -> dict[str, Any] | str:
        """Series of a run before its first step, name -> (attrs, steps, values); or why there are none.

        May be slow; called outside the window's thread.
        """
        ...

    def open(self, path: str) -> OpenRun:
        """Open a run file. Raises RunFileError with one clear line when it is none."""
        ...

    def branch(self, run: OpenRun, step: int, config: Any, acts: Sequence[tuple[str, dict[str, Any]]] = ()) -> OpenRun:
        """Begin a run at ``step`` of another one, with the knobs of ``config``, and with actions done at that step."""
        ...

    def replay(self, run: OpenRun) -> OpenRun:
        """Begin a new run with the knobs that ``run`` began with, and its turned knobs and actions at their steps."""
        ...

    def resume(self, run: OpenRun) -> OpenRun:
        """Go on with a run that is over but not finished, in its own file, from its last checkpoint."""
        ...

    def devices(self) -> list[tuple[str, str]]:
        """Names and descriptions of this machine's devices; a nameless one says why there are no more.

        May be slow; called outside the window's thread.
        """
        ...

    def estimate(self, experiment: type[Experiment], config: Any, also: tuple[str, ...] = ()) -> str:
        """What a run and its readings would cost, in words, with the optional instruments ``also`` switched on.

        Takes about a second; called outside the window's thread.
        """
        ...

    def seconds(self, experiment: type[Experiment], config: Any) -> float:
        """What a run would take; 0 where that is not known. Like :meth:`estimate`, not for the window's thread."""
        ...

    def close(self) -> None:
        """Let go of everything that is kept ready. The window closes."""
        ...

    def stored(self) -> list[RunEntry]:
        """All runs in the folders, newest first; the same list as before when nothing changed.

        May be slow; called outside the window's thread. While ``left`` is not 0, calling again reads on.
        """
        ...


def short_title_of(run: OpenRun) -> str:
    """What a tab says of an open run: its title, and its arm or else its preset."""
    return " – ".join(filter(None, (_name(run), run.header.get("arm") or run.header.get("preset"))))


def title_of(run: OpenRun) -> str:
    """What an open run is called: title, preset, arm and seed."""
    header, name = run.header, _name(run)
    seed = getattr(run.config, "seed", None)
    parts = (name, header.get("preset"), header.get("arm"), None if seed is None else f"seed {seed}")
    return " – ".join(str(part) for part in parts if part)


def _name(run: OpenRun) -> str:
    known = run.experiment.title if run.experiment else run.header.get("experiment", "unknown experiment")
    return str(run.header.get("title") or known)
