"""The library: finds, orders, groups and labels runs; hands settings and comparisons on."""

import json
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QTreeView

from gui.library import Library
from gui.library.columns import Column, clock, order
from gui.library.tree import BRANCHES, arrange
from gui.runs.local import LocalRuns
from gui.sparkline import polygon
from gui.theme import DARK, LIGHT
from storage.catalogue import RunEntry, entry
from storage.labels import set_labels
from storage.numbers import Number
from tests.gui.export.small import tiny_run
from tests.storage.small_runs import small_run


def made(name: str, **facts) -> RunEntry:
    knobs = facts.pop("knobs", {})
    return RunEntry(Path(f"/kept/{name}.h5"), run_id=name, title="Made up", config_text=json.dumps(knobs), **facts)


def outline(node) -> list:
    """The tree as nested lists of names."""
    return [
        (child.run.path.stem if child.run else child.title, outline(child)) if child.children else child.run.path.stem
        for child in node.children
    ]


@pytest.fixture
def library(qtbot):
    library = Library(LIGHT, lambda *_: True, lambda: ("made-up", {"lr": 0.1}))
    qtbot.addWidget(library, before_close_func=lambda widget: widget.commands.work.wait())
    return library


RUNS = (
    made("a", outcome="reproduced", knobs={"lr": 0.1, "opt": "adam"}, numbers_text='{"loss": {"last": 2.0}}'),
    made("b", outcome="not reproduced", knobs={"lr": 0.01, "opt": "adam"}, numbers_text='{"loss": {"last": 1.0}}'),
    made("c", outcome="reproduced", knobs={"lr": 1.0, "opt": "sgd"}, parent_run="a", star=True, tags=("paper",)),
)


def shown(library) -> list[str]:
    return [run.path.stem for run in library.model.root.runs()]


def test_runs_are_sorted_by_any_column_and_missing_values_come_last():
    number = Column("last(loss)")
    assert outline(arrange(RUNS, number, False, [])) == ["b", "a", "c"]
    assert outline(arrange(RUNS, number, True, [])) == ["a", "b", "c"]
    assert outline(arrange(RUNS, Column("lr"), True, [])) == ["c", "a", "b"]


def test_values_of_different_kinds_have_an_order():
    values = ["b", None, 2, float("nan"), "A", 1.5]
    assert sorted(values[:2] + values[4:] + [2], key=order) == [1.5, 2, "A", "b", None]
    assert order(float("nan")) == order("") == order(None)


def test_runs_are_grouped_within_groups():
    tree = arrange(RUNS, Column("lr"), False, ["opt", "verdict"])
    assert outline(tree) == [
        ("opt adam", [("Verdict not reproduced", ["b"]), ("Verdict reproduced", ["a"])]),
        ("opt sgd", [("Verdict reproduced", ["c"])]),
    ]


def test_branches_stand_below_the_run_they_started_from():
    assert outline(arrange(RUNS, Column("lr"), False, [BRANCHES])) == ["b", ("a", ["c"])]
    circle = (made("x", parent_run="y"), made("y", parent_run="x"), made("z", parent_run="z"))
    assert sorted(run.run_id for run in arrange(circle, Column("run"), False, [BRANCHES]).runs()) == ["x", "y", "z"]


def test_the_runs_of_a_study_stay_together_and_the_others_stand_alone():
    runs = (made("s1", study="/kept/lr"), made("alone"), made("s2", study="/kept/lr"))
    assert outline(arrange(runs, Column("run"), False, ["study", BRANCHES])) == [("Study lr", ["s1", "s2"]), "alone"]


def test_words_and_expressions_filter_and_a_half_written_one_changes_nothing(library):
    library.set_runs(RUNS)
    library.field.setText('lr > 0.05 and verdict == "reproduced"')
    assert set(shown(library)) == {"a", "c"}
    assert library.count.text() == "2 of 3 runs"
    library.field.setText("lr > ")
    assert set(shown(library)) == {"a", "c"}
    assert library.field.problem.text() == "not an expression: it is not finished"
    library.field.setText("lr ! < 3")
    assert library.field.problem.text().endswith("at “! < 3”")
    library.field.setText("learning_rate > 1")
    assert "no run has a fact or knob" in library.field.problem.text()
    library.field.setText("paper")
    assert shown(library) == ["c"]
    assert library.field.problem.isHidden()


def test_a_filter_or_a_column_asks_for_the_numbers_it_needs(library, qtbot):
    library.set_runs(RUNS)
    with qtbot.waitSignal(library.numbers_wanted) as asked:
        library.set_columns([*library.columns, "at(loss, 500)"])
    assert asked.args == [[Number("loss", "at", 500)]]
    with qtbot.waitSignal(library.numbers_wanted) as asked:
        library.field.setText("mean(loss, 3) < 1")
    assert asked.args == [[Number("loss", "at", 500), Number("loss", "mean", 3)]]


def test_what_is_chosen_stays_so_when_the_list_changes(library):
    library.set_runs(RUNS)
    library.choose({"/kept/a.h5", "/kept/b.h5"})
    library.set_runs([made("new"), *RUNS])
    assert {run.run_id for run in library.chosen_runs()} == {"a", "b"}


def test_enter_opens_one_run_and_compares_several(library, qtbot):
    library.set_runs(RUNS)
    library.choose({"/kept/b.h5"})
    with qtbot.waitSignal(library.chosen) as opened:
        qtbot.keyClick(library.view, Qt.Key.Key_Return)
    assert opened.args == ["/kept/b.h5"]
    library.choose({"/kept/a.h5"})
    with qtbot.waitSignal(library.compare_requested) as compared:
        qtbot.keyClick(library.view, Qt.Key.Key_Return)
    assert set(compared.args[0]) == {"/kept/a.h5", "/kept/b.h5"}


def test_enter_in_a_field_of_the_details_opens_nothing(library, qtbot):
    library.set_runs(RUNS)
    library.choose({"/kept/b.h5"})
    library.show()
    asked = []
    library.chosen.connect(asked.append)
    library.details.labels_changed.disconnect()
    library.details.labels_changed.connect(asked.append)
    qtbot.keyClicks(library.details.tags, "paper")
    qtbot.keyClick(library.details.tags, Qt.Key.Key_Return)
    assert asked == [{"tags": ("paper",), "instead_of": ()}]


def test_the_words_of_a_group_have_the_empty_cells_behind_them(library):
    named = "a study with a name that is longer than any column"
    library.set_groups(["study"])
    library.set_runs([made(name, study=f"/kept/{named}", outcome="reproduced", seed=int(name)) for name in "01"])
    library.resize(1280, 700)
    library.grab()
    words = library.view.group_words(library.model.index(0, 0))
    (title, place, *_), (verdict, beside, *_) = words
    assert title == f"Study {named}  (2)" and verdict == "2 of 2 reproduced"
    assert place.width() > library.view.columnWidth(library.columns.index("run")) + 300
    assert place.right() < beside.left()


def test_a_new_column_is_scrolled_to_and_one_of_an_unknown_series_is_refused(library, qtbot):
    library.set_runs(RUNS)
    library.resize(700, 400)
    library.show()
    with qtbot.waitSignal(library.message) as said:
        library.column_menu._take("mean(losss, 3)")
    assert said.args == ["no run has a series losss; did you mean loss?"]
    library.column_menu._take("mean(loss, 3)")
    at = library.view.columnViewportPosition(len(library.columns) - 1)
    assert library.columns[-1] == "mean(loss, 3)"
    assert 0 <= at < library.view.viewport().width()


def test_the_folder_of_a_run_is_found_by_words_and_by_its_path(library):
    library.set_runs([RunEntry(Path("/cluster/lab7/x.h5")), *RUNS])
    for words in ("lab7", '"lab7"', '"/cluster" in file'):
        library.field.setText(words)
        assert shown(library) == ["x"]


def test_before_the_first_look_no_count_is_claimed(library):
    assert library.count.text() == "Looking for runs …"
    library.set_runs([])
    assert library.count.text() == "0 runs"


def test_a_branch_is_compared_with_its_parent(library, qtbot):
    library.set_runs(RUNS)
    library.choose({"/kept/c.h5"})
    with qtbot.waitSignal(library.compare_requested) as compared:
        library.commands.compare()
    assert compared.args == [["/kept/a.h5", "/kept/c.h5"]]


def test_the_details_offer_each_setting_that_differs_from_the_lab(library, qtbot):
    run = made("d", experiment="made-up", knobs={"lr": 0.5, "width": 10})
    library.set_runs([run])
    library._form = lambda: ("made-up", {"lr": 0.1, "width": 10})
    library.choose({"/kept/d.h5"})
    assert library.details.taken() == {"lr": 0.5}
    with qtbot.waitSignal(library.settings_taken) as taken:
        library.details.take.click()
    assert taken.args == [run, {"lr": 0.5}]


def test_the_details_name_every_setting_in_full(library):
    run = made("d", experiment="made-up", knobs={"checkpoint_megabytes": 16, "widths": "200 1000 5000 " * 9})
    library.resize(1280, 700)
    for experiment in ("made-up", "another"):
        library.details.show_runs([run], (experiment, {"checkpoint_megabytes": 8, "widths": "1"}))
        knobs = library.details.knobs
        assert (
            knobs.columnWidth(0) >= knobs.fontMetrics().horizontalAdvance("checkpoint_megabytes") + 48
        )  # box, margins
        assert knobs.columnWidth(1) >= 40
        shown = knobs.topLevelItem(0).text(1)
        assert shown == ("16  (8)" if experiment == "made-up" else "16")  # beside it what the form in the Lab has


def test_labels_edited_in_the_window_are_in_the_files(library, qtbot, tmp_path):
    paths = [small_run(tmp_path / f"{name}.h5") for name in "ab"]
    set_labels(paths[0], tags=["old", "own"])
    set_labels(paths[1], tags=["old"])
    library.set_runs([entry(path) for path in paths])
    library.choose({str(path) for path in paths})
    assert library.details.tags.text() == "old"
    library.details.tags.setText("new, talk")
    with qtbot.waitSignal(library.refresh_requested):
        library.details.tags.editingFinished.emit()
    with qtbot.waitSignal(library.refresh_requested):
        library.commands.star()
    found = [entry(path) for path in paths]
    assert [set(run.tags) for run in found] == [{"own", "new", "talk"}, {"new", "talk"}]
    assert all(run.star for run in found)


def test_what_cannot_be_labelled_says_why(library, qtbot, tmp_path):
    (tmp_path / "a.h5").write_bytes(b"x")
    library.set_runs([entry(tmp_path / "a.h5")])
    library.choose({str(tmp_path / "a.h5")})
    with qtbot.waitSignal(library.message) as said:
        library.commands.star()
    assert "not an HDF5 file" in said.args[0]


def test_runs_go_to_the_bin_after_a_question(library, qtbot, tmp_path, monkeypatch):
    binned = []
    monkeypatch.setattr("gui.library.files.QFile.moveToTrash", lambda path: binned.append(path) or True)
    library.set_runs([entry(small_run(tmp_path / "a.h5"))])
    library.choose({str(tmp_path / "a.h5")})
    library.commands.ask = lambda *_: False
    library.commands.bin()
    asked = []
    library.commands.ask = lambda *said: asked.append(said[1:3]) or True
    with qtbot.waitSignal(library.message) as said:
        library.commands.bin()
    assert asked == [("Move Made up – seed 0 to the bin?", "The system's bin gives it back.")]
    assert binned == [str(tmp_path / "a.h5")]
    assert said.args == ["1 run moved to the bin."]


def test_the_menus_offer_knobs_that_differ_and_numbers(library):
    library.set_runs(RUNS)
    library.column_menu.fill()
    menus = {action.text(): action.menu() for action in library.column_menu.actions() if action.menu()}
    assert [action.text() for action in menus["Knobs"].actions()][:2] == ["lr", "opt"]
    assert "loss" in [action.text() for action in menus["Numbers"].actions()]
    library.group_menu.fill()
    (verdict,) = (action for action in library.group_menu.actions() if action.text() == "Verdict")
    verdict.trigger()
    assert library.groups == ["study", BRANCHES, "verdict"]


def test_the_layout_of_the_library_comes_back(library, qtbot):
    library.set_columns(["star", "run", "lr"])
    library.set_groups(["verdict"])
    other = Library(LIGHT, lambda *_: True, lambda: ("", {}))
    qtbot.addWidget(other)
    other.restore_layout(library.layout_state())
    assert (other.columns, other.groups) == (library.columns, ["verdict"])


def test_the_table_is_drawn_in_both_themes(library, qtbot, tmp_path):
    path = small_run(tmp_path / "a.h5", values=[1.0, 1e-5, float("nan"), 0.5])
    library.set_runs([entry(path), *RUNS])
    library.set_groups(["experiment"])
    library.show()
    library.grab()
    library.set_theme(DARK)
    library.grab()
    assert isinstance(library.view, QTreeView)


def test_a_sparkline_keeps_its_extremes_and_leaves_out_what_is_not_finite():
    extremes = np.array([[1.0, 2.0, np.nan, 1.0], [1.0, 9.0, np.nan, 1.0]])
    points = polygon(extremes, QRect(0, 0, 31, 21))
    assert points.size() == 6
    heights = [points.at(i).y() for i in range(6)]
    assert (min(heights), max(heights)) == (QRect(0, 0, 31, 21).bottom() - 21, 20)
    assert polygon(np.full((2, 3), np.nan), QRect(0, 0, 31, 21)).size() == 0


def test_durations_read_well():
    assert [clock(seconds) for seconds in (0.52, 59.4, 200, 7500)] == ["0.52 s", "59 s", "3 min 20 s", "2 h 5 min"]


def test_local_runs_are_known_at_once_the_second_time_and_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("gui.runs.local.LOOK", 60.0)
    small_run(tmp_path / "runs" / "a.h5")
    small_run(tmp_path / "other" / "b.h5")
    runs = LocalRuns(tmp_path / "runs", tmp_path / "index.sqlite")
    assert [run.path.name for run in runs.stored()] == ["a.h5"]
    before = runs.stored()
    assert runs.stored() is before
    runs.watched = [tmp_path / "other"]
    runs.numbers = [Number("train_loss", "mean", 2)]
    runs.stored()
    assert {run.path.name: run.number(runs.numbers[0]) for run in runs.stored()} == {"a.h5": 1.5, "b.h5": 1.5}
    again = LocalRuns(tmp_path / "runs", tmp_path / "index.sqlite")
    (tmp_path / "runs" / "a.h5").unlink()
    assert [run.path.name for run in again.stored()] == ["a.h5"]  # as it was known
    assert again.left
    assert again.stored() == []
    assert not again.left
    runs.close()
    again.close()


def test_looking_at_a_slow_folder_leaves_time_to_read_files(tmp_path, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("gui.runs.local.time.monotonic", lambda: float(next(clock)))
    for name in "ab":
        small_run(tmp_path / f"{name}.h5")
    runs = LocalRuns(tmp_path, None)
    assert [len(runs.stored()), runs.left] == [0, 2]  # the clock jumps on at every look at it
    monkeypatch.setattr("gui.runs.local.LOOK", 15.0)
    assert [len(runs.stored()), runs.left] == [1, 1]
    runs.close()


def test_chosen_runs_are_sent_to_the_figure_in_a_view_of_theirs(library, qtbot, tmp_path):
    runs = [entry(tiny_run(tmp_path / f"{seed}.h5", seed=seed)) for seed in (0, 1)]
    library.set_runs(runs)
    library.choose({str(run.path) for run in runs})
    (menu,) = [action.menu() for action in library.commands.menu().actions() if action.text() == "Send to the figure"]
    with qtbot.waitSignal(library.figure_requested) as sent:
        next(action for action in menu.actions() if action.text() == "Loss").trigger()
    (panel,) = sent.args[0]
    assert (panel["view"], panel["band"], len(panel["runs"])) == ("loss", "SD", 2)
    library.set_runs([*runs, *RUNS])
    library.choose({"/kept/a.h5"})
    (menu,) = [action.menu() for action in library.commands.menu().actions() if action.text() == "Send to the figure"]
    assert not menu.isEnabled()
