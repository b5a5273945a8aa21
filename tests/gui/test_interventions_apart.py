"""Runs with the same knobs but other interventions are told apart, on screen, in tables and on paper."""

import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gui.acts import acts_of, interventions
from gui.compare.figure import figure_panels
from gui.compare.members import groups, names, opened, settings
from gui.compare.place import ComparePlace
from gui.compare.recipe import Recipe
from gui.compare.tables import rows
from gui.export.recipe import checked
from gui.export.sources import opened as contents_of
from gui.theme import LIGHT
from lab.differing import ABSENT, differences
from lab.hosts.link import QueueLink
from lab.hosts.run import execute
from lab.request import Request
from lab.stream import Event
from lab.views import Heatmap
from storage.numbers import Number
from storage.reader import RunReader
from storage.writer import RunWriter
from tests.fakes import Tiny

PRUNED = (700, "action", {"action": "prune", "arguments": {"share": 0.5}})
TURNED = (300, "knobs", {"changed": {"lr": [0.1, 0.01]}})
SWITCHED = (500, "instruments", {"on": ["also_sharpness"], "off": []})
Write = Callable[..., str]


def branch(step: int, **changed: Any) -> tuple[int, str, dict[str, Any]]:
    return step, "branch", {"parent": "somebody", "changed": changed}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*events: Any, seed: int = 0, lr: float = 0.1, parent: str = "", at: int = -1) -> str:
        config = Tiny.configure(values={"seed": seed, "lr": lr, "steps": 1000}).model_dump(mode="json")
        born = {"parent_run": RunReader(parent).header["run_id"] if parent else "", "parent_step": at}
        header = {"experiment": "tests.fakes:", "title": "Tiny", "seed": seed, **born}
        path = tmp_path / f"{len([*tmp_path.glob('*.h5')])}.h5"
        with RunWriter.create(path, header, config, {}) as writer:
            step = np.arange(max(at, 0), 1000, 10)
            writer.append("train_loss", step, np.full(len(step), 2.0))
            for event in events:
                writer.event(*event)
            if SWITCHED in events:
                writer.append("theta_now", np.arange(500, 1000, 10), np.ones((50, 3)))
        return str(path)

    return write


def told(*paths: str, band: str = "SD") -> list[str]:
    members, problems = opened(paths)
    assert not problems
    return names(members, groups(members, band))


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (PRUNED, "prune share 0.5 at 700"),
        (TURNED, "lr → 0.01 at 300"),
    ],
)
def test_a_run_that_was_acted_upon_is_no_second_seed_of_one_that_was_not(write, act, said):
    left_alone = [write(seed=seed) for seed in (0, 1)]
    acted = [write(act, seed=seed) for seed in (0, 1)]
    members, _ = opened([*left_alone, *acted])
    found = {name: sorted(group) for name, group in zip(told(*left_alone, *acted), groups(members, "SD"), strict=True)}
    assert found == {said: [2, 3], "no intervention": [0, 1]}
    assert differences(settings(members)).keys() == {"seed", "interventions"}
    table = rows(members, [*found.values()], [Number.parse("last(train_loss)")])
    assert {row["interventions"]: row["runs"] for row in table} == {said: 2, ABSENT: 2}


def test_runs_that_differ_in_their_instruments_alone_are_seeds_of_one_thing(write, qtbot, monkeypatch):
    monkeypatch.setattr(Tiny, "also_views", (weights := Heatmap("theta_now", title="Parameters"),))
    paths = [write(), write(SWITCHED, seed=1), write(TURNED, seed=2), write(SWITCHED, TURNED, seed=3)]
    members, _ = opened(paths)
    assert groups(members, "SD") == [[2, 3], [0, 1]]
    assert told(*paths) == ["lr → 0.01 at 300", "no intervention"]
    place = ComparePlace(LIGHT)
    qtbot.addWidget(place, before_close_func=lambda widget: widget.finish())
    with qtbot.waitSignal(place.background.done):
        place.show_recipe(Recipe(tuple(paths), views=("loss", weights.id)))
    loss, *pictures = place.grid.cells
    assert [int(line.count.max()) for line in loss.view.visible_lines()] == [2, 2]
    assert [cell.view.run.path for cell in pictures] == [paths[3], paths[1]]  # the one of each group that has it
    panels = figure_panels(place.recipe, members)
    assert [panel["runs"] for panel in panels if panel["view"] == weights.id] == [[paths[3], paths[1]]]


def test_a_parent_and_its_branch_with_the_same_knobs_are_two_lines(write):
    parent = write()
    assert told(parent, write(branch(400), parent=parent, at=400)) == ["branch from 400", "no intervention"]
    acted = write(branch(400), PRUNED, parent=parent, at=400)
    assert told(parent, acted) == ["prune share 0.5 at 700; branch from 400", "no intervention"]


def test_knobs_that_tell_runs_apart_are_named_before_what_was_done(write):
    assert told(write(), write(PRUNED, lr=0.5)) == ["lr 0.1", "lr 0.5, prune share 0.5 at 700"]


def test_branches_from_other_steps_are_two_things_and_branches_of_other_seeds_one(write):
    one, two = write(), write(seed=1)
    early, late = write(branch(400), parent=one, at=400), write(branch(600), parent=one, at=600)
    other = write(branch(400, seed=[0, 1]), seed=1, parent=two, at=400)
    members, _ = opened([early, late, other])
    assert groups(members, "SD") == [[0, 2], [1]]
    assert told(early, late, other) == ["branch from 400", "branch from 600"]


def test_a_branch_was_born_with_what_its_parent_had_done_to_it_before(write):
    parent = write(TURNED, PRUNED)
    child = write(branch(500), parent=parent, at=500)
    assert told(parent, child) == ["branch from 500", "prune share 0.5 at 700"]  # the turned knob is both's
    alone = write()
    assert told(parent, child, alone)[0] == "branch from 500; lr → 0.01 at 300"


def test_a_knob_that_was_turned_before_a_branch_is_no_difference_to_its_parent(tmp_path, qtbot, monkeypatch):
    monkeypatch.setattr(Tiny, "name", "tests.fakes:")

    def run(name: str, **asked: Any) -> str:
        request = Request(experiment=Tiny.name, out=str(tmp_path / f"{name}.h5"), **asked)
        assert execute(request, QueueLink(queue.Queue(), lambda messages: None)) == ("finished", "")
        return request.out

    def turned(lr: float, step: int) -> Event:
        return Event(step=step, time=0.0, kind="knobs", payload={"changed": {"lr": [0.1, lr]}})

    parent = run("parent", config={"steps": 40}, replay=(turned(0.05, 10), turned(0.02, 30)))
    child = run("child", parent=parent, at=20)
    again = run("again", parent=child, at=25)
    other = run("other", parent=parent, at=20, config={"lr": 0.4})
    assert [RunReader(path).config["lr"] for path in (parent, child, again, other)] == [0.1, 0.05, 0.05, 0.4]

    place = ComparePlace(LIGHT)
    qtbot.addWidget(place, before_close_func=lambda widget: widget.finish())

    def differ(*paths: str) -> list[str]:
        with qtbot.waitSignal(place.background.done):
            place.show_recipe(Recipe(paths))
        top = place.tabs.differs.tree.topLevelItem(0)
        return [top.child(row).text(0) for row in range(top.childCount())]

    assert differ(parent, child, again) == ["interventions"]
    assert {*told(parent, child, again)} == {"lr → 0.02 at 30", "branch from 20", "branch from 25; branch from 20"}
    assert differ(child, other) == ["lr"]  # both branches, with what they began with
    assert differ(parent, other) == ["lr", "interventions"]
    made = checked({"panels": [{"view": "loss", "runs": [parent, child], "band": "none"}]})
    with contents_of(made, Path()) as (content,):
        assert [panel.label for panel in content.panels] == ["lr → 0.02 at 30", "branch from 20"]
        assert [panel.config.lr for panel in content.panels] == [0.1, 0.05]  # thresholds keep to each run's own


def test_acts_are_the_same_whenever_they_were_done_and_others_however_little_they_differ():
    def run(at: float, rate: float) -> tuple[Any, ...]:
        event = Event(step=3, time=at, kind="knobs", payload={"changed": {"lr": [0.1, rate]}})
        return acts_of([event, Event(step=4, time=at, kind="spike", payload={})])

    headers = [{"run_id": str(n), "parent_run": "", "parent_step": -1} for n in range(2)]
    assert interventions(headers, [run(1.0, 0.01), run(2.0, 0.01)]) == ["", ""]
    one, other = interventions(headers, [run(1.0, 0.01), run(2.0, 0.01 + 1e-12)])
    assert one and other and one != other


def test_values_are_named_in_as_few_digits_as_tell_them_apart(write):
    def turned(new: float) -> str:
        return write((300, "knobs", {"changed": {"lr": [0.1, new]}}))

    assert told(turned(0.0), turned(2e-5), turned(0.123456789)) == [
        "lr → 0 at 300",
        "lr → 0.123456789 at 300",
        "lr → 2e-05 at 300",
    ]


@pytest.mark.parametrize("band", ["none", "SD"])
def test_a_figure_tells_them_apart_too(write, band):
    paths = [write(), write(PRUNED)]
    made = checked({"panels": [{"view": "loss", "runs": paths, "band": band}]})
    with contents_of(made, Path()) as (content,):
        assert [panel.label for panel in content.panels] == ["no intervention", "prune share 0.5 at 700"]
