"""Brushing: what is picked in one view is picked in the others of its run."""

from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt

from gui.lab.run_page import RunPage
from gui.selection import Selection
from gui.theme import LIGHT
from lab.stream import MemoryRun
from lab.views import Curves, FlowGraph, Heatmap, Matrix, Scatter
from tests.fakes import Tiny
from tests.gui.runs import MadeUpRun

COUNT = 6


def _source() -> MemoryRun:
    rng, steps = np.random.default_rng(0), [0, 10, 20]
    run = MemoryRun()
    run.append("x", steps, np.tile(np.arange(COUNT, dtype=float), (3, 1)))
    run.append("y", steps, np.tile(np.arange(COUNT, dtype=float), (3, 1)))
    run.append("cosines", steps, rng.normal(size=(3, 4, 4)))
    run.append("which", steps, np.tile([0, 2, 3, 5], (3, 1)))  # the matrix shows four of the six
    run.append("weights", steps, np.tile(np.arange(COUNT, dtype=float), (3, 1)))
    run.append("flow", steps, np.abs(rng.normal(size=(3, 2, 2, 4, 4))) + 0.5)
    run.append("attention", steps, np.abs(rng.normal(size=(3, 2, 2, 4, 4))))
    return run


class Brushed(Tiny):
    views = (
        Scatter("x", "y", title="Portrait", of="neuron"),
        Matrix("cosines", title="Cosines", numbers="which", of="neuron"),
        Heatmap("weights", title="Amplitudes", of="neuron"),
        Curves(("weights",), title="Weights", of="neuron"),
        FlowGraph("flow", title="Flow"),
        Matrix("attention", title="Attention"),
    )


def _page(qtbot) -> Any:
    run = MadeUpRun(_source())
    run.experiment = Brushed
    page = RunPage(run, LIGHT)
    qtbot.addWidget(page)
    page.resize(1200, 900)
    with qtbot.waitExposed(page):
        page.show()
    for view in page.views:
        view.refresh()
    return page


def _click(qtbot, view, x: float, y: float) -> None:
    """A real click at box coordinates."""
    scene = view.box.mapViewToScene(QPointF(x, y))
    place: QPoint = view.canvas.mapFromScene(scene)
    qtbot.mouseClick(view.canvas.viewport(), Qt.MouseButton.LeftButton, pos=place)


def _alphas(view) -> list[int]:
    return [track.curve.opts["pen"].color().alpha() for track in view.tracks()]


def test_a_neuron_clicked_in_the_portrait_is_shown_in_matrix_heatmap_and_curves(qtbot) -> None:
    page = _page(qtbot)
    portrait, matrix, heatmap, curves, *_ = page.views
    _click(qtbot, portrait, 2.0, 2.0)
    assert portrait.selected == 2
    assert matrix.outlined()[0] == (0.0, 1.0, 4.0, 1.0)  # row 1 of the matrix is neuron 2
    assert heatmap.outlined() == (1.5, 2.5)
    assert [number for number, alpha in enumerate(_alphas(curves)) if alpha == 255] == [2]
    _click(qtbot, portrait, 2.0, 2.0)
    assert portrait.selected is None
    assert matrix.outlined() == []
    assert heatmap.outlined() is None
    assert set(_alphas(curves)) == {255}


def test_rows_of_matrix_and_heatmap_and_lines_pick_too(qtbot) -> None:
    page = _page(qtbot)
    portrait, matrix, heatmap, curves, *_ = page.views
    _click(qtbot, matrix, 0.5, 3.5)
    assert portrait.selected == 5
    _click(qtbot, heatmap, 10.0, 3.5)
    assert portrait.selected == 3
    _click(qtbot, curves, 10.0, 1.0)
    assert portrait.selected == 1
    assert matrix.outlined() == []  # neuron 1 is none of its four


def test_a_head_picked_in_the_matrix_is_the_only_one_of_the_graph_and_escape_lets_go(qtbot) -> None:
    page = _page(qtbot)
    flow, attention = page.views[4:]
    every = {tuple(place) for place in flow.canvas.graph.edges.places[:, :2].tolist()}
    assert len(every) == 4
    x, y = (axis[1] for axis in reversed(attention.centres()))
    _click(qtbot, attention, float(x), float(y))
    assert attention.enlarged == (1, 1)
    flow.draw()
    assert {tuple(place) for place in flow.canvas.graph.edges.places[:, :2].tolist()} == {(1, 1)}
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    flow.draw()
    assert attention.enlarged is None
    assert {tuple(place) for place in flow.canvas.graph.edges.places[:, :2].tolist()} == every


def test_a_picked_token_leaves_the_edges_that_touch_it(qtbot) -> None:
    page = _page(qtbot)
    page.selection.pick("token", 2)
    page.views[4].draw()
    assert all(2 in place for place in page.views[4].canvas.graph.edges.places[:, 2:].tolist())


def test_a_selection_says_what_changed_and_nothing_else(qtbot) -> None:
    selection, said = Selection(), []
    selection.changed.connect(said.append)
    selection.pick("neuron", 3)
    selection.pick("head", None)
    selection.pick("neuron", 3)
    assert (said, selection.picked("neuron"), selection.clear()) == (["neuron", "neuron"], None, False)
