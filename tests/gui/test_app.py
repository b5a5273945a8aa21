"""Start-up: the window is seen before anything heavy is loaded, opens a run file, and closes."""

import json
import os
import queue
import subprocess
import sys
from pathlib import Path

import pytest

from lab.hosts.link import QueueLink
from lab.hosts.run import execute
from lab.registry import experiment
from lab.request import Request

HEAVY = ("torch._C", "numpy", "pydantic", "pyqtgraph", "matplotlib", "h5py", "typer")

SCRIPT = f"""
import json, sys
from PySide6.QtCore import QEvent, QObject, QTimer
import gui.app
from gui.main_window import MainWindow

said = {{}}

class Watch(MainWindow):
    def paintEvent(self, event):
        super().paintEvent(event)
        said.setdefault("at first paint", [name for name in {HEAVY!r} if name in sys.modules])
        if "watching" not in said:
            said["watching"] = QTimer(self, interval=20, timeout=self.look)
            said["watching"].start()

    def look(self):
        run = self.lab.current()
        if run is not None and self.lab.verdict.verdict is not None:
            said.pop("watching").stop()
            said["shown"] = self.lab.tabs.tabText(self.lab.tabs.currentIndex())
            said["views"] = len(self.lab.tabs.currentWidget().page.views)
            said["verdict"] = self.lab.verdict.verdict.outcome
            said["torch"] = "torch._C" in sys.modules
            self.close()

gui.app.MainWindow = Watch

if __name__ == "__main__":
    code = gui.app.open_window(sys.argv[1:])
    print(json.dumps(said | {{"code": code}}))
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "kept.h5"
    config = experiment("adam-spikes").configure("quadratic", "spikes", {"steps": 300}).model_dump(mode="json")
    request = Request(experiment="adam-spikes", config=config, out=str(path), preset="quadratic", arm="spikes")
    state, problem = execute(request, QueueLink(queue.Queue(), lambda messages: None))
    assert (state, problem) == ("finished", "")
    return path


def test_the_window_is_painted_before_anything_heavy_is_loaded_and_shows_a_stored_run(finished, tmp_path):
    script = tmp_path / "start.py"
    script.write_text(SCRIPT)
    folders = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "TDLAB_RUNS": str(finished.parent)}
    done = subprocess.run(
        [sys.executable, str(script), str(finished)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | folders | {"PYTHONPATH": str(Path.cwd())},
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["at first paint"] == []
    assert said["shown"].startswith("Adam spikes")
    shown = experiment("adam-spikes")
    assert said["views"] == sum(view.applies(shown.configure("quadratic")) for view in shown.views)
    assert said["verdict"] in ("reproduced", "not reproduced", "not comparable")
    assert not said["torch"]
    assert said["code"] == 0
    assert done.stderr == ""


HASTY = """
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
import gui.app

class Hasty(gui.app.MainWindow):
    def paintEvent(self, event):
        QTimer.singleShot(0, QApplication.instance(), QApplication.closeAllWindows)
        super().paintEvent(event)

gui.app.MainWindow = Hasty
raise SystemExit(gui.app.open_window())
"""


def test_a_window_that_is_closed_at_its_first_paint_ends_well(tmp_path):
    """Its threads still read then; one that reported to a window already gone brought the process down."""
    folders = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"), str(tmp_path))
    for _ in range(3):
        subprocess.run([sys.executable, "-c", HASTY], timeout=120, env=os.environ | folders, check=True)
