"""What the library's table can show of a run: facts, knobs, numbers; how each is written and sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gui.lab.recent import when
from gui.runs.runs import label_parts, started
from gui.views.text import short, whole

if TYPE_CHECKING:
    from storage.catalogue import RunEntry  # brings HDF5, which the first paint does without

STAR, RUN, SPARK, SETTINGS = "star", "run", "first view", "settings"
FACTS = {
    STAR: ("", 32),
    RUN: ("Run", 184),
    "preset": ("Preset", 120),
    "arm": ("Arm", 104),
    SETTINGS: ("What differs", 200),
    "seed": ("Seed", 56),
    SPARK: ("First view", 120),
    "state": ("State", 96),
    "verdict": ("Verdict", 120),
    "tags": ("Tags", 112),
    "note": ("Note", 200),
    "step": ("Step", 80),
    "duration": ("Duration", 80),
    "size": ("Size", 76),
    "device": ("Device", 72),
    "checkpoints": ("Checkpoints", 96),
    "created": ("Started", 96),
    "study": ("Study", 120),
    "experiment": ("Experiment", 140),
    "file": ("File", 220),
}
"""Columns that every run has: title and width."""
DEFAULT = (STAR, RUN, "arm", SETTINGS, "seed", SPARK, "state", "verdict", "tags", "duration", "created")
RIGHT = {"seed", "step", "duration", "size", "checkpoints"}
NUMBER_WIDTH = 112


@dataclass(frozen=True)
class Column:
    """One column. ``key`` is the name of a fact or a knob, or the text of a number such as ``last(train_loss)``."""

    key: str

    @property
    def title(self) -> str:
        return FACTS[self.key][0] if self.key in FACTS else self.key

    @property
    def width(self) -> int:
        return FACTS[self.key][1] if self.key in FACTS else NUMBER_WIDTH

    @property
    def is_number(self) -> bool:
        return self.key.endswith(")") and "(" in self.key

    @property
    def right(self) -> bool:
        return self.key in RIGHT or self.is_number

    def value(self, run: RunEntry) -> Any:
        """What the column sorts and groups by; None where the run has none."""
        if self.is_number:
            from storage.numbers import Number

            return run.number(Number.parse(self.key))
        if self.key == RUN:
            return run.title or run.experiment or run.path.stem
        return None if self.key in (SPARK, SETTINGS) else run.fact(self.key)

    def text(self, run: RunEntry) -> str:
        """What stands in the cell."""
        value = self.value(run)
        match self.key:
            case _ if self.key == STAR or value is None or value == "":
                return ""
            case "state":
                return run.problem or run.state
            case "size":
                return f"{run.size / 1e6:.1f} MB"
            case "created":
                return when(started(run))
            case "duration":
                return clock(value)
            case "tags":
                return ", ".join(value)
            case "note":
                return " ".join(value.split())
            case "study":
                return value.rpartition("/")[2]
        return written(value)


def written(value: Any) -> str:
    """A value as tables write it: three digits, thin spaces, plain words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return whole(value) if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return short(value)
    if isinstance(value, list | tuple):
        return ", ".join(written(item) for item in value)
    return "none" if value is None else str(value)


def clock(seconds: float) -> str:
    """A duration in the two units that matter: ``44 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{short(seconds, 2)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def order(value: Any) -> tuple[int, Any]:
    """Sorts values of any kind: numbers, then texts, then what is missing."""
    if value is None or value == "" or value != value:
        return (2, 0)
    if isinstance(value, bool | int | float):
        return (0, value)
    return (1, str(value).casefold())


def settings(run: RunEntry, names: Sequence[str]) -> str:
    """These knobs of a run in one line."""
    return ", ".join(f"{name} {written(run.config[name])}" for name in names if name in run.config)


def name_of(run: RunEntry) -> str:
    """What a run is called in one line."""
    name, settings = label_parts(run)
    return f"{name} \N{EN DASH} {settings}" if settings else name
