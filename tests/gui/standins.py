"""Stand-ins for what the window is built around: runs, views, transport."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel

from gui.lab.slider import StepSlider
from gui.runs.open_run import OpenRun
from gui.theme import LIGHT, Theme
from lab.stream import MemoryRun
from lab.verdict import Verdict
from storage.catalogue import RunEntry
from storage.errors import RunFileError
from tests.fakes import Tiny


class FakeRun(OpenRun):
    """A live run that does what it is told at once and notes it."""

    def __init__(self, experiment=Tiny, config=None, path="", state="running", **header: Any) -> None:
        super().__init__()
        self.experiment, self.config = experiment, config or experiment.configure()
        self.source = MemoryRun(train_loss=([0, 10, 20], [1.0, 0.5, 0.1]))
        self.header = {"experiment": experiment.name, "preset": "demo", "arm": "stable", **header}
        self.path, self.state = path, state
        self.asked: list[Any] = []

    @property
    def step(self) -> int:
        return 20

    @property
    def live(self) -> bool:
        return self.state in ("preparing", "running", "paused")

    @property
    def steps(self) -> int:
        return self.config.steps

    def checkpoints(self) -> list[int]:
        return [0]

    def become(self, state: str, problem: str = "") -> None:
        self.state, self.problem = state, problem
        self.state_changed.emit(state)

    def pause(self) -> None:
        self.become("paused")

    def go(self) -> None:
        self.become("running")

    def step_once(self, count: int = 1) -> None:
        self.asked.append(("step", count))

    def stop(self) -> None:
        self.asked.append("stop")

    def relocate(self, path: str) -> None:
        self.asked.append(("relocate", path))

    def set_knobs(self, values: dict[str, Any]) -> None:
        self.asked.append(values)

    def act(self, action: str, arguments: dict[str, Any]) -> None:
        self.asked.append((action, arguments))


class FakeRuns:
    """Starts fake runs and lists what it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.device = "cpu"
        self.started: list[FakeRun] = []
        self.closed = False
        self.watched: list[Path] = []
        self.numbers: list[Any] = []
        self.left = 0
        self.list: list[RunEntry] = []

    def start(self, experiment, config, preset, arm, also=()) -> FakeRun:
        run = FakeRun(experiment, config, str(self.folder / f"{len(self.started)}.h5"), preset=preset, arm=arm)
        run.also = also
        self.started.append(run)
        return run

    def open(self, path: str) -> FakeRun:
        if "broken" in path:
            raise RunFileError(f"{path} is no run file")
        return FakeRun(path=path, state="finished")

    def branch(self, run, step, config, acts=()) -> FakeRun:
        self.branched = (run, step)
        return self.start(run.experiment, config, "demo", "")

    def replay(self, run) -> FakeRun:
        return self.start(run.experiment, run.config, "demo", "")

    def resume(self, run) -> FakeRun:
        return FakeRun(path=run.path, state="preparing")

    def devices(self) -> list[tuple[str, str]]:
        return [("cpu", "CPU"), ("cuda:0", "A GPU")]

    def seconds(self, experiment, config) -> float:
        return 3.0

    def estimate(self, experiment, config, also=()) -> str:
        return " with ".join([f"about {config.steps} s", *also])

    def preview(self, experiment, config) -> dict[str, Any]:
        return {"norm": ({}, [0], [config.lr])}

    def measure(self, run, also, at) -> str:
        self.measured = (run.path, also, at)
        return ""

    def close(self) -> None:
        self.closed = True

    def stored(self) -> list[RunEntry]:
        return self.list


class FakeTransport(QLabel):
    """Knows which run it was given."""

    run_requested = Signal()
    branch_requested = Signal(int)
    step_selected = Signal(object)
    run: OpenRun | None = None
    moves: list[int]

    def __init__(self) -> None:
        super().__init__("transport")
        self.moves = []
        self.slider = StepSlider(LIGHT)
        self.slider.setParent(self)

    def set_run(self, run: OpenRun | None, step: int | None = None) -> None:
        self.run = run

    def set_theme(self, theme: Theme) -> None:
        pass

    def previous_event(self) -> None:
        self.moves.append(-1)

    def next_event(self) -> None:
        self.moves.append(1)

    def branch(self) -> None:
        self.branch_requested.emit(20)


class FakePage(QLabel):
    """Views that only judge."""

    verdict_changed = Signal(object)

    def __init__(self, run: OpenRun, theme: Theme) -> None:
        super().__init__("views")
        self.verdict: Verdict | None = run.verdict()
        self.theme, self.step = theme, None

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme

    def set_step(self, step: int | None) -> None:
        self.step = step

    def save_layout(self) -> dict[str, Any]:
        return {"docks": "as left"}

    def restore_layout(self, layout: dict[str, Any]) -> None:
        self.layout_taken = layout

    def reset_layout(self) -> None:
        self.was_reset = True
