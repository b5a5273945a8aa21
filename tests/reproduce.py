"""The long proof: every arm of every experiment's demo preset with three seeds, judged by its own run file.

``python -m tests.reproduce`` runs what is asked for and keeps each outcome in docs/reproduced.json, where a later run
of the same arm and seed replaces it; docs/reproduced.md and the table in README.md are drawn from there. What has not
been run is listed there as well. Exit 1 when an arm ends otherwise than its claim predicts.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import queue
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

from lab import registry
from lab.experiment import Experiment
from lab.verdict import Verdict

ROOT = Path(__file__).parent.parent
KEPT, PAGE, README = ROOT / "docs" / "reproduced.json", ROOT / "docs" / "reproduced.md", ROOT / "README.md"
MARKS = "<!-- verdicts: written by make reproduce -->", "<!-- end of verdicts -->"

Row = dict[str, Any]
Job = tuple[str, str, str, int]
"""Experiment, preset, arm, seed."""


def jobs(experiments: Iterable[type[Experiment]], presets: list[str], seeds: list[int]) -> Iterator[Job]:
    """All arms of the named presets that an experiment has; of its first preset, where it has none of them."""
    for cls in experiments:
        chosen = [name for name in presets if name in cls.presets] or [next(iter(cls.presets))]
        for preset, arm in settings(cls):
            if preset in chosen:
                for seed in seeds:
                    yield cls.name, preset, arm, seed


def settings(cls: type[Experiment]) -> Iterator[tuple[str, str]]:
    """Every preset with every arm, once: an arm that is the same beside several presets belongs to the first."""
    seen = []
    for preset in cls.presets:
        for arm in cls.arms:
            knobs = cls.configure(preset, arm, {"seed": 0})
            if (arm, knobs) not in seen:
                seen.append((arm, knobs))
                yield preset, arm


def not_run(experiments: Iterable[type[Experiment]], rows: list[Row]) -> list[str]:
    """A line for each preset that has arms without a run."""
    there = {key(row)[:3] for row in rows}
    lines = []
    for cls in experiments:
        missing = [pair for pair in settings(cls) if (cls.name, *pair) not in there]
        for preset, group in groupby(missing, key=lambda pair: pair[0]):
            lines.append(f"- {cls.name}, preset {preset}: {', '.join(arm for _, arm in group)}")
    return lines


def run_arm(job: Job) -> Row:
    """Run one arm to its end in this process and judge it by its file."""
    from lab.hosts.link import QueueLink
    from lab.hosts.run import execute
    from lab.request import Request
    from storage.reader import RunReader

    name, preset, arm, seed = job
    cls = registry.experiment(name)
    config = cls.configure(preset, arm, {"seed": seed}).model_dump(mode="json")
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run.h5"
        request = Request(experiment=name, config=config, out=str(out), preset=preset, arm=arm)
        state, problem = execute(request, QueueLink(queue.Queue(), lambda messages: None))
        if state == "finished":
            with RunReader(out) as reader:
                verdict = Verdict.from_json(reader.verdict)
        else:
            verdict = Verdict.not_comparable(problem or state)
        size = out.stat().st_size if out.exists() else 0
    row = dict(zip(("experiment", "preset", "arm", "seed"), job, strict=True))
    row |= {"expected": cls.expected(preset, arm), "verdict": verdict.to_json()}
    row |= {"seconds": time.process_time() - started, "bytes": size}
    return row | {"date": time.strftime("%Y-%m-%d"), "machine": machine()}


def machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def key(row: Row) -> Job:
    return row["experiment"], row["preset"], row["arm"], row["seed"]


def as_expected(row: Row) -> bool:
    return row["verdict"]["outcome"] == row["expected"]


def declared(rows: Iterable[Row], experiments: Mapping[str, type[Experiment]]) -> Iterator[Row]:
    """Rows of arms that there still are, with what is expected of them now."""
    for row in rows:
        name, preset, arm, _ = key(row)
        cls = experiments.get(name)
        if cls is not None and preset in cls.presets and arm in cls.arms:
            yield row | {"expected": cls.expected(preset, arm)}


def page(rows: list[Row]) -> str:
    """The page: a line for each arm over its seeds, numbers as the range that the seeds gave."""
    lines = [
        "# Every claim, run",
        "",
        "`make reproduce` runs every arm of each experiment's demo preset, `python -m tests.reproduce --preset NAME`",
        "those of another one; both write this page from docs/reproduced.json, where every single number is. Numbers",
        "are the range over the seeds with the threshold of the verdict; times are processor seconds of one run, with",
        "its size on disk. An arm that is the same beside several presets stands under the first. Runs that could not",
        "be judged are counted apart, with the reason; a preset that the claim says nothing about should end so.",
        "",
        "| experiment | preset | arm | seeds | should end | does | numbers (threshold) | time | file | run on |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (name, preset, arm), group in groupby(rows, key=lambda row: key(row)[:3]):
        runs = list(group)
        does = share(runs) if all(map(as_expected, runs)) else f"**{share(runs)}**"
        cells = (name, preset, arm, ", ".join(str(run["seed"]) for run in runs), runs[0]["expected"], does)
        size = f"{max(run['bytes'] for run in runs) / 1e6:.1f} MB"
        days = sorted({run["date"] for run in runs})
        lines.append(row_of(*cells, numbers(runs), usual_time(runs), size, days[-1]))
    lines += ["", f"Machines: {'; '.join(sorted({run['machine'] for run in rows}))}.", ""]
    if missing := not_run(registry.discover()[0].values(), rows):
        lines += ["Not run:", "", *missing, ""]
    return "\n".join(lines)


def numbers(runs: list[Row]) -> str:
    reasons = sorted({run["verdict"]["reason"] for run in runs} - {""})
    ranges: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for check in run["verdict"]["checks"]:
            ranges.setdefault((check["name"], check["threshold"]), []).append(float(check["value"]))
    return "; ".join([*reasons, *(f"{name} {spread(found)} ({wanted})" for (name, wanted), found in ranges.items())])


def spread(values: list[float]) -> str:
    """The range of the numbers that there are; nan where a run had none."""
    found = [value for value in values if not math.isnan(value)]
    ends = [f"{end(found):.4g}" for end in (min, max)] if found else []
    return " to ".join(dict.fromkeys(ends)) + (" or nan" if ends and len(found) < len(values) else "") or "nan"


def usual_time(runs: list[Row]) -> str:
    seconds = statistics.median(run["seconds"] for run in runs)
    return f"{seconds:.0f} s" if seconds >= 1 else "< 1 s"


def row_of(*cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def short_table(rows: list[Row]) -> str:
    """README's table: how many runs of the arms that should reproduce did, and of those that should not did not."""
    lines = ["| experiment | preset | claim: reproduced | controls: not reproduced | a run takes |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for (name, preset), group in groupby(rows, key=lambda row: key(row)[:2]):
        runs = list(group)
        claim = [run for run in runs if run["expected"] == "reproduced"]
        controls = [run for run in runs if run["expected"] == "not reproduced"]
        told = share(claim) if claim or controls else "nothing claimed"
        lines.append(row_of(name, preset, told, share(controls), usual_time(runs)))
    return "\n".join(lines)


def share(runs: list[Row]) -> str:
    """How many of the runs that could be judged ended as expected, and how many could not be."""
    judged = [run for run in runs if as_expected(run) or run["verdict"]["outcome"] != "not comparable"]
    told = [f"{sum(map(as_expected, judged))} of {len(judged)}"] if judged else []
    told += [f"{len(runs) - len(judged)} not comparable"] if len(judged) < len(runs) else []
    return ", ".join(told) or "-"


def read(experiments: Mapping[str, type[Experiment]]) -> dict[Job, Row]:
    """The rows that are kept, of arms that are still there."""
    rows = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else []
    return {key(row): row for row in declared(rows, experiments)}


def write(found: Mapping[Job, Row]) -> None:
    """Keep the rows, and draw the page and README's table from them."""
    rows = [found[job] for job in sorted(found)]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    KEPT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    PAGE.write_text(page(rows), encoding="utf-8")
    before, begin, rest = README.read_text(encoding="utf-8").partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    README.write_text(f"{before}{begin}\n{short_table(rows)}\n{end}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="experiments to run; all of them when absent")
    parser.add_argument("--preset", action="append", default=[], help="presets to run; if absent, the first")
    parser.add_argument("--arm", action="append", default=[], help="arms to run; all of them when absent")
    parser.add_argument("--seeds", default="0,1,2", help="seeds, with commas between")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument("--missing", action="store_true", help="leave out what docs/reproduced.json has already")
    options = parser.parse_args()
    found, broken = registry.discover()
    chosen = [registry.experiment(name) for name in options.only] if options.only else list(found.values())
    kept = read(found)
    todo = list(jobs(chosen, options.preset, [int(seed) for seed in options.seeds.split(",")]))
    todo = [job for job in todo if not (options.missing and job in kept) and job[2] in (options.arm or [job[2]])]
    unexpected = len(broken)
    write(kept)
    with ProcessPoolExecutor(options.workers, multiprocessing.get_context("spawn")) as pool:
        for row in pool.map(run_arm, todo):
            unexpected += not as_expected(row)
            write(read(found) | {key(row): row})  # after each, so that nothing is lost, nor what another process adds
            print(*key(row), row["verdict"]["outcome"], numbers([row]), f"{row['seconds']:.0f} s", flush=True)
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
