"""What all views do, whatever they show and whatever the source sends."""

import time
from collections import Counter

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QWidget

from gui.theme import DARK, LIGHT
from gui.views.snapshot import FRAME
from lab.stream import MemoryRun
from lab.views import Bars, Distribution, Heatmap, ImageGrid, Line, Matrix, Profile, Scatter, Table, TableRow, View
from tests.gui.views.shown import go, show

LINES = (Line("2/η", lambda config: 2 / config.lr),)
SHAPES = {"v": (6,), "k": (6,), "m": (6, 6), "a": (2, 2, 5, 5), "im": (6, 4, 4)}
SPECS: tuple[View, ...] = (
    Heatmap("v", rows="k", title="Heatmap", contours=(0.5,)),
    Heatmap("v", title="Log heatmap", z_log=True, x_log=True),
    Heatmap("v", title="Diverging heatmap", centre=0.0),
    Matrix("m", title="Matrix", centre=0.0),
    Matrix("a", title="Heads"),
    Distribution("v", title="Histogram", lines=LINES),
    Distribution("v", grid="k", title="Density", x_log=True, y_log=True),
    Scatter("v", "k", colour="v", trails=True, title="Scatter"),
    Scatter("v", "k", trails=True, polar=True, y_log=True, title="Polar"),
    Profile("k", ("v",), title="Profile", lines=LINES),
    Profile("k", ("v",), title="Dots", points=("v",), x_log=True, y_log=True),
    Bars("v", labels=("a", "b"), title="Bars", lines=LINES),
    Table((TableRow("first", "v", 0, lambda config: config.lr),), title="Table"),
    ImageGrid("im", labels="v", title="Images"),
)
every = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)


def run_of(steps: list[int], scale: float = 1.0, fill: float | None = None) -> MemoryRun:
    rng = np.random.default_rng(0)
    run = MemoryRun()
    for name, shape in SHAPES.items():
        rows = np.abs(rng.normal(size=(len(steps), *shape))) * scale
        if fill is not None:
            rows[:] = fill
        run.append(name, steps, rows)
    return run


@every
def test_an_empty_view_says_what_will_appear(qtbot, spec: View) -> None:
    view = show(qtbot, spec, MemoryRun(), live=True, state="running")
    assert spec.names[0] in view.message
    assert "first step" in view.message
    edge = view.grab(view.rect().adjusted(2, 2, -2, -2)).toImage().copy(0, 0, view.width(), view.height() // 4)
    assert {edge.pixelColor(x, y).name() for x in range(0, 500, 7) for y in range(0, 60, 5)} == {LIGHT.ground.lower()}
    view.run.source = None
    full = show(qtbot, spec, run_of([10, 20]), live=True, state="running")
    assert full.message == ""
    go(full, 3)
    assert "step 10" in full.message or isinstance(spec, Heatmap)
    go(full, None)
    assert full.message == ""


@every
@pytest.mark.parametrize("scale, fill", [(1.0, np.nan), (1e307, None), (1e-308, None), (1.0, 0.0), (1.0, np.inf)])
def test_numbers_of_any_kind_break_no_view(qtbot, caplog, spec: View, scale: float, fill: float | None) -> None:
    view = show(qtbot, spec, run_of([0, 1, 5], scale, fill))
    go(view, 1)
    view.grab()
    view.numbers()
    assert not view.message
    assert not caplog.records


@every
def test_rows_of_no_values_leave_the_view_empty(qtbot, spec: View) -> None:
    run = MemoryRun(**{name: ([0, 1], np.empty((2, 0, *shape[1:]))) for name, shape in SHAPES.items()})
    view = show(qtbot, spec, run)
    view.grab()
    assert "no value number" in view.message if isinstance(spec, Table) else "recorded no" in view.message


class Moody:
    """A source that fails, lags, loses rows and comes back."""

    def __init__(self) -> None:
        self.run = run_of([0, 10, 20])
        self.fails = False

    def names(self):
        return self.run.names()

    def attrs(self, name):
        return {}

    def events(self, start=0):
        return self.run.events(start)

    def series(self, name, start=0):
        if self.fails:
            raise OSError("the disk is away")
        return self.run.series(name, start)


@every
def test_a_source_that_fails_goes_back_or_loses_rows_is_survived(qtbot, spec: View) -> None:
    source = Moody()
    view = show(qtbot, spec, source, live=True, state="running")
    source.fails = True
    view.refresh()
    assert "the disk is away" in view.message
    source.fails = False
    view.refresh()
    assert view.message == ""
    again = run_of([15, 25])
    for name in SHAPES:
        source.run.append(name, *again.series(name))
    view.refresh()
    assert view.message == ""
    for step in (0, 12, 17, None):
        go(view, step)
        assert view.message == ""
    source.run = run_of([0])
    go(view, 12)
    view.refresh()
    view.invalidate()
    view.refresh()
    assert view.message == ""


@every
def test_views_out_of_sight_do_not_draw(qtbot, spec: View, monkeypatch) -> None:
    run = run_of([0, 10])
    view = show(qtbot, spec, run)
    qtbot.wait(60)
    view.hide()
    drawn = []
    monkeypatch.setattr(view, "_draw", lambda: drawn.append(1) or True)
    view.set_step(0)
    view.axis.hold(0, 5)
    qtbot.wait(80)
    assert not drawn
    view.show()
    qtbot.waitUntil(lambda: bool(drawn))


@every
def test_new_rows_are_painted_once(qtbot, spec: View) -> None:
    source = run_of([10, 20])
    view = show(qtbot, spec, source, live=True, state="running")
    for _ in range(3):
        QApplication.processEvents()
    counter = _Paints()
    watched = [view.canvas.viewport()] if hasattr(view, "canvas") else view.findChildren(QWidget)
    for widget in watched:
        widget.installEventFilter(counter)
    later = run_of([30])
    for name in SHAPES:
        source.append(name, *later.series(name))
    view.refresh()
    for _ in range(3):
        QApplication.processEvents()
    assert set(counter.count.values()) == {1}


class _Paints(QObject):
    """Counts the paint events of each widget."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[QObject] = Counter()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count[watched] += event.type() == QEvent.Type.Paint
        return False


@every
def test_pictures_menus_and_settings_work_in_both_themes(qtbot, tmp_path, spec: View) -> None:
    view = show(qtbot, spec, run_of([0, 10, 20]))
    for theme in (DARK, LIGHT):
        view.set_theme(theme)
        image = view.picture(2)
        assert (image.width(), image.pixelColor(image.width() - 2, image.height() - 2)) == (
            2 * view.width(),
            QColor(theme.ground),
        )
    view.grab_png(tmp_path / "view.png")
    assert (tmp_path / "view.png").stat().st_size > 1000
    texts = [action.text() for action in view.menu().actions()]
    assert {"Copy picture", "Copy numbers", "Save picture", "Film over the slider …", "Maximise"} <= set(texts)
    settings = view.settings()
    other = show(qtbot, spec, run_of([0, 10, 20]))
    other.restore(settings)
    assert other.settings() == settings
    assert len(view.numbers().splitlines()) > 1


def test_a_slider_that_moves_fast_draws_thirty_times_a_second_at_most(qtbot, monkeypatch) -> None:
    view = show(qtbot, SPECS[3], run_of(list(range(200))))
    qtbot.wait(60)
    drawn = []
    draw = view._draw
    monkeypatch.setattr(view, "_draw", lambda: drawn.append(1) or draw())
    start = time.monotonic()
    for step in range(100):
        view.set_step(step)
        qtbot.wait(2)
    qtbot.wait(60)
    assert 3 <= len(drawn) <= (time.monotonic() - start) / FRAME + 1
    np.testing.assert_array_equal(view.tiles[0, 0], view.run.source.series("m")[1][99])
