"""Recipes: a page of panels as text, drawn at its size in its look, the same bytes every time."""

import base64
import csv
import io
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from matplotlib.figure import Figure
from PIL import Image
from pypdf import PdfReader, PdfWriter

from gui.export import look, sources
from gui.export.figure import Panel, render, write_again, write_recipe
from gui.export.insets import free_corner
from gui.export.inside import recipe_of
from gui.export.look import FigureError
from gui.export.page import boxes, draw_page
from gui.export.recipe import Run, checked, parse, read, write
from gui.export.sources import opened
from lab.stream import MemoryRun
from lab.views import Curves, Line, Matrix
from storage.catalogue import entry
from tests.gui.export.small import tiny_run

MM = 25.4 / 72  # of a point


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        for lr in (0.1, 0.2):
            tiny_run(made / f"lr{lr}-seed{seed}.h5", seed=seed, lr=lr)
    return made


def recipe(*panels: dict, **page):
    return checked({"panels": [{"runs": ["lr0.1-seed0.h5"], **panel} for panel in panels], **page})


def axes_of(made, folder: Path) -> list[Any]:
    with opened(made, folder) as contents:
        return draw_page(made, contents, made.look()).axes


def test_runs_that_moved_are_found_without_reading_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number in range(6):
        tiny_run(tmp_path / "deep" / f"{number}.h5", seed=number)
    ids = {path.name: entry(path).run_id for path in (tmp_path / "deep").glob("*.h5")}
    asked: list[str] = []
    read_id = sources._id_of
    monkeypatch.setattr(sources, "_id_of", lambda path: asked.append(path.name) or read_id(path))
    find = sources.finder([tmp_path])
    assert find(Run(file="gone/4.h5", id=ids["4.h5"])) == tmp_path / "deep" / "4.h5"
    assert asked == ["4.h5"]  # the one of that name
    assert find(Run(file="renamed.h5", id=ids["2.h5"])) == tmp_path / "deep" / "2.h5"
    assert find(Run(file="never.h5", id="no such id")) is None
    assert sorted(asked) == sorted(ids)  # every file once


def test_a_run_without_the_event_is_left_out_and_one_alone_says_so(tmp_path: Path):
    for seed in range(3):
        tiny_run(tmp_path / f"{seed}.h5", seed=seed, spike=seed != 1)
    made = recipe({"view": "loss", "runs": [f"{seed}.h5" for seed in range(3)], "along": "event spike"})
    (axes,) = axes_of(made, tmp_path)
    assert len([line for line in axes.lines if len(line.get_xdata()) > 2]) == 2
    alone = recipe({"view": "loss", "runs": ["1.h5"], "along": "event spike"})
    with pytest.raises(FigureError, match="cannot be laid along event spike: no event spike"):
        axes_of(alone, tmp_path)


def test_a_recipe_survives_its_file(tmp_path: Path):
    made = recipe({"view": "loss", "x": (0, None), "inset": {"x": (1, 5)}}, size=(100, 50), style="slide", dpi=150)
    write(made, tmp_path / "figure.json")
    assert read(tmp_path / "figure.json") == made
    assert "legend" not in (tmp_path / "figure.json").read_text()  # defaults are left to the app


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "not a figure recipe"),
        ('{"format": "something", "panels": []}', "format"),
        ("{}", "panels"),
        ('{"panels": [{"view": "loss", "runs": ["a.h5"], "colour": 1}]}', "panels.0.colour"),
        ('{"panels": [{"view": "loss", "runs": ["a.h5"], "step": -1}]}', "panels.0.step"),
        ('{"panels": [{"view": "loss", "runs": []}]}', "panels.0.runs"),
        ('{"version": 2, "panels": [{"view": "loss", "runs": ["a.h5"]}]}', "version"),
        (" " * 2_000_000, "longer"),
    ],
)
def test_what_is_no_recipe_is_refused_in_one_line(text: str, words: str):
    with pytest.raises(FigureError, match=words) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", ["double", (91.5, 47.0)])
def test_a_pdf_has_its_size_in_mm_real_text_and_embedded_fonts(folder: Path, tmp_path: Path, size):
    out = tmp_path / "figure.pdf"
    made = recipe({"view": "loss"}, {"view": "sharpness"}, columns=2, size=size)
    write_recipe(made, out, folder=folder)
    (page,) = PdfReader(out).pages
    assert (float(page.mediabox.width) * MM, float(page.mediabox.height) * MM) == pytest.approx(made.millimetres, 0.01)
    text = page.extract_text()
    assert "Loss" in text and "Sharpness" in text and "step" in text and "2/η" in text
    resources: Any = page["/Resources"]
    fonts = [font.get_object() for font in resources["/Font"].get_object().values()]
    assert fonts
    for font in fonts:
        described = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        assert "/FontFile2" in described["/FontDescriptor"].get_object()  # TrueType, whole glyphs: Type 42


def test_an_svg_is_valid_xml_of_its_size_with_its_texts(folder: Path, tmp_path: Path):
    write_recipe(recipe({"view": "loss"}), tmp_path / "figure.svg", folder=folder)
    root = ElementTree.parse(tmp_path / "figure.svg").getroot()
    assert float(root.attrib["width"].removesuffix("pt")) * MM == pytest.approx(85, 0.01)
    words = {"".join(item.itertext()).strip() for item in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Loss", "step"} <= words
    text = (tmp_path / "figure.svg").read_text()
    faces = re.findall(r"@font-face \{ font-family: '([^']+)'.*?base64,([^)]+)\)", text)
    wanted = re.findall(r"font-family: '([^']+)'[;,\"]", text.split("</style>")[1])
    assert {family for family, _ in faces} == set(wanted)
    for _, data in faces:
        font: Any = TTFont(io.BytesIO(base64.b64decode(data)))
        assert set(map(ord, "stepLo")) <= font.getBestCmap().keys() and len(font.getGlyphOrder()) < 60


def test_a_png_has_the_pixels_of_its_resolution(folder: Path, tmp_path: Path):
    write_recipe(recipe({"view": "stages"}, dpi=127), tmp_path / "figure.png", folder=folder)
    with Image.open(tmp_path / "figure.png") as image:
        assert image.size == (425, 300)


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_bytes_repeat_wherever_they_are_written(folder: Path, tmp_path: Path, ending: str):
    made = recipe({"view": "stages"})
    (tmp_path / "deep" / "down").mkdir(parents=True)
    one, two = tmp_path / f"one.{ending}", tmp_path / "deep" / "down" / f"two.{ending}"
    write_recipe(made, one, folder=folder)
    write_recipe(made, two, folder=folder)
    assert one.read_bytes() == two.read_bytes()
    assert str(folder).encode() not in one.read_bytes()  # nothing of this machine goes into a paper


def test_folders_and_patterns_stand_for_their_runs(folder: Path):
    made = recipe({"view": "loss", "runs": ["lr0.2*.h5"]}, {"view": "loss", "runs": ["."]})
    with opened(made, folder) as contents:
        assert [len(content.panels) for content in contents] == [3, 6]


def test_panels_take_their_limits_scales_labels_and_notes(folder: Path):
    changes = {"x": (5, 20), "y": (0.1, None), "y_log": False, "title": "Mine", "x_label": "t", "legend": "none"}
    notes = [{"text": "here", "at": (10, 1), "to": (12, 0.5)}]
    (axes,) = axes_of(recipe({"view": "loss", "notes": notes, "labels": ["run A"], **changes}), folder)
    assert axes.get_xlim() == (5, 20) and axes.get_ylim()[0] == 0.1 and axes.get_yscale() == "linear"
    assert (axes.get_title("left"), axes.get_xlabel(), axes.get_legend()) == ("Mine", "t", None)
    assert [text.get_text() for text in axes.texts] == ["here"]
    assert axes.lines[0].get_label() == "run A"


def test_a_long_title_stays_within_its_part_of_the_page(folder: Path):
    long = "A title that is far too long for a panel of this width"
    panels = [{"view": "loss", "title": long}, {"view": "loss", "title": long}, {"view": "loss", "title": "short"}]
    made = recipe(*panels, columns=3, size=(180, 60))
    drawn = axes_of(made, folder)
    for axes, (left, _, across, _) in zip(drawn, boxes(made), strict=True):
        assert axes._left_title.get_window_extent().x1 <= (left + across) * axes.figure.bbox.width + 1
    sizes = [axes._left_title.get_fontsize() for axes in drawn]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1) and sizes[0] < sizes[2]


@pytest.mark.parametrize(
    ("y", "corner"),
    [([1, 0, 0], (0.5, 0.5)), ([1, 1, 0], (0.16, 0.14)), ([0, 1, 1], (0.5, 0.14)), ([0, 0, 1], (0.16, 0.54))],
)
def test_an_inset_stands_where_least_is_drawn(y: list[float], corner: tuple[float, float]):
    axes = Figure().add_subplot()
    axes.plot(np.linspace(0, 2, 201), np.interp(np.linspace(0, 2, 201), [0, 1, 2], y))
    axes.set(xlim=(0, 2), ylim=(-0.1, 1.1))
    assert free_corner(axes)[:2] == corner


def test_a_short_logarithmic_axis_has_plain_numbers(folder: Path):
    (axes,) = axes_of(recipe({"view": "loss", "y": (0.02, 0.3)}), folder)
    axes.figure.draw_without_rendering()
    assert {"0.05", "0.1", "0.2"} <= {label.get_text() for label in axes.get_yticklabels()}
    (axes,) = axes_of(recipe({"view": "loss", "y": (2e-6, 3e-5)}), folder)
    axes.figure.draw_without_rendering()
    assert r"$5\times10^{-6}$" in {label.get_text() for label in axes.get_yticklabels()}


def test_an_inset_shows_its_part_and_its_values(folder: Path):
    (axes,) = axes_of(recipe({"view": "loss", "inset": {"x": (10, 20)}}), folder)
    (inset,) = axes.child_axes
    assert inset.get_xlim() == (10, 20)
    inset.figure.draw_without_rendering()
    names = [label.get_text() for label in inset.get_yticklabels() if label.get_text()]
    assert names and not any("times" in name for name in names)  # a small part of a decade has plain numbers
    low, high = inset.get_ylim()
    assert 0.5 * 0.9**20 < low < 0.9**20 and 0.9**10 < high < 2 * 0.9**10


def test_panels_fill_the_page_row_by_row_with_letters(folder: Path):
    made = recipe({"view": "stages", "columns": 2}, {"view": "stages"}, {"view": "stages"}, columns=2, heights=(2, 1))
    first, second, third = axes_of(made, folder)
    assert [re.sub(r"\W|mathbf", "", axes.get_title("left"))[:1] for axes in (first, second, third)] == ["a", "b", "c"]
    places = [axes.get_position() for axes in (first, second, third)]
    assert places[0].width > 1.8 * places[1].width and places[0].height > 1.6 * places[1].height
    np.testing.assert_allclose(boxes(made), [(0, 0, 1, 2 / 3), (0, 2 / 3, 0.5, 1 / 3), (0.5, 2 / 3, 0.5, 1 / 3)])


@pytest.mark.parametrize("band", ["SD", "SE", "quartiles", "min-max"])
def test_seeds_become_a_mean_with_a_band_and_their_count(folder: Path, band: str):
    (axes,) = axes_of(recipe({"view": "loss", "runs": ["*.h5"], "band": band, "y_log": False}), folder)
    assert [line.get_label() for line in axes.lines] == ["η 0.1 (n = 3)", "η 0.2 (n = 3)"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 2 * 0.9 ** np.arange(60))  # of 1, 2 and 3
    band_at_0 = [points[1] for points in axes.collections[0].get_paths()[0].vertices if points[0] == 0]
    reach = {"SD": 1.0, "SE": 3**-0.5, "quartiles": 0.5, "min-max": 1.0}[band]
    assert (min(band_at_0), max(band_at_0)) == pytest.approx((2 - reach, 2 + reach))


def test_on_a_logarithmic_axis_the_mean_is_that_of_the_logarithms(folder: Path):
    (axes,) = axes_of(recipe({"view": "loss", "runs": ["lr0.1*.h5"], "band": "SD"}), folder)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 6 ** (1 / 3) * 0.9 ** np.arange(60))  # of 1, 2 and 3
    low, high = np.exp(np.log([1, 2, 3]).mean() + np.std(np.log([1, 2, 3]), ddof=1) * np.array([-1, 1]))
    band_at_0 = [points[1] for points in axes.collections[0].get_paths()[0].vertices if points[0] == 0]
    assert (min(band_at_0), max(band_at_0)) == pytest.approx((low, high))


def test_a_seed_that_was_run_twice_counts_once(folder: Path, tmp_path: Path):
    runs = [str(folder / "lr0.1-seed0.h5"), str(folder / "lr0.1-seed1.h5"), str(tiny_run(tmp_path / "again.h5"))]
    (axes,) = axes_of(recipe({"view": "loss", "runs": runs, "band": "SD"}), folder)
    assert axes.lines[0].get_label() == "n = 2"


def test_runs_differ_in_colour_and_series_in_dashes_where_there_are_several_of_both(folder: Path):
    (axes,) = axes_of(recipe({"view": "sharpness", "runs": ["*.h5"], "band": "SD"}), folder)
    colours = [line.get_color() for line in axes.lines[:4]]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names[:2] == ["η 0.1 (n = 3)", "η 0.2 (n = 3)"] and "norm" in names[3] and len(names) == len(set(names))
    assert any("2/η" in name for name in names)


def test_a_legend_stands_clear_of_bands(folder: Path):
    made = recipe({"view": "loss", "runs": ["*.h5"], "band": "min-max", "y": [0.5, 1.5], "x": [0, 3], "y_log": False})
    (axes,) = axes_of(made, folder)
    assert not axes.get_legend().get_window_extent().overlaps(axes.get_window_extent())


def test_seeds_that_were_read_at_other_steps_meet_where_all_were(folder: Path, tmp_path: Path):
    runs = [str(folder / "lr0.1-seed0.h5"), str(tiny_run(tmp_path / "sparse.h5", seed=1, every=7))]
    (axes,) = axes_of(recipe({"view": "sharpness", "runs": runs, "band": "min-max"}), folder)
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), np.arange(57))
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 1.5)


def test_a_legend_without_a_free_corner_stands_beside_the_data(folder: Path):
    made = recipe({"view": "loss", "runs": ["*.h5"], "y_log": False, "labels": ["a long name for a curve"] * 6})
    (axes,) = axes_of(made, folder)
    legend = axes.get_legend().get_window_extent()
    assert not axes.xaxis.label.get_window_extent().overlaps(legend)
    lines = [line.get_transform().transform_path(line.get_path()) for line in axes.lines]
    assert not any(path.intersects_bbox(legend, filled=False) for path in lines)
    assert axes.figure.bbox.contains(legend.x0, legend.y0) and axes.figure.bbox.contains(legend.x1, legend.y1)


def test_a_legend_below_makes_a_page_of_paper_higher_and_its_plot_no_lower(folder: Path):
    panel = {"view": "loss", "runs": ["*.h5"], "y_log": False, "labels": ["a long name for a curve"] * 6}
    (plain,) = axes_of(recipe({"view": "loss", "y_log": False, "legend": "none"}), folder)
    (paper,) = axes_of(recipe({**panel, "legend": "below"}), folder)
    (slide,) = axes_of(recipe({**panel, "legend": "below"}, size="slide"), folder)
    height = plain.figure.bbox.height
    assert paper.figure.bbox.height > height + 0.9 * paper.get_legend().get_window_extent().height
    assert paper.get_window_extent().height == pytest.approx(plain.get_window_extent().height, rel=0.05)
    assert slide.figure.get_figheight() == pytest.approx(143 / 25.4)


def test_reference_lines_of_one_view_differ_in_their_dashes():
    spec = Curves(("loss",), title="Loss", lines=(Line("low", 0.1), Line("high", 0.9)))
    figure = render(spec, [Panel(MemoryRun(), None, "")])
    assert [line.get_linestyle() for line in figure.axes[0].lines] == ["--", "-."]


def test_the_dashes_over_a_matrix_are_whole_however_many_there_are():
    run = MemoryRun()
    run.append("cells", [0], np.zeros((1, 12, 3)))
    run.append("edge", [0], np.ones((1, 12)))
    figure = render(Matrix("cells", title="Cells", marks="edge"), [Panel(run, None, "")])
    assert {line.get_linestyle() for line in figure.axes[0].lines} == {"-"} and len(figure.axes[0].lines) == 24


def test_rows_of_an_ordered_matrix_are_named_by_what_they_are_on_paper_too():
    run = MemoryRun()
    run.append("cells", [0], np.zeros((1, 3, 3)))
    run.append("order", [0], [[2, 0, 1]])
    run.append("which", [0], [[4, 7, 11]])
    spec = Matrix("cells", title="Cells", order="order", numbers="which", x_label="neuron", y_label="neuron")
    axes = render(spec, [Panel(run, None, "")]).axes[0]
    assert axes.get_xlabel() == axes.get_ylabel() == "neuron, ordered"
    assert [axes.yaxis.get_major_formatter()(at, 0) for at in (-1, 0, 0.5, 1, 2, 3)] == ["", "11", "", "4", "7", ""]


def test_numbers_lie_beside_the_figure_as_csv_or_hdf5(folder: Path, tmp_path: Path):
    panels = {"view": "loss", "y_log": False}, {"view": "sharpness"}
    _, first, second = write_recipe(recipe(*panels, data="csv"), tmp_path / "f.png", folder=folder)
    rows = list(csv.DictReader(first.open()))
    assert [float(row["value"]) for row in rows] == (0.9 ** np.arange(60)).tolist()  # Python's power may end otherwise
    assert {row["series"] for row in csv.DictReader(second.open())} == {"sharpness", "norm"}
    _, numbers = write_recipe(recipe(*panels, data="hdf5"), tmp_path / "f.png", folder=folder)
    with h5py.File(numbers) as file:
        panel: Any = file["a"]
        (run,) = panel.values()
        np.testing.assert_array_equal(run["train_loss/value"], 0.9 ** np.arange(60))
        assert file["b"].attrs["view"] == "sharpness"


@pytest.mark.parametrize("name", ["journal", "journal-serif", "slide", "poster"])
def test_every_shipped_style_draws_in_fonts_that_come_with_the_app(folder: Path, name: str, caplog):
    made = recipe({"view": "sharpness", "title": r"$\lambda_{max}$ and η"}, style=name, size=(300, 200))
    (axes,) = axes_of(made, folder)
    assert axes.lines[0].get_linewidth() == look.load(name).line
    assert axes.yaxis.get_ticklabels()[0].get_fontsize() == look.load(name).text
    assert not caplog.records  # no font or sign is missing


def test_a_style_is_a_file_that_can_be_saved_and_named(folder: Path, tmp_path: Path):
    mine = look.load("journal").model_copy(update={"line": 3.0, "grid": True})
    look.save(mine, tmp_path / "mine.json")
    (axes,) = axes_of(recipe({"view": "loss"}, style=str(tmp_path / "mine.json")), folder)
    assert axes.lines[0].get_linewidth() == 3
    with pytest.raises(FigureError, match="journal"):
        look.load("jounal")
    (tmp_path / "mine.json").write_text('{"line": "thick"}')
    with pytest.raises(FigureError, match="line"):
        look.load("mine.json", tmp_path)


@pytest.mark.parametrize(
    "panel, page, words",
    [
        ({"view": "lss"}, {}, "did you mean loss"),
        ({"view": "loss", "runs": ["nowhere.h5"]}, {}, "does not exist"),
        ({"view": "stages", "y_log": True}, {}, "has no y_log"),
        ({"view": "stages", "inset": {"x": (1, 2)}}, {}, "inset"),
        ({"view": "loss", "x": (3, 3)}, {}, "nothing to show"),
        ({"view": "loss"}, {"size": "double colum"}, "known: single"),
        ({"view": "loss"}, {"size": (2000, 2000), "dpi": 2400}, "pixels"),
        ({"view": "sharpness"}, {"style": "poster", "size": (60, 40)}, "too small for its type"),
    ],
)
def test_what_cannot_be_drawn_is_said(folder: Path, tmp_path: Path, panel: dict, page: dict, words: str):
    with pytest.raises(FigureError, match=words):
        write_recipe(recipe(panel, **page), tmp_path / "f.pdf", folder=folder)
    assert not (tmp_path / "f.pdf").exists()


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_a_figure_finds_its_runs_where_they_went(tmp_path: Path, ending: str):
    run, paper, moved = tmp_path / "a.h5", tmp_path / "paper", tmp_path / "elsewhere" / "deeper"
    paper.mkdir()
    moved.mkdir(parents=True)
    made = checked({"panels": [{"view": "stages", "runs": [str(tiny_run(run))], "title": 'η (½) \\ "x"'}]})
    first = paper / f"first.{ending}"
    write_recipe(made, first)
    assert recipe_of(first).panels[0].title == made.panels[0].title
    run.rename(moved / "renamed.h5")
    with pytest.raises(FigureError, match="is not found"):
        write_again(first, paper / f"second.{ending}", [])
    again = write_again(first, paper / f"second.{ending}", [tmp_path / "elsewhere"])
    same = write_again(first, paper / f"third.{ending}", [moved / "renamed.h5"])
    assert again[0].read_bytes() == same[0].read_bytes()


HOSTILE = {
    "empty.pdf": b"",
    "foreign.pdf": b"%PDF-1.4\n/Keywords (a paper about (nested) things)\n%%EOF",
    "endless.pdf": b"%PDF-1.4 /Keywords (" + b"(" * 3_000_000,
    "odd-hex.pdf": b"%PDF-1.4 /Keywords <00ZZ>",
    "cut.pdf": b"%PDF-1.4 /Keywords (abc\\",
    "deep.pdf": b"%PDF-1.4 /Keywords (" + b"[" * 200_000 + b")",
    "recipe.pdf": b'%PDF-1.4 /Keywords ({"app": "x", "recipe": {"panels": [], "exec": "rm"}})',
    "list.pdf": b'%PDF-1.4 /Keywords (["app", "recipe"])',
    "cut.png": b"\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXtDescription\0{}",
    "loop.png": b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXt\0\0\0\0" * 1000,
    "bomb.svg": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbb">]><a>&b;</a>',
    "broken.svg": b"<svg><g></svg>",
    "page.svg": b"<svg><script>alert(1)</script></svg>",
    "run.h5": b"\x89HDF\r\n\x1a\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_figure_of_ours_is_refused_in_one_line(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(HOSTILE[name])
    with pytest.raises(FigureError) as caught:
        recipe_of(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_pdf_that_another_program_rewrote_still_gives_its_recipe(folder: Path, tmp_path: Path):
    write_recipe(recipe({"view": "stages", "title": "η"}), tmp_path / "ours.pdf", folder=folder)
    writer = PdfWriter(clone_from=tmp_path / "ours.pdf")
    writer.write(tmp_path / "theirs.pdf")
    assert recipe_of(tmp_path / "theirs.pdf") == recipe_of(tmp_path / "ours.pdf")
