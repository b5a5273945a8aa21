"""What lists of runs show of a file: header, knobs, labels, a few numbers. Tolerant: damaged files are listed too."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import RunFileError
from .layout import HEADER
from .numbers import KEPT, Number
from .reader import RunReader

SUFFIX = ".h5"
STUDY_FILE = "study.toml"
"""A folder that holds one keeps the runs of a study together."""
SPARK_COLUMNS = 48

_DESCRIBED = ("run_id", "created", *(name for name in HEADER if name != "also"))  # lists do without it


@dataclass(frozen=True)
class RunEntry:
    """One run of a list. ``problem`` says why the rest is missing.

    Attributes:
        step: The last recorded step; None before the first.
        duration: Seconds that it ran, idle time between its sessions left out; None where no clock was kept.
        study: Folder of the study that it belongs to.
        config_text: JSON of its knobs. numbers_text: JSON of {series: {statistic: value}}.
        spark: float32 minima and maxima, (2, K), of the first view's series, as bytes; empty without one.
        stamp: Time of change in nanoseconds, size in bytes and inode of the file when it was read.
    """

    path: Path
    run_id: str = ""
    experiment: str = ""
    title: str = ""
    preset: str | None = None
    arm: str | None = None
    state: str = ""
    created: str = ""
    seed: int | None = None
    device: str | None = None
    outcome: str | None = None
    size: int = 0
    parent_run: str | None = None
    problem: str | None = None
    parent_step: int | None = None
    app_version: str | None = None
    step: int | None = None
    duration: float | None = None
    checkpoints: int = 0
    star: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""
    study: str = ""
    config_text: str = field(default="{}", repr=False)
    numbers_text: str = field(default="{}", repr=False)
    spark: bytes = field(default=b"", repr=False)
    stamp: tuple[int, int, int] = (0, 0, 0)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Every knob with the value that the run began with."""
        return json.loads(self.config_text)

    @cached_property
    def numbers(self) -> Mapping[str, Mapping[str, float]]:
        """Statistics of the scalar series; ask for one with :meth:`number`."""
        return json.loads(self.numbers_text)

    def number(self, number: Number) -> float | None:
        """The number; None where the run has no such series, or it has not been read from the file yet."""
        return self.numbers.get(number.series, {}).get(_key(number))

    def row(self, *numbers: str) -> dict[str, Any]:
        """Facts, knobs and numbers as one flat row, for ``pandas.DataFrame([run.row("last(loss)") for run in runs])``.

        Args:
            numbers: Texts of numbers that are kept (last, min, max); others are read with ``number_of``.
        """
        facts = {name: getattr(self, attribute) for name, attribute in FACTS.items() if name != "file"}
        found = {str(number): self.number(number) for number in map(Number.parse, numbers)}
        return {"path": str(self.path), **self.config, **facts, **found}

    def with_numbers(self, found: Mapping[Number, float | None]) -> str:
        """``numbers_text`` with numbers read later."""
        numbers = {series: dict(kept) for series, kept in self.numbers.items()}
        for number, value in found.items():
            if value is not None:
                numbers.setdefault(number.series, {})[_key(number)] = value
        return json.dumps(numbers)

    @property
    def sparkline(self) -> NDArray[np.float32]:
        """Minima and maxima, (2, K), of the first view's series over the run."""
        return np.frombuffer(self.spark, np.float32).reshape(2, -1)

    @cached_property
    def text(self) -> str:
        """Everything that plain words are looked for in, casefolded."""
        words = (self.title, self.experiment, self.preset, self.arm, self.state, self.outcome, self.problem)
        parts = [*filter(None, words), self.path.parent.name, self.path.name, *self.tags, self.note]
        parts += [] if self.seed is None else [f"seed {self.seed}"]
        return " ".join(parts).casefold()

    @property
    def file(self) -> str:
        return str(self.path)

    def fact(self, name: str) -> Any:
        """A fact or a knob by the name that filters and columns use; None where the run has none."""
        return getattr(self, FACTS[name]) if name in FACTS else self.config.get(name)


FACTS: Mapping[str, str] = {
    "experiment": "experiment",
    "title": "title",
    "preset": "preset",
    "arm": "arm",
    "state": "state",
    "verdict": "outcome",
    "seed": "seed",
    "device": "device",
    "step": "step",
    "duration": "duration",
    "size": "size",
    "created": "created",
    "checkpoints": "checkpoints",
    "star": "star",
    "tags": "tags",
    "note": "note",
    "study": "study",
    "file": "file",
    "run_id": "run_id",
    "parent_run": "parent_run",
}
"""Names of facts in filters, columns and groups; every other name is a knob's."""


def scan(folder: str | os.PathLike[str]) -> list[RunEntry]:
    """Every run file below ``folder``, newest first, damaged ones last. Reads every file; never raises."""
    entries = [entry(path, study) for path, study in run_files(Path(folder))]
    entries.sort(key=lambda run: (run.created, run.run_id), reverse=True)
    return entries


def entry(path: str | os.PathLike[str], study: str = "") -> RunEntry:
    """What the file says of itself. Never raises: a file that cannot be read says why."""
    path = Path(path)
    try:
        stamp = stamp_of(path)
    except OSError as error:
        return RunEntry(path, problem=f"{path} cannot be read: {error.strerror}", study=study)
    try:
        return _read(path, stamp, study)
    except RunFileError as error:
        return RunEntry(path, size=stamp[1], problem=str(error), study=study, stamp=stamp)


def run_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Run files below a folder, or the one file itself, each with the folder of its study."""
    if folder.is_file():
        yield folder, str(folder.parent) if (folder.parent / STUDY_FILE).is_file() else ""
        return
    studies: dict[str, str] = {}
    for at, folders, names in os.walk(folder):  # links to folders are not followed
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        study = studies[at] = at if STUDY_FILE in names else studies.get(str(Path(at).parent), "")
        for name in names:
            if name.endswith(SUFFIX) and not name.startswith("."):
                yield Path(at, name), study


def stamp_of(path: Path) -> tuple[int, int, int]:
    """Changes with the file's content."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _key(number: Number) -> str:
    return number.statistic if number.count is None else f"{number.statistic} {number.count}"


def _read(path: Path, stamp: tuple[int, int, int], study: str) -> RunEntry:
    with RunReader(path) as run:
        header: dict[str, Any] = run.header
        labels, outcome = run.labels, run.verdict.get("outcome")
        numbers, spark, last = _sums(run)
        text = {name: header[name] or "" for name in ("run_id", "experiment", "title", "created")}
        rest = {name: header[name] for name in _DESCRIBED if name not in text}
        return RunEntry(
            path=path,
            state=run.state,
            outcome=outcome if isinstance(outcome, str) else None,
            size=stamp[1],
            step=last,
            duration=duration(*run.clock()),
            checkpoints=len(run.checkpoints()),
            star=labels.star,
            tags=labels.tags,
            note=labels.note,
            study=study,
            config_text=json.dumps(run.config),
            numbers_text=json.dumps(numbers),
            spark=spark,
            stamp=stamp,
            **text,
            **rest,
        )


def _sums(run: RunReader) -> tuple[dict[str, dict[str, float]], bytes, int | None]:
    """The kept statistics of every scalar series, the first view's line, the last step."""
    scalars, last = run.scalars()
    numbers = {
        name: {statistic: Number(name, statistic).of(*rows) for statistic in KEPT} for name, rows in scalars.items()
    }
    first = scalars.get(run.default_series) or next(iter(scalars.values()), None)
    spark = b"" if first is None else extremes(first[1], SPARK_COLUMNS).tobytes()
    return numbers, spark, last


def extremes(value: np.ndarray, columns: int) -> NDArray[np.float32]:
    """Minima and maxima, (2, K), of at most ``columns`` stretches of equally many rows."""
    if not len(value):
        return np.empty((2, 0), np.float32)
    starts = np.unique(np.linspace(0, len(value), min(columns, len(value)), endpoint=False).astype(int))
    with np.errstate(over="ignore"):
        return np.stack([pick.reduceat(value, starts) for pick in (np.fmin, np.fmax)]).astype(np.float32)


def duration(step: NDArray[np.int64], at: NDArray[np.float64]) -> float | None:
    """Seconds between the first and the last look at the clock, without those between sessions."""
    if len(step) < 2:
        return None
    return float(np.diff(at)[np.diff(step) > 0].sum())
