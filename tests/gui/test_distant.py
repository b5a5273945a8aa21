import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gui.theme import LIGHT
from gui.views import step_plot
from gui.views.curves import CurvesView
from gui.views.distant import BLOCK, Distant
from gui.views.pyramid import Pyramid
from gui.views.text import short
from lab.stream import PART
from lab.views import Curves
from storage.reader import RunReader
from storage.writer import RunWriter
from tests.gui.runs import MadeUpRun

numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)


def _both(step: np.ndarray, values: np.ndarray, cuts: list[int]) -> tuple[Distant, Pyramid]:
    distant, pyramid = Distant(lambda a, b: (step[a:b], values[a:b]), values.__getitem__), Pyramid()
    for a, b in zip([0, *cuts], [*cuts, len(values)], strict=True):
        if b > a:
            distant.append(step[a:b], values[a:b])
            pyramid.append(step[a:b], values[a:b])
    return distant, pyramid


@settings(max_examples=80, deadline=None)
@given(data=st.data(), values=arrays(np.float64, st.integers(1, 3000), elements=numbers), spacing=st.integers(1, 3))
def test_no_row_is_missing_and_none_is_drawn_a_block_away(
    data: st.DataObject, values: np.ndarray, spacing: int
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    distant, pyramid = _both(spacing * np.arange(len(values)), values, cuts)
    edges = np.array(sorted(data.draw(st.lists(st.integers(0, len(values)), min_size=2, max_size=20))))
    found = distant.extremes(edges)
    for number, (a, b) in enumerate(itertools.pairwise(edges)):
        near = values[max(a - BLOCK + 1, edges[0]) : min(b + BLOCK - 1, edges[-1])] if b > a else values[:0]
        for mine, pick in zip(found, (np.fmin, np.fmax), strict=True):
            assert not len(near) or pick(pick.reduce(near), mine[number]) == pick.reduce(near) or np.isnan(mine[number])
    for mine, plain, pick in zip(found, pyramid.extremes(edges), (np.fmin, np.fmax), strict=True):
        np.testing.assert_array_equal(pick.reduce(mine), pick.reduce(plain))  # all that is in sight is drawn


@settings(max_examples=60, deadline=None)
@given(size=st.integers(2000, 20_000), columns=st.integers(2, 30), where=st.floats(0, 0.9999), log=st.booleans())
def test_a_one_step_spike_is_drawn_in_its_pixel_column_or_half_a_pixel_aside(
    size: int, columns: int, where: float, log: bool
) -> None:
    values, spike = np.zeros(size), int(where * size)
    values[spike] = 1.0
    distant, _ = _both(np.arange(size), values, [size // 3])
    edges = np.geomspace(1, size + 1, columns + 1) - 1 if log else np.linspace(0, size, columns + 1)
    rows = distant.rows(edges)
    high = distant.extremes(rows)[1]
    shown = np.flatnonzero(high == 1.0)
    assert len(shown) == 1
    a, b = rows[shown[0]], rows[shown[0] + 1]
    assert a <= spike < b or (a - BLOCK < spike < b + BLOCK and b - a >= 2 * BLOCK)


def test_narrow_columns_are_as_exact_as_those_of_a_series_in_memory() -> None:
    values = np.random.default_rng(0).normal(size=50_000)
    distant, pyramid = _both(np.arange(len(values)), values, [])
    edges = np.arange(20_000, 30_000, 2 * BLOCK - 1)
    np.testing.assert_array_equal(distant.extremes(edges), pyramid.extremes(edges))
    np.testing.assert_array_equal(distant.part(123, 456), pyramid.part(123, 456))
    assert [distant.at(step) for step in (-1, 0, 7.5, 1e9)] == [pyramid.at(step) for step in (-1, 0, 7.5, 1e9)]
    np.testing.assert_array_equal(np.concatenate([part[1] for part in distant.parts()]), values)


@pytest.fixture
def long_run(tmp_path):
    """A stored run with a one-step spike far from what the first drawing reads."""
    path, rows = tmp_path / "long.h5", 3 * PART + 77
    values = np.cos(np.arange(rows) / 9)
    values[2 * PART + 5] = 40.0
    with RunWriter.create(path, {"experiment": "made-up"}, {}, {}) as writer:
        writer.append("train_loss", np.arange(rows), values)
    with RunReader(path) as reader:
        yield reader, values


def test_a_long_stored_series_shows_its_spike_and_when_zoomed_its_rows_but_keeps_neither(qtbot, long_run) -> None:
    reader, values = long_run
    view = CurvesView(Curves(("train_loss",), title="Loss"), MadeUpRun(reader), LIGHT)
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.show()
    view.refresh()
    (track,) = view.tracks()
    assert isinstance(track.raw, Distant) and len(track.raw) == len(values)
    assert track.curve.getData()[1].max() == 40.0
    view.axis.hold(1000.0, 1100.0)
    view.refresh()
    step, value = track.curve.getData()
    np.testing.assert_array_equal(value, values[step.astype(int)])
    assert {1000, 1050, 1100} <= set(step.astype(int).tolist())
    assert view.values_at(2 * PART + 5) == [(track, 2 * PART + 5, 40.0)]


def test_a_long_stored_series_is_smoothed_as_one_in_memory(qtbot, long_run) -> None:
    reader, values = long_run
    view = CurvesView(Curves(("train_loss",), title="Loss"), MadeUpRun(reader), LIGHT)
    qtbot.addWidget(view)
    view.refresh()
    view.set_smoothing(30)
    smooth = view.tracks()[0].smooth.values
    assert smooth[2 * PART + 5] == pytest.approx(values[2 * PART - 24 : 2 * PART + 6].mean())
    assert len(smooth) == len(values)


def test_while_the_slider_moves_values_of_a_file_are_read_a_few_times_a_second_and_then_those_where_it_rests(
    qtbot, monkeypatch, long_run
) -> None:
    reader, values = long_run
    monkeypatch.setattr(step_plot, "READ_EVERY", 60.0)
    view = CurvesView(Curves(("train_loss",), title="Loss"), MadeUpRun(reader), LIGHT)
    qtbot.addWidget(view)
    view.refresh()
    view.set_step(100)
    before = view.readout
    assert view._cursor_line.value() == 100
    monkeypatch.setattr(step_plot, "READ_EVERY", 0.0)
    with qtbot.waitSignal(view.readout_changed):
        view._read_soon.start(0)  # instead of a minute
    assert short(values[100]) in view.readout != before
    monkeypatch.setattr(step_plot, "READ_EVERY", 60.0)
    view.set_step(2 * PART + 5)
    assert "40" not in view.readout
    view.picture(1)
    assert "40" in view.readout
