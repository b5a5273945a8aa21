"""The head of a panel, whose title and read-out share what room there is; and panels while one fills the page."""

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QWidget

from gui.lab.panels import Panels
from gui.panel import HEAD_PX, Head, Title
from gui.theme import LIGHT
from gui.views import make_view
from lab.stream import MemoryRun
from lab.views import Curves
from tests.gui.runs import MadeUpRun

LONG = "Curvature of the preconditioned Hessian"


@pytest.fixture
def head(qtbot) -> Head:
    view = make_view(Curves(("train_loss",), title=LONG), MadeUpRun(MemoryRun(train_loss=([0], [3.0]))), LIGHT)
    head = Head(view)
    qtbot.addWidget(view)
    qtbot.addWidget(head)
    head.resize(340, HEAD_PX)
    head.show()
    return head


def test_a_long_title_leaves_a_value_its_room_and_stands_on_two_lines(head: Head) -> None:
    assert head.title.text() == LONG  # nothing is read yet
    head._read_out("λ<sub>max</sub>(Ĥ)&nbsp;94.3")
    head.layout().activate()
    assert head.readout._document.toPlainText().endswith("94.3")
    assert head.readout.width() >= head.readout._document.idealWidth()
    assert head.title.text() == "Curvature of the\npreconditioned Hessian"
    assert head.title.sizeHint().height() <= HEAD_PX
    assert not head.title.toolTip()  # nothing is left out
    head.resize(700, HEAD_PX)
    assert head.title.text() == LONG


def test_a_read_out_that_goes_moves_no_title(head: Head) -> None:
    head._read_out("step&nbsp;600")
    head.layout().activate()
    wide = head.title.width()
    head._read_out("")
    head.layout().activate()
    assert head.title.width() == wide


def test_a_title_of_words_too_long_for_two_lines_is_cut(qtbot) -> None:
    title = Title(LONG, two_lines=True)
    qtbot.addWidget(title)
    title.show()
    title.resize(90, HEAD_PX)
    assert title.text().endswith("…") and title.toolTip() == LONG


@pytest.fixture
def panels(qtbot) -> Iterator[Panels]:
    run = MadeUpRun(MemoryRun(train_loss=([0], [3.0]), norm=([0], [1.0])))
    parent = QWidget()
    panels = Panels([make_view(Curves((name,), title=name), run, LIGHT) for name in ("train_loss", "norm")], parent)
    panels.resize(800, 400)
    qtbot.addWidget(parent)
    with qtbot.waitExposed(parent):
        parent.show()
    yield panels
    parent.close()  # held until here


def test_a_layout_that_is_saved_while_a_panel_fills_the_page_is_the_one_without(panels: Panels) -> None:
    before = panels.state()
    panels.maximise(panels.all[1])
    assert panels.all[0].isHidden() and panels.state() == before
    panels.restore_all()
    panels.put_back(before, {panel.view.spec.id for panel in panels.all})
    assert panels.maximised is None and not any(panel.isHidden() for panel in panels.all)


def test_a_closed_panel_fills_the_page_beside_one_that_has_it_open_and_is_closed_again(panels: Panels) -> None:
    panels.all[1].close()
    panels.show_maximised(panels.all[1].view.spec.id)
    assert [panel.isHidden() for panel in panels.all] == [True, False]
    panels.show_maximised("")
    assert [panel.isHidden() for panel in panels.all] == [False, True]
