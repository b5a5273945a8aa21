"""Brushing: what is picked in one view is picked in the others of its run."""

from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt

from gui.lab.run_page import RunPage
from gui.selection import Selection
from gui.theme import LIGHT
from lab.panels.matching_reasoning import VIEWS
from lab.stream import MemoryRun
from lab.views import Bars, Curves, Distribution, FlowGraph, Heatmap, Matrix, Profile, Scatter
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
    run.append("frequency", [0], [[1.0, 2.0, 4.0]])
    run.append("spectrum", steps, rng.random((3, 3)))
    run.append("fine", [0], [np.linspace(0.0, 5.0, 51)])
    run.append("curve", steps, rng.random((3, 51)))
    return run


class Brushed(Tiny):
    views = (
        Scatter("x", "y", title="Portrait", of="neuron"),
        Matrix("cosines", title="Cosines", numbers="which", of="neuron"),
        Heatmap("weights", title="Amplitudes", of="neuron"),
        Curves(("weights",), title="Weights", of="neuron"),
        FlowGraph("flow", title="Flow"),
        Matrix("attention", title="Attention"),
        Heatmap("spectrum", rows="frequency", title="Spectrum over time", of="frequency"),
        Profile("fine", ("curve",), title="Spectrum", of="frequency"),
        Distribution("x", title="Sizes", of="neuron"),
        Bars("weights", labels=(), title="Each", of="neuron"),
    )


def _page(qtbot, source: MemoryRun | None = None, experiment: type[Tiny] = Brushed) -> Any:
    run = MadeUpRun(source or _source())
    run.experiment = experiment
    page = RunPage(run, LIGHT)
    qtbot.addWidget(page)
    page.resize(1200, 1200)
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
    curves._read_at(None)
    assert "&nbsp;2</span>" in curves.readout.split("&nbsp;&nbsp; ")[0], "its value is read out first"
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
    flow, attention = page.views[4:6]
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


def test_a_frequency_is_the_same_one_however_finely_a_view_counts_them(qtbot) -> None:
    page = _page(qtbot)
    heatmap, spectrum = page.views[6:8]
    _click(qtbot, heatmap, 10.0, 4.0)
    assert spectrum.picked_place() == 4.0 and spectrum._picked.isVisible()
    assert spectrum._picked.value() == 4.0
    _click(qtbot, spectrum, 2.1, float(np.mean(spectrum.box.viewRange()[1])))
    assert heatmap.outlined() == (1.5, 3.0)  # the frequency 2 between 1 and 4
    _click(qtbot, spectrum, 2.1, float(np.mean(spectrum.box.viewRange()[1])))
    assert heatmap.outlined() is None and not spectrum._picked.isVisible()


def test_a_picked_neuron_is_marked_in_the_histogram_and_stands_out_of_the_bars(qtbot) -> None:
    page = _page(qtbot)
    sizes, each = page.views[8:10]
    _click(qtbot, each, 3.5, 1.0)
    assert sizes.picked_value() == 3.0 and sizes._picked.value() == 3.0
    assert page.views[0].selected == 3
    colours = [brush.name() for brush in each._bars.opts["brushes"]]
    assert colours.count(colours[3]) == 1 and len({*colours}) == 2


def test_a_layer_is_the_same_one_in_a_series_that_has_none_of_the_first_layer(qtbot) -> None:
    class Layered(Tiny):
        views = (
            Curves(("y",), title="Hops", of="layer", first=0),
            Curves(("score", "unseen"), title="Scores", of="layer", first=1),
            FlowGraph("flow", title="Flow"),
        )

    source = _source()
    for name in ("score", "unseen"):
        source.append(name, [0, 10, 20], np.tile([0.2, 0.8], (3, 1)))
    page = _page(qtbot, source, Layered)
    hops, scores, flow = page.views
    assert [track.symbol[-1] for track in scores.tracks()] == ["1", "2", "1", "2"]
    assert [track.symbol[-1] for track in hops.tracks()] == [*"012345"]
    _click(qtbot, scores, 10.0, 0.2)
    flow.draw()
    assert page.selection.picked("layer") == flow.canvas.graph.layer == 1
    assert _alphas(scores) == [255, 80, 255, 80]
    assert _alphas(hops) == [80, 255, 80, 80, 80, 80]
    page.selection.pick("layer", 0)  # has no score: none stands back
    assert _alphas(scores) == [255] * 4 and _alphas(hops) == [255, 80, 80, 80, 80, 80]


def _press(qtbot, canvas, place: QPointF) -> None:
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place.toPoint())


def test_a_click_on_a_token_or_a_layer_of_the_graph_picks_it_and_tells_actions(qtbot) -> None:
    page = _page(qtbot)
    flow = page.views[4]
    flow.draw()
    (frame,) = flow.canvas.frames()
    left, top, _, high = frame.area
    _press(qtbot, flow.canvas, QPointF(float(frame.x(2)), top + high + 14))
    assert page.selection.picked("token") == 2
    assert page.selection.arguments() == {"source": 2}
    flow.draw()
    assert all(2 in place for place in flow.canvas.graph.edges.places[:, 2:].tolist())
    _press(qtbot, flow.canvas, QPointF(left - 30, top + 0.25 * high))  # the upper of two
    flow.draw()
    assert page.selection.arguments() == {"source": 2, "layer": 1}
    assert {layer for layer, *_ in flow.canvas.graph.edges.places.tolist()} == {1}
    _press(qtbot, flow.canvas, QPointF(left - 30, top + 0.25 * high))
    assert page.selection.picked("layer") is None


def test_a_selection_says_what_changed_and_nothing_else(qtbot) -> None:
    selection, said = Selection(), []
    selection.changed.connect(said.append)
    selection.pick("neuron", 3)
    selection.pick("head", None)
    selection.pick("neuron", 3)
    assert (said, selection.picked("neuron"), selection.clear()) == (["neuron", "neuron"], None, False)


def test_a_line_is_picked_between_its_rows_too(qtbot) -> None:
    class Sparse(Tiny):
        views = (Curves(("score",), title="Scores"),)

    source = MemoryRun()
    source.append("score", [0, 100], [[0.0, 1.0], [1.0, 0.0]])
    page = _page(qtbot, source, Sparse)
    (view,) = page.views
    assert view.line_at(80.0, 0.8) == 0 and view.line_at(80.0, 0.2) == 1
    assert view.line_at(80.0, 0.5) is None


def test_a_token_picked_in_the_matching_matrix_of_one_layer_is_outlined_in_the_other(qtbot) -> None:
    class Matching(Tiny):
        views = tuple(replace(view, when=None) for view in VIEWS if view.title.startswith("Matching matrix"))

    run = MemoryRun()
    run.append("key_token", [0], [[20.0, 21.0, 22.0, 23.0]])
    for name in ("matching_1", "matching_2"):
        run.append(name, [0], np.zeros((1, 4, 4)))
    first, second = _page(qtbot, run, Matching).views
    _click(qtbot, first, 0.5, 2.5)
    assert second.outlined() == first.outlined() != []
