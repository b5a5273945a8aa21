"""Experiments are found by theme, claim and paper; broken files are named."""

import time

import pytest
from PySide6.QtCore import Qt

from gui.actions import COMMANDS
from gui.finder import Findable, Finder, find
from gui.fuzzy import score
from gui.lab.catalogue import Catalogue, entries
from gui.lab.recent import when
from gui.theme import LIGHT
from lab.registry import Broken
from tests.fakes import Tiny


class Spikes(Tiny):
    title, theme, claim, paper = "Adam spikes", "Sharpness", "Memory, not landscape, makes spikes.", "Bai et al. 2025"


class Valley(Tiny):
    title, theme, claim, paper = "River valley", "Sharpness", "Warmup finds the river.", "Wen et al. 2024"


FOUND = {"adam-spikes": Spikes, "river-valley": Valley, "tiny": Tiny}
BROKEN = (Broken("half-written", "SyntaxError: invalid syntax", "..."),)


def texts(search: str) -> list[str]:
    return [entry.text for entry in entries(FOUND, BROKEN, search)]


def test_experiments_stand_under_their_theme():
    under = ["SHARPNESS", "Adam spikes", "River valley", "TESTS", "Tiny quadratic", "COULD NOT BE LOADED"]
    assert texts("") == [*under, "half-written"]


@pytest.mark.parametrize(
    ("search", "title"),
    [("landscape", "Adam spikes"), ("wen 2024", "River valley"), ("SPIKES", "Adam spikes"), ("tiny", "Tiny quadratic")],
)
def test_search_reads_title_claim_and_paper(search, title):
    assert texts(search)[1:] == [title]


def test_a_broken_file_is_named_with_its_error_and_cannot_be_chosen(qtbot):
    catalogue = Catalogue(LIGHT)
    qtbot.addWidget(catalogue)
    catalogue.set_experiments(FOUND, BROKEN)
    row = next(i for i, entry in enumerate(catalogue.model.rows) if entry.error)
    index = catalogue.model.index(row)
    assert "SyntaxError" in index.data(Qt.ItemDataRole.ToolTipRole)
    chosen = []
    catalogue.selected.connect(chosen.append)
    catalogue.list.setCurrentIndex(index)
    catalogue.list.doubleClicked.emit(index)
    assert chosen == []


def test_enter_in_the_search_field_takes_the_first_match(qtbot):
    catalogue = Catalogue(LIGHT)
    qtbot.addWidget(catalogue)
    catalogue.set_experiments(FOUND, BROKEN)
    qtbot.keyClicks(catalogue.search, "river")
    with qtbot.waitSignal(catalogue.selected) as selected:
        catalogue.search.returnPressed.emit()
    assert selected.args == ["river-valley"]


def test_typing_initials_or_parts_finds_and_strewn_letters_do_not():
    assert score("as", "Adam spikes") is not None
    assert score("spk", "Adam spikes") is not None
    assert score("xyz", "Adam spikes") is None
    assert score("dst", "A d e s t") is None
    assert score("rate", "learning rate") > score("rate", "accelerated")


def test_the_finder_ranks_names_over_descriptions_and_acts_on_enter(qtbot):
    done = []
    items = [
        Findable("Close this run", "command", "spikes are mentioned here", lambda: done.append("close")),
        Findable("Adam spikes", "experiment", "Memory makes spikes", lambda: done.append("adam")),
    ]
    assert [item.text for item in find(items, "spikes")] == ["Adam spikes", "Close this run"]
    finder = Finder(items, LIGHT)
    qtbot.addWidget(finder)
    qtbot.keyClicks(finder.field, "adam")
    qtbot.keyClick(finder.field, Qt.Key.Key_Return)
    assert done == ["adam"]


def test_times_read_as_people_say_them():
    noon = time.mktime((2026, 5, 3, 12, 0, 0, 0, 0, -1))
    assert when(noon, noon + 60) == "12:00"
    assert when(noon, noon + 86400) == "3 May"
    assert when(noon, noon + 400 * 86400) == "3 May 2026"
    assert when(0) == ""


def test_commands_are_found_by_the_words_people_have_for_them() -> None:
    for words, command in (("go to step", "go-to-step"), ("measure", "measure"), ("branch", "branch")):
        assert max(COMMANDS, key=lambda one: score(words, one.text) or 0.0).id == command
