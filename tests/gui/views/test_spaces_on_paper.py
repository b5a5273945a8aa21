import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.contour import QuadContourSet

from gui.export.figure import Panel, render
from lab.stream import MemoryRun
from lab.views import FlowGraph
from tests.gui.views.test_flow_graph import LATE, STRONG, WEAK, two_steps, weights
from tests.gui.views.test_flow_graph import SPEC as FLOW
from tests.gui.views.test_landscape import SPEC, bowl


def panel(run: MemoryRun, step: int | None = None) -> Panel:
    return Panel(run, None, "", step)  # type: ignore[arg-type] - nobody reads the config


def test_a_section_on_paper_has_its_way_point_levels_and_share() -> None:
    figure = render(SPEC, [panel(bowl(), 40)])
    axes = figure.axes[0]
    rim, way, point = axes.lines
    assert len(way.get_xdata()) == len(rim.get_xdata()) == 41
    np.testing.assert_allclose(point.get_xydata(), [[0.9, 0.45]])
    assert any("10 % of the movement outside" in text.get_text() for text in axes.texts)
    (lines,) = (item for item in axes.collections if isinstance(item, QuadContourSet))
    assert set(lines.levels) <= {0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10}
    assert len(lines.levels) >= 5
    assert axes.get_xlabel() == "α"
    assert axes.get_xlim() == (-2, 2)


@pytest.mark.filterwarnings("error")
def test_sections_without_numbers_are_drawn_empty() -> None:
    run = bowl(steps=(0,))
    for step, value in ((10, np.nan), (20, np.inf), (30, -1.0), (40, 0.5)):
        run.append("loss", step, np.full((1, 21, 41), value))
        render(SPEC, [panel(run, step)])


def test_flow_on_paper_draws_what_the_screen_draws_at_first() -> None:
    run = two_steps()
    edge = {"layer": 1, "target": 4, "source": 0, "head": 0}
    run.event(50, "action", {"action": "mask_edge", "arguments": edge})
    figure = render(FLOW, [panel(run, 60)])
    axes = figure.axes[0]
    edges = next(c for c in axes.collections if isinstance(c, LineCollection) and len(c.get_segments()[0]) > 2)
    ends = [(line[0].round(), line[-1].round()) for line in edges.get_segments()]
    np.testing.assert_array_equal(ends, [[[e.source, e.layer], [e.target, e.layer + 1]] for e in (WEAK, STRONG)])
    assert np.diff(edges.get_linewidths())[0] > 0
    assert {"anchor", "key"} <= {text.get_text() for text in axes.texts}
    cross = axes.lines[-1]
    assert cross.get_marker() == "x"
    np.testing.assert_allclose(cross.get_xydata(), [[2, 1.5]], atol=0.2)
    assert len(render(FLOW, [panel(run, 0)]).axes[0].lines) == 0


def test_several_runs_stand_side_by_side_and_crowded_graphs_say_what_they_left_out() -> None:
    row = np.random.default_rng(0).random((1, 2, 2, 30, 30))
    run = MemoryRun(attention=([0], row))
    figure = render(FlowGraph("attention", title="Flow"), [panel(run), panel(run)], "double")
    named = [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    assert len(named) == 2
    assert named[0].startswith("the 300 strongest of 3")
    empty = render(FLOW, [panel(MemoryRun(attention=([0], weights((LATE, 0.0))[None])))])
    assert not empty.axes[0].lines
