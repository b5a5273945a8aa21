"""What to run, as plain values, and where its file goes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from lab.stream import Event


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to run. Plain values, so that it travels to any host.

    Attributes:
        experiment: Registry name.
        config: Knobs; for a branch only the changed ones.
        out: The run file to write; for ``resume`` the one to go on with.
        parent: Run file to branch from, at step ``at``.
        replay: Events: what was done to the run is to happen again at its steps; of a branch, what it begins with.
        again: The same run once more: its instruments read where ``replay`` says they did, whatever the clock says now.
        stored_at: With ``again``, the steps at which that run stored its state: planes of its path go through those.
        also: Instruments beyond those that always read: "NAME" switches an optional one on, "NAME=K" reads any every K
            steps, whatever the measurement budget. "NAME@A,B,C" has it use steps A, B and C; see ``Instrument.choice``.
    """

    experiment: str
    config: Mapping[str, Any] = field(default_factory=dict)
    out: str = ""
    preset: str = ""
    arm: str = ""
    device: str = "cpu"
    resume: bool = False
    parent: str = ""
    at: int = 0
    replay: tuple[Event, ...] = ()
    again: bool = False
    stored_at: tuple[int, ...] = ()
    also: tuple[str, ...] = ()


def instruments_asked(also: Iterable[str]) -> dict[str, int | None]:
    """Instruments that ``Request.also`` names, with the steps between readings where it says so.

    Raises:
        ConfigError: What stands behind "=" is not a number of steps.
    """
    from lab.config import ConfigError  # brings pydantic, which the first paint does without

    asked: dict[str, int | None] = {}
    for item in also:
        name, (_, sign, every) = _method(item), item.partition("=")
        if sign and not (every.isdecimal() and int(every)):
            raise ConfigError({name: f"is read every K steps by {name}=K with K at least 1, not by {item!r}"})
        asked[name] = int(every) if sign else None
    return asked


def in_force(also: Iterable[str], events: Iterable[Event]) -> tuple[str, ...]:
    """Instruments as ``Request.also`` names them, after those that ``events`` switched on and off."""
    on = {_method(item): item for item in also}
    for event in events:
        if event["kind"] == "instruments":
            for item in event["payload"]["off"]:
                on.pop(_method(item), None)
            on |= {_method(item): item for item in event["payload"]["on"]}
    return tuple(on.values())


def _method(item: str) -> str:
    return item.partition("=")[0].partition("@")[0]


def steps_chosen(also: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """The steps behind "@" of instruments that ``Request.also`` names.

    Raises:
        ConfigError: They are no steps.
    """
    from lab.config import ConfigError

    chosen: dict[str, tuple[int, ...]] = {}
    for item in also:
        name, sign, steps = item.partition("=")[0].partition("@")
        if sign:
            if not all(step.strip().isdecimal() for step in steps.split(",")):
                raise ConfigError({name: f"uses steps as in {name}@0,500,1000, not {item!r}"})
            chosen[name] = tuple(int(step) for step in steps.split(","))
    return chosen


class Estimate(NamedTuple):
    """What a whole run will take, measured on its first steps.

    Attributes:
        seconds: In all, on a core of its own.
        size: Bytes of its series and checkpoints.
        share: Share of the time that readings take.
        prices: What one reading of each instrument takes, as ``Schedule.prices`` says it.
        busy: How many times as long it takes while the machine is as busy as it was.
    """

    seconds: float
    size: int
    share: float
    prices: dict[str, dict[str, float]]
    busy: float = 1.0


def runs_folder() -> Path:
    """Where runs go unless told otherwise: $TDLAB_RUNS, else the user's data folder."""
    import platformdirs

    own = os.environ.get("TDLAB_RUNS")
    return Path(own) if own else platformdirs.user_data_path("training-dynamics-lab", appauthor=False) / "runs"


def new_path(experiment: str, preset: str, arm: str, seed: int, folder: Path | None = None) -> Path:
    """A file name that tells what is in it and is not taken yet."""
    folder = runs_folder() if folder is None else folder
    words = [experiment, preset, arm, f"seed{seed}", time.strftime("%Y%m%d-%H%M%S")]
    stem = re.sub(r"[^A-Za-z0-9.+-]+", "_", "-".join(w for w in words if w))
    path, count = folder / f"{stem}.h5", 1
    while path.exists():
        count += 1
        path = folder / f"{stem}-{count}.h5"
    return path
