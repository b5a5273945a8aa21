"""Views on screen, one widget class per spec of lab.views."""

from gui.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import StepAxis
from gui.views.bars import BarsView
from gui.views.base import ViewWidget
from gui.views.curves import CurvesView
from gui.views.distribution import DistributionView
from gui.views.flow_graph import FlowGraphView
from gui.views.heatmap import HeatmapView
from gui.views.image_grid import ImageGridView
from gui.views.landscape import LandscapeView
from gui.views.matrix import MatrixView
from gui.views.profile import ProfileView
from gui.views.ribbon import RibbonView
from gui.views.scatter import ScatterView
from gui.views.table import TableView
from gui.views.trace import TraceView
from lab.views import (
    Bars,
    Curves,
    Distribution,
    FlowGraph,
    Heatmap,
    ImageGrid,
    Landscape,
    Matrix,
    Profile,
    Ribbon,
    Scatter,
    Table,
    Trace,
    View,
)

WIDGETS: dict[type[View], type[ViewWidget]] = {
    Curves: CurvesView,
    Heatmap: HeatmapView,
    Matrix: MatrixView,
    ImageGrid: ImageGridView,
    Distribution: DistributionView,
    Scatter: ScatterView,
    Profile: ProfileView,
    Table: TableView,
    FlowGraph: FlowGraphView,
    Landscape: LandscapeView,
    Bars: BarsView,
    Ribbon: RibbonView,
    Trace: TraceView,
}


def make_view(spec: View, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> ViewWidget:
    """The widget that shows ``spec``; views given one ``axis`` share their steps and crosshair."""
    return WIDGETS[type(spec)](spec, run, theme, axis)
