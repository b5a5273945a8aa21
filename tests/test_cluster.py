"""A study on a real Dask cluster: a scheduler and two workers, each a process of its own; one is killed in mid-run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.reader import RunReader
from tests.test_command_line import FAKE, ROOT, tdlab
from tests.test_study_command import run_states, wait_for

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

Processes = list[subprocess.Popen[bytes]]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[Path, Processes]]:
    """The scheduler's file; and scheduler, worker, worker."""
    file = tmp_path / "scheduler.json"
    quiet = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "cwd": ROOT,
        "env": {**os.environ, "PYTHONPATH": str(ROOT)},
    }
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    processes = [subprocess.Popen([*dask, "--no-dashboard", "--scheduler-file", str(file)], **quiet)]
    wait_for(file.exists)
    for number in range(2):
        dask = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1"]
        options = ["--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path / f"worker{number}")]
        processes.append(subprocess.Popen([*dask, *options], **quiet))
    yield file, processes
    for process in processes:
        process.kill()
        process.wait()


def command(file: Path, folder: Path) -> list[str]:
    knobs = ["--set", "pause=0.01", "--set", "noise=0.5", "--set", "steps=500", "--seeds", "3"]
    return ["study", FAKE, *knobs, "--scheduler", str(file), "--out", str(folder)]


def two_are_running(folder: Path) -> bool:
    return list(run_states(folder).values()).count("running") == 2 if folder.exists() else False


def test_a_study_outlives_a_worker_its_client_and_its_scheduler(cluster: tuple[Path, Processes], tmp_path: Path):
    file, (scheduler, worker, _) = cluster
    folder = tmp_path / "study"
    client = [sys.executable, "main.py", *command(file, folder)]
    first = subprocess.Popen(client, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(two_are_running, folder)
    worker.send_signal(signal.SIGKILL)  # its point goes to the other worker, which goes on from the file
    stdout, stderr = first.communicate(timeout=90)
    assert first.returncode == 0, stderr
    assert run_states(folder) == dict.fromkeys(["seed=0", "seed=1", "seed=2"], "finished")
    assert "3/3" in stdout
    for path in folder.glob("*.h5"):
        with RunReader(path) as reader:
            assert reader.series("train_loss")[0].tolist() == list(range(500))

    other = tmp_path / "other"
    client = [sys.executable, "main.py", *command(file, other)]
    lost = subprocess.Popen(client, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: other.exists() and "running" in run_states(other).values())
    scheduler.send_signal(signal.SIGKILL)
    _, stderr = lost.communicate(timeout=90)
    assert lost.returncode == 1 and "is gone" in stderr and "Traceback" not in stderr
    wait_for(lambda: "running" not in run_states(other).values())
    here = tdlab("study", str(other), "--workers", "1", folder=tmp_path)  # without any cluster
    assert here.returncode == 0, here.stderr
    assert set(run_states(other).values()) == {"finished"} and len(run_states(other)) == 3


def test_workers_that_cannot_load_the_app_and_those_that_are_lost_are_told_apart():
    from lab.studies.cluster import lost

    strange = RuntimeError("Error during deserialization of the task graph. This frequently\noccurs if")
    for error in (strange, ModuleNotFoundError("No module named 'lab'")):
        assert "tcp://head:8786 or its workers cannot load this app" in lost(error, "tcp://head:8786")
    assert lost(RuntimeError("killed"), "tcp://head:8786") == "the worker was lost: killed"


def test_a_scheduler_that_is_not_there_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    line = ["study", FAKE, "--scheduler", "tcp://127.0.0.1:9", "--out", str(tmp_path / "s")]
    result = tdlab(*line, folder=tmp_path, timeout=90)
    assert result.returncode == 2 and "no scheduler answers at tcp://127.0.0.1:9" in result.stderr
    assert len(result.stderr.splitlines()) == 1
