import math
import os

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor

from gui.theme import DARK, LIGHT
from gui.views import make_view, opengl
from gui.views.contours import LINES_PX, thinned
from gui.views.landscape import LandscapeView
from gui.views.scale import Scale
from gui.views.section import Section, levels_of
from lab.stream import MemoryRun
from lab.views import Landscape
from tests.gui.runs import MadeUpRun

SPEC = Landscape("loss", title="Section", x="a", y="b", trajectory="way", outside="outside", z_label="L")


def bowl(steps=(0, 100), lift: float = 1.0) -> MemoryRun:
    """L = lift·(a² + 4 b²) + 0.01 at several steps, and a straight way to the middle."""
    a, b = np.linspace(-2, 2, 41), np.linspace(-1, 1, 21)
    loss = np.stack([lift * (step + 1) * (a**2 + 4 * b[:, None] ** 2) + 0.01 for step in steps])
    way = np.linspace([1.5, 0.75], [0, 0], 101)
    run = MemoryRun(
        loss=(list(steps), loss),
        a=([0], a[None]),
        b=([0], b[None]),
        way=(np.arange(101), way),
        outside=(np.arange(101), np.linspace(0, 0.25, 101)),
    )
    run.declare("a", {"symbol": "α"})
    return run


def shown(qtbot, run: MemoryRun, spec: Landscape = SPEC, theme=LIGHT) -> LandscapeView:
    view = make_view(spec, MadeUpRun(run), theme)
    assert isinstance(view, LandscapeView)
    qtbot.addWidget(view)
    view.resize(480, 340)
    view.show()
    qtbot.waitExposed(view)
    view.refresh()
    return view


def pixel(view: LandscapeView, a: float, b: float) -> QColor:
    at = view.canvas.mapFromScene(view.box.mapViewToScene(QPointF(a, b)))
    return view.canvas.grab().toImage().pixelColor(at)


def test_colours_and_lines_are_those_of_the_section(qtbot) -> None:
    view = shown(qtbot, bowl())
    low, high = pixel(view, -0.1, -0.02), pixel(view, -1.9, -0.9)
    assert low.blue() > low.green()  # the violet end of viridis
    assert high.green() > 200
    assert high.blue() < 90
    for contour in view.contours:
        for line in contour.lines:
            value = 101 * (line[:, 0] ** 2 + 4 * line[:, 1] ** 2) + 0.01
            inner = np.hypot(line[:, 0], 2 * line[:, 1]) > 0.4  # a grid of 0.1 resolves nothing nearer
            np.testing.assert_allclose(value[inner], contour.level, rtol=0.05)


def test_lines_that_would_crowd_about_a_deep_minimum_are_left_out_until_it_is_zoomed(qtbot) -> None:
    a, b = np.linspace(-2, 2, 201), np.linspace(-1, 1, 201)
    run = MemoryRun(loss=([0], (a**2 + 4 * b[:, None] ** 2 + 1e-6)[None]), a=([0], a[None]), b=([0], b[None]))
    view = shown(qtbot, run, Landscape("loss", title="Section", x="a", y="b", z_log=True))
    everything = {contour.level for contour in view.contours}

    def levels() -> list[float]:
        return sorted(contour.level for contour in thinned(view.contours, view.box))

    def far(level: float) -> float:
        """Points from the minimum down to the line."""
        return math.sqrt(level) / 2 / view.box.viewPixelSize()[1]

    whole = levels()
    distances = [far(level) for level in whole]
    assert min(np.diff(distances)) >= LINES_PX - 1
    assert max(everything) == max(whole) and len(whole) < len(everything)
    assert view.bar.marks == tuple(whole)
    view.box.setRange(xRange=(-0.02, 0.02), yRange=(-0.01, 0.01), padding=0)
    assert min(levels()) < min(whole) and [level for level in levels() if level < 1e-4] == sorted(
        level for level in everything if level < 1e-4
    )


def test_the_slider_chooses_the_section_and_ends_the_way(qtbot) -> None:
    view = shown(qtbot, bowl())
    assert view.section is not None
    assert view.section.values.max() == pytest.approx(101 * 8 + 0.01)
    view.resize(600, 330)
    view.set_step(40)
    view.draw()
    assert view.section.values.max() == pytest.approx(8.01)
    assert len(view.way()) == 41
    (x,), (y,) = view._point.getData()
    np.testing.assert_allclose([x, y], [0.9, 0.45])
    assert view.corner.text() == "10 % of the movement is outside this plane"
    assert "step\u00a040" in view.readout.replace("&nbsp;", "\u00a0")


def test_the_pointer_reads_the_loss_between_the_points_of_the_grid(qtbot) -> None:
    view = shown(qtbot, bowl(steps=(0,)))
    view._hovered(1.0, 0.5)
    assert "L&nbsp;2.01" in view.readout
    view._hovered(5.0, 0.5)
    assert "L&nbsp;" not in view.readout


def test_without_opengl_the_view_stays_with_contours_and_says_so(qtbot) -> None:
    view = shown(qtbot, bowl())
    view.toggle.click()
    view.draw()
    assert not view.in_space
    assert view.canvas.isVisible()
    assert "Contours: OpenGL does not work here." in view.corner.text()
    view.restore({"surface": True})
    assert view.settings()["surface"] is False


def test_mesa_draws_on_half_of_the_cores_unless_told_otherwise(qtbot, monkeypatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    monkeypatch.setenv("LP_NUM_THREADS", "5")
    opengl.Context()
    assert os.environ["LP_NUM_THREADS"] == "5"
    monkeypatch.delenv("LP_NUM_THREADS")
    opengl.Context()
    assert os.environ["LP_NUM_THREADS"] == "3"


def test_zoom_is_kept_when_the_step_moves_and_given_up_on_request(qtbot) -> None:
    view = shown(qtbot, bowl())
    view.box.setRange(xRange=(-0.5, 0.5), yRange=(-0.2, 0.2), padding=0)
    view._moved_by_hand(None)
    view.set_step(3)
    view.draw()
    assert view.box.viewRange()[0] == [-0.5, 0.5]
    view.show_all()
    view.draw()
    assert view.box.viewRange()[0] == [-2.0, 2.0]


def test_a_section_says_what_is_missing_and_what_is_wrong_in_place(qtbot) -> None:
    view = shown(qtbot, MemoryRun())
    assert "recorded no loss" in view.message
    run = MemoryRun(loss=([0], np.ones((1, 3, 4))), a=([0], np.arange(3.0)[None]), b=([0], np.arange(3.0)[None]))
    view = shown(qtbot, run)
    assert "cannot be drawn" in view.message
    assert "(3, 4)" in view.message


@pytest.mark.filterwarnings("error")
def test_unusable_numbers_leave_holes_and_no_noise(qtbot, caplog) -> None:
    run = bowl(steps=(0,))
    loss = np.full((1, 21, 41), np.nan)
    loss[0, :5, :5] = [1e-320, 1e300, np.inf, -1.0, 0.0]
    run.append("loss", 200, loss)
    run.append("way", 200, [[np.nan, 1e308]])
    view = shown(qtbot, run)
    view.grab()
    assert view.message == ""
    assert len(view._point.getData()[0]) == 0
    assert pixel(view, 1, -0.5) == QColor(LIGHT.sunken)
    assert not caplog.records


def test_themes_pictures_and_numbers(qtbot, tmp_path) -> None:
    view = shown(qtbot, bowl(steps=(0,)), theme=DARK)
    view.grab_png(tmp_path / "a.png", scale=2)
    assert (tmp_path / "a.png").stat().st_size > 5000
    assert view.picture(1).pixelColor(3, 200) == QColor(DARK.ground)
    view.set_theme(LIGHT)
    assert view.picture(1).pixelColor(3, 200) == QColor(LIGHT.ground)
    lines = view.numbers().split("\n")
    assert len(lines) == 22
    assert lines[1].split("\t")[:2] == ["-1.0", repr(8.01)]
    assert [a.text() for a in view.menu().actions() if "3-D" in a.text()]


def test_a_section_reads_and_resamples_linearly_and_turns_falling_axes() -> None:
    x, y = np.array([3.0, 1.0, 0.0]), np.array([0.0, 2.0])
    section = Section.of(np.array([[3.0, 1, 0], [5, 3, 2]]), x, y)  # x + y
    np.testing.assert_allclose(section.at(section.values, np.array([[2.0, 1.0], [0.5, 2.0]])), [3.0, 2.5])
    assert math.isnan(section.at(section.values, np.array([[4.0, 1.0]]))[0])
    np.testing.assert_allclose(section.resampled(section.values, 3, 1), [[1.5, 2.5, 3.5]])


def test_levels_are_round_and_within_the_scale() -> None:
    np.testing.assert_allclose(levels_of(Scale(1e-4, 1e4, log=True)), 10.0 ** np.arange(-3, 4))
    np.testing.assert_allclose(levels_of(Scale(0.03, 1.5, log=True)), [0.05, 0.1, 0.2, 0.5, 1.0])
    np.testing.assert_allclose(levels_of(Scale(0.0, 1.0)), np.arange(1, 10) / 10)


def test_in_a_narrow_panel_there_are_fewer_words_in_the_corner(qtbot) -> None:
    view = shown(qtbot, bowl())
    view.resize(330, 300)
    view.draw()
    assert view.corner.text() == "25 % outside"
    assert view.corner.needed().width() <= view.corner.width()
    assert not view.corner.geometry().intersects(view.toggle.parentWidget().geometry())
