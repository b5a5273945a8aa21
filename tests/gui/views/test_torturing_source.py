"""A source that lags, stops, goes backwards and sends NaN, empty and huge arrays breaks no kind of view."""

import numpy as np
import pytest

from gui.lab.run_page import RunPage
from gui.theme import LIGHT
from gui.views import WIDGETS
from lab.stream import Event, MemoryRun
from tests.fakes import Tiny
from tests.gui.runs import MadeUpRun
from tests.made_up_views import SOURCE, SPECS


class Torture:
    """Hands out the first rows of a good run, in the mood of the moment."""

    def __init__(self) -> None:
        self.rows, self.mood = 0, ""

    def names(self) -> list[str]:
        return SOURCE.names()

    def attrs(self, name: str) -> dict[str, str]:
        return {}

    def events(self, start: int = 0) -> list[Event]:
        return SOURCE.events(start)

    def series(self, name: str, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
        if self.mood == "stopped":
            raise OSError("the disk is away")
        step, value = (part[: self.rows] for part in SOURCE.series(name))
        if self.mood == "lags":
            step, value = step[:1], value[:1]
        if self.mood == "backwards":
            step, value = np.append(step, step[-1] // 2), np.concatenate([value, value[-1:]])
        if self.mood == "nan":
            value = np.full(value.shape, np.nan)
        if self.mood == "empty":
            value = value.reshape(len(step), -1)[:, :0]
        if self.mood == "huge":
            value = np.where(np.arange(value.size).reshape(value.shape) % 2, 1e308, -1e308)
        return step[start:], value[start:]


class Everything(Tiny):
    views = SPECS


@pytest.fixture
def page(qtbot) -> RunPage:
    run = MadeUpRun(Torture(), live=True, state="running")
    run.experiment = Everything
    page = RunPage(run, LIGHT)
    qtbot.addWidget(page)
    page.resize(1600, 1400)
    with qtbot.waitExposed(page):
        page.show()
    return page


@pytest.mark.parametrize("mood", ["lags", "stopped", "backwards", "nan", "empty", "huge"])
def test_no_mood_of_a_source_breaks_a_view_and_good_rows_bring_it_back(page, qtbot, mood: str) -> None:
    assert {type(view.spec) for view in page.views} == set(WIDGETS)
    source = page.run.source
    for rows, now in ((20, ""), (40, mood), (60, mood), (80, "")):
        source.rows, source.mood = rows, now
        for view in page.views:
            view.refresh()
            view.set_step(30)
            view.draw()
            view.set_step(None)
            view.draw()
        page.grab()
    for view in page.views:  # a view that met fewer rows than before begins anew at its next look
        view.refresh()
    if mood in ("lags", "stopped", "backwards"):  # what was sent wrong stays in the others
        assert {view.spec.title: view.message for view in page.views if view.message} == {}


def test_a_run_that_begins_empty_says_so_in_every_view(page) -> None:
    assert all(view.message for view in page.views)
    assert not [view for view in page.views if "cannot be drawn" in view.message]


def test_a_source_of_another_shape_is_refused_in_place_and_the_page_lives(qtbot, caplog) -> None:
    wrong = MemoryRun(**{name: ([0, 1], np.zeros((2, 3, 1, 2, 1, 2))) for name in SOURCE.names()})
    run = MadeUpRun(wrong)
    run.experiment = Everything
    page = RunPage(run, LIGHT)
    qtbot.addWidget(page)
    for view in page.views:
        view.refresh()
    page.grab()
    assert [view for view in page.views if view.message]
