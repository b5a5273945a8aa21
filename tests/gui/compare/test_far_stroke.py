"""A line of a long stored series is drawn as one in memory would be, and keeps none of its rows there."""

import numpy as np
import pytest

from gui.compare.axis import SharedAxis
from gui.compare.compared import Groups
from gui.compare.lines import contents
from gui.compare.members import opened
from gui.compare.overlay import Overlay
from gui.compare.stroke import FarStroke, Stroke
from gui.theme import LIGHT
from lab.compare import Along
from lab.stream import PART, MemoryRun
from lab.views import Curves
from storage.reader import RunReader
from storage.writer import RunWriter

ROWS = 2 * PART + 77


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    found = np.cos(np.arange(ROWS) / 9)
    found[PART + 5] = 40.0
    return found


@pytest.fixture(scope="module")
def reader(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("far") / "long.h5"
    with RunWriter.create(path, {"experiment": "made-up"}, {}, {}) as writer:
        writer.append("loss", 3 * np.arange(ROWS), values)
        writer.append("short", np.arange(5), np.arange(5.0))
        writer.append("vector", np.arange(5), np.zeros((5, 2)))
    with RunReader(path) as found:
        yield found


def test_a_far_line_draws_the_spike_and_when_zoomed_what_a_near_one_does(reader, values) -> None:
    far, near = FarStroke.of(reader, "loss"), Stroke(3.0 * np.arange(ROWS), values)
    assert far is not None and len(far) == len(near)
    assert far.reach == near.reach and far.end == near.end
    assert far.path(np.linspace(0, 3 * ROWS, 501))[1].max() == 40.0
    for edges in (np.linspace(3000, 5000, 501), np.linspace(3000, 60_000, 301)):
        for mine, theirs in zip(far.path(edges), near.path(edges), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert [far.at(x) for x in (0.0, 3 * PART + 15.5, 1e9)] == [near.at(x) for x in (0.0, 3 * PART + 15.5, 1e9)]
    assert np.isnan(far.at(-1.0))
    np.testing.assert_array_equal(far.x, near.x)
    np.testing.assert_array_equal(far.y, near.y)


def test_short_series_vectors_and_runs_in_memory_are_read_whole(reader) -> None:
    assert [FarStroke.of(reader, name) for name in ("short", "vector", "none")] == [None] * 3
    assert FarStroke.of(MemoryRun(loss=(np.arange(ROWS), np.zeros(ROWS))), "loss") is None


@pytest.mark.parametrize(("along", "band", "far"), [("step", "", True), ("event", "", False), ("step", "SD", False)])
def test_only_lines_over_their_own_steps_without_a_band_stay_in_the_file(reader, along, band, far) -> None:
    members = opened([str(reader.path)])[0] * 2
    groups = [[0, 1]] if band else [[0], [1]]
    found = contents(Curves(("loss",), title="Loss"), members, groups, Along(along, "none"), band)
    assert [isinstance(line.line, FarStroke) for line in found.lines] == [far] * len(found.lines)
    assert len(found.lines) == (0 if along == "event" else len(groups))


def test_a_file_that_is_gone_is_said_in_place(qtbot, tmp_path) -> None:
    path = tmp_path / "gone.h5"
    with RunWriter.create(path, {"experiment": "made-up"}, {}, {}) as writer:
        writer.append("loss", np.arange(PART + 9), np.zeros(PART + 9))
    spec = Curves(("loss",), title="Loss")
    members = opened([str(path)])[0]
    shared = SharedAxis()
    view = Overlay(spec, LIGHT, shared, Along())
    qtbot.addWidget(view)
    view.resize(500, 300)
    view.show_contents(contents(spec, members, [[0]], Along(), ""), Groups(["#0072B2"], ["one"], {0}, [None]))
    assert view._note.text() == ""
    path.unlink()
    shared.hold(100.0, 300.0)
    view.draw()
    assert "gone.h5 does not exist" in view._note.text()
