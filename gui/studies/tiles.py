"""What a study's tiles show of its runs, and where they stand: as in the phase diagram where there is one."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from gui.studies.grid import Tile
from lab.experiment import Experiment
from lab.studies.board import Board
from lab.studies.cells import Cell
from lab.studies.diagram import number_of, spanned
from lab.studies.study import telling
from storage.catalogue import extremes
from storage.errors import RunFileError
from storage.reader import RunReader

STRETCHES = 40  # of a tile's curve
MOST_COLUMNS = 40  # more are laid out as they fit


def tiles(board: Board, number: str, curves: Mapping[str, np.ndarray]) -> tuple[list[Tile | None], int]:
    """A tile for every run of the study, None for a gap, and how many stand in a row (0: as they fit).

    Args:
        number: Of their verdict's numbers the one to show; one that there is none of shows none.
        curves: By the key of their points.
    """
    cells = board.cells
    turns = {cell.point.key: turn for turn, cell in enumerate(c for c in cells if c.state == "waiting")}
    places, columns = _places(board, cells)
    apart = telling(cell.point for cell in cells)
    found: list[Tile | None] = [None] * (1 + max(places, default=-1))
    for cell, place in zip(cells, places, strict=True):
        key = cell.point.key
        tile = _tile(board, cell, number, apart, turns.get(key, 0), curves.get(key, np.empty((2, 0))))
        if found[place] is None:
            found[place] = tile
        else:  # it still runs and is no longer one of the study's points
            found.append(tile)
    return found, columns if 1 < columns <= MOST_COLUMNS else 0


def _places(board: Board, cells: Sequence[Cell]) -> tuple[list[int], int]:
    """Where each tile stands, and how many a row: as in the diagram, where a place of it is one run."""
    study = board.study
    if (pair := spanned(study, board.experiment)) is not None:
        at = [[getattr(cell.point.config, knob) for cell in cells] for knob in pair]
        x, y = (sorted(set(values)) for values in at)
        if len(cells) <= len(x) * len(y) and len(set(zip(*at, strict=True))) == len(cells):
            return [(len(y) - 1 - y.index(up)) * len(x) + x.index(across) for across, up in zip(*at, strict=True)], len(
                x
            )
    columns = max(len(study.seeds), 1)
    if columns == 1 and study.axes and study.combine == "outer":
        columns = len(study.axes[-1].values)
    return [cell.point.place for cell in cells], columns


def _tile(board: Board, cell: Cell, number: str, apart: Collection[str], turn: int, curve: np.ndarray) -> Tile:
    row = board.row(cell)
    return Tile(
        key=cell.point.key,
        turn=turn,
        label=cell.point.label,
        name=cell.point.told(apart),
        state=cell.state,
        path=file_of(cell),
        value=math.nan if row is None else number_of(row, number),
        outcome=cell.outcome,
        problem=cell.problem,
        done=cell.step / cell.point.config.steps,
        curve=curve,
    )


def file_of(cell: Cell) -> str:
    """A run's file; empty while there is none."""
    return str(cell.path) if cell.begun or cell.state in ("running", "finished", "failed") else ""


def curve_of(path: str, experiment: type[Experiment]) -> np.ndarray:
    """Minima and maxima, (2, K), of stretches of a run's first scalar reading; none while it cannot be read."""
    try:
        with RunReader(path) as reader:
            for spec in experiment.readings:
                if spec.name in reader.names():
                    _, value = reader.series(spec.name)
                    if value.ndim == 1 and len(value) > 1:
                        return extremes(value[np.isfinite(value)], STRETCHES)
    except RunFileError:
        pass  # the tile shows the run's state without a curve
    return np.empty((2, 0))
