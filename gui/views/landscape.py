"""A loss section at the slider's step with the way through it: contours, or a surface where OpenGL works."""

import math
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Slot
from PySide6.QtGui import QAction, QColor, QImage
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from gui.runs.open_run import OpenRun
from gui.still_label import StillLabel
from gui.theme import Theme
from gui.views.axes import Axis, StepAxis, font_px
from gui.views.colour_bar import BAR_PX, ColourBar
from gui.views.contours import BRIGHT, DARK, Contour, LevelNames, contours_of, joined, thinned
from gui.views.rows import Block, Moment
from gui.views.scale import Scale, finite_range
from gui.views.section import Section, levels_of
from gui.views.snapshot import SnapshotPlot
from gui.views.step_plot import CRISP
from gui.views.text import rich, short
from lab.views import Landscape

if TYPE_CHECKING:
    from gui.views.landscape_3d import Surface

OUTSIDE = "of the movement is outside this plane"
POINT = "#D55E00"
CELLS = 320  # the picture's cells along an axis at most
WIDE_WAY = 2000  # a way of more points is drawn one pixel wide: wide lines are slow


class LandscapeView(SnapshotPlot[Landscape]):
    """The section as colours and contour lines, or as a surface; the way up to the step, and the point where it is."""

    def __init__(self, spec: Landscape, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis, Axis("bottom"), Axis("left"))
        self._grid = Moment(run.source, (spec.series, spec.x, spec.y))
        self._way = Block(run.source, spec.trajectory) if spec.trajectory else None
        self.section: Section | None = None
        self.contours: list[Contour] = []
        self._shown: tuple[Section | None, Scale | None, np.ndarray | None, bool] = None, None, None, False
        self._read = True  # the section has to be read anew
        self.surface: Surface | None = None  # made when it is first asked for: OpenGL takes a while to load
        self.problem = ""  # why there is no surface, once it has been asked for
        name = spec.z_label or self.symbol(spec.series)
        self.bar = ColourBar(name, log=spec.z_log, centre=spec.centre, fixed=spec.z_range)
        self.bar.setParentItem(self.canvas.frame)
        self.bar.changed.connect(self._later)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setZValue(-10)
        self._lines = {dark: pg.PlotCurveItem(antialias=True) for dark in (True, False)}
        self._names = LevelNames()
        self._names.setParentItem(self.canvas.frame)
        self._names.setZValue(5)
        self._rim, self._path = pg.PlotCurveItem(antialias=True), pg.PlotCurveItem(antialias=True)
        self._point = pg.ScatterPlotItem(size=11, **CRISP | {"pen": pg.mkPen(BRIGHT, width=2)})
        for item in (self._image, *self._lines.values(), self._rim, self._path, self._point):
            self.box.addItem(item, ignoreBounds=True)
        self.canvas.set_gutter(BAR_PX)
        self.canvas.bottom_axis.setLabel(rich(self.symbol(spec.x)))
        self.canvas.left_axis.setLabel(rich(self.symbol(spec.y)))
        self._make_controls()
        self._paint()

    def _make_controls(self) -> None:
        self._controls = QWidget(self)
        row = QHBoxLayout(self._controls)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self._in_corner: list[str] = []
        self.corner = StillLabel()
        self.corner.setParent(self)
        self.corner.setFont(font_px(12))
        self.corner.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.reset_button = _button("Reset", "Put the camera back (A)")
        self.reset_button.clicked.connect(self.show_all)
        self.toggle = _button("3-D", "Show the section as a surface, or as contours")
        self.toggle.setCheckable(True)
        self.toggle.clicked.connect(self.show_surface)
        for button in (self.reset_button, self.toggle):
            row.addWidget(button)
        self.reset_button.hide()

    # Reading.

    def _pull(self) -> bool:
        new = super()._pull()
        self._read |= self._grid.pull(self.axis.cursor)
        return new | self._read | bool(self._way is not None and len(self._way.pull()))

    @Slot()
    def _cursor_changed(self) -> None:
        self._read |= self._grid.move(self.axis.cursor)
        super()._cursor_changed()

    def _read_section(self) -> None:
        if self._read:
            value, x, y = (self._grid.value(name) for name in (self.spec.series, self.spec.x, self.spec.y))
            self.section = None
            if value is not None and x is not None and y is not None:
                self.section = Section.of(value, x, y)
            self._read = False

    def way(self) -> np.ndarray:
        """Coordinates (T, 2) of the parameters up to the step."""
        if self._way is None:
            return np.empty((0, 2))
        end = np.searchsorted(self._way.steps, math.inf if self.axis.cursor is None else self.axis.cursor, side="right")
        values = self._way.values[:end].astype(float, copy=False)
        if len(values) and values.shape[1] != 2:
            raise ValueError(f"{self.spec.trajectory} has rows of {values.shape[1]} numbers; a trajectory has 2")
        return values.reshape(-1, 2)

    @property
    def outside(self) -> float:
        """Share of the movement outside the plane at the step; NaN where nothing says so."""
        share = self.moment.value(self.spec.outside) if self.spec.outside else None
        return math.nan if share is None else float(np.ravel(share)[0])

    # Drawing.

    def _draw(self) -> bool:
        self._read_section()
        section = self.section
        self._controls.setVisible(section is not None)
        if section is None:
            self.corner.hide()
            self._clear()
            return False
        self.bar.fit(*finite_range(section.values, positive=self.bar.log))
        scale, colours = self.bar.colour_scale, self.bar.colours
        shown = section, scale, colours, self.in_space
        if any(one is not other for one, other in zip(shown, self._shown, strict=True)):  # else only the way is new
            self._shown = shown
            self.contours = contours_of(section, scale, levels_of(scale), colours)
            if self.in_space and self.surface is not None:
                self.surface.show_section(section, scale, colours, self.contours)
        self._say_corner()
        if self.in_space and self.surface is not None:
            self.surface.show_way(self.way())
        else:
            self._draw_flat(section)
        self._place_controls()
        return True

    def _clear(self) -> None:
        self._image.clear()
        for item in (*self._lines.values(), self._rim, self._path, self._point):
            item.setData([], [])
        self.contours, self._shown = [], (None, None, None, False)
        self._names.place([], self.box, np.empty((0, 2)))

    def _draw_flat(self, section: Section) -> None:
        x, y = section.x, section.y
        self._fit((float(x[0]), float(x[-1])), (float(y[0]), float(y[-1])))
        rate = self.devicePixelRatioF()
        columns, rows = (min(CELLS, max(2, round(size * rate / 2))) for size in (self.box.width(), self.box.height()))
        place = section.resampled(self.bar.colour_scale.place(section.values), columns, rows)
        shades = np.where(
            np.isnan(place), len(self.bar.colours) - 1, np.nan_to_num(place) * (len(self.bar.colours) - 2)
        )
        self._image.setImage(self.bar.colours[np.rint(shades).astype(np.intp)], autoLevels=False)
        self._image.setRect(QRectF(x[0], y[0], x[-1] - x[0], y[-1] - y[0]))
        contours = thinned(self.contours, self.box)
        for dark, item in self._lines.items():
            across, up, connect = joined([line for c in contours if c.dark == dark for line in c.lines])
            item.setData(across, up, connect=connect)
        self.bar.place(self.box.geometry())
        self.bar.marks = tuple(contour.level for contour in contours)
        way = self._thinned(self.way())
        self._draw_way(way)
        usable = way[np.isfinite(way).all(axis=1)]
        self._names.place(contours, self.box, usable[:: max(len(usable) // 200, 1)])

    def _draw_way(self, way: np.ndarray) -> None:
        x, y = way.T
        wide = len(x) <= WIDE_WAY
        self._rim.setPen(pg.mkPen(DARK, width=4) if wide else None)
        self._path.setPen(pg.mkPen(BRIGHT, width=2 if wide else 1))
        self._rim.setData(x if wide else x[:0], y if wide else y[:0], connect="finite")
        self._path.setData(x, y, connect="finite")
        last = way[-1:][np.isfinite(way[-1:]).all(axis=1)]
        self._point.setData(last[:, 0], last[:, 1])

    def _thinned(self, way: np.ndarray) -> np.ndarray:
        """The points of a way that reach a new pixel; what is far outside is drawn nearer, painters overflow there."""
        (x0, x1), (y0, y1) = self.box.viewRange()
        size = np.array([x1 - x0, y1 - y0])
        way = np.clip(way, [x0, y0] - 1e3 * size, [x1, y1] + 1e3 * size)
        with np.errstate(invalid="ignore"):
            pixel = np.floor((way - [x0, y0]) / size * [self.box.width(), self.box.height()])
        moved = np.ones(len(way), bool)
        moved[1:-1] = (pixel[1:-1] != pixel[:-2]).any(axis=1)
        return way[moved]

    def _say_corner(self) -> None:
        said = []
        if self.problem:
            said.append(f"Contours: {self.problem}")
        if not math.isnan(share := self.outside):
            said.append(f"{100 * share:.3g} % {OUTSIDE}")
        way = self.way()[-1:]
        if (
            self.section is not None
            and len(way)
            and np.isnan(self.section.at(np.zeros(self.section.values.shape), way))
        ):
            said.append("the point is outside this section")
        self._in_corner = said
        self.corner.setVisible(bool(said))

    def _place_controls(self) -> None:
        area = self.box.sceneBoundingRect().toRect()
        if self.in_space and self.surface is not None:
            area = self.rect().adjusted(4, 2, -4, -2)
        self._controls.adjustSize()
        self._controls.move(area.right() - self._controls.width() - 6, area.top() + 6)
        room = max(area.width() - self._controls.width() - 24, 80)
        self.corner.setText("\n".join(self._in_corner))
        if (needed := self.corner.needed()).width() > room:  # fewer words, so that they hide little of the picture
            letters = int((room - 20) / self.corner.fontMetrics().averageCharWidth())
            brief = [words.replace(OUTSIDE, "outside") for words in self._in_corner]
            self.corner.setText("\n".join(part for words in brief for part in textwrap.wrap(words, letters)))
            needed = self.corner.needed()
        self.corner.resize(min(needed.width(), room), needed.height())
        self.corner.move(area.left() + 6, area.top() + 6)

    # Surface or contours.

    @Slot(bool)
    def show_surface(self, on: bool) -> None:
        """Show the surface, or the contours; where OpenGL does not work contours, and a sentence that says so."""
        if on and self.surface is None:
            from gui.views import opengl

            self.problem = opengl.problem()
            if not self.problem:
                self._make_surface()
        on = on and self.surface is not None
        self.toggle.setChecked(on)
        self.toggle.setText("2-D" if on else "3-D")
        if self.surface is not None:
            self.surface.setVisible(on)
        self.canvas.setVisible(not on)
        self.reset_button.setVisible(on)
        self._later()

    def _make_surface(self) -> None:
        from gui.views.landscape_3d import Surface

        self.surface = Surface((self.symbol(self.spec.x), self.symbol(self.spec.y), self.bar.label))
        self.surface.double_clicked.connect(self.maximise_requested)
        self.surface.menu_requested.connect(self._open_menu)
        self.surface.set_theme(self.theme)
        layout = self.layout()
        assert layout is not None
        layout.addWidget(self.surface)
        for widget in (self.corner, self._controls):
            widget.raise_()

    @property
    def in_space(self) -> bool:
        """Whether the surface is shown."""
        return self.toggle.isChecked()

    def picture(self, scale: float = 2.0) -> QImage:
        if self.surface is None:
            return super().picture(scale)
        self.surface.sharpen()
        self.surface.hurried = False  # a film's frames follow each other closely too
        try:
            return super().picture(scale)
        finally:
            self.surface.hurried = True

    def show_all(self) -> None:
        if self.surface is not None:
            self.surface.reset_camera()
        super().show_all()

    def _paint(self) -> None:
        super()._paint()
        self.bar.set_theme(self.theme)
        for dark, item in self._lines.items():
            colour = QColor(DARK if dark else BRIGHT)
            colour.setAlpha(150)
            item.setPen(pg.mkPen(colour, width=1))
        self._point.setBrush(pg.mkBrush(POINT))
        paper = QColor(self.theme.ground)
        ground = f"rgba({paper.red()}, {paper.green()}, {paper.blue()}, 215)"
        self.corner.setStyleSheet(
            f"color: {self.theme.text}; background: {ground}; border-radius: 4px; padding: 2px 6px;"
        )
        for button in (self.reset_button, self.toggle):
            button.setStyleSheet(
                f"QToolButton {{ color: {self.theme.text}; background: {ground}; border-radius: 4px; padding: 2px 8px;"
                f" border: 1px solid {self.theme.field_edge}; }}"
                f"QToolButton:hover, QToolButton:focus {{ border-color: {self.theme.accent}; }}"
            )
        if self.surface is not None:
            self.surface.set_theme(self.theme)

    # The pointer, settings, numbers.

    def _said(self) -> str:
        section = self.section
        if section is None:
            return ""
        at, label = self._pointer, rich(self.bar.label)
        if at is None or self.in_space:
            way = self.way()[-1:]
            value = float(section.at(section.values, way)[0]) if len(way) else math.nan
            return f"{label}&nbsp;{short(value)} at the point" if math.isfinite(value) else ""
        value = float(section.at(section.values, np.array([at]))[0])
        where = (
            f"{rich(self.symbol(name))}&nbsp;{short(v)}" for name, v in zip((self.spec.x, self.spec.y), at, strict=True)
        )
        return "&nbsp;&nbsp; ".join([f"{label}&nbsp;{short(value)}", *where]) if not math.isnan(value) else ""

    def menu(self) -> QMenu:
        menu = super().menu()
        menu.addSeparator()
        surface = QAction("Surface (3-D)", menu, checkable=True, checked=self.in_space)
        surface.triggered.connect(self.show_surface)
        menu.addAction(surface)
        self.bar.add_actions(menu)
        return menu

    def settings(self) -> dict[str, Any]:
        return {"surface": self.in_space, **self.bar.settings()}

    def restore(self, settings: dict[str, Any]) -> None:
        self.bar.restore(settings)
        self.show_surface(bool(settings.get("surface", False)))

    def numbers(self) -> str:
        if self.section is None:
            return ""
        head = "\t".join([f"{self.spec.y} \\ {self.spec.x}", *map(repr, self.section.x.tolist())])
        rows = zip(self.section.y.tolist(), self.section.values.tolist(), strict=True)
        return "\n".join([head, *("\t".join(map(repr, [y, *values])) for y, values in rows)])


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.setFont(font_px(12))
    button.setCursor(Qt.CursorShape.ArrowCursor)
    return button
