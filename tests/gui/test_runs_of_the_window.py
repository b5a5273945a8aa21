"""Stored runs are open runs; runs on this machine start, branch, are listed and estimated."""

import queue
import subprocess
import sys
from pathlib import Path

import pytest

from gui.runs.local import LocalRuns, duration
from gui.runs.runs import label, started, title_of
from gui.runs.stored import StoredRun
from lab.hosts.link import QueueLink
from lab.hosts.run import execute
from lab.request import Request
from storage.catalogue import RunEntry
from storage.errors import RunFileError
from tests.fakes import Tiny

NAME = "tests.fakes:"


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> str:
    path = str(tmp_path_factory.mktemp("runs") / "tiny.h5")
    config = Tiny.configure("demo", "stable", {"steps": 60}).model_dump(mode="json")
    request = Request(experiment=NAME, config=config, out=path, preset="demo", arm="stable")
    state, problem = execute(request, QueueLink(queue.Queue(), lambda messages: None))
    assert (state, problem) == ("finished", "")
    return path


def test_a_stored_run_is_an_open_run_that_cannot_be_commanded(qtbot, file):
    run = StoredRun(file)
    assert (run.state, run.live, run.step, run.steps) == ("finished", False, 60, 60)
    assert run.experiment is Tiny
    assert run.config == Tiny.configure("demo", "stable", {"steps": 60})
    verdict = run.verdict()
    assert verdict is not None and verdict.outcome == "reproduced"
    assert title_of(run) == "Tiny quadratic – demo – stable – seed 0"
    assert 0 in run.checkpoints()
    run.close()


def test_a_run_whose_file_goes_while_it_is_open_has_no_verdict_and_no_error(qtbot, file):
    run = StoredRun(file)
    assert run.verdict() is not None
    moved = Path(file).rename(Path(file).with_suffix(".binned"))
    assert run.verdict() is None
    moved.rename(file)
    run.close()


def test_a_failed_run_says_why_when_it_is_opened_again(qtbot, tmp_path):
    path = str(tmp_path / "nan.h5")
    config = Tiny.configure(values={"blow_up_at": 7}).model_dump(mode="json")
    execute(Request(experiment=NAME, config=config, out=path), QueueLink(queue.Queue(), lambda messages: None))
    run = StoredRun(path)
    assert run.state == "failed"
    assert "7" in run.problem
    run.close()


def test_a_file_that_is_no_run_is_one_clear_line(qtbot, tmp_path):
    path = tmp_path / "foreign.h5"
    path.write_bytes(b"nothing")
    with pytest.raises(RunFileError, match="foreign"):
        StoredRun(str(path))


def test_runs_in_the_folder_are_listed(file):
    (entry,) = LocalRuns(Path(file).parent).stored()
    assert label(entry) == "Tiny quadratic – demo – stable – seed 0"
    assert started(entry) > 1.7e9
    assert started(RunEntry(Path("x"))) == 0


def test_a_branch_starts_in_a_child_at_the_asked_step_with_the_forms_knobs(qtbot, file, monkeypatch, tmp_path):
    monkeypatch.setenv("TDLAB_RUNS", str(tmp_path))
    runs, parent = LocalRuns(), StoredRun(file)
    config = parent.config.changed({"lr": 0.5})
    branch = runs.branch(parent, 30, config)
    with qtbot.waitSignal(branch.state_changed, timeout=90_000, check_params_cb=lambda state: state == "finished"):
        pass
    assert branch.config.lr == 0.5
    assert branch.header["parent_step"] == 30
    assert Path(branch.path).parent == tmp_path
    runs.close()
    parent.close()


def test_durations_are_short():
    assert [duration(s) for s in (0.123, 44, 100, 5400, 200_000)] == ["0.12 s", "44 s", "1.7 min", "1.5 h", "2.3 d"]


def test_the_windows_process_shows_a_form_and_never_loads_torch(tmp_path):
    code = f"""
import sys
from pathlib import Path
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
app = QApplication([])
from gui.runs.local import LocalRuns
from gui.main_window import MainWindow
from lab.registry import discover
from tests.gui.standins import FakePage, FakeTransport
folder = Path({str(tmp_path)!r})
settings = QSettings(str(folder / 'w.ini'), QSettings.IniFormat)
window = MainWindow(LocalRuns(folder), FakePage, FakeTransport(), settings)
window.show()
window.set_experiments(*discover())
print(window.lab.knobs.form is not None, "torch._C" in sys.modules)
window.close()
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert out.stdout.split() == ["True", "False"]
