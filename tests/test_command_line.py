"""The command line as a person or a script uses it: exit codes, one-line errors, files that can be gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.reader import RunReader

ROOT = Path(__file__).parent.parent
FAKE = "tests.fakes:"


def tdlab(*arguments: str, folder: Path, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TDLAB_RUNS": str(folder)}
    command = [sys.executable, "main.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=timeout)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    assert tdlab("run", FAKE, "--arm", "stable", "--out", str(folder / "a.h5"), folder=folder).returncode == 0
    return folder / "a.h5"


def test_list_names_every_experiment_for_people_and_for_programs(tmp_path: Path):
    assert "adam-spikes" in tdlab("list", folder=tmp_path).stdout
    (item,) = [i for i in json.loads(tdlab("list", "--json", folder=tmp_path).stdout) if i["name"] == "adam-spikes"]
    assert item["arms"] == {
        "spikes": "reproduced",
        "gd": "not reproduced",
        "beta2-0.9": "not reproduced",
        "eps-0.1": "not reproduced",
    }
    assert item["presets"] == ["network", "quadratic", "50-d", "images", "transformer"]
    assert {"title", "theme", "paper", "views"} <= set(item) and item["knobs"]["lr"]["live"] is True
    assert item["instruments"]["predicted_crossing"] == {
        "series": ["predicted_crossing"],
        "every": "record_every",
        "exact": True,
        "optional": False,
        "estimator": "",
    }


def test_a_run_goes_to_the_runs_folder_and_its_verdict_is_printed(tmp_path: Path):
    result = tdlab("run", FAKE, "--arm", "unstable", "--seed", "3", "--steps", "40", folder=tmp_path)
    assert result.returncode == 0 and "not reproduced" in result.stdout and "FAIL" in result.stdout
    (path,) = tmp_path.glob("*.h5")
    with RunReader(path) as reader:
        assert (reader.config["lr"], reader.config["seed"], reader.config["steps"]) == (2.5, 3, 40)
        assert reader.header["arm"] == "unstable" and reader.verdict["outcome"] == "not reproduced"


def test_verdict_exit_codes_tell_the_outcome(finished: Path, tmp_path: Path):
    assert tdlab("verdict", str(finished), folder=tmp_path).returncode == 0
    tdlab("run", FAKE, "--arm", "unstable", "--out", str(tmp_path / "b.h5"), folder=tmp_path)
    both = tdlab("verdict", str(finished), str(tmp_path), "--json", folder=tmp_path)
    assert both.returncode == 3
    assert [row["outcome"] for row in json.loads(both.stdout)] == ["reproduced", "not reproduced"]


def test_the_cost_of_a_run_and_of_each_reading_is_told_without_running(tmp_path: Path):
    result = tdlab("run", FAKE, "--cost", "--also", "largest", folder=tmp_path)
    assert result.returncode == 0 and result.stdout.startswith("about ")
    for name, every in (("sharpness", 5), ("where", 2), ("largest", 4)):
        (line,) = [line for line in result.stdout.splitlines() if line.startswith(name)]
        assert "steps, " in line and line.endswith(f"s a reading, every {every} steps")
    assert not list(tmp_path.iterdir())


def test_an_optional_instrument_is_switched_on_from_the_command_line(tmp_path: Path):
    assert tdlab("run", FAKE, "--also", "largest", "--steps", "8", folder=tmp_path).returncode == 0
    (path,) = tmp_path.glob("*.h5")
    with RunReader(path) as reader:
        assert reader.series("largest")[0].tolist() == [0, 4, 8]


def test_readings_are_forced_to_every_k_steps_and_a_replay_of_the_file_reads_as_often(tmp_path: Path):
    first, again = tmp_path / "first.h5", tmp_path / "again.h5"
    forced = ("--also", "largest=3", "--also", "where=7")
    assert tdlab("run", FAKE, *forced, "--steps", "8", "--out", str(first), folder=tmp_path).returncode == 0
    assert tdlab("run", FAKE, "--config", str(first), "--out", str(again), folder=tmp_path).returncode == 0
    for path in (first, again):
        with RunReader(path) as reader:
            assert reader.also == ("largest=3", "where=7")
            assert reader.series("largest")[0].tolist() == [0, 3, 6, 8]
            assert reader.series("norm")[0].tolist() == [0, 7, 8]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", FAKE, "--also", "larges"], "did you mean largest"),
        (["run", FAKE, "--also", "largest=0"], "every K steps by largest=K with K at least 1"),
        (["run", FAKE, "--also", "wher=2"], "did you mean where"),
        (
            ["run", FAKE, "--also", "largest@3,4,5"],
            "no instrument that uses steps of your choice is called 'largest'; there is none",
        ),
        (["run", "adam-spike"], "did you mean adam-spikes"),
        (["run", FAKE, "--arm", "stabel"], "did you mean stable"),
        (["run", FAKE, "--set", "lr=1e9"], "1e-06 to 1000"),
        (["run", FAKE, "--set", "learning=1"], "no such knob"),
        (["run", FAKE, "--set", "lr"], "knob=value"),
        (["run", FAKE, "--steps", "many"], "valid integer"),
        (["run", FAKE, "--device", "abacus"], "no device 'abacus'. It has: cpu"),
        (["run", FAKE, "--config", "pyproject.toml"], "neither a run file nor JSON"),
        (["run", FAKE, "--bogus"], "--bogus"),
        (["frobnicate"], "frobnicate"),
        (["verdict", "nowhere.h5"], "does not exist"),
        (["verdict", "pyproject.toml"], "not an HDF5 file"),
        (["resume", "pyproject.toml"], "not an HDF5 file"),
        (["export", "pyproject.toml", "--view", "loss", "--out", "x.pdf"], "not an HDF5 file"),
        (["export", "--view", "loss", "--out", "x.pdf"], "name run files"),
        (["export", "--recipe", "constraints.txt", "--out", "x.pdf"], "not a figure recipe"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments: list[str], words: str, tmp_path: Path):
    result = tdlab(*arguments, folder=tmp_path)
    assert result.returncode == 2
    assert words in result.stderr and len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_not_overwritten(finished: Path, tmp_path: Path):
    before = finished.read_bytes()
    result = tdlab("run", FAKE, "--out", str(finished), folder=tmp_path)
    assert result.returncode == 2 and "a.h5" in result.stderr and finished.read_bytes() == before


def test_ctrl_c_stops_cleanly_and_resume_finishes_the_run(tmp_path: Path):
    out = tmp_path / "c.h5"
    command = [sys.executable, "main.py", "run", FAKE, "--set", "pause=0.01", "--steps", "300", "--out", str(out)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (out.exists() and _rows(out) > 20) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in stderr
    with RunReader(out) as reader:
        assert reader.state == "stopped"
    assert tdlab("resume", str(out), folder=tmp_path).returncode == 0
    with RunReader(out) as reader:
        assert reader.state == "finished" and reader.series("train_loss")[0].tolist() == list(range(300))
    again = tdlab("resume", str(out), folder=tmp_path)
    assert again.returncode == 2 and "is finished" in again.stderr


def _rows(path: Path) -> int:
    with RunReader(path) as reader:
        return len(reader.series("train_loss")[0]) if "train_loss" in reader.names() else 0


def test_a_branch_differs_from_its_step_on(finished: Path, tmp_path: Path):
    out = tmp_path / "branch.h5"
    result = tdlab("branch", str(finished), "--at", "20", "--set", "lr=0.5", "--out", str(out), folder=tmp_path)
    assert result.returncode == 0
    with RunReader(out) as branch, RunReader(finished) as parent:
        assert branch.series("train_loss")[0][0] == 20
        assert branch.series("train_loss")[1][0] == parent.series("train_loss")[1][20]
        assert branch.header["parent_run"] == parent.header["run_id"] and branch.config["lr"] == 0.5


def test_a_run_files_config_with_its_events_reproduces_the_series(tmp_path: Path):
    from lab.hosts.link import QueueLink
    from lab.hosts.run import execute
    from lab.request import Request
    from tests.lab.hosts.test_run import Watcher, at_step

    watcher = Watcher()
    watcher.when(at_step(50), "set", {"lr": 0.4})
    watcher.when(at_step(90), "act", "reset", {"value": 3.0})
    knobs = {"noise": 0.5, "pause": 0.002}
    first = Request(experiment=FAKE, config=knobs, preset="demo", arm="stable", out=str(tmp_path / "one.h5"))
    execute(first, QueueLink(watcher.commands, watcher))
    tdlab("run", FAKE, "--config", str(tmp_path / "one.h5"), "--out", str(tmp_path / "two.h5"), folder=tmp_path)
    with RunReader(tmp_path / "one.h5") as one, RunReader(tmp_path / "two.h5") as two:
        assert [e["kind"] for e in one.events()] == ["knobs", "action"]
        assert (two.header["preset"], two.header["arm"]) == ("demo", "stable"), "it is called what the first was"
        assert one.series("train_loss")[1].tolist() == two.series("train_loss")[1].tolist()
        assert [(e["step"], e["payload"]) for e in one.events()] == [(e["step"], e["payload"]) for e in two.events()]


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_a_view_is_exported_with_the_same_bytes_every_time(finished: Path, tmp_path: Path, ending: str):
    for name in ("one", "two"):
        arguments = ["export", str(finished), "--view", "loss", "--out", str(tmp_path / f"{name}.{ending}")]
        assert tdlab(*arguments, "--size", "single", "--data", folder=tmp_path).returncode == 0
    assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
    lines = (tmp_path / "one.csv").read_text().splitlines()
    assert lines[0] == "run_id,series,step,value" and len(lines) == 201


def test_a_recipe_draws_many_panels_and_a_figure_is_a_recipe(finished: Path, tmp_path: Path):
    recipe = tmp_path / "figure.json"
    panels = [{"view": "loss", "runs": [str(finished)]}, {"view": "stages", "runs": [str(finished)]}]
    recipe.write_text(json.dumps({"panels": panels}))
    result = tdlab("export", "--recipe", str(recipe), "--out", str(tmp_path / "one.svg"), "--data", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [Path(line).name for line in result.stdout.splitlines()] == ["one.svg", "one-a.csv", "one-b.csv"]
    command = ["export", str(finished), "--recipe", str(tmp_path / "one.svg"), "--out", str(tmp_path / "two.svg")]
    assert tdlab(*command, folder=tmp_path).returncode == 0
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_an_unknown_view_names_those_there_are(finished: Path, tmp_path: Path):
    result = tdlab("export", str(finished), "--view", "lss", "--out", str(tmp_path / "x.pdf"), folder=tmp_path)
    assert result.returncode == 2 and "did you mean loss" in result.stderr


def test_numpy_computes_on_one_thread_unless_told_otherwise():
    ask = [sys.executable, "-c", "import os, main; print(os.environ['OPENBLAS_NUM_THREADS'])"]
    bare = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    for env, threads in ((bare, "1"), (bare | {"OPENBLAS_NUM_THREADS": "2"}, "2")):
        done = subprocess.run(ask, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == threads
