"""The gallery shows every kind of view that can be declared, and every picture that it shows is there."""

import re
from pathlib import Path

from gui.views import WIDGETS
from lab import registry
from lab.views import PhaseDiagram, StudyLine, View
from tests.made_up_views import DIAGRAM, LINE, SPECS

DOCS = Path(__file__).parent.parent / "docs"


def kinds() -> set[type[View]]:
    """Every kind of view that experiments can declare."""
    return {cls for cls in View.__subclasses__() if cls.__module__ == "lab.views"}


def test_every_kind_of_view_is_in_the_list_of_pictures() -> None:
    assert {type(spec) for spec in SPECS} == set(WIDGETS)
    assert kinds() == {*WIDGETS, PhaseDiagram, StudyLine}, "a kind of view has no picture yet"


def test_the_gallery_shows_every_listed_view_and_experiment_and_each_picture_is_there() -> None:
    shown = re.findall(r"\((images/[^)]+)\)", (DOCS / "gallery.md").read_text(encoding="utf-8"))
    assert not [name for name in shown if not (DOCS / name).exists()]
    wanted = {f"images/view-{spec.id}.png" for spec in (*SPECS, DIAGRAM, LINE)}
    wanted |= {f"images/{what}-{name}.png" for name in registry.discover()[0] for what in ("figure", "panel")}
    assert wanted <= set(shown)
