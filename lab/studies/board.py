"""How far a study is: one cell a point, filled by workers and read by whoever shows it.

The run files are the truth. A board reads them when it is made, and looks again before a point is started, so two
processes on one folder share the work, and a study that was killed goes on where its files end.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

from lab.experiment import Experiment
from lab.request import Request
from lab.studies.cells import Cell, Cells, look
from lab.studies.study import FILE, Point, Study, StudyError
from lab.verdict import StudyRow, Verdict, judge_together

BATCH = 64  # points trained at once at most


class Board(Cells):
    """The cells of a study. Safe between threads.

    Args:
        study: What to run.
        experiment: Its experiment's class.
        folder: Where its run files are; study.toml is written into it.
        batches: Let experiments that can train several points at once do so.

    Raises:
        StudyError: The folder holds a study of another experiment.
        ConfigError, UnknownName: From the study's points.
    """

    def __init__(self, study: Study, experiment: type[Experiment], folder: Path, *, batches: bool = True) -> None:
        super().__init__()
        self.study, self.experiment, self.folder = study, experiment, folder
        self._batches = batches
        self._started = time.monotonic()
        self._done_before = 0
        self._rows: dict[str, StudyRow] = {}
        points = study.points(experiment)
        _claim(study, folder)
        self._cells = {point.key: Cell(point, folder / point.file_name) for point in points}
        there = {path.name for path in folder.iterdir()}
        for cell in self._cells.values():
            if cell.path.name in there:
                look(cell)
        self._done_before = self.count("finished", "failed")

    def request(self, cell: Cell, device: str) -> Request:
        """What a worker is to do for a cell."""
        study, point = self.study, cell.point
        return Request(
            experiment=study.experiment,
            config=point.config.model_dump(mode="json"),
            out=str(cell.path),
            preset=study.preset or next(iter(self.experiment.presets)),
            arm=point.arm,
            device=device,
            resume=cell.begun,
        )

    def _choose(self, waiting: list[Cell], workers: int) -> list[Cell]:
        key = self._batch_key(waiting[0])
        if key is None:
            return waiting[:1]
        group = [cell for cell in waiting if self._batch_key(cell) == key]
        return group[: min(BATCH, -(-len(group) // workers))]

    def _batch_key(self, cell: Cell) -> Hashable | None:
        return self.experiment.batch_key(cell.point.config) if self._batches and not cell.begun else None

    def rows(self, *, anew: bool = False) -> list[StudyRow]:
        """The finished runs as numbers; reads their files, each once. ``anew``: judge them instead of reading that."""
        from lab.hosts.files import study_row

        if not anew:
            return self.read(self.unread())
        for cell in self.cells:
            if cell.state == "finished":
                self._rows[cell.point.key] = study_row(str(cell.path), self.experiment)
        return self._read_rows()

    def unread(self) -> list[Cell]:
        """Finished runs whose numbers are not read yet."""
        return [cell for cell in self.cells if cell.state == "finished" and cell.point.key not in self._rows]

    def read(self, cells: Iterable[Cell]) -> list[StudyRow]:
        """Read the numbers of some finished runs; all that are read so far."""
        from lab.hosts.files import study_row

        for cell in cells:
            self._rows[cell.point.key] = study_row(str(cell.path), self.experiment, anew=False)
        return self._read_rows()

    def _read_rows(self) -> list[StudyRow]:
        return [self._rows[cell.point.key] for cell in self.cells if cell.point.key in self._rows]

    def row(self, cell: Cell) -> StudyRow | None:
        """A run's numbers, if :meth:`rows` has read them."""
        return self._rows.get(cell.point.key)

    def verdict(self, *, anew: bool = False) -> Verdict:
        """The claim, judged over the finished runs; ``anew``: each of them, too."""
        missing = len(self.cells) - self.count("finished")
        failed = [cell for cell in self.cells if cell.state == "failed"]
        rows = self.rows(anew=anew)
        judged = judge_together(rows, self.experiment.study_verdict, arms=not self.study.axes)
        if missing:
            reason = f"{missing} of {len(self.cells)} runs are not finished"
            if failed:
                reason += f"; {len(failed)} failed, {failed[0].point.label}: {failed[0].problem}"
            return Verdict.not_comparable(reason, *judged.checks)
        return judged

    def change(self, study: Study) -> None:
        """Add, remove and reorder points while the study goes on. What is running or done keeps its state.

        Raises:
            StudyError, ConfigError: As the constructor; nothing has changed then.
        """
        self._arrange(study, study.points(self.experiment))

    def remove(self, keys: Iterable[str]) -> None:
        """Take points out, except running ones; their files stay. :meth:`change` puts them back."""
        gone = {cell.point.key for cell in self.cells if cell.state != "running"} & set(keys)
        removed = *self.study.removed, *sorted(gone)
        self._rearrange(self.study.model_copy(update={"removed": removed}))

    def reorder(self, keys: Iterable[str], *, last: bool = False) -> None:
        """Let waiting points start before all others, or after them, in the order given."""
        waiting = [cell.point.key for cell in self.cells if cell.state == "waiting"]
        moved = [key for key in keys if key in waiting]
        others = [key for key in (waiting if last else self.study.first) if key in waiting and key not in moved]
        self._rearrange(self.study.model_copy(update={"first": (*others, *moved) if last else (*moved, *others)}))

    def _rearrange(self, study: Study) -> None:
        self._arrange(study, study.arranged(cell.point for cell in self.cells))

    def _arrange(self, study: Study, points: Sequence[Point]) -> None:
        _claim(study, self.folder)
        with self._lock:
            known = self._cells
            self.study = study
            self._cells = {p.key: known.get(p.key) or Cell(p, self.folder / p.file_name) for p in points}
            for point in points:
                self._cells[point.key].point = point  # it may stand in another place now
            self._cells |= {key: cell for key, cell in known.items() if cell.state == "running"}
            fresh = [cell for key, cell in self._cells.items() if key not in known]
        for cell in fresh:
            if cell.path.exists():
                look(cell)

    def seconds_left(self) -> float | None:
        """What the rest will take, by the pace since something was first seen computed; None before anything tells."""
        cells = self.cells
        shares = [cell.step / cell.point.config.steps for cell in cells if cell.state == "running"]
        done = self.count("finished", "failed") - self._done_before + sum(shares)
        waiting = sum(cell.state == "waiting" for cell in cells) + len(shares) - sum(shares)
        if not done:
            self._started = time.monotonic()  # workers that load torch say nothing about the pace
        passed = time.monotonic() - self._started
        return passed / done * waiting if done > 0.01 and passed > 3 else None


def _claim(study: Study, folder: Path) -> None:
    """Write study.toml. A study of the same experiment may grow or change; run files are never touched."""
    path, text = folder / FILE, study.to_toml()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            known = Study.from_toml(path.read_text(encoding="utf-8"))
            if known.experiment != study.experiment:
                raise StudyError(f"{folder} holds a study of {known.experiment}; choose another folder")
            if known == study:
                return
        fresh = path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise StudyError(f"{path} cannot be written: {error.strerror}") from None
