"""A map on paper: coordinates, a dash in each row, contours."""

from typing import Any

from matplotlib.colors import to_rgba

from gui.theme import LIGHT
from lab.stream import MemoryRun
from lab.views import Matrix, Stage
from tests.gui.views.test_drawings import axes_of


def test_a_map_has_its_coordinates_a_dash_in_each_row_and_contours() -> None:
    run = MemoryRun(m=(0, [[[0.0, 1.0, 3.0], [0.0, 1.0, 3.0]]]), r=(0, [[0.5, 15.0]]), c=(0, [[2.0, 4.0, 8.0]]))
    run.append("k", 0, [[6.0, 99.0]])
    main: Any = axes_of(Matrix("m", rows="r", columns="c", marks="k", contours=(2.0,), title="M"), run, 0)[0]
    assert [text.get_text() for text in main.get_yticklabels()] == ["0.5", "15"]
    assert [text.get_text() for text in main.get_xticklabels()] == ["2", "4", "8"]
    assert [line.get_xdata()[0] for line in main.get_lines()] == [1.5, 1.5]  # black beneath white, one row only
    (contours,) = main.collections
    assert {x for path in contours.get_paths() for x, _ in path.vertices} == {1.5}


def test_a_map_of_stages_has_a_colour_and_a_name_for_each() -> None:
    stages = (Stage("calm"), Stage("partial inversion"), Stage("storm"))
    run = MemoryRun(m=(0, [[[1.0, 2.0], [3.0, 3.0]]]))
    main, bar = axes_of(Matrix("m", title="M", stages=stages, z_label="phase"), run, 0)
    drawn: Any = main.images[0]
    shown = [drawn.cmap(drawn.norm(number)) for number in (1.0, 2.0, 3.0)]
    assert shown == [to_rgba(colour) for colour in LIGHT.lines[:3]]
    assert [text.get_text() for text in bar.get_yticklabels()] == ["calm", "partial inversion", "storm"]
