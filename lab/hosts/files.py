"""What run files say of their runs, for those who carry out many: state, verdict, numbers. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.experiment import Experiment
from lab.verdict import StudyRow, Verdict
from storage.errors import RunFileError
from storage.reader import RunReader
from storage.writer import RunWriter


@dataclass(frozen=True)
class Found:
    """What a run file says of its run. ``state`` is empty without a file, and may be damaged; ``problem`` is why the
    run failed by itself, or what is wrong with the file."""

    state: str = ""
    outcome: str = ""
    problem: str = ""


def examine(path: str) -> Found:
    """How far the run in a file is, and by what a failed one failed. Never raises."""
    if not Path(path).exists():
        return Found()
    try:
        with RunReader(path) as reader:
            state = reader.state
            problem = ""
            if state == "failed":
                failures = [event["payload"] for event in reader.events() if event["kind"] == "failure"]
                problem = str(failures[-1].get("message", "failed")) if failures else ""
            return Found(state, str(reader.verdict.get("outcome", "")) if state == "finished" else "", problem)
    except RunFileError as error:
        return Found("damaged", "", str(error))


def steps_taken(path: str) -> int:
    """The newest recorded step; 0 before there is any."""
    try:
        with RunReader(path) as reader:
            return reader.last_step()
    except RunFileError:
        return 0


def study_row(path: str, cls: type[Experiment], *, anew: bool = True) -> StudyRow:
    """A finished run as the numbers that a study compares.

    Args:
        anew: Judge it anew; else the verdict that its file keeps will do, which is much quicker to read.

    Raises:
        RunFileError, ConfigError: It cannot be read.
    """
    with RunReader(path) as reader:
        config, kept = cls.Config.parse(reader.config), reader.verdict
        preset, arm = (str(reader.header[name] or "") for name in ("preset", "arm"))
        verdict = Verdict.from_json(kept) if kept and not anew else judged(cls, config, reader)
        numbers = reader.last_numbers()
    return StudyRow.of(cls.expected(preset, arm), arm, config, verdict, numbers)


def judged(cls: type[Experiment], config: Any, reader: RunReader) -> Verdict:
    """The verdict of a run by what is recorded; not comparable where that is too little."""
    try:
        return cls.verdict(config, reader)
    except (KeyError, IndexError, ValueError) as error:
        return Verdict.not_comparable(f"too little was recorded ({error})")


def mark_failed(path: str, why: str) -> str:
    """Say in the file of a run whose process died that it failed; returns what stood in the way, if anything did."""
    if not path:
        return ""
    try:
        writer = RunWriter.append_to(path)
        writer.log(why)
        writer.close("failed")
    except (RunFileError, OSError) as error:
        return f" Its file could not be marked: {error}"
    return ""
