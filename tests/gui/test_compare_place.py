"""The Compare place: many runs in the same views, and what the user changes about it."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from pypdf import PdfReader
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLabel

from gui.compare.colours import coloured, hues
from gui.compare.controls import BAND_TEXT
from gui.compare.figure import figure_page
from gui.compare.lines import contents
from gui.compare.members import groups, names, opened, settings
from gui.compare.place import ComparePlace
from gui.compare.prepare import prepared, step_at
from gui.compare.recipe import Recipe, RecipeError, load, save
from gui.compare.stroke import Stroke
from gui.compare.tables import as_csv, as_latex, rows
from gui.export.figure import write_recipe
from gui.theme import DARK, LIGHT
from gui.views.axes import Axis
from gui.views.text import short
from lab.compare import Along
from lab.views import Curves
from storage.numbers import Number
from storage.writer import RunWriter
from tests.fakes import Tiny

NAME = "tests.fakes:"
LOSS = Curves(("train_loss",), title="Loss", y_label="L", y_log=True)


@pytest.fixture
def runs(tmp_path):
    """Two learning rates times three seeds of the tiny experiment; each run has a spike of one row at its own step."""
    paths = []
    for lr in (0.1, 0.01):
        for seed in range(3):
            config = Tiny.configure(values={"lr": lr, "seed": seed, "steps": 1000}).model_dump(mode="json")
            path = tmp_path / f"{lr}-{seed}.h5"
            header = {"experiment": NAME, "title": "Tiny", "seed": seed, "preset": "demo"}
            writer = RunWriter.create(path, header, config, {"python": "3.11" if seed else "3.12"})
            step = np.arange(1000)
            loss = np.exp(-lr * step / 10) + 0.01
            loss[100 + 100 * seed] = 5.0
            writer.append("train_loss", step, loss)
            writer.append("norm", step[::2], 1.0 + step[::2] / 1000)
            writer.append("stage", step[::2], np.ones(500))
            writer.append("epoch", step, step / 10)
            writer.event(100 + 100 * seed, "spike", {})
            writer.set_verdict({"outcome": "reproduced" if lr > 0.05 else "not reproduced", "checks": []})
            writer.set_default_view(["train_loss"])
            writer.close("finished")
            paths.append(str(path))
    return paths


@pytest.fixture
def place(qtbot):
    place = ComparePlace(LIGHT)
    qtbot.addWidget(place, before_close_func=lambda widget: widget.finish())
    place.resize(1200, 700)
    return place


def show(qtbot, place, recipe):
    with qtbot.waitSignal(place.background.done):
        place.show_recipe(recipe)
    return place


def listed(place):
    """What differs: the names below each heading."""
    tops = [place.tabs.differs.tree.topLevelItem(row) for row in range(place.tabs.differs.tree.topLevelItemCount())]
    return {top.text(0): [top.child(row).text(0) for row in range(top.childCount())] for top in tops}


def test_seeds_become_one_line_with_its_count_and_no_spike_is_lost(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs), band="min-max"))
    assert place.grouping.names == ["lr 0.01", "lr 0.1"]
    overlay = place.grid.cells[0].view
    assert [line.group for line in overlay.visible_lines()] == [0, 1]
    assert all(line.count.tolist() == [3] * 1000 for line in overlay.visible_lines())
    for line in overlay.visible_lines():
        assert line.high.path(np.linspace(0, 999, 30))[1].max() == 5.0


def test_every_run_keeps_its_colour_when_others_are_hidden(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs), band="", colour="seed"))
    before = list(place.grouping.colours)
    assert len(set(before)) == 3
    place.runs.shown_changed.emit(runs[:2], False)
    assert place.grouping.colours == before
    assert {line.group for line in place.grid.cells[0].view.visible_lines()} == {
        0,
        1,
        2,
        5,
    }  # the others are seeds 0 and 1 of lr 0.1
    place.runs.shown_changed.emit(runs[:2], True)
    assert place.recipe.hidden == ()


def test_runs_are_aligned_at_their_first_spike(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs), band="", along=Along("event", "spike")))
    lines = place.grid.cells[0].view.visible_lines()
    assert [line.line.x[np.argmax(line.line.y)] for line in lines] == [0.0] * 6
    place.walk.slider.setValue(0)
    assert place.panels.axis.pinned == -300.0
    assert place.walk.label.text().startswith("steps since the first spike")


def test_a_run_without_the_event_is_left_out_and_counted(qtbot, place, runs, tmp_path):
    writer = RunWriter.create(tmp_path / "calm.h5", {"experiment": NAME}, Tiny.configure().model_dump(mode="json"), {})
    writer.append("train_loss", np.arange(5), np.ones(5))
    writer.close("finished")
    recipe = Recipe((*runs, str(tmp_path / "calm.h5")), band="", along=Along("event", "spike"))
    show(qtbot, place, recipe)
    assert "1 run left out: no event spike" in place.grid.cells[0].view._note.text()


def test_small_multiples_split_the_runs_by_a_knob(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs), facet="lr", views=("loss",)))
    assert [cell.view.title for cell in place.grid.cells] == ["Loss – lr 0.01", "Loss – lr 0.1"]
    assert [{line.group for line in cell.view.visible_lines()} for cell in place.grid.cells] == [{0}, {1}]


def test_a_difference_shows_runs_minus_the_reference(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs), layout="difference", reference=1, views=("loss", "stages")))
    overlay = next(cell.view for cell in place.grid.cells if hasattr(cell.view, "visible_lines"))
    assert [not line.line.y.any() for line in overlay.visible_lines()] == [False] * 4 + [True, False]
    assert not overlay.spec.y_log
    assert "minus lr 0.1, seed 1" in overlay.title


def test_side_by_side_every_run_has_its_panel_on_the_same_axes(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs[2:4]), layout="side by side", views=("loss",), along=Along("event", "spike")))
    views = [cell.view for cell in place.grid.cells]
    assert [view.title for view in views] == ["Loss – lr 0.01, seed 0", "Loss – lr 0.1, seed 2"]
    assert [len(view.visible_lines()) for view in views] == [1, 1]
    qtbot.waitUntil(lambda: views[0].box.viewRange() == views[1].box.viewRange())
    (left, right), (low, high) = views[0].box.viewRange()
    assert (left, right) == (-300, 899)  # from the longest way before the spike to the longest after it
    assert low < -2 and high > np.log10(5.0)
    views[0].axis.hold(0.0, 50.0)
    qtbot.waitUntil(lambda: all(view.box.viewRange()[0] == [0.0, 50.0] for view in views))


def zoomed(view, x, y):
    """As the wheel leaves it."""
    view.box.setRange(xRange=x, yRange=y, padding=0)
    view.box.sigRangeChangedManually.emit([True, True])


def test_panels_of_a_view_zoom_together_up_and_across(qtbot, place, runs):
    show(qtbot, place, Recipe((runs[0], runs[3]), layout="side by side", views=("loss",)))
    one, other = (cell.view for cell in place.grid.cells)
    qtbot.waitUntil(lambda: one.box.viewRange() == other.box.viewRange())
    whole = one.box.viewRange()
    zoomed(one, (1.0, 2.0), (-1.0, 0.5))
    qtbot.waitUntil(lambda: other.box.viewRange() == [[1.0, 2.0], [-1.0, 0.5]])
    place.runs.shown_changed.emit([runs[0]], False)  # what is held stays while runs come and go
    (left,) = (cell.view for cell in place.grid.cells)
    qtbot.waitUntil(lambda: left.box.viewRange()[1] == [-1.0, 0.5])
    place.runs.shown_changed.emit([runs[0]], True)
    one, other = (cell.view for cell in place.grid.cells)
    other.show_all()
    qtbot.waitUntil(lambda: one.box.viewRange() == other.box.viewRange() == whole)


def test_what_is_held_ends_with_what_it_was_measured_in(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs), views=("loss",)))
    zoomed(place.grid.cells[0].view, (500.0, 600.0), (-1.0, 0.5))
    show(qtbot, place, replace(place.recipe, along=Along("epoch")))
    assert place.panels.axis.held is None and not place.panels.axis.held_values
    zoomed(place.grid.cells[0].view, (50.0, 60.0), (-1.0, 0.5))
    show(qtbot, place, replace(place.recipe, layout="difference"))
    assert place.panels.axis.stretch == pytest.approx((0.0, 99.9))  # the difference lies along the runs' own epochs
    assert place.grid.cells[0].view.visible_lines()
    zoomed(place.grid.cells[0].view, (50.0, 60.0), (-1.0, 0.5))
    show(qtbot, place, replace(place.recipe, runs=tuple(runs[:2])))
    assert place.panels.axis.held == pytest.approx((50.0, 60.0))
    show(qtbot, place, replace(place.recipe, runs=tuple(runs[3:])))
    assert place.panels.axis.held is None


def test_round_numbers_are_written_out_however_few_digits_are_asked_for():
    assert [short(value, 1) for value in (100.0, 20.0, 5.0, 0.05, 1e6)] == ["100", "20", "5", "0.05", "1e6"]


def test_an_axis_that_is_short_still_has_two_numbers(qapp):
    axis = Axis("bottom")
    for low, high in ((0.0, 4000.0), (0.1, 9.9), (3.2, 3.9), (-1.0, 1.0), (0.0, 4.1)):
        ((_, places),) = axis.tickValues(low, high, 160)
        assert 2 <= len(places) <= 3 and low <= places[0] and places[-1] <= high
    ((_, places),) = axis.tickValues(0.0, 20_000.0, 165)
    assert places.tolist() == [0.0, 10_000.0, 20_000.0]  # the last would be written beyond the axis, and is left out
    ((_, places),) = Axis("bottom", steps=True).tickValues(3.2, 3.9, 160)
    assert len(places) == 0  # there is no whole step in between


def test_numbers_on_the_left_leave_the_axis_name_its_room_where_fewer_can(qapp):
    axis = Axis("left")
    ((spacing, places),) = axis.tickValues(0.02488, 0.02504, 110)
    assert axis.tickStrings(places, 1.0, spacing) == ["0.0249", "0.025"]  # 0.02495 between them would reach the name
    ((spacing, places),) = axis.tickValues(0.0, 1.0, 200)
    assert axis.tickStrings(places, 1.0, spacing) == ["0", "0.2", "0.4", "0.6", "0.8", "1"]


def test_groups_stand_in_the_order_of_their_values_and_arms_in_that_of_the_claim(runs):
    members, _ = opened([*runs[3:], *runs[:3]][::-1])
    assert names(members, groups(members, "SD")) == ["lr 0.01", "lr 0.1"]
    singles = [members[run] for (run,) in groups(members, "")]
    assert [(m.knobs["lr"], m.knobs["seed"]) for m in singles] == [(lr, s) for lr in (0.01, 0.1) for s in range(3)]
    first, second = list(Tiny.arms)[:2]
    armed = [
        replace(member, header={**member.header, "arm": second if member.knobs["lr"] < 0.05 else first})
        for member in members
    ]
    assert names(armed, groups(armed, "SD")) == [first, second]


def test_the_same_place_of_the_axis_is_another_step_of_each_run(runs):
    members, _ = opened(runs[:3])
    assert [step_at(member, Along("event", "spike"), 5.0) for member in members] == [105, 205, 305]
    assert step_at(members[0], Along("event", "jump"), 5.0) is None
    assert step_at(members[0], Along(), 7.4) == 7


def test_what_differs_is_listed_and_what_is_shared_is_not(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs)))
    assert listed(place) == {"Settings: 1 differ": ["lr"], "Model: the same": [], "Environment: the same": []}
    show(qtbot, place, Recipe(tuple(runs), band=""))
    assert listed(place)["Settings: 2 differ"] == ["lr", "seed"]
    assert listed(place)["Environment: 1 differ"] == ["python"]


def test_numbers_are_summed_up_over_seeds_and_copied(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs)))
    place.tabs.numbers.add("max(train_loss)")
    assert place.recipe.numbers == ("last(train_loss)", "max(train_loss)")
    table = place.tabs.numbers.rows()
    assert [row["max(train_loss)"] for row in table] == [5.0, 5.0]
    assert [row["± max(train_loss)"] for row in table] == [0.0, 0.0]
    assert [row["verdict"] for row in table] == ["0 of 3 reproduced", "3 of 3 reproduced"]
    assert [row["runs"] for row in table] == [3, 3]
    place.tabs.numbers.export_menu.actions()[1].trigger()
    assert QApplication.clipboard().text() == as_csv(table)
    with qtbot.waitSignal(place.tabs.numbers.message) as said:
        place.tabs.numbers.add("median(train_loss)")
    assert "no statistic" in said.args[0]


def test_a_latex_table_is_whole(runs, tmp_path, place, qtbot):
    members, _ = opened(runs)
    table = rows(members, groups(members, "SD"), [Number("train_loss", "mean", 5)])
    text = as_latex(table)
    assert text.startswith("\\begin{tabular}{rrlr}\n\\toprule\n")
    assert text.count(r"\\") == 3
    assert "mean(train\\_loss, 5)" in text
    assert r"\pm" in text
    show(qtbot, place, Recipe(tuple(runs)))
    place.tabs.numbers.save(str(tmp_path / "table.tex"))
    assert (tmp_path / "table.tex").read_text() == as_latex(place.tabs.numbers.rows())


def test_brushing_an_axis_shows_those_runs_alone(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs)))
    place.tabs.setCurrentIndex(2)
    plot = place.tabs.plots.parallel
    plot.resize(400, 300)
    axis = plot.names.index("lr")
    x = round(plot._x(axis))
    qtbot.mousePress(plot, Qt.MouseButton.LeftButton, pos=QPoint(x, round(plot._y(1.0))))
    qtbot.mouseMove(plot, QPoint(x, round(plot._y(0.7))))
    with qtbot.waitSignal(plot.brushed) as chosen:
        qtbot.mouseRelease(plot, Qt.MouseButton.LeftButton, pos=QPoint(x, round(plot._y(0.7))))
    assert chosen.args == [[0, 1, 2]]
    assert set(place.recipe.hidden) == set(runs[3:])
    x, y, colours = place.tabs.plots.scatter.places()
    assert len(x) == len(y) == len(colours) == 6
    plot.grab()


def test_a_comparison_is_saved_as_text_and_opened_again(qtbot, place, runs, tmp_path):
    recipe = Recipe(
        tuple(runs), band="SE", along=Along("event", "spike"), colour="lr", hidden=(runs[2],), views=("loss",)
    )
    show(qtbot, place, recipe)
    place.save(str(tmp_path / "comparison.json"))
    assert json.loads((tmp_path / "comparison.json").read_text())["runs"][0] == "0.1-0.h5"
    assert load(tmp_path / "comparison.json") == recipe
    with qtbot.waitSignal(place.background.done):
        place.open(str(tmp_path / "comparison.json"))
    assert place.recipe == recipe


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "else"}, "its kind"),
        ({"runs": []}, "no runs"),
        ({"runs": "a.h5"}, "a list"),
        ({"layout": "stacked"}, "stacked"),
        ({"band": "IQR"}, "IQR"),
        ({"along": {"kind": "moon"}}, "moon"),
        ({"reference": 9}, "reference 9"),
    ],
)
def test_a_file_that_is_no_comparison_says_why(tmp_path, change, said):
    save(Recipe(("a.h5",)), tmp_path / "c.json")
    data = json.loads((tmp_path / "c.json").read_text()) | change
    (tmp_path / "c.json").write_text(json.dumps(data))
    with pytest.raises(RecipeError, match=said):
        load(tmp_path / "c.json")
    with pytest.raises(RecipeError, match="cannot be read"):
        load(tmp_path / "gone.json")


def test_a_damaged_file_is_named_and_the_others_are_compared(qtbot, place, runs, tmp_path):
    (tmp_path / "bad.h5").write_bytes(b"x")
    with qtbot.waitSignal(place.message) as said:
        place.compare([str(tmp_path / "bad.h5"), *runs])
    assert "not an HDF5 file" in said.args[0]
    assert len(place.members) == 6


def test_runs_that_cannot_be_read_leave_nothing_of_the_comparison_before(qtbot, place, runs):
    place.show()
    show(qtbot, place, Recipe(tuple(runs)))
    with qtbot.waitSignal(place.background.done):
        place.compare(["/nowhere/a.h5"])
    assert place.runs.tree.topLevelItemCount() == 0 and not place.grid.cells
    assert not place.controls.isVisible() and not place.tabs.isVisible()
    assert "/nowhere/a.h5" in place.grid.findChild(QLabel).text()
    with qtbot.waitSignal(place.background.done):
        place.compare(runs[:2])
    assert place.controls.isVisible() and place.grid.cells


def test_the_place_is_drawn_in_both_themes_and_a_panel_fills_it(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs)))
    place.show()
    place.grab()
    first, *others = place.grid.cells
    first.maximise_requested.emit(first)
    assert all(cell.isHidden() for cell in others)
    qtbot.keyClick(place.grid, Qt.Key.Key_Escape)
    assert not any(cell.isHidden() for cell in place.grid.cells)
    light = list(place.grouping.colours)
    place.set_theme(DARK)
    place.grab()
    assert place.grid.cells[0].view.theme is DARK
    assert len(light) == len(place.grouping.colours)


def test_panels_zoom_together_and_show_all_again(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs)))
    one, other = (cell.view for cell in place.grid.cells[:2])
    place.panels.axis.hold(100.0, 200.0)
    one.draw()
    other.draw()
    assert one.box.viewRange()[0] == other.box.viewRange()[0] == pytest.approx([100.0, 200.0])
    other.show_all()
    assert place.panels.axis.stretch == (0.0, 999.0)


def test_numbers_of_a_panel_are_every_digit_of_what_is_drawn(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs[:1]), band=""))
    text = place.grid.cells[0].view.numbers().splitlines()
    assert text[0].split("\t")[0] == "step"
    assert len(text) == 1001
    assert float(text[101].split("\t")[3]) == 5.0


def test_names_leave_out_what_most_runs_share(runs, tmp_path):
    members, _ = opened(runs)
    others = [
        replace(member, knobs={**member.knobs, "mode": "b" if n == 0 else "a"}) for n, member in enumerate(members)
    ]
    single = [[0], [1], [3]]
    assert names(others, single) == ["lr 0.1, b", "lr 0.1, seed 1", "lr 0.01"]
    assert names(members, [[0], [1]]) == ["seed 0", "seed 1"]
    placed = coloured(settings(members), "lr", single)
    assert len(set(hues(placed, LIGHT))) == 2


def test_arms_are_called_by_their_names(runs):
    members, _ = opened(runs[:4])
    armed = [
        replace(member, header={**member.header, "arm": arm})
        for member, arm in zip(members, ("gd", "gd", "gd", "eps-0.1"), strict=True)
    ]
    assert names(armed, [[0, 1, 2], [3]]) == ["gd", "eps-0.1"]
    assert "gd" not in names(armed, [[0], [1], [3]])  # which would be two of them


def test_runs_of_a_lone_group_are_judged_by_their_seeds(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs[:3])))
    tree = place.tabs.verdicts.tree
    assert [tree.topLevelItem(row).text(0) for row in range(1, 4)] == ["seed 0", "seed 1", "seed 2"]


def test_a_line_that_turns_back_is_drawn_in_order_with_its_extremes():
    t = np.linspace(0, 20, 10_000)
    stroke = Stroke(np.cos(t), np.sin(t))
    x, y = stroke.path(np.linspace(-1, 1, 101))
    assert len(x) < 1000
    assert (y.min(), y.max()) == (np.sin(t).min(), np.sin(t).max())
    assert np.isnan(stroke.at(0.0))


def test_runs_of_an_unknown_experiment_still_have_their_tables(tmp_path, qtbot, place):
    from tests.storage.small_runs import small_run

    paths = [str(small_run(tmp_path / f"{lr}.h5", knobs={"lr": lr})) for lr in (0.1, 0.2)]
    show(qtbot, place, Recipe(tuple(paths)))
    assert place.grid.cells == []
    assert [row["lr"] for row in place.tabs.numbers.rows()] == [0.1, 0.2]


def test_a_run_is_read_once_unless_it_grows(runs):
    first = prepared(Recipe(tuple(runs)), {})
    again = prepared(Recipe(tuple(runs)), {member.path: member for member in first.members})
    assert all(one is other for one, other in zip(first.members, again.members, strict=True))
    assert contents(LOSS, first.members, [[0]], Along(), "").lines[0].line.y.max() == 5.0


def test_the_command_line_prints_the_same_table(runs, tmp_path, capsys):
    import typer

    import main

    def said(*arguments):
        typer.main.get_command(main.app)(["compare", *arguments], standalone_mode=False)
        return capsys.readouterr().out

    text = said(*runs, "--number", "max(train_loss)")
    assert [line.split()[:3] for line in text.splitlines()] == [
        ["lr", "max(train_loss)", "±"],
        ["0.01", "5", "0"],
        ["0.1", "5", "0"],
    ]
    save(Recipe(tuple(runs), hidden=(runs[0],), numbers=("last(train_loss)",)), tmp_path / "comparison.json")
    assert said(str(tmp_path / "comparison.json"), "--csv", "--no-seeds").count("\n") == 6
    assert said(str(tmp_path / "comparison.json"), "--latex").startswith("\\begin{tabular}")
    with pytest.raises(main.BadInput, match="no number"):
        said(*runs, "--number", "loss")


def test_lines_of_several_series_are_called_by_their_symbols(qtbot, place, tmp_path):
    paths = []
    for seed in (0, 1):
        paths.append(str(tmp_path / f"{seed}.h5"))
        config = Tiny.configure(values={"seed": seed}).model_dump(mode="json")
        with RunWriter.create(paths[-1], {"experiment": NAME, "seed": seed}, config, {}) as writer:
            writer.declare("train_loss", {"label": "Training loss", "symbol": "L"})
            for name in ("train_loss", "norm_of_weights"):
                writer.append(name, np.arange(3), np.ones(3))
    members, _ = opened(paths)
    spec = Curves(("train_loss", "norm_of_weights"), title="Both")
    drawn = contents(spec, members, [[0], [1]], Along("step"), "").lines
    assert [line.symbol for line in drawn] == ["L", "L", "norm of weights", "norm of weights"]


def test_many_lines_say_at_least_what_their_dashes_mean(qtbot, place, tmp_path):
    paths = []
    for seed in range(5):
        paths.append(str(tmp_path / f"{seed}.h5"))
        config = Tiny.configure(values={"seed": seed}).model_dump(mode="json")
        with RunWriter.create(paths[-1], {"experiment": NAME, "seed": seed}, config, {}) as writer:
            for name in ("sharpness", "norm"):
                writer.append(name, np.arange(3), np.full(3, 1.0 + (name == "norm")))
    show(qtbot, place, Recipe(tuple(paths), views=("sharpness",), band=""))
    (cell,) = place.grid.cells
    assert len(cell.view.visible_lines()) == 10
    assert [name.toPlainText() for name in cell.view.names._items] == ["sharpness", "norm"]


def test_an_empty_place_shows_no_choices_without_a_meaning(qtbot, place, runs):
    place.show()
    assert not any(widget.isVisible() for widget in (place.controls, place.walk.slider, place.tabs))
    assert "Choose several runs" in place.grid.widget().findChild(QLabel).text()
    show(qtbot, place, Recipe(tuple(runs)))
    assert all(widget.isVisible() for widget in (place.controls, place.walk.slider, place.tabs))


def test_panels_find_other_places_when_the_window_changes(qtbot, place, runs):
    place.resize(1600, 800)
    place.show()
    show(qtbot, place, Recipe(tuple(runs), views=("loss", "sharpness")))
    one, other = place.grid.cells
    qtbot.waitUntil(lambda: one.y() == other.y() and one.x() < other.x())
    place.resize(900, 800)
    qtbot.waitUntil(lambda: one.x() == other.x() and one.y() < other.y())
    assert place.runs.tree.topLevelItem(1).text(0).startswith("lr 0.1")


def test_groups_are_not_told_apart_by_the_seeds_of_their_first_runs(qtbot, place, runs):
    show(qtbot, place, Recipe((runs[0], runs[1], runs[5], runs[4])))
    assert place.grouping.names == ["lr 0.01", "lr 0.1"]
    assert listed(place)["Settings: 1 differ"] == ["lr"]


def test_a_lone_group_is_called_by_its_run(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs[:3])))
    top = place.runs.tree.topLevelItem(0)
    assert (top.text(0), top.text(1)) == ("Tiny", "3/3")


def test_everything_fits_a_window_of_1280_pixels(qtbot, place, runs):
    place.resize(1280, 752)
    place.show()
    show(qtbot, place, Recipe(tuple(runs)))
    bar = place.tabs.tabBar()
    assert bar.sizeHint().width() <= place.tabs.width()
    assert place.minimumSizeHint().width() <= place.width() == 1280


def test_views_are_sent_to_the_figure_as_they_are_compared(qtbot, place, runs):
    show(
        qtbot, place, Recipe(tuple(runs), band="SE", along=Along("event", "spike"), views=("loss",), hidden=(runs[5],))
    )
    with qtbot.waitSignal(place.figure_requested) as sent:
        place.grid.cells[0].view.figure_requested.emit()
    (panel,) = sent.args[0]
    assert panel == {
        "view": "loss",
        "colour": "",
        "along": "event spike",
        "band": "SE",
        "runs": [*runs[3:5], *runs[:3]],
    }
    with qtbot.waitSignal(place.figure_requested) as sent:
        place.send_to_figure()
    assert sent.args[0] == [panel]


def test_the_command_line_draws_a_saved_comparison(runs, tmp_path, capsys):
    import typer

    import main

    save(Recipe(tuple(runs), views=("loss", "sharpness"), along=Along("event", "spike")), tmp_path / "comparison.json")
    command = typer.main.get_command(main.app)
    out = tmp_path / "figure.pdf"
    command(["compare", str(tmp_path / "comparison.json"), "--out", str(out), "--data"], standalone_mode=False)
    assert [Path(line).name for line in capsys.readouterr().out.split()] == [
        "figure.pdf",
        "figure-a.csv",
        "figure-b.csv",
    ]
    assert "steps since the first spike" in " ".join(PdfReader(out).pages[0].extract_text().split())
    with pytest.raises(main.BadInput, match="figures are"):
        command(["compare", *runs, "--out", str(tmp_path / "figure.doc")], standalone_mode=False)


def pick(qtbot, place, box, text):
    """Open a list, walk to an entry and take it, as a person does."""
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton)
    away = box.findText(text) - box.currentIndex()
    for _ in range(abs(away)):
        qtbot.keyClick(box.view(), Qt.Key.Key_Down if away > 0 else Qt.Key.Key_Up)
    with qtbot.waitSignal(place.background.done):
        qtbot.keyClick(box.view(), Qt.Key.Key_Return)
    assert box.currentText() == text
    return place.grid.cells[0].view


def test_every_axis_is_chosen_by_hand(qtbot, place, runs):
    place.show()
    show(qtbot, place, Recipe(tuple(runs), views=("loss",)))
    ends = {"epoch": (0, 99.9), "first spike = 0": (-100, 899), "norm": (1, 1.998), "step": (0, 999)}
    for text, (low, high) in ends.items():
        x = pick(qtbot, place, place.controls.along_box, text).visible_lines()[0].line.x
        if text != "first spike = 0":  # seeds have theirs at different steps
            assert (x.min(), x.max()) == pytest.approx((low, high))
        else:
            assert x.min() == -300 and x.max() == 899
    clock = pick(qtbot, place, place.controls.along_box, "time")
    assert clock.along.label == "time (s)" and clock.visible_lines()[0].line.x.min() >= 0


def test_every_band_colour_split_and_layout_is_chosen_by_hand(qtbot, place, runs):
    place.show()
    show(qtbot, place, Recipe(tuple(runs), views=("loss",)))
    for band, text in BAND_TEXT.items():
        if text != place.controls.band_box.currentText():
            pick(qtbot, place, place.controls.band_box, text)
        lines = place.grid.cells[0].view.visible_lines()
        assert len(lines) == (2 if band else 6)
        assert all((line.low is not None) == (band not in ("", "all lines")) for line in lines)
        assert all(line.count is None or set(line.count) == {3} for line in lines)
        assert [len(line.single) for line in lines] == ([3, 3] if band == "all lines" else [0] * len(lines))
    pick(qtbot, place, place.controls.colour_box, "lr")
    assert len(set(place.grouping.colours)) == 2
    pick(qtbot, place, place.controls.facet_box, "lr")
    assert [cell.view.title for cell in place.grid.cells] == ["Loss – lr 0.01", "Loss – lr 0.1"]
    pick(qtbot, place, place.controls.layout_box, "side by side")
    assert [cell.head for cell in place.grid.cells] == ["Loss – lr 0.01"] * 3 + ["Loss – lr 0.1"] * 3


def test_any_series_can_be_the_axis_of_many_runs(runs):
    found = prepared(Recipe(tuple(runs)), {})
    assert {Along(), Along("time"), Along("event", "spike"), Along("series", "norm")} <= {*found.alongs}
    many = prepared(Recipe((*runs, *runs)), {})
    assert {*many.alongs} == {*found.alongs}


@pytest.mark.parametrize("along", [Along("event", "spike"), Along("epoch"), Along("time"), Along("series", "norm")])
def test_differences_lie_where_their_runs_do_on_screen_and_on_paper(runs, along, tmp_path):
    for seconds, path in enumerate(runs[:2], start=1):
        with h5py.File(path, "r+") as file:
            file["clock/step"].resize((2,))
            file["clock/time"].resize((2,))
            file["clock/step"][:], file["clock/time"][:] = (0, 999), (0.0, 10.0 * seconds)
    recipe = Recipe(tuple(runs[:2]), layout="difference", along=along, band="", views=("loss",))
    found = prepared(recipe, {})
    line = found.panels["loss"].contents.lines[1].line
    if along.kind == "event":  # the spikes of both runs stand at 0 and cancel
        assert line.y[line.x == 0].tolist() == [0.0]
    else:
        assert line.y[[100, 200]] == pytest.approx([0.0 - 5.0, 5.0], abs=0.5)
    assert line.x[-1] == {"event": 799, "epoch": 99.9, "time": 20.0, "series": 1.998}[along.kind]
    written = write_recipe(figure_page(recipe, found.members, "double", data=True), tmp_path / "f.pdf")
    told = next(path for path in written if path.suffix == ".csv").read_text().splitlines()
    assert [float(x) for x in told[-1].split(",")[-2:]] == [line.x[-1], line.y[-1]]


def test_components_of_a_vector_series_are_lines_that_dashes_tell_apart(qtbot, place, tmp_path):
    spec = Curves(("train_loss", "spread"), title="Both")
    members = []
    for seed in range(3):
        path = tmp_path / f"{seed}.h5"
        with RunWriter.create(path, {"experiment": NAME, "seed": seed}, {"seed": seed}, {}) as writer:
            step = np.arange(5)
            writer.append("train_loss", step, np.ones(5))
            writer.append("spread", step, seed + np.arange(20.0)[None, :] + step[:, None])
            writer.append("field", step, np.ones((5, 2, 2)))
        members += opened([str(path)])[0]
    found = contents(spec, members, [[0, 1, 2]], Along(), "SD").lines
    assert [line.series for line in found] == ["train_loss", *(f"spread {n}" for n in (1, 4, 6, 9, 12, 15, 17, 20))]
    assert [line.dash for line in found] == list(range(9))
    assert found[-1].line.y.tolist() == [20.0, 21.0, 22.0, 23.0, 24.0] and found[-1].count.tolist() == [3] * 5
    assert not contents(Curves(("field",), title="Field"), members, [[0]], Along(), "").lines
