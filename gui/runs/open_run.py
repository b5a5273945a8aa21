"""A run that the window has open: live, stored, or written elsewhere. Views, transport and verdict see only this."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from storage.errors import RunFileError

if TYPE_CHECKING:
    from lab.experiment import Experiment
    from lab.stream import Source
    from lab.verdict import Verdict


class OpenRun(QObject):
    """What the window needs to know of any run.

    Attributes:
        experiment: The experiment's class, None when this app does not know the experiment of a stored run.
        config: The knobs in force now (live knobs change it).
        source: Where series and events are read; views pull from it on a timer.
        header: Root attributes of the run file: run_id, experiment, preset, arm, title, created, device, ...
        path: The run file.
        state: preparing | running | paused | finished | stopped | failed | interrupted.
        also: Instruments that are on beyond those that always are, as ``Request.also`` names them.
        problem: One clear line when ``state`` is failed, or while paused because the disk is full; else empty.
    """

    state_changed = Signal(str)  # states only; data never travels by signal
    config_changed = Signal()
    refused = Signal(str)  # why something that was asked of it was not done
    also_changed = Signal()  # other instruments are on, or a run that is written elsewhere has new series

    experiment: type[Experiment] | None
    config: Any
    source: Source
    header: dict[str, Any]
    path: str
    state: str = "preparing"
    problem: str = ""
    also: tuple[str, ...] = ()

    @property
    def live(self) -> bool:
        """Whether commands can still reach it."""
        return False

    @property
    @abstractmethod
    def step(self) -> int:
        """Steps taken so far."""

    @property
    def reached(self) -> int:
        """The farthest step taken; a run that was taken back is at an earlier one."""
        return self.step

    @property
    @abstractmethod
    def steps(self) -> int:
        """Length of the whole run."""

    @property
    def rate(self) -> float:
        """Steps per second over the last second or so; 0 when unknown."""
        return 0.0

    @property
    def waits_for(self) -> str:
        """What keeps a live run from giving its first rows, or from obeying, and for how long; else empty."""
        return ""

    @abstractmethod
    def checkpoints(self) -> list[int]:
        """Steps at which a checkpoint is stored, rising: where a branch can start."""

    @property
    def config_at_start(self) -> Any:
        """The knobs that the run began with, as its file keeps them: what the claim is judged by."""
        return self.config

    def verdict(self) -> Verdict | None:
        """The verdict over what is recorded so far; None while there is too little to say anything."""
        if self.experiment is None:
            return None
        try:
            return self.experiment.verdict(self.config_at_start, self.source) if self.source.names() else None
        except (KeyError, IndexError, ValueError, TypeError, ArithmeticError, OSError, RunFileError):
            # what the claim needs has no rows yet, rows of another shape, or cannot be read: the views say why
            return None

    # What a person can do to a live run. A stored run ignores them.
    def pause(self) -> None: ...

    def go(self) -> None: ...

    def step_once(self, count: int = 1) -> None: ...

    def slow(self, seconds: float) -> None:
        """Wait so long after every step; 0 runs at full speed."""

    def stop(self) -> None: ...

    def set_knobs(self, values: dict[str, Any]) -> None: ...

    def act(self, action: str, arguments: dict[str, Any]) -> None: ...

    def switch_instruments(self, on: tuple[str, ...], off: tuple[str, ...]) -> None:
        """Read ``on``, as ``Request.also`` names them, from the next step on; leave the instruments ``off``."""

    def checkpoint(self) -> None: ...

    def go_to(self, step: int) -> None:
        """Compute again from the nearest checkpoint to a step that was taken before, and wait there."""

    def relocate(self, path: str) -> None:
        """Go on in another file, with everything recorded so far, after the disk was full."""
