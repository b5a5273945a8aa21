"""One run minus another as an open run, so that every view can show the difference."""

from __future__ import annotations

from gui.compare.members import Member
from gui.runs.open_run import OpenRun
from lab.differing import Difference
from lab.stream import steps_of
from lab.verdict import Verdict
from lab.views import View


class DifferenceRun(OpenRun):
    """A run minus the reference, at the steps that both recorded."""

    def __init__(self, run: Member, reference: Member, spec: View) -> None:
        super().__init__()
        self.experiment, self.config = run.experiment, run.config
        self.source = Difference(run.source, reference.source, spec.places)
        self.header, self.path, self.state = dict(run.header), run.path, "finished"

    @property
    def step(self) -> int:
        return max((int(steps_of(self.source, name)[-1:].max(initial=0)) for name in self.source.names()), default=0)

    @property
    def steps(self) -> int:
        return self.step

    def checkpoints(self) -> list[int]:
        return []

    def verdict(self) -> Verdict | None:
        return None
