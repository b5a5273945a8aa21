"""Symbols are written as the field writes them: a power stands over its index, on screen, on paper and in LaTeX."""

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser
from PySide6.QtGui import QImage, QTextDocument

from gui.export.parts import typeset
from gui.export.words import latex
from gui.forms.row import Row
from gui.panel import Title
from gui.theme import LIGHT
from gui.views.colour_bar import ColourBar
from gui.views.phase_diagram import PhaseDiagramView
from gui.views.text import indices, rich, tip
from lab.experiments.partial_jacobians import PartialJacobians
from lab.studies.diagram import Diagram
from lab.views import PhaseDiagram
from tests.fakes import Tiny

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


def test_the_colours_of_a_phase_diagram_are_named_like_every_symbol(qtbot):
    values = np.array([1.0, 2.0])
    table = Diagram(values, values, np.ones((2, 2)), np.zeros((2, 2)), np.ones((2, 2), int))

    def ink(name: str) -> np.ndarray:
        """Where a name in the upper right corner is not ground."""
        view = PhaseDiagramView(Tiny, LIGHT)
        qtbot.addWidget(view)
        view.resize(400, 300)
        view.show_table(PhaseDiagram("order", x="lr", y="width", title="Diagram", z_label=name), table)
        with qtbot.waitExposed(view):
            view.show()
        corner = pixels(view.grab().toImage().copy(200, 0, 200, 24))
        return np.flatnonzero((corner != corner[0, 0]).any(axis=0))

    assert len(ink("S_w")) and ink("S_w").min() > ink("Sw").min()  # the index is small, and there is no underscore
    assert ink("S").size < ink("S_w").size


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1).copy()  # its memory ends with it


def test_a_tooltip_writes_symbols_as_labels_do_and_leaves_plain_words_and_names_alone() -> None:
    assert tip("S_w < 0\nlast train_loss", "S_w") == "<div>S<sub>w</sub> &lt; 0<br>last train_loss</div>"
    assert tip("σ_w², measured") == f"<div>{rich('σ_w²')}, measured</div>"
    assert tip("a < b\nlr 0.1") == tip("a < b\nlr 0.1", "") == "a < b\nlr 0.1"


def test_knobs_panels_and_colour_bars_say_their_symbols_so(qtbot) -> None:
    row = Row(PartialJacobians.Config.knobs()["sigma_w2"], LIGHT)
    title = Title("Order and chaos", "χ_J, measured")
    for widget in (row, title):
        qtbot.addWidget(widget)
    assert rich("σ_w²") in row.toolTip()
    assert title.toolTip() == "<div>χ<sub>J</sub>, measured</div>"
    assert ColourBar("S_w").toolTip().startswith("<div>S<sub>w</sub><br>Drag")
