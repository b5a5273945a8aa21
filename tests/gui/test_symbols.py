"""Symbols are written as the field writes them: a power stands over its index, on screen, on paper and in LaTeX."""

import pytest
from matplotlib.mathtext import MathTextParser
from PySide6.QtGui import QTextDocument

from gui.export.parts import typeset
from gui.export.words import latex
from gui.views.text import indices, rich

POWERS = ["σ_b²", "σ_w²", "λ_max²", "g_t^2", "g^2_t"]


@pytest.mark.parametrize(
    ("mark", "sub", "sup"),
    [("_b²", "b", "2"), ("_max^{0,l}", "max", "0,l"), ("^2_t", "t", "2"), ("_{t-1}", "t-1", ""), ("^l", "", "l")],
)
def test_sub_and_superscript_are_told_apart(mark, sub, sup):
    assert indices(mark) == (sub, sup)


def width(html: str) -> float:
    document = QTextDocument()
    document.setHtml(html)
    return document.idealWidth()


@pytest.mark.parametrize("symbol", POWERS)
def test_a_power_takes_no_room_beside_its_index_on_screen(qapp, symbol):
    base, sub, sup = symbol[0], *indices(symbol[1:])
    alone = max(width(f"{base}<sub>{sub}</sub>"), width(f"{base}<sup>{sup}</sup>"))
    assert width(rich(symbol)) == pytest.approx(alone, abs=1.0)


@pytest.mark.parametrize("symbol", POWERS)
def test_a_power_takes_no_room_beside_its_index_on_paper(symbol):
    base, sub, sup = symbol[0], *indices(symbol[1:])
    parse = MathTextParser("path").parse
    alone = max(parse(typeset(f"{base}_{sub}")).width, parse(typeset(f"{base}^{sup}")).width)
    assert parse(typeset(symbol)).width == pytest.approx(alone, rel=0.05)
    assert typeset(symbol).count("$") == 2


def test_a_power_without_an_index_and_a_sentence_around_stay_as_they_are(qapp):
    assert rich("mean of g²/v") == "mean of g²/v" == typeset("mean of g²/v")
    assert rich("σ_w² of χ_J < 1").endswith(" of χ<sub>J</sub> &lt; 1")
    assert latex("σ_b² = 0") == r"$\sigma _{\mathrm{b}}^{\mathrm{2}}$ = 0"
