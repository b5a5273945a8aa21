"""The study command as a person or a script uses it: points, exit codes, going on after the worst."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.request import Request
from storage.reader import RunReader
from tests.lab.hosts.test_run import here
from tests.test_command_line import FAKE, ROOT, tdlab


def test_arms_run_and_are_judged_together_and_the_same_line_again_runs_nothing(tmp_path: Path):
    line = ["study", FAKE, "--arms", "--seeds", "2", "--workers", "1"]
    first = tdlab(*line, folder=tmp_path)
    assert first.returncode == 0 and "study: reproduced" in first.stdout, first.stderr
    assert "4/4  unstable, seed=1: not reproduced" in first.stdout
    (folder,) = (tmp_path / "studies").iterdir()
    assert len(list(folder.glob("*.h5"))) == 4 and (folder / "study.toml").exists()
    stamps = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = tdlab(*line, folder=tmp_path)
    assert again.returncode == 0 and "4 of them done before" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == stamps

    judged = tdlab("verdict", str(folder), "--json", folder=tmp_path)
    assert judged.returncode == 0  # its control arms end as they should
    *runs, whole = json.loads(judged.stdout)
    assert len(runs) == 4 and whole["study"] == str(folder) and whole["outcome"] == "reproduced"


def test_a_dry_run_prints_the_points_and_leaves_nothing(tmp_path: Path):
    line = ["study", FAKE, "--grid", "lr=0.1:10:3:log", "--grid", "width=2,4", "--dry-run"]
    result = tdlab(*line, folder=tmp_path)
    assert result.returncode == 0
    points = result.stdout.splitlines()
    assert points[:2] == ["lr=0.1, width=2", "lr=0.1, width=4"] and points[-1].startswith("6 runs in")
    zipped = tdlab("study", FAKE, "--grid", "lr=0.1,1", "--grid", "width=2,4", "--zip", "--dry-run", folder=tmp_path)
    assert zipped.stdout.splitlines()[:2] == ["lr=0.1, width=2", "lr=1, width=4"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([FAKE, "--grid", "lr"], "knob=value"),
        ([FAKE, "--grid", "lr=1,2", "--grid", "width=1", "--zip"], "as many values each"),
        ([FAKE, "--arm", "stabel"], "did you mean stable"),
    ],
)
def test_a_study_that_cannot_be_is_one_line_and_exit_2(arguments: list[str], words: str, tmp_path: Path):
    result = tdlab("study", *arguments, folder=tmp_path)
    assert result.returncode == 2 and words in result.stderr and len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_failures_are_told_and_cost_the_other_runs_nothing(tmp_path: Path):
    line = ["study", FAKE, "--grid", "raise_at=null,20", "--workers", "1", "--out", str(tmp_path / "s")]
    result = tdlab(*line, folder=tmp_path)
    assert result.returncode == 1 and "failed: raise_at=20: RuntimeError: asked to fail" in result.stderr
    assert "raise_at=null: " in result.stdout and "1 of 2 runs are not finished" not in result.stdout


def start(folder: Path) -> subprocess.Popen[str]:
    knobs = ["--set", "pause=0.01", "--set", "noise=0.5", "--set", "steps=300"]
    command = [sys.executable, "main.py", "study", FAKE, *knobs, "--seeds", "3", "--workers", "1", "--out", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_states(folder: Path) -> dict[str, str]:
    found = {}
    for path in folder.glob("*.h5"):
        with RunReader(path) as reader:
            found[path.name.split("-")[0]] = reader.state
    return found


def in_the_second_run(folder: Path) -> bool:
    return run_states(folder).get("seed=1") == "running" if folder.exists() else False


def wait_for(condition: object, *arguments: object) -> None:
    deadline = time.monotonic() + 60
    while not condition(*arguments) and time.monotonic() < deadline:  # type: ignore[operator] - any callable
        time.sleep(0.1)


def test_a_killed_study_goes_on_with_the_same_line_and_runs_only_what_is_missing(tmp_path: Path):
    process = start(tmp_path / "killed")
    wait_for(in_the_second_run, tmp_path / "killed")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    done = next((tmp_path / "killed").glob("seed=0-*"))
    stamp = done.stat().st_mtime_ns
    assert "seed=2" not in run_states(tmp_path / "killed")
    second = start(tmp_path / "killed")
    stdout, stderr = second.communicate(timeout=60)
    assert second.returncode == 0, stderr
    assert "3 runs, 1 of them done before" in stdout and done.stat().st_mtime_ns == stamp
    assert set(run_states(tmp_path / "killed").values()) == {"finished"}
    again = next((tmp_path / "killed").glob("seed=1-*"))
    whole = tmp_path / "whole.h5"
    knobs = {"noise": 0.5, "steps": 300, "pause": 0.001, "seed": 1}
    here(Request(experiment=FAKE, config=knobs, out=str(whole)))
    with RunReader(again) as one, RunReader(whole) as other:
        assert one.series("theta_now")[1].tolist() == other.series("theta_now")[1].tolist()


def test_ctrl_c_stops_a_study_cleanly(tmp_path: Path):
    process = start(tmp_path / "stopped")
    wait_for(in_the_second_run, tmp_path / "stopped")
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130 and "goes on with the 2 runs left" in stderr and "Traceback" not in stderr
    assert run_states(tmp_path / "stopped") == {"seed=0": "finished", "seed=1": "stopped"}
