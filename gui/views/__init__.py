"""Views on screen, one widget class per spec of lab.views."""

from gui.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import StepAxis
from gui.views.base import ViewWidget
from gui.views.curves import CurvesView
from gui.views.ribbon import RibbonView
from gui.views.trace import TraceView
from lab.views import Curves, Ribbon, Trace, View

WIDGETS: dict[type[View], type[ViewWidget]] = {
    Curves: CurvesView,
    Ribbon: RibbonView,
    Trace: TraceView,
}


def make_view(spec: View, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> ViewWidget:
    """The widget that shows ``spec``; views given one ``axis`` share their steps and crosshair."""
    return WIDGETS[type(spec)](spec, run, theme, axis)
