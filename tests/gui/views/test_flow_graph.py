import itertools

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtWidgets import QApplication

from gui.flow_edges import Edge, Frame, bent, masked_edges, strongest_edges
from gui.theme import DARK, LIGHT
from gui.views import make_view
from gui.views.flow_canvas import APART, side_by_side
from gui.views.flow_graph import FlowGraphView
from lab.stream import Event, MemoryRun
from lab.views import FlowGraph
from tests.gui.runs import MadeUpRun

SPEC = FlowGraph(
    "attention",
    title="Flow",
    tokens="tokens",
    marks="roles",
    mark_labels=("anchor", "key"),
    action="mask_edge",
    clear="clear_masks",
)


def weights(*edges: tuple[Edge, float], shape=(2, 2, 5, 5)) -> np.ndarray:
    row = np.zeros(shape)
    for edge, weight in edges:
        row[edge] = weight
    return row


STRONG, WEAK, LATE = Edge(0, 0, 3, 1), Edge(1, 1, 4, 3), Edge(1, 0, 4, 0)


def two_steps() -> MemoryRun:
    rows = [weights((STRONG, 1.0), (WEAK, 0.3), (LATE, 0.05)), weights((STRONG, 0.2), (LATE, 1.0))]
    return MemoryRun(
        attention=([0, 100], np.stack(rows)), tokens=([0], [[7, 3, 42, 9, 5]]), roles=([0, 100], [[1, 2], [1, 3]])
    )


class ActingRun(MadeUpRun):
    def act(self, action, arguments) -> None:
        self.calls.append((action, arguments))


def shown(qtbot, run: MemoryRun, *, live: bool = False, theme=LIGHT) -> FlowGraphView:
    view = make_view(SPEC, ActingRun(run, live=live), theme)
    assert isinstance(view, FlowGraphView)
    qtbot.addWidget(view)
    view.resize(460, 330)
    view.show()
    qtbot.waitExposed(view)
    view.refresh()
    return view


def drawn(view: FlowGraphView) -> dict[Edge, float]:
    assert view.canvas.graph is not None
    edges = view.canvas.graph.edges
    return {Edge(*place): weight for place, weight in zip(edges.places.tolist(), edges.weights.tolist(), strict=True)}


def middle(view: FlowGraphView, edge: Edge, panel: int = 0) -> QPoint:
    return QPointF(*bent(view.canvas.curves(panel, np.array([edge])))[0][6]).toPoint()


def pixel(view: FlowGraphView, place: QPoint) -> QColor:
    return view.canvas.grab().toImage().pixelColor(place)


def like(colour: QColor, other: str) -> bool:
    wanted = QColor(other)
    return max(abs(a - b) for a, b in zip(colour.getRgb(), wanted.getRgb(), strict=True)) < 20


def test_edges_over_the_threshold_are_drawn_in_the_colour_of_their_head(qtbot) -> None:
    view = shown(qtbot, two_steps())
    view.set_step(0)
    view.draw()
    assert drawn(view) == {WEAK: 0.3, STRONG: 1.0}
    assert view.count.text() == "2 edges over 0.1"
    assert like(pixel(view, middle(view, STRONG)), LIGHT.lines[0])
    faint = pixel(view, middle(view, WEAK))
    assert faint.red() > faint.blue()  # head 1 is vermillion, pale where the weight is small
    view.threshold.setValue(2)
    view.draw()
    assert set(drawn(view)) == {WEAK, STRONG, LATE}


def test_the_slider_plays_the_graph_over_training(qtbot) -> None:
    view = shown(qtbot, two_steps())
    assert list(drawn(view)) == [STRONG, LATE]
    before = view.canvas.grab().toImage()
    view.set_step(50)
    view.draw()
    assert list(drawn(view)) == [WEAK, STRONG]
    assert view.canvas.graph.marks == [(1, "anchor"), (2, "key")]
    assert view.canvas.grab().toImage() != before
    view.set_step(100)
    view.draw()
    assert view.canvas.graph.marks == [(1, "anchor"), (3, "key")]


def test_the_pointer_reads_an_edge_and_a_click_locks_it(qtbot) -> None:
    view = shown(qtbot, two_steps())
    qtbot.mouseMove(view.canvas, middle(view, STRONG))
    assert view.canvas.pointed == STRONG
    assert "<b>0.2</b>&nbsp;&nbsp; 3&nbsp;→&nbsp;9&nbsp;&nbsp; layer&nbsp;0, head&nbsp;0" in view.readout
    assert "positions&nbsp;1&nbsp;→&nbsp;3" in view.readout
    assert "0.2" in view.readout
    with qtbot.waitSignal(view.picked) as picked:
        qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=middle(view, STRONG))
    assert picked.args == ["head", 0]
    view.canvas._point_at(None)
    view.set_step(0)
    view.draw()
    assert view.canvas.locked == STRONG
    assert "<b>1</b>" in view.readout
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=middle(view, STRONG))
    assert view.canvas.locked is None


def test_masking_asks_the_live_run_and_masked_edges_are_crossed(qtbot) -> None:
    run = two_steps()
    view = shown(qtbot, run, live=True)
    view.lock(LATE)
    view.mask_edge()
    assert view.run.calls == [("mask_edge", {"layer": 1, "head": 0, "target": 4, "source": 0})]
    view.lock(None)
    assert not like(pixel(view, middle(view, LATE)), LIGHT.bad)
    run.event(100, "action", {"action": "mask_edge", "arguments": view.run.calls[0][1]})
    view.refresh()
    assert like(pixel(view, middle(view, LATE)), LIGHT.bad)
    assert any("Give back" in a.text() for a in (view.lock(LATE), view.menu())[1].actions())
    view.clear_masks()
    assert view.run.calls[-1] == ("clear_masks", {})


def test_masking_an_edge_of_a_stored_run_asks_for_a_branch(qtbot) -> None:
    view = shown(qtbot, two_steps())
    view.lock(STRONG)
    (mask,) = (action for action in view.menu().actions() if "this edge" in action.text())
    assert not mask.isEnabled(), "a run without a file has nothing to branch from"
    view.run.path = "run.h5"
    (mask,) = (action for action in view.menu().actions() if "this edge in a branch" in action.text())
    with qtbot.waitSignal(view.branch_requested) as asked:
        mask.trigger()
    assert asked.args == ["mask_edge", STRONG._asdict()]
    with qtbot.waitActive(view):
        view.activateWindow()
    view.lock(None)
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=middle(view, STRONG))
    assert view.canvas.hasFocus()
    with qtbot.waitSignal(view.branch_requested):
        qtbot.keyClick(view.canvas, Qt.Key.Key_M)
    assert view.run.calls == []


def test_masks_are_what_the_events_up_to_the_step_leave() -> None:
    def event(step: int, action: str, **arguments) -> Event:
        return Event(step=step, time=0.0, kind="action", payload={"action": action, "arguments": arguments})

    edge = {"layer": 0, "target": 3, "source": 1, "head": None}
    events = [event(1, "mask_edge", **edge), event(5, "mask_edge", **edge), event(7, "mask_edge", **edge)]
    events += [event(8, "other"), event(9, "mask_edge", layer="no"), event(20, "clear_masks")]
    assert masked_edges(events, SPEC, 0) == set()
    assert masked_edges(events, SPEC, 3) == {(0, None, 3, 1)}
    assert masked_edges(events, SPEC, 6) == set()
    assert masked_edges(events, SPEC, 10) == {(0, None, 3, 1)}
    assert masked_edges(events, SPEC, None) == set()


def test_heads_can_be_left_out_and_stand_side_by_side(qtbot) -> None:
    view = shown(qtbot, two_steps())
    view.set_step(0)
    view.apart.setChecked(True)
    view.draw()
    one, two = view.canvas.frames()
    assert one.area[0] + one.area[2] < two.area[0] or one.area[1] + one.area[3] < two.area[1]
    assert view.canvas.edge_at(QPointF(middle(view, WEAK, panel=1))) == WEAK
    view.head_buttons()[0].setChecked(False)
    view.draw()
    assert set(drawn(view)) == {WEAK}
    assert view.settings() == {"threshold": 10, "off": [0], "apart": True}
    view.restore({"threshold": 50, "off": [], "apart": False})
    view.draw()
    assert set(drawn(view)) == {STRONG}


def test_the_wheel_zooms_along_the_tokens_and_a_brings_all_back(qtbot) -> None:
    rng = np.random.default_rng(0)
    view = shown(qtbot, MemoryRun(attention=([0], rng.random((1, 2, 2, 40, 40)))))
    at, none = QPointF(250, 100), (Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier)
    phase = Qt.ScrollPhase.NoScrollPhase
    wheel = QWheelEvent(at, view.canvas.mapToGlobal(at), QPoint(), QPoint(0, 360), *none, phase, False)
    QApplication.sendEvent(view.canvas, wheel)
    (frame,) = view.canvas.frames()
    assert frame.high - frame.low < 25
    assert 0 <= frame.low < frame.high <= 40
    view.set_step(0)
    view.draw()
    assert view.canvas.frames()[0] == frame  # no drawing resets it
    view.show_all()
    assert view.canvas.sight is None


def test_the_strongest_edges_are_kept_and_the_rest_counted() -> None:
    row = np.random.default_rng(0).normal(size=(4, 4, 64, 64))
    edges = strongest_edges(row, range(4), 0.2, most=300)
    over = np.abs(row) > 0.2 * np.abs(row).max()
    assert len(edges) == 300
    assert edges.hidden == over.sum() - 300
    np.testing.assert_allclose(np.abs(edges.weights), np.sort(np.abs(row).ravel())[-300:])
    np.testing.assert_array_equal(row[tuple(edges.places.T)], edges.weights)
    assert len(strongest_edges(np.zeros((1, 1, 3, 3)), [0], 0.0)) == 0
    assert len(strongest_edges(np.full((1, 1, 3, 3), np.nan), [0], 0.0)) == 0


def test_an_edge_runs_from_its_source_below_to_its_target_above() -> None:
    frame = Frame((0, 0, 100, 60), layers=2, low=0.0, high=5.0)
    curve = frame.curves(np.array([[1, 0, 4, 0]]))[0]
    np.testing.assert_allclose(curve[[0, -1]], [[10, 30], [90, 0]])


@pytest.mark.parametrize("row", [np.ones((2, 3)), np.ones((1, 2, 3, 4)), np.ones((0, 1, 3, 3))])
def test_rows_of_another_shape_are_refused_in_place(qtbot, row) -> None:
    view = shown(qtbot, MemoryRun(attention=([0], row[None])))
    assert "cannot be drawn" in view.message
    assert str(row.shape) in view.message


def test_a_graph_says_what_is_missing_and_stays_quiet_on_odd_numbers(qtbot, caplog) -> None:
    assert "recorded no attention" in shown(qtbot, MemoryRun()).message
    row = weights((STRONG, np.inf), (WEAK, -0.3), (LATE, np.nan))
    run = MemoryRun(attention=([0], row[None]), tokens=([0], [[np.nan, 1.0]]), roles=([0], [[-1, 99]]))
    view = shown(qtbot, run)
    view.grab()
    assert drawn(view) == {WEAK: -0.3}
    assert view.message == ""
    assert not caplog.records


def test_themes_pictures_and_numbers(qtbot, tmp_path) -> None:
    view = shown(qtbot, two_steps(), theme=DARK)
    view.grab_png(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 3000
    assert view.picture(2).width() == 920
    assert view.picture(1).pixelColor(2, 100) == QColor(DARK.ground)
    view.set_theme(LIGHT)
    assert view.picture(1).pixelColor(2, 100) == QColor(LIGHT.ground)
    assert view.numbers().split("\n")[:2] == ["layer\thead\ttarget\tsource\tweight", "1\t0\t4\t0\t1.0"]


def test_names_of_neighbouring_marks_stand_side_by_side() -> None:
    assert side_by_side([50.0, 200.0], [60.0, 60.0], 0.0, 300.0) == [20.0, 170.0]  # each beneath its token
    for centres in ([50.0, 80.0, 110.0], [250.0, 280.0, 290.0]):
        starts = side_by_side(centres, [60.0] * 3, 0.0, 300.0)
        assert starts[0] >= 0 and starts[-1] + 60 <= 300
        assert all(later - sooner >= 60 + APART for sooner, later in itertools.pairwise(starts))


@pytest.mark.parametrize(("width", "across"), [(700, 2), (1600, 4), (120, 1)])
def test_four_heads_side_by_side_leave_none_alone_in_a_row(qtbot, width, across) -> None:
    run = MemoryRun(
        attention=([0], np.full((1, 2, 4, 5, 5), 0.5)), tokens=([0], [[7, 3, 42, 9, 5]]), roles=([0], [[1, 2]])
    )
    view = shown(qtbot, run)
    view.apart.setChecked(True)
    view.draw()
    view.canvas.resize(width, 190)
    rows: dict[float, int] = {}
    for frame in view.canvas.frames():
        rows[frame.area[1]] = rows.get(frame.area[1], 0) + 1
    assert list(rows.values()) == [across] * (4 // across)


def test_in_a_narrow_panel_the_numbers_of_the_heads_can_be_read(qtbot) -> None:
    run = MemoryRun(
        attention=([0], np.full((1, 2, 4, 5, 5), 0.5)), tokens=([0], [[7, 3, 42, 9, 5]]), roles=([0], [[1, 2]])
    )
    view = shown(qtbot, run)
    view.draw()
    view.resize(290, 300)
    qtbot.waitUntil(lambda: view.controls.width() <= 290)
    for button in view.head_buttons():
        assert button.width() >= button.fontMetrics().horizontalAdvance("0") + 10  # padding and border
    assert view.apart.width() >= view.apart.sizeHint().width()


def test_the_number_of_edges_is_said_in_whole_words(qtbot) -> None:
    view = shown(qtbot, two_steps())
    for width in (700, 460, 330, 290, 250):
        view.resize(width, 330)
        view.draw()
        assert view.count.needed().width() <= view.count.width() or not view.count.text()
        assert view.count.text() in ("2 edges over 0.1", "2 edges", "1 edge over 1", "1 edge", "")
    assert view.count.text() != "2 edges over 0.1"
