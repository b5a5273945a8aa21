"""Bands over seeds on paper, of every kind of view that has them in the window."""

import gc
import weakref
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from gui.compare.controls import BAND_TEXT
from gui.compare.figure import figure_panels
from gui.compare.members import opened as members_of
from gui.compare.recipe import Recipe
from gui.export.means import WORDS, Mean, summed_up
from gui.export.page import draw_page
from gui.export.recipe import Spread, checked
from gui.export.sources import opened
from gui.export.words import caption
from gui.figures.controls import BANDS as BAND_NAMES
from lab.compare import BANDS, QUANTILES, Band, summary
from lab.stream import MemoryRun
from lab.views import Heatmap, Landscape, Ribbon
from tests.gui.everything import SPECS, written
from tests.made_up_views import SOURCE

SCALES = 1.1 + 0.01 * np.arange(4)  # of the four seeds' values


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return written(tmp_path_factory.mktemp("runs"), lrs=(0.1,), seeds=4)


def drawn(runs, view: str, band: str, **page) -> Any:
    made = checked({"panels": [{"view": view, "runs": list(runs), "band": band}], **page})
    with opened(made, Path()) as contents:
        return draw_page(made, contents, made.look()).axes[0], caption(made, contents)


def edges(axes) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edge of the one band, at its places from left to right."""
    (band,) = axes.collections
    points = band.get_paths()[0].vertices
    places = np.unique(points[:, 0])
    return tuple(np.array([pick(points[points[:, 0] == x, 1]) for x in places]) for pick in (np.min, np.max))  # pyright: ignore[reportReturnType]  # two


@pytest.mark.parametrize("band", BANDS)
def test_a_profile_has_the_band_of_its_seeds(runs, band: Band):
    axes, said = drawn(runs, "solution-profile", band)
    x, last = SOURCE.series("places")[1][0], SOURCE.series("output")[1][-1]
    expected = summary([(x, scale * last) for scale in SCALES], band)
    names = [line.get_label() for line in axes.lines]
    (line,) = (line for line in axes.lines if "n = 4" in str(line.get_label()) and "output" in str(line.get_label()))
    np.testing.assert_allclose(line.get_ydata(), expected.centre)
    if band == "all lines":
        assert len([name for name in names if str(name).startswith("_")]) >= 4
    else:
        bands = [part for part in axes.collections if np.ptp(part.get_paths()[0].vertices[:, 1]) > 0.5]
        points = bands[-1].get_paths()[0].vertices
        assert points[:, 1].max() == pytest.approx(expected.high.max())
        assert points[:, 1].min() == pytest.approx(expected.low.min())
    assert "over 4 seeds" in said


def test_bars_have_whiskers(runs):
    axes, _ = drawn(runs, "bars", "min-max")
    last = SOURCE.series("accuracy")[1][-1]
    heights = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(heights, SCALES.mean() * last)
    (whiskers,) = axes.collections
    ends = np.array([[part[0, 1], part[1, 1]] for part in whiskers.get_segments()])
    np.testing.assert_allclose(ends, np.outer(last, SCALES[[0, -1]]))


def test_a_distribution_is_the_mean_of_the_seeds_histograms_over_common_bins(runs):
    axes, _ = drawn(runs, "distribution", "min-max")
    last = SOURCE.series("eigenvalues")[1][-1]
    (line,) = (line for line in axes.lines if "n = 4" in str(line.get_label()))
    edge = np.unique(line.get_xdata())
    counts = np.stack([np.histogram(scale * last, edge)[0] for scale in SCALES])
    np.testing.assert_allclose(line.get_ydata()[::2], counts.mean(axis=0))
    low, high = edges(axes)
    assert (low.min(), high.max()) == (counts.min(), counts.max())


def test_points_of_all_seeds_lie_in_the_colour_of_their_group(runs):
    axes, _ = drawn(runs, "phase-plot", "SD")
    (way,) = (line for line in axes.lines if "n = 4" in str(line.get_label()))
    assert np.isnan(way.get_ydata()).sum() == 4  # four ways, one after the other
    assert len({line.get_color() for line in axes.lines}) == 1


def test_a_table_says_how_far_the_seeds_reach(runs):
    axes, _ = drawn(runs, "table", "min-max")
    cells = " ".join(cell.get_text().get_text() for cell in axes.tables[0].get_celld().values())
    last = SOURCE.series("sharpness")[1][-1]
    assert f"{SCALES.mean() * last:.4g} ({SCALES[0] * last:.4g} to {SCALES[-1] * last:.4g})" in cells


def test_stages_and_fields_are_never_averaged(runs):
    for spec in SPECS:
        _, said = drawn(runs, spec.id, "SD", size=[200, 150])
        assert summed_up(spec) == ("over 4 seeds" in said), spec.title
    assert not any(summed_up(spec) for spec in SPECS if isinstance(spec, Ribbon | Heatmap | Landscape))


def test_a_comparison_takes_its_bands_along_to_the_figure(runs):
    members, _ = members_of(runs)
    recipe = Recipe(tuple(runs), views=tuple(spec.id for spec in SPECS), band="10-90 %")
    bands = {panel["view"]: panel.get("band") for panel in figure_panels(recipe, members)}
    assert bands == {spec.id: "10-90 %" if summed_up(spec) else None for spec in SPECS}
    for member in members:
        member.source.close()


def test_every_band_is_offered_and_named_everywhere():
    assert {*BAND_TEXT} == {"", *BANDS}
    assert {*BAND_NAMES} == {"none", *BANDS}
    assert {*WORDS} == {*BANDS}
    offered = {name for part in get_args(Spread) for name in get_args(part) or (part,)}
    assert offered == {"none", *BANDS}


@pytest.mark.parametrize(("band", "ends"), QUANTILES.items())
def test_a_band_between_quantiles_has_their_share_of_many_runs(band: Band, ends: tuple[float, float]):
    x, values = np.arange(3.0), np.arange(1001.0)
    found = summary([(x, np.full(3, value)) for value in values], band)
    assert found.centre.tolist() == [500.0] * 3
    np.testing.assert_allclose((found.low[0], found.high[0]), np.multiply(ends, 1000))


def test_a_mean_sums_up_once_and_lets_its_runs_go():
    class Counted(MemoryRun):
        asked = 0

        def series(self, name: str, start: int = 0):
            Counted.asked += 1
            return super().series(name, start)

    members = [Counted() for _ in range(2)]
    for member in members:
        member.append("loss", [0, 1], [1.0, 2.0])
    mean = Mean(members, "SD")
    mean.edges("loss", 0)
    asked = Counted.asked
    assert mean.edges("loss", 0) is not None and mean.names() == ["loss"] and Counted.asked == asked
    gone = weakref.ref(members[0])
    del mean, members, member
    gc.collect()
    assert gone() is None
