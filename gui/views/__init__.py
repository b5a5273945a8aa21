"""Views on screen, one widget class per spec of lab.views; each is loaded when the first of its kind is shown."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:  # plots are heavy, and the window is seen before the first one
    from gui.runs.open_run import OpenRun
    from gui.theme import Theme
    from gui.views.axes import StepAxis
    from gui.views.base import ViewWidget

WIDGETS: dict[type[View], str] = {
    Curves: "curves.CurvesView",
    Heatmap: "heatmap.HeatmapView",
    Matrix: "matrix.MatrixView",
    ImageGrid: "image_grid.ImageGridView",
    Distribution: "distribution.DistributionView",
    Scatter: "scatter.ScatterView",
    Profile: "profile.ProfileView",
    Table: "table.TableView",
    FlowGraph: "flow_graph.FlowGraphView",
    Landscape: "landscape.LandscapeView",
    Bars: "bars.BarsView",
    Ribbon: "ribbon.RibbonView",
    Trace: "trace.TraceView",
}


def make_view(spec: View, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> ViewWidget[Any]:
    """The widget that shows ``spec``; views given one ``axis`` share their steps and crosshair."""
    module, name = WIDGETS[type(spec)].split(".")
    return getattr(import_module(f"gui.views.{module}"), name)(spec, run, theme, axis)
