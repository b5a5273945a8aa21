"""Every kind of view in the Compare place: overlaid, side by side, subtracted, and the same on paper."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from gui.compare.figure import figure_page, figure_panels
from gui.compare.kinds import overlaid, why_alone, why_whole
from gui.compare.members import opened, specs
from gui.compare.place import ComparePlace
from gui.compare.prepare import step_at
from gui.compare.recipe import Recipe
from gui.export.figure import write_recipe
from gui.export.outlines import shared
from gui.export.page import draw_page
from gui.export.recipe import checked
from gui.export.sources import opened as contents_of
from gui.theme import DARK, LIGHT
from lab.compare import Along
from lab.views import Heatmap, Landscape, Matrix, Ribbon, Scatter
from storage.writer import RunWriter
from tests.gui.everything import SPECS, Everything, written
from tests.made_up_views import SOURCE

ALL = tuple(spec.id for spec in SPECS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return written(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def place(qtbot):
    place = ComparePlace(LIGHT)
    qtbot.addWidget(place, before_close_func=lambda widget: widget.finish())
    place.resize(1280, 800)
    return place


def show(qtbot, place, recipe):
    with qtbot.waitSignal(place.background.done):
        place.show_recipe(recipe)
    return {cell.view.spec.title: cell.view for cell in place.grid.cells}


def test_every_kind_of_view_is_overlaid_or_says_why_not():
    for spec in SPECS:
        assert overlaid(spec) or why_alone(spec), spec.title
    assert {type(spec) for spec in SPECS if why_whole(spec)} >= {Scatter, Ribbon}


def test_every_view_is_drawn_over_all_runs_in_both_themes(qtbot, place, runs):
    place.show()
    show(qtbot, place, Recipe(tuple(runs), views=ALL))
    place.grab()
    place.set_theme(DARK)
    place.grab()
    views = {cell.view.spec.title: cell.view for cell in place.grid.cells}
    for spec in SPECS:
        assert overlaid(spec) != (f"{spec.title} stands side by side" in place.said.text()), spec.title
        assert not getattr(views[spec.title], "message", ""), spec.title


def test_seeds_are_summed_up_in_profiles_and_what_all_share_is_drawn_once(qtbot, place, runs):
    view = show(qtbot, place, Recipe(tuple(runs), views=("solution-profile",), band="min-max"))["Solution profile"]
    output = [outline for outline in view.visible() if outline.shape.series == "output"]
    assert [(outline.group, outline.count) for outline in output] == [(0, 2), (1, 2)]
    last = SOURCE.series("output")[1][-1]
    for outline, lr in zip(output, (0.1, 0.2), strict=True):
        assert np.allclose(outline.shape.y, (1.005 + lr) * last)
        assert np.allclose(np.abs(outline.high - outline.low), 0.01 * np.abs(last))
    assert shared(view.visible()) == {"target"}
    text = view.numbers().splitlines()
    assert len(text) == 1 + 4 * 80 and text[1].startswith("lr 0.1")


def test_the_slider_moves_views_of_one_moment_along_the_common_axis(qtbot, place, runs):
    recipe = Recipe(tuple(runs), views=("solution-profile", "bars"), band="", along=Along("event", "spike"))
    views = show(qtbot, place, recipe)
    bars = views["Bars"]
    low, high = place.panels.ends()
    with qtbot.waitSignal(bars._background.done):
        place.walk.slider.setValue(round(1000 * (100 - low) / (high - low)))
    step, accuracy = SOURCE.series("accuracy")
    row = int(np.searchsorted(step, 196, side="right")) - 1
    assert np.allclose(bars.visible()[0].shape.y, 1.1 * accuracy[row])
    with qtbot.waitSignal(bars._background.done):
        place.walk.slider.setValue(1000)
    assert np.allclose(bars.visible()[0].shape.y, 1.1 * accuracy[-1])


def test_views_that_stand_side_by_side_move_in_lockstep(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs), views=("matrix",), along=Along("event", "spike")))
    low, high = place.panels.ends()
    place.walk.slider.setValue(round(1000 * (50 - low) / (high - low)))
    x = low + (high - low) * place.walk.share
    steps = [axis.pinned for _, axis in place.panels._steps]
    firsts = [place.members[run] for run, _ in place.panels._steps]
    assert steps == [step_at(member, Along("event", "spike"), x) for member in firsts]
    place.walk.slider.setValue(1000)
    assert {axis.pinned for _, axis in place.panels._steps} == {None}


def test_fields_side_by_side_share_one_scale(qtbot, place, runs):
    views = ("heatmap-over-time", "heads-as-small-multiples", "loss-landscape")
    show(qtbot, place, Recipe(tuple(runs), layout="side by side", views=views))
    for kind in (Heatmap, Matrix, Landscape):
        cells = [cell.view for cell in place.grid.cells if isinstance(cell.view.spec, kind)]
        assert len(cells) == 4
        assert len({(cell.bar.colour_scale.low, cell.bar.colour_scale.high) for cell in cells}) == 1
    section = SOURCE.series("section")[1]
    scale = next(cell.view.bar.colour_scale for cell in place.grid.cells if isinstance(cell.view.spec, Landscape))
    assert scale.low == pytest.approx(1.1 * section.min()) and scale.high == pytest.approx(1.21 * section.max())


def test_fields_are_subtracted_at_their_places_with_colours_about_zero(qtbot, place, runs):
    views = ("heatmap-over-time", "matrix", "loss-landscape", "solution-profile", "stage-ribbon")
    shown = show(qtbot, place, Recipe(tuple(runs[::2]), layout="difference", views=views))
    landscape = shown["Loss landscape"]
    landscape.draw()
    assert np.allclose(landscape.section.values, 0.1 * SOURCE.series("section")[1][0])
    assert landscape.section.x.tolist() == SOURCE.series("across")[1][0].tolist()
    assert landscape.bar.colour_scale.low == -landscape.bar.colour_scale.high
    heatmap = shown["Heatmap over time"]
    heatmap.draw()
    assert heatmap.bar.colour_scale.diverging and not heatmap.bar.log
    profile = [outline for outline in shown["Solution profile"].visible() if outline.shape.series == "output"]
    assert np.allclose(profile[1].shape.y, 0.1 * SOURCE.series("output")[1][-1])
    assert "Stage ribbon has no difference: stages are names, not numbers" in place.said.text()


def test_a_run_on_another_grid_is_left_out_of_the_difference_and_said(qtbot, place, tmp_path):
    runs = written(tmp_path, seeds=1)
    with h5py.File(runs[1], "r+") as file:
        file["series/across/value"][...] = 2 * np.asarray(file["series/across/value"])  # pyright: ignore[reportIndexIssue]
    show(qtbot, place, Recipe(tuple(runs), layout="difference", views=("loss-landscape",)))
    assert place.grid.cells == []
    assert "1 left out, across differs" in place.said.text()


def test_profiles_of_several_runs_zoom_together(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs[:2]), views=("solution-profile",), layout="side by side"))
    one, other = (cell.view for cell in place.grid.cells)
    qtbot.waitUntil(lambda: one.box.viewRange() == other.box.viewRange())
    whole = one.box.viewRange()
    one.box.setRange(xRange=(0.1, 0.2), yRange=(-0.5, 0.5), padding=0)
    one.box.sigRangeChangedManually.emit([True, True])
    qtbot.waitUntil(lambda: other.box.viewRange() == [[0.1, 0.2], [-0.5, 0.5]])
    other.show_all()
    qtbot.waitUntil(lambda: one.box.viewRange() == other.box.viewRange() == whole)


@pytest.mark.parametrize("view", ["loss-landscape", "heatmap-over-time", "matrix"])
def test_fields_of_several_runs_zoom_together(qtbot, place, runs, view):
    place.show()
    show(qtbot, place, Recipe(tuple(runs[::2]), views=(view,)))
    one, other = (cell.view for cell in place.grid.cells)
    for shown in (one, other):
        shown.refresh()
    whole = other.box.viewRange()
    (left, right), (low, high) = one.box.viewRange()
    one.box.setRange(xRange=(left, (left + right) / 2), yRange=(low, (low + high) / 2), padding=0)
    one.box.sigRangeChangedManually.emit([True, True])
    qtbot.waitUntil(lambda: np.allclose(other.box.viewRange(), one.box.viewRange()))
    assert not np.allclose(other.box.viewRange(), whole)
    one.all_action.trigger()
    half = 0.6 * (right - left)
    qtbot.waitUntil(lambda: all(np.diff(view.box.viewRange()[0])[0] > half for view in (one, other)))


def test_views_of_optional_instruments_are_compared_where_they_were_read(qtbot, place, tmp_path):
    paths = []
    for seed in range(3):
        path = tmp_path / f"{seed}.h5"
        config = Everything.configure(values={"seed": seed}).model_dump(mode="json")
        with RunWriter.create(path, {"experiment": "tests.gui.everything:", "seed": seed}, config, {}) as writer:
            writer.append("train_loss", np.arange(3), np.ones(3))
            if seed:
                writer.append("largest", np.arange(3), np.ones(3) * seed)
        paths.append(str(path))
    assert "Also: largest parameter" not in {view.title for view in specs(opened(paths[:1])[0])}
    show(qtbot, place, Recipe(tuple(paths), views=("also-largest-parameter",), layout="side by side"))
    assert [cell.view.title for cell in place.grid.cells] == [
        f"Also: largest parameter \N{EN DASH} seed {n}" for n in (1, 2)
    ]
    recipe = replace(place.recipe, layout="overlay", band="")
    written = write_recipe(figure_page(recipe, place.members, "double", data=True), tmp_path / "figure.pdf")
    assert next(path for path in written if path.suffix == ".csv").read_text().count("largest") >= 6


def test_ribbons_lie_below_one_another_along_the_common_axis(qtbot, place, runs):
    recipe = Recipe(tuple(runs), views=("stage-ribbon",), along=Along("event", "spike"))
    strips = show(qtbot, place, recipe)["Stage ribbon"]
    found = strips.visible()
    assert [strip.group for strip in found] == [0, 0, 1, 1]
    assert found[0].edges.tolist() == [-96.0, 4.0, 104.0, 204.0, 300.0]
    assert [strips.stage_at(found[0], x) for x in (-97, -96, 50, 150)] == [0, 1, 2, 3]
    assert strips.numbers().splitlines()[1].endswith("\t-96.0\t4.0\t1")


def test_the_claim_is_judged_over_the_runs_that_are_shown(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs), views=("curves",)))
    top = place.tabs.verdicts.tree.topLevelItem(0)
    assert [top.text(0), top.text(1)] == ["4 runs together", "reproduced"]
    assert top.child(0).text(0) == "stable: share that ends as expected"
    place.runs.shown_changed.emit(runs[:2], False)
    top = place.tabs.verdicts.tree.topLevelItem(0)
    assert [top.text(0), top.text(1)] == ["2 runs together", "not comparable"]
    assert "run its arms" in top.child(0).text(0)


def test_models_are_told_apart_by_modules_and_shapes(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs), views=("curves",)))
    tops = [place.tabs.differs.tree.topLevelItem(row) for row in range(3)]
    assert [top.text(0) for top in tops] == ["Settings: 2 differ", "Model: 1 differ", "Environment: the same"]
    row = tops[1].child(0)
    assert [row.text(column) for column in range(3)] == ["theta", "3", "6"]


FIELDS = ("curves", "heads-as-small-multiples", "loss-landscape")


@pytest.mark.parametrize(("layout", "views"), [("overlay", ALL), ("side by side", FIELDS), ("difference", FIELDS)])
def test_a_comparison_is_drawn_as_a_figure(runs, tmp_path, layout, views):
    members, _ = opened(runs)
    recipe = Recipe(tuple(runs), layout=layout, views=views, colour="lr", along=Along("event", "spike"))
    panels = figure_panels(recipe, members)
    for panel in panels:
        page = {"panels": [panel], "size": [200, 100], "dpi": 50, "data": "csv"}
        files = write_recipe(checked(page), tmp_path / "figure.png")
        assert all(file.stat().st_size for file in files)
    assert {panel["view"] for panel in panels} == set(views)
    for member in members:
        member.source.close()


def test_curves_of_a_figure_lie_where_the_comparison_has_them(runs, tmp_path):
    members, _ = opened(runs)
    recipe = Recipe(tuple(runs), layout="difference", views=("curves",), along=Along("event", "spike"), reference=0)
    (panel,) = figure_panels(recipe, members)
    write_recipe(checked({"panels": [panel], "data": "csv"}), tmp_path / "figure.svg")
    head, *rows = (line.split(",") for line in (tmp_path / "figure.csv").read_text().splitlines())
    assert head == ["run_id", "series", "event spike", "value"]
    assert float(rows[0][2]) == -96.0 and float(rows[0][3]) == pytest.approx(0.01)
    other = replace(recipe, layout="overlay", band="all lines")
    (panel,) = figure_panels(other, members)
    assert panel["band"] == "all lines" and len(panel["runs"]) == 4
    for member in members:
        member.source.close()


def test_small_multiples_share_their_limits_on_paper_as_they_do_on_screen(runs):
    members, _ = opened(runs)
    for recipe in (
        Recipe(tuple(runs), views=("curves", "solution-profile"), facet="lr", band="SD"),
        Recipe(tuple(runs), views=("curves", "solution-profile"), layout="side by side"),
    ):
        page = figure_page(recipe, members, "double")
        count = len(page.panels) // 2
        assert count == (2 if recipe.facet else 4)
        assert len({panel.title for panel in page.panels}) == 2 * count
        with contents_of(page, Path()) as found:
            axes = draw_page(page, found, page.look()).axes
        for alike in (axes[:count], axes[count : 2 * count]):
            assert len({(part.get_xlim(), part.get_ylim()) for part in alike}) == 1
        own = page.changed(panels=[{**panel.model_dump(), "shared": False} for panel in page.panels])
        with contents_of(own, Path()) as found:
            axes = draw_page(own, found, own.look()).axes
        assert len({part.get_ylim() for part in axes[:count]}) > 1


def test_fields_of_many_runs_have_room_on_paper_names_and_one_bar(tmp_path):
    runs = written(tmp_path, lrs=tuple(0.1 + 0.01 * number for number in range(7)), seeds=1)
    members, _ = opened(runs)
    page = figure_page(Recipe(tuple(runs), views=("matrix", "curves")), members, "double")
    assert [panel.columns for panel in page.panels].count(2) == 1
    across, down = page.millimetres
    assert (across, down) == (178, 3 * 80)  # two rows of matrices, one of curves
    with contents_of(page, Path()) as found:
        figure = draw_page(page, found, page.look())
    named = [axes for axes in figure.axes if "η" in axes.get_title(loc="left")]
    assert len(named) == 7 and len({round(axes.get_position().y0, 3) for axes in named}) == 2
    assert min(axes.get_position().width * across for axes in named) > 20  # mm
    assert sum(hasattr(axes, "_colorbar") for axes in figure.axes) == 1


def test_a_table_begins_with_a_number_that_the_runs_have(qtbot, place, runs):
    show(qtbot, place, Recipe(tuple(runs), views=("matrix",)))
    assert [str(number) for number in place.tabs.numbers.numbers()] == ["last(train_loss)"]
    assert all(np.isfinite(row["last(train_loss)"]) for row in place.tabs.numbers.rows())


def test_every_kind_of_view_is_split_by_a_knob(qtbot, place, runs):
    recipe = Recipe(tuple(reversed(runs)), views=ALL, band="", facet="lr")
    place.show()
    show(qtbot, place, recipe)
    for spec in SPECS:
        cells = [cell for cell in place.grid.cells if cell.view.spec.title == spec.title]
        titles = [f"{spec.title} – lr {lr}" for lr in (0.1, 0.2)]
        assert sorted({cell.head or cell.view.title for cell in cells}) == titles
        assert [cell.head or cell.view.title for cell in cells] == (
            titles if overlaid(spec) else [title for title in titles for _ in range(2)]
        )
    place.grab()
    headed = [cell for cell in place.grid.cells if cell.head == "Loss landscape – lr 0.2"]
    top, bottom = (cell.mapTo(place, cell.rect().topLeft()).y() for cell in (headed[0], headed[1]))
    assert top == bottom  # the runs of one value stand in one row


def test_small_multiples_have_one_scale_of_values(qtbot, place, runs):
    place.show()
    views = ("curves-with-a-threshold", "solution-profile")
    show(qtbot, place, Recipe(tuple(runs), views=views, facet="lr"))
    for title in ("Curves with a threshold", "Solution profile"):
        one, other = (cell.view for cell in place.grid.cells if cell.view.spec.title == title)
        qtbot.waitUntil(lambda one=one, other=other: one.box.viewRange()[1] == other.box.viewRange()[1])


def test_runs_that_find_no_room_side_by_side_are_counted(qtbot, place, tmp_path):
    many = written(tmp_path, lrs=tuple(0.1 * n for n in range(1, 10)), seeds=1)
    show(qtbot, place, Recipe(tuple(many), views=("loss-landscape",)))
    assert len(place.grid.cells) == 8 and "1 more would not fit" in place.said.text()
    show(qtbot, place, Recipe(tuple(many), views=("loss-landscape",), facet="lr"))
    assert len(place.grid.cells) == 9  # one for each value
