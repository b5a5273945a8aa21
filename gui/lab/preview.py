"""What a run would start from, before any step: follows the knobs of the form."""

from typing import Any

import numpy as np

from gui.runs.open_run import OpenRun
from lab.experiment import Experiment
from lab.stream import MemoryRun
from lab.verdict import Verdict

Series = dict[str, Any]  # name -> (attrs, steps, values)


class Preview(OpenRun):
    """An open run that never steps. Its rows are taken again as knobs move; of a step the later row holds."""

    def __init__(self, experiment: type[Experiment], config: Any, series: Series) -> None:
        super().__init__()
        self.experiment, self.path, self.state = experiment, "", "preview"
        self.header = {"title": experiment.title, "preset": "before training"}
        self.source: Any = MemoryRun()
        self.take(config, series)

    def take(self, config: Any, series: Series) -> None:
        """Show other knobs."""
        self.config = config
        for name, (attrs, step, value) in series.items():
            self.source.declare(name, attrs)
            self.source.append(name, step, value)
        self.config_changed.emit()

    def of(self, experiment: type[Experiment], config: Any) -> bool:
        """Whether it shows just this."""
        return experiment is self.experiment and config == self.config

    def fits(self, experiment: type[Experiment], series: Series) -> bool:
        """Whether rows of these shapes can follow those that are shown."""
        shapes = {name: self.source.series(name)[1].shape[1:] for name in self.source.names()}
        return experiment is self.experiment and shapes == {name: np.shape(v)[1:] for name, (_, _, v) in series.items()}

    @property
    def step(self) -> int:
        return 0

    @property
    def steps(self) -> int:
        return 1

    def checkpoints(self) -> list[int]:
        return []

    def verdict(self) -> Verdict | None:
        return None
