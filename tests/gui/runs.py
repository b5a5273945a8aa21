"""Made-up open runs for tests of views and pages."""

from typing import Any

from gui.runs.open_run import OpenRun
from lab.experiment import Experiment
from lab.stream import MemoryRun, Source
from tests.fakes import Tiny


class MadeUpRun(OpenRun):
    """An open run over any source, live or not."""

    step = 0
    rate = 0.0

    def __init__(self, source: Source | None = None, *, live: bool = False, state: str = "finished") -> None:
        super().__init__()
        self.experiment: type[Experiment] | None = Tiny
        self.config: Any = Tiny.configure(values={"steps": 1000})
        self.source: Any = MemoryRun() if source is None else source
        self.header = {"title": "Tiny quadratic", "preset": "demo", "arm": "", "seed": 0, "run_id": "made-up"}
        self.path = ""
        self.state = state
        self.is_live = live
        self.stored: list[int] = []
        self.calls: list[tuple[Any, ...]] = []

    @property
    def live(self) -> bool:
        return self.is_live

    @property
    def steps(self) -> int:
        return self.config.steps

    def checkpoints(self) -> list[int]:
        return self.stored

    def become(self, state: str) -> None:
        self.state = state
        self.state_changed.emit(state)

    def pause(self) -> None:
        self.calls.append(("pause",))

    def go(self) -> None:
        self.calls.append(("go",))

    def step_once(self, count: int = 1) -> None:
        self.calls.append(("step_once", count))

    def slow(self, seconds: float) -> None:
        self.calls.append(("slow", seconds))

    def stop(self) -> None:
        self.calls.append(("stop",))
