"""Runs on this machine: started in warmed-up children, opened from files, listed from a folder.

What brings HDF5 is imported on first use: the window is seen earlier without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gui.runs.open_run import OpenRun
from gui.runs.runs import ACTIVE
from gui.views.text import short
from lab.hosts.children import Child, Spare
from lab.request import Request, instruments_asked, runs_folder

if TYPE_CHECKING:
    from lab.config import Config
    from lab.experiment import Experiment
    from lab.request import Estimate
    from storage.catalogue import RunEntry
    from storage.index import RunIndex
    from storage.numbers import Number

BUSY = 1.3  # times as long as on a core of its own, from which on an estimate says both
LOOK = 1.0  # seconds that files are read for before the list is shown with what there is


class LocalRuns:
    """Makes and finds runs on this machine.

    Args:
        folder: Where runs are kept.
        cache: File of the index of runs; None keeps it in memory.
    """

    def __init__(self, folder: Path | None = None, cache: Path | None = None) -> None:
        self.folder = folder or runs_folder()
        self.watched: list[Path] = []
        self.numbers: list[Number] = []
        self.left = 0
        self._cache = cache
        self._index: RunIndex | None = None
        self._stored: list[RunEntry] = []
        self._asked: tuple[object, ...] = ()
        self.device = "cpu"  # where new runs compute
        self._spare = Spare()
        self._measuring: Child | None = None

    def prepare(self) -> None:
        """Have a warm child ready, so that the first point comes soon after Run."""
        self._spare.prepare()

    def start(
        self, experiment: type[Experiment], config: Config, preset: str, arm: str, also: tuple[str, ...] = ()
    ) -> OpenRun:
        knobs = config.model_dump(mode="json")
        return self._start(
            Request(experiment=experiment.name, config=knobs, preset=preset, arm=arm, device=self.device, also=also)
        )

    def measure(self, run: OpenRun, also: tuple[str, ...], at: tuple[int, ...]) -> str:
        assert run.experiment is not None
        request = Request(experiment=run.experiment.name, out=run.path, device=self.device, also=also)
        self._measuring = Child()  # not the spare one: a run that starts meanwhile must not wait
        try:
            return self._measuring.measure(request, at) or ""
        except (EOFError, OSError) as error:
            return f"The measurement ended early: {error or 'its process died'}"
        finally:
            child, self._measuring = self._measuring, None
            child.kill()

    def preview(self, experiment: type[Experiment], config: Config) -> dict[str, Any] | str:
        knobs = config.model_dump(mode="json")
        try:
            return self._spare.peek().preview(Request(experiment=experiment.name, config=knobs)) or ""
        except (EOFError, OSError) as error:
            return f"There is no preview: {error or 'its process died'}"

    def open(self, path: str) -> OpenRun:
        from gui.runs.stored import StoredRun

        return StoredRun(path)

    def branch(
        self, run: OpenRun, step: int, config: Config, acts: Sequence[tuple[str, dict[str, Any]]] = ()
    ) -> OpenRun:
        if run.experiment is None:
            raise ValueError("The experiment of this run is not known here, so it cannot go on.")
        request = Request(
            experiment=run.experiment.name,
            config=config.model_dump(mode="json"),
            preset=str(run.header.get("preset") or ""),
            device=str(run.header.get("device") or "cpu"),
            parent=run.path,
            at=step,
            replay=tuple(
                {"step": step, "time": time.time(), "kind": "action", "payload": {"action": name, "arguments": values}}
                for name, values in acts
            ),
        )
        return self._start(request)

    def replay(self, run: OpenRun) -> OpenRun:
        if run.experiment is None:
            raise ValueError("The experiment of this run is not known here, so it cannot run again.")
        if run.header.get("parent_run"):
            raise ValueError("A branch begins in another run: run that one again and branch from it.")
        request = Request(
            experiment=run.experiment.name,
            config=run.config_at_start.model_dump(mode="json"),
            preset=str(run.header.get("preset") or ""),
            arm=str(run.header.get("arm") or ""),
            device=str(run.header.get("device") or "cpu"),
            replay=tuple(run.source.events()),
            again=True,
            stored_at=tuple(run.checkpoints()),
            also=tuple(str(run.header.get("also") or "").split()),
        )
        return self._start(request)

    def resume(self, run: OpenRun) -> OpenRun:
        if run.experiment is None:
            raise ValueError("The experiment of this run is not known here, so it cannot go on.")
        request = Request(
            experiment=run.experiment.name,
            config=run.config.model_dump(mode="json"),  # shown until the run has found its own
            out=run.path,
            preset=str(run.header.get("preset") or ""),
            arm=str(run.header.get("arm") or ""),
            device=str(run.header.get("device") or "cpu"),
            resume=True,
        )
        return self._start(request)

    def estimate(self, experiment: type[Experiment], config: Config, also: tuple[str, ...] = ()) -> str:
        try:
            answer = self._estimate(experiment, config, also)
        except (EOFError, OSError) as error:
            return f"The cost could not be estimated: {error}"
        return "" if answer is None else answer if isinstance(answer, str) else cost_in_words(experiment, answer, also)

    def seconds(self, experiment: type[Experiment], config: Config) -> float:
        try:
            answer = self._estimate(experiment, config)
        except (EOFError, OSError):
            return 0.0
        return answer.seconds * answer.busy if isinstance(answer, tuple) else 0.0

    def _estimate(
        self, experiment: type[Experiment], config: Config, also: tuple[str, ...] = ()
    ) -> Estimate | str | None:
        """None when a run was started meanwhile."""
        knobs = config.model_dump(mode="json")
        request = Request(experiment=experiment.name, config=knobs, device=self.device, also=also)
        return self._spare.peek().estimate(request)

    def devices(self) -> list[tuple[str, str]]:
        while (found := self._spare.peek().devices()) is None:
            pass  # a run took that child; the next one answers
        return found

    def stored(self) -> list[RunEntry]:
        folders, numbers = [self.folder, *self.watched], list(self.numbers)
        first = self._index is None
        if self._index is None:
            from storage.index import RunIndex

            self._index = RunIndex(self._cache)
        if first:  # at once, as they were; what has changed since comes with the next look
            self._stored = self._known(folders)
            self.left = int(not self._stored)
            if self._stored:
                self.left = 1
                return self._stored
        changes = self._index.update(folders, cancelled=_after(LOOK))
        self.left = changes.left
        found = self._index.compute(numbers, self._stored) if numbers else False
        if changes or found or self._asked != (folders,):
            self._asked = (folders,)
            self._stored = self._known(folders)
        return self._stored

    def _known(self, folders: list[Path]) -> list[RunEntry]:
        assert self._index is not None
        runs = self._index.entries(folders)
        for run in runs:
            _ = run.config, run.numbers  # parsed here, not while the user waits for a filter
        return runs

    def close(self) -> None:
        self._spare.close()
        if child := self._measuring:  # whoever waits for it meets EOFError, and the file stays as it was
            child.kill()

    def _start(self, request: Request) -> OpenRun:
        from gui.runs.thread import LiveRun

        run = LiveRun(request, self._spare)
        run.state_changed.connect(self._after)
        run.start()
        return run

    def _after(self, state: str) -> None:
        if state not in ACTIVE:  # not earlier: warming up would slow the run itself
            self.prepare()


def _after(seconds: float) -> Callable[[], bool]:
    """Whether so long has gone by since the first call: finding the files of a slow disk is not reading them."""
    until: list[float] = []

    def over() -> bool:
        if not until:
            until.append(time.monotonic() + seconds)
        return time.monotonic() > until[0]

    return over


def cost_in_words(experiment: type[Experiment], found: Estimate, also: tuple[str, ...] = ()) -> str:
    """What a run takes, and what a reading of its costliest instrument and of those in ``also`` does."""
    now = f" ({duration(found.seconds * found.busy)} while other programs compute)" if found.busy > BUSY else ""
    text = (
        f"About {duration(found.seconds)}{now}, {found.size / 1e6:.1f} MB, {found.share:.0%} of the time for measuring."
    )
    priced = [item for item in experiment.instruments() if "steps" in found.prices.get(item.method, {})]
    priced.sort(
        key=lambda item: found.prices[item.method]["seconds"] / found.prices[item.method]["every"], reverse=True
    )
    on = instruments_asked(also)
    said = [item for item in priced if item is priced[0] or item.method in on]
    for item in sorted(said, key=lambda item: item.method not in on):  # what was asked for first: the end may be cut
        price = found.prices[item.method]
        text += f" A reading of {item.series[0].label.lower()} takes as long as {short(price['steps'], 2)} steps."
    return text


def duration(seconds: float) -> str:
    """Two significant digits of a time, in the unit that reads best."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} s"
