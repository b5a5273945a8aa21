"""What a study says as one picture: a phase diagram over two knobs, or a line over one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.theme import Theme
from gui.views.phase_diagram import PhaseDiagramView
from gui.views.scale import Scale
from gui.views.study_line import StudyLineView
from lab.studies.board import Board
from lab.studies.diagram import diagram_of, spanned, tabulate
from lab.studies.lines import curves_of, label_of, levels_at, line_of
from lab.verdict import StudyRow


class StudyDrawing(QWidget):
    """Draws a number of a study's finished runs; a click on a cell or point opens its first run."""

    opened = Signal(str)

    def __init__(self, board: Board, theme: Theme) -> None:
        super().__init__()
        self._board = board
        self.diagram, self.line = PhaseDiagramView(board.experiment, theme), StudyLineView(board.experiment, theme)
        self.diagram.picked.connect(self._open_cell)
        self.line.picked.connect(self._open_point)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for view in (self.diagram, self.line):
            layout.addWidget(view)

    @property
    def possible(self) -> bool:
        """Whether the study's axes can be drawn."""
        return self._diagram_possible or self._line_possible

    @property
    def _diagram_possible(self) -> bool:
        return spanned(self._board.study, self._board.experiment) is not None

    @property
    def _line_possible(self) -> bool:
        return line_of(self._board.study, self._board.experiment, "") is not None

    def choose(self) -> None:
        """Show the kind of picture that the study's axes have, now that they may be others."""
        self.diagram.setVisible(self._diagram_possible)
        self.line.setVisible(self._line_possible)
        self.setVisible(self.possible)

    def show_number(self, number: str, rows: Sequence[StudyRow]) -> None:
        """Draw a number of the runs that have finished."""
        study, experiment = self._board.study, self._board.experiment
        if (diagram := diagram_of(study, experiment, number)) is not None:
            self.diagram.show_table(diagram, tabulate(diagram, [c.point.config for c in self._board.cells], rows))
        elif (line := line_of(study, experiment, number)) is not None and rows:
            self.line.show_curves(line, curves_of(line, rows), levels_at(line, rows))

    def scale_of(self, number: str) -> Scale | None:
        """From the number to its colour, where it is shown by colours."""
        spec = self.diagram.spec
        return self.diagram.scale if spec is not None and spec.number == number else None

    def set_theme(self, theme: Theme) -> None:
        self.diagram.set_theme(theme)
        self.line.set_theme(theme)

    @Slot(float, float)
    def _open_cell(self, x: float, y: float) -> None:
        spec = self.diagram.spec
        assert spec is not None
        self._open(lambda config, arm: (getattr(config, spec.x), getattr(config, spec.y)) == (x, y))

    @Slot(str, float)
    def _open_point(self, label: str, x: float) -> None:
        spec = self.line.spec
        assert spec is not None
        self._open(lambda config, arm: getattr(config, spec.x) == x and label in ("", label_of(spec, config, arm)))

    def _open(self, right: Callable[[Any, str], bool]) -> None:
        """The first run whose config and arm are right."""
        cells = (c for c in self._board.cells if right(c.point.config, c.point.arm) and c.path.exists())
        if (first := next(cells, None)) is not None:
            self.opened.emit(str(first.path))
