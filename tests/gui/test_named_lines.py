"""Lines of a series with several values are called as the view declares it: on screen, in Compare and on paper."""

import queue
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gui.compare.place import ComparePlace
from gui.compare.recipe import Recipe
from gui.export.figure import render
from gui.export.recipe import checked
from gui.export.sources import opened
from gui.runs.stored import StoredRun
from gui.theme import LIGHT
from gui.views import make_view
from lab.experiments.condensation import Condensation
from lab.experiments.corrupted_grokking import CorruptedGrokking
from lab.experiments.river_valley import RiverValley
from lab.hosts.link import QueueLink
from lab.hosts.run import execute
from lab.request import Request
from lab.views import Curves

MEAN = "Training loss"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[str]:
    """Networks of three widths side by side, of two, and of three from another start."""
    found = []
    for widths, gamma in (("20 40 80", 1.75), ("20 60", 1.75), ("20 40 80", 1.0)):
        values = {"widths": widths, "gamma": gamma, "steps": 20}
        knobs = Condensation.configure("phase", values=values).model_dump(mode="json")
        out = str(tmp_path_factory.mktemp("runs") / "phase.h5")
        request = Request(experiment="condensation", config=knobs, preset="phase", out=out)
        assert execute(request, QueueLink(queue.Queue(), lambda messages: None)) == ("finished", "")
        found.append(out)
    return found


def loss() -> Any:
    return next(view for view in Condensation.views if view.id == "loss")


def test_losses_of_several_widths_are_called_by_them(qtbot, runs) -> None:
    view = make_view(loss(), StoredRun(runs[0]), LIGHT)
    qtbot.addWidget(view)
    view.resize(500, 300)
    with qtbot.waitExposed(view):
        view.show()
    view.refresh()
    assert [track.symbol for track in view.tracks()] == [MEAN, "m = 20", "m = 40", "m = 80"]
    assert {"m = 20", "m = 80"} <= {line.split("\t")[1] for line in view.numbers().splitlines() if "\t" in line}


def compared(qtbot: Any, runs: list[str]) -> Any:
    place = ComparePlace(LIGHT)
    qtbot.addWidget(place, before_close_func=lambda widget: widget.finish())
    with qtbot.waitSignal(place.background.done):
        place.show_recipe(Recipe(tuple(runs), views=("loss",)))
    place.resize(1280, 800)
    with qtbot.waitExposed(place):
        place.show()
    (cell,) = place.grid.cells
    return cell


def test_compare_calls_the_lines_of_each_run_by_its_own_widths(qtbot, runs) -> None:
    cell = compared(qtbot, runs[:2])
    groups: dict[int, list[str]] = {0: [], 1: []}
    for line in cell.view.visible_lines():
        groups[line.group].append(line.symbol)
    assert sorted(groups.values()) == [[MEAN, "m = 20", "m = 40", "m = 80"], [MEAN, "m = 20", "m = 60"]]


def test_many_lines_say_every_width_that_a_dash_means(qtbot, runs) -> None:
    overlay = compared(qtbot, runs).view
    overlay.draw()
    said = {name.toPlainText().replace("\n", " ") for name in overlay.names._items}
    assert said == {MEAN, "m = 20", "m = 40 or m = 60", "m = 80"}


def test_a_figure_calls_them_so_too(runs) -> None:
    with opened(checked({"panels": [{"view": "loss", "runs": [runs[0]]}]}), Path()) as (content,):
        figure = render(content.spec, content.panels)
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [MEAN, "m = 20", "m = 40", "m = 80"]


def test_without_a_declaration_lines_are_counted() -> None:
    assert Curves(("score",), title="Scores").called("s", 0, None) == "s 1"
    assert Curves(("score",), title="Scores", first=0).called("s", 0, None) == "s 0"
    assert loss().called("L", 1, SimpleNamespace()) == "L 2"  # knobs of another version
    norms = next(view for view in CorruptedGrokking.views if view.names == ("weight_norms",))
    assert [norms.called("", line, None) for line in range(4)] == ["U", "V", "W", "4"]


def test_rates_of_a_river_valley_are_called_by_their_shares_and_a_lone_branch_has_no_number() -> None:
    views = {view.id: view for view in RiverValley.views}
    rates = views["loss-of-every-rate"]
    assert isinstance(rates, Curves)
    for scene, called in (("valley", ["η", "η/2", "η/5"]), ("bigram", ["η", "2η", "η/2"])):
        assert [rates.called("L", line, RiverValley.configure(scene)) for line in range(3)] == called
    branches = [view for view in views.values() if any(name.startswith("branch_") for name in view.names)]
    assert len(branches) == 7
    for view in branches:
        assert isinstance(view, Curves)
        assert [view.called("L_branch", line, None) for line in range(3)] == ["branch", "branch 2", "branch 3"]
