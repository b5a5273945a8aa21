"""The event of a loss that gives way to another one, by its name. Wang et al. (2024), arXiv 2405.03095."""

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.measures.detection import Found, Machine, SeriesDetector
from lab.measures.step_windows import Floats, Ints


@dataclass(frozen=True)
class LossSwitch(SeriesDetector):
    """The series, 0 at first, is 1: the loss of the config's ``first`` has given way to that of ``second``."""

    kind: ClassVar[str] = "switch"

    def start(self, config: Any = None) -> Machine:
        return _Watch(self, config)


class _Watch(Machine):
    def __init__(self, detector: LossSwitch, config: Any) -> None:
        super().__init__(detector)
        self._names = {"from": config.first, "to": config.second}
        self._over = False

    def _read(self, step: Ints, value: Floats, series: str) -> list[Found]:
        if self._over or not value.any():
            return []
        self._over = True
        return [Found(int(step[value.argmax()]), self._detector.kind, dict(self._names))]
