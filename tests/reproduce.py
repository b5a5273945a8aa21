"""The long proof: every arm of every experiment's demo presets, judged by its own file.

``python -m tests.reproduce [--seeds N] [--only NAME]... [--write]`` prints the table, and writes docs/reproduced.md;
exit 1 when an arm ends otherwise than its claim predicts.
"""

from __future__ import annotations

import argparse
import os
import queue
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from lab import registry
from lab.experiment import Experiment
from lab.hosts import execute
from lab.link import QueueLink
from lab.request import Request
from lab.verdict import Verdict
from storage.reader import RunReader

PAGE = Path(__file__).parent.parent / "docs" / "reproduced.md"


@dataclass(frozen=True)
class Row:
    """One arm of one preset with one seed."""

    experiment: str
    preset: str
    arm: str
    seed: int
    expected: str
    verdict: Verdict
    seconds: float

    @property
    def as_expected(self) -> bool:
        return self.verdict.outcome == self.expected

    def __str__(self) -> str:
        numbers = "; ".join(f"{c.name} {c.value:.4g} ({c.threshold})" for c in self.verdict.checks)
        mark = "" if self.as_expected else f" **(expected: {self.expected})**"
        cells = (self.experiment, self.preset, self.arm, self.seed, self.verdict.outcome + mark)
        return (
            "| "
            + " | ".join(
                map(str, (*cells, (self.verdict.reason or numbers).replace("|", "\\|"), f"{self.seconds:.0f} s"))
            )
            + " |"
        )


def run_arm(cls: type[Experiment], preset: str, arm: str, seed: int | None, folder: Path) -> Row:
    """Run one arm to its end and judge it. ``seed`` None keeps the preset's own."""
    config = cls.configure(preset, arm, {} if seed is None else {"seed": seed})
    out = folder / f"{cls.name}-{preset}-{arm}-{config.seed}.h5"
    request = Request(experiment=cls.name, config=config.model_dump(mode="json"), out=str(out), preset=preset, arm=arm)
    started = time.process_time()
    state, problem = execute(request, QueueLink(queue.Queue(), lambda messages: None))
    seconds = time.process_time() - started
    if state != "finished":
        verdict = Verdict.not_comparable(problem or state)
    else:
        with RunReader(out) as reader:
            verdict = Verdict.from_json(reader.verdict)
    return Row(cls.name, preset, arm, config.seed, cls.arms[arm].expect, verdict, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=0, help="run seeds 0..N-1 instead of each preset's own")
    parser.add_argument("--only", action="append", help="experiments to run; all of them when absent")
    parser.add_argument("--preset", action="append", help="presets to run; the first of each experiment when absent")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    found, broken = registry.discover()
    chosen = [registry.experiment(name) for name in options.only] if options.only else list(found.values())
    where = f"{time.strftime('%Y-%m-%d')}, CPU, {os.cpu_count()} cores, processor seconds"
    lines = [f"Run on {where}.", "", "| experiment | preset | arm | seed | outcome | numbers (threshold) | time |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(lines), flush=True)
    unexpected = len(broken)
    with tempfile.TemporaryDirectory() as folder:
        for cls in chosen:
            for preset in options.preset or [next(iter(cls.presets))]:
                for arm in cls.arms:
                    for seed in range(options.seeds) if options.seeds else (None,):
                        row = run_arm(cls, preset, arm, seed, Path(folder))
                        unexpected += not row.as_expected
                        lines.append(str(row))
                        print(row, flush=True)
    if options.write:
        PAGE.write_text("# Every claim, run\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
