import gc
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QFontMetricsF
from PySide6.QtWidgets import QApplication, QDockWidget, QHBoxLayout, QLabel, QScrollArea, QWidget

from gui.lab.panels import LEAST_PX, RIBBON_PX
from gui.lab.run_page import RunPage
from gui.panel import VALUES_APART, ReadOut, Title
from gui.still_label import StillLabel
from gui.style import font
from gui.theme import DARK, LIGHT
from gui.views.curves import CurvesView
from lab.stream import MemoryRun
from lab.views import Curves
from tests.fakes import Tiny
from tests.gui.runs import MadeUpRun


def _source(rows: int = 200) -> MemoryRun:
    steps = np.arange(rows)
    source = MemoryRun(train_loss=(steps, np.exp(-steps / 30)))
    source.append("sharpness", steps[::5], np.ones(len(steps[::5])))
    source.append("norm", steps[::2], np.exp(-steps[::2] / 60))
    source.append("stage", steps[::2], np.where(steps[::2] < 50, 1, 2))
    return source


def _page(qtbot, run: MadeUpRun) -> RunPage:
    page = RunPage(run, LIGHT)
    qtbot.addWidget(page)
    page.resize(900, 600)
    with qtbot.waitActive(page):
        page.show()
        page.activateWindow()
    page.refresh()
    return page


def test_a_page_shows_every_declared_view_and_who_the_run_is(qtbot) -> None:
    page = _page(qtbot, MadeUpRun(_source()))
    assert [view.spec.title for view in page.views] == ["Loss", "Sharpness", "Stages"]
    assert page.heading() == "Tiny quadratic – demo – seed 0"
    assert page.head.outcome.text() == "reproduced 1/1"
    assert [view.message for view in page.views] == ["", "", ""]


def test_in_a_low_window_views_keep_a_height_to_be_read_at_and_are_scrolled_to(qtbot) -> None:
    page = _page(qtbot, MadeUpRun(_source()))
    (bar,) = (area.verticalScrollBar() for area in page.findChildren(QScrollArea) if area.widget() is page.docks)
    assert not bar.isVisible()
    page.resize(900, 220)
    qtbot.waitUntil(bar.isVisible)
    assert min(view.height() for view in page.views[:2]) >= LEAST_PX and page.views[2].height() <= RIBBON_PX
    view = page.views[0]
    foot = view.rect().bottomLeft()
    assert view.mapTo(page, foot).y() > page.height()
    bar.setValue(bar.maximum())
    assert view.mapTo(page, foot).y() < page.height()


def test_the_slider_moves_the_crosshair_of_every_view(qtbot) -> None:
    page = _page(qtbot, MadeUpRun(_source()))
    page.set_step(60)
    assert "0.135" in page.views[0].readout
    assert "0.368" in page.views[1].readout
    assert page.views[2].readout == "2 near"
    assert page.panels[0].head.readout.text.endswith("0.135")
    page.set_step(None)
    assert page.axis.cursor is None


def test_a_live_page_follows_and_stops_its_timer_when_the_run_is_over(qtbot) -> None:
    source = _source()
    run = MadeUpRun(source, live=True, state="running")
    page = _page(qtbot, run)
    assert page.refreshing
    source.append("train_loss", 999, 0.5)
    qtbot.waitUntil(lambda: page.axis.end == 999)
    run.become("finished")
    qtbot.waitUntil(lambda: not page.refreshing)
    source.append("train_loss", 1500, 0.5)
    run.become("running")
    qtbot.waitUntil(lambda: page.axis.end == 1500)


def test_a_page_out_of_sight_does_nothing(qtbot) -> None:
    page = _page(qtbot, MadeUpRun(_source(), live=True, state="running"))
    page.hide()
    assert not page.refreshing
    page.show()
    assert page.refreshing


class _Events(QObject):
    """Counts the events of a kind that widgets get."""

    def __init__(self, kind: QEvent.Type) -> None:
        super().__init__()
        self.kind, self.count = kind, 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == self.kind
        return False


def test_new_rows_are_drawn_once_and_painted_once(qtbot, monkeypatch) -> None:
    monkeypatch.setattr("gui.lab.run_page.DRAW_BUDGET", 60.0)
    source, draws = _source(), []
    page = _page(qtbot, MadeUpRun(source, live=True, state="running"))
    page._timer.stop()  # this test refreshes
    view, paints = page.views[0], _Events(QEvent.Type.Paint)
    assert isinstance(view, CurvesView)
    monkeypatch.setattr(view, "_draw", lambda draw=view._draw: draws.append(1) or draw())
    QApplication.processEvents()
    draws.clear()
    view.canvas.viewport().installEventFilter(paints)
    source.append("train_loss", 999, 0.5)
    page.refresh()
    for _ in range(3):
        QApplication.processEvents()
    assert (len(draws), paints.count) == (1, 1)


def test_a_view_that_the_budget_left_out_comes_first_next_time(qtbot, monkeypatch) -> None:
    monkeypatch.setattr("gui.lab.run_page.DRAW_BUDGET", 0.0)  # the first view to draw uses it up
    source, order = _source(), []
    page = _page(qtbot, MadeUpRun(source, live=True, state="running"))
    page._timer.stop()
    for view in page.views[:2]:
        monkeypatch.setattr(view, "_draw", lambda title=view.spec.title, draw=view._draw: order.append(title) or draw())
    for step in (998, 999, 1000, 1001, 1002, 1003):
        source.append("train_loss", step, 0.5)
        source.append("sharpness", step, 0.5)
        page.refresh()
    assert order.count("Loss") == order.count("Sharpness") == 2  # and twice the ribbon, which follows the axis


def test_the_views_of_a_live_run_take_turns_so_that_none_holds_up_the_window(qtbot, monkeypatch) -> None:
    monkeypatch.setattr("gui.lab.run_page.DRAW_BUDGET", 0.0)
    source = _source()
    turns: list[list[object]] = [[]]  # the views drawn in each turn
    page = _page(qtbot, MadeUpRun(source, live=True, state="running"))
    for view in page.views:
        draw = view._draw
        monkeypatch.setattr(view, "_draw", lambda view=view, draw=draw: turns[-1].append(view) or draw())
    page._timer.timeout.connect(lambda: turns.append([]))

    def all_had_a_turn() -> bool:
        source.append("train_loss", page.axis.end + 1, 0.5)
        return all(any(view in turn for turn in turns) for view in page.views)

    qtbot.waitUntil(all_had_a_turn)
    assert max(map(len, turns)) == 1


def test_a_dear_view_is_drawn_less_often_so_that_each_keeps_to_its_share(qtbot, monkeypatch) -> None:
    source, order, steps = _source(), [], [1000]
    page = _page(qtbot, MadeUpRun(source, live=True, state="running"))
    loss, sharpness = page.views[:2]
    page.share = 0.1

    def dear(draw=loss._draw) -> bool:
        order.append("dear")
        spent = time.thread_time() + 0.02
        while time.thread_time() < spent:
            pass
        return draw()

    monkeypatch.setattr(loss, "_draw", dear)
    monkeypatch.setattr(sharpness, "_draw", lambda draw=sharpness._draw: order.append("cheap") or draw())

    def many() -> bool:
        steps.append(steps[-1] + 1)
        for name in ("train_loss", "sharpness"):
            source.append(name, steps[-1], 0.5)
        return order.count("dear") >= 4

    qtbot.waitUntil(many, timeout=20_000)
    assert loss.cost > 2 * sharpness.cost > 0
    order.clear()
    qtbot.waitUntil(many, timeout=20_000)
    assert order.count("cheap") > 1.5 * order.count("dear")


class _Clock:
    """Stands in for ``time`` where pages and views read it."""

    def __init__(self) -> None:
        self.now, self.spent = time.perf_counter(), 0.0

    def perf_counter(self) -> float:
        return self.now

    monotonic = perf_counter

    def process_time(self) -> float:
        return self.spent


def _drawn(qtbot, monkeypatch, charge: Callable[[int], float], seconds: float) -> tuple[float, list[float]]:
    """The share of a view among three, and when the first one is drawn, where its drawings cost ``charge(number)``."""
    clock, source, at = _Clock(), _source(), []
    page = _page(qtbot, MadeUpRun(source, live=True, state="running"))
    page._timer.stop()  # this test takes the turns
    page.share = 0.1
    monkeypatch.setattr("gui.lab.run_page.time", clock)
    monkeypatch.setattr("gui.views.base.time", clock)
    for view in page.views:

        def draw(view=view, draw=view._draw) -> bool:
            clock.spent += charge(len(at)) if view is page.views[0] else 0.006
            at.extend([clock.now] * (view is page.views[0]))
            return draw()

        monkeypatch.setattr(view, "_draw", draw)
    begun = clock.now
    for turn in range(round(seconds / 0.02)):
        clock.now = begun + 0.02 * turn
        for name in ("train_loss", "sharpness", "stage"):
            source.append(name, 1000 + turn, 1.0)
        page._turn()
    return page.share / len(page.views), at


def test_a_view_that_is_charged_once_for_what_others_did_does_not_wait_for_it(qtbot, monkeypatch) -> None:
    _, at = _drawn(qtbot, monkeypatch, lambda number: 0.1 if number in (0, 6) else 0.006, 4.0)
    assert len(at) > 12
    assert max(np.diff(at)) < 0.6  # 6 ms at a thirtieth of a core are 0.18 s, and others have their turns


def test_a_view_that_is_always_dear_keeps_to_its_share_after_a_few_drawings(qtbot, monkeypatch) -> None:
    share, at = _drawn(qtbot, monkeypatch, lambda number: 0.08, 30.0)
    assert min(np.diff(at[4:])) >= 0.9 * 0.08 / share
    assert len(at) >= 12


def test_a_view_that_is_dear_at_times_keeps_to_its_share_on_average(qtbot, monkeypatch) -> None:
    cost = (0.04, 0.005, 0.005)
    share, at = _drawn(qtbot, monkeypatch, lambda number: cost[number % 3], 30.0)
    assert sum(cost) / 3 * len(at) / 30.0 == pytest.approx(share, rel=0.2)


def test_numbers_that_change_beside_a_run_do_not_lay_the_window_out_again(qtbot) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    asked = _Events(QEvent.Type.LayoutRequest)
    row, still, plain = QHBoxLayout(page), StillLabel(), QLabel()
    row.addWidget(still)
    row.addWidget(plain)
    page.show()
    QApplication.processEvents()
    page.installEventFilter(asked)
    still.setText("2 310 / 4 000   3 min left")
    QApplication.processEvents()
    assert (still.text(), asked.count) == ("2 310 / 4 000   3 min left", 0)
    assert still.grab().toImage() != plain.grab().toImage()
    plain.setText("2 310 / 4 000   3 min left")
    QApplication.processEvents()
    assert asked.count > 0


def test_a_hidden_panel_is_not_read(qtbot) -> None:
    source = _source()
    page = _page(qtbot, MadeUpRun(source, live=True, state="running"))
    page.panels[0].close()
    source.append("train_loss", 999, 0.5)
    page.refresh()
    assert page.axis.end < 999
    page.panels[0].toggleViewAction().trigger()
    qtbot.waitUntil(lambda: page.axis.end == 999)


def test_a_panel_fills_the_page_and_escape_goes_back(qtbot) -> None:
    page = _page(qtbot, MadeUpRun(_source()))
    sizes = [panel.size() for panel in page.panels]
    page.panels[1].head.maximise.click()
    QApplication.processEvents()
    assert [panel.isVisible() for panel in page.panels] == [False, True, False]
    assert page.panels[1].height() > 500
    qtbot.keyClick(page.panels[1].view, Qt.Key.Key_Escape)
    QApplication.processEvents()
    assert [panel.isVisible() for panel in page.panels] == [True, True, True]
    assert [panel.size() for panel in page.panels] == sizes


def test_a_double_click_on_a_plot_fills_the_page(qtbot) -> None:
    page = _page(qtbot, MadeUpRun(_source()))
    view = page.views[0]
    assert isinstance(view, CurvesView)
    canvas = view.canvas
    qtbot.mouseDClick(canvas.viewport(), Qt.MouseButton.LeftButton, pos=canvas.viewport().rect().center())
    assert page.maximised is page.panels[0]


def test_the_layout_and_settings_come_back(qtbot) -> None:
    page = _page(qtbot, MadeUpRun(_source()))
    page.panels[1].close()
    view = page.views[0]
    assert isinstance(view, CurvesView)
    view.set_log(False)
    other = _page(qtbot, MadeUpRun(_source()))
    other.restore_layout(page.save_layout())
    assert [panel.isHidden() for panel in other.panels] == [False, True, False]
    assert other.views[0].settings()["y_log"] is False
    other.docks.reset()
    assert not any(panel.isHidden() for panel in other.panels)


def test_a_layout_that_was_reset_has_columns_of_one_width_now_and_on_the_next_page(qtbot) -> None:
    page = _page(qtbot, MadeUpRun(_source()))
    panels = page.docks.all[:2]
    apart = [panel.width() for panel in panels]
    assert abs(apart[0] - apart[1]) <= 2
    page.docks.resizeDocks(panels, [200, 600], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: panels[1].width() > 1.3 * panels[0].width())
    page.docks.reset()
    qtbot.waitUntil(lambda: [panel.width() for panel in panels] == apart)
    again = RunPage(MadeUpRun(_source()), LIGHT)
    qtbot.addWidget(again)
    again.restore_layout(page.save_layout())
    again.resize(900, 600)
    again.show()
    qtbot.waitUntil(lambda: [panel.width() for panel in again.docks.all[:2]] == apart)


def test_a_view_that_a_saved_layout_does_not_know_stands_below_the_others(qtbot) -> None:
    run = MadeUpRun(_source())
    run.also = ("largest",)
    page = _page(qtbot, run)
    page.restore_layout(_page(qtbot, MadeUpRun(_source())).save_layout())
    *others, last = page.panels
    qtbot.waitUntil(lambda: last.geometry().top() >= max(panel.geometry().bottom() for panel in others))


@pytest.mark.parametrize("layout", [{}, {"docks": "rubbish!", "views": {"loss": {"smoothing": -3}}}])
def test_a_layout_that_does_not_fit_is_left_alone(qtbot, layout: dict) -> None:
    page = _page(qtbot, MadeUpRun(_source()))
    page.restore_layout(layout)
    assert not any(panel.isHidden() for panel in page.panels)


def test_one_broken_view_leaves_the_others_alone(qtbot) -> None:
    class Partly(MemoryRun):
        def series(self, name: str, start: int = 0):
            if name == "norm":
                raise ValueError("unreadable chunk")
            return super().series(name, start)

    page = _page(qtbot, MadeUpRun(Partly(train_loss=([0, 1], [1.0, 0.5]), stage=([0, 1], [1, 2]))))
    assert [bool(view.message) for view in page.views] == [False, True, False]
    assert "unreadable chunk" in page.views[1].message


def test_a_run_of_an_unknown_experiment_opens_empty(qtbot) -> None:
    run = MadeUpRun(_source())
    run.experiment = None
    assert _page(qtbot, run).panels == []


def test_views_wait_until_asked_for_and_only_where_the_run_records_them(qtbot) -> None:
    class Choosy(Tiny):
        views = (
            Curves(("train_loss",), title="Loss"),
            Curves(("norm",), title="Norm", primary=False),
            Curves(("sharpness",), title="Never", when=lambda config: config.width > 500),
        )

    run = MadeUpRun(_source())
    run.experiment = Choosy
    page = _page(qtbot, run)
    assert [(panel.view.spec.title, panel.isVisible()) for panel in page.panels] == [("Loss", True), ("Norm", False)]
    page.panels[1].toggleViewAction().trigger()
    qtbot.waitUntil(lambda: "norm" in page.views[1].readout)


def test_a_screenshot_shows_the_theme(qtbot, tmp_path) -> None:
    page = _page(qtbot, MadeUpRun(_source()))
    page.set_theme(DARK)
    image = page.screenshot(tmp_path / "page.png", scale=1)
    assert (image.width(), image.height()) == (900, 600)
    assert image.pixelColor(2, 300).lightnessF() < 0.3
    assert (tmp_path / "page.png").exists()


def test_redrawing_drops_no_references_to_none(qtbot) -> None:
    """PySide6 6.12 on Python 3.11 loses one at every redraw, until the interpreter aborts."""
    source = _source()
    page = _page(qtbot, MadeUpRun(source, live=True, state="running"))
    page.grab()
    before = sys.getrefcount(None)
    for step in range(300, 360):
        source.append("train_loss", step, 1.0)
        page.refresh()
        page.grab()
    assert sys.getrefcount(None) > before - 20


def test_pages_that_close_leave_nothing_behind(qtbot) -> None:
    def count() -> tuple[int, int, int]:
        gc.collect()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        gc.collect()
        kinds = [type(o) for o in gc.get_objects() if issubclass(type(o), QObject)]
        return (
            len(QApplication.allWidgets()),
            sum(issubclass(kind, QTimer) for kind in kinds),
            sum(issubclass(kind, QDockWidget) for kind in kinds),
        )

    def open_and_close() -> None:
        page = RunPage(MadeUpRun(_source(20)), LIGHT)
        page.resize(600, 400)
        page.show()
        QApplication.processEvents()
        page.close()
        page.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    open_and_close()
    before = count()
    for _ in range(20):
        open_and_close()
    assert count() == before


def test_a_title_takes_a_smaller_font_before_it_is_cut(qtbot) -> None:
    title = Title("Curvature of the preconditioned Hessian", "what to look for")
    qtbot.addWidget(title)
    title.show()
    needs = [QFontMetricsF(font(size, bold=True)).horizontalAdvance(title.full) for size in Title.SIZES]
    for room, size in zip((needs[0] + 2, needs[1] + 2), Title.SIZES, strict=False):
        title.resize(int(room), 20)
        assert (title.text(), title.font().pixelSize()) == (title.full, size)
    title.resize(80, 20)
    assert title.text().endswith("…")
    assert title.toolTip() == f"{title.full}\nwhat to look for"


def test_a_branch_says_where_it_came_from_once_its_file_is_open(qtbot) -> None:
    run = MadeUpRun(_source())
    page = _page(qtbot, run)
    run.header |= {"parent_run": "abc", "parent_step": 1200}
    run.config_changed.emit()
    assert page.head.title.full.endswith("branch at 1\N{THIN SPACE}200")


def test_the_verdict_of_a_run_that_another_process_writes_is_one_so_far(qtbot) -> None:
    run = MadeUpRun(_source(), state="running")
    page = _page(qtbot, run)
    page._judge(now=True)
    assert page.head.outcome.text().startswith("so far")
    run.become("finished")
    assert page.head.outcome.text().startswith(("reproduced", "not reproduced"))


def test_a_reading_without_room_is_left_out_rather_than_cut_to_another_number(qtbot) -> None:
    readout = ReadOut()
    qtbot.addWidget(readout)
    readout.resize(200, 30)
    readout.show_html("step&nbsp;600")
    assert readout._document.toPlainText() == "step 600"
    readout.resize(36, 30)
    readout.show_html("step&nbsp;600")
    assert readout._document.toPlainText() == "…"
    assert readout.text == "step 600"  # for the tooltip and screen readers
    readout.resize(80, 30)
    readout.show_html(f"|E_k|&nbsp;0.000123 … 0.0456{VALUES_APART}step&nbsp;600")
    assert readout._document.toPlainText() == "step 600"  # rather than nothing


def test_beside_others_the_verdict_leaves_the_title_its_room(qtbot) -> None:
    page = _page(qtbot, MadeUpRun(_source()))
    page._judge(now=True)
    said = page.head.outcome.text()
    page.set_narrow(True)
    assert page.head.outcome.text() == said.split()[-1] and said in page.head.outcome.toolTip()
    page.set_narrow(False)
    assert page.head.outcome.text() == said
