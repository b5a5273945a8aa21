"""A loss section as a surface in space, with contour lines and the way on it. Needs OpenGL (see gui.views.opengl)."""

import functools
import math
import time

import numpy as np
from OpenGL import GL
from pyqtgraph.opengl import GLLinePlotItem, GLMeshItem, MeshData
from pyqtgraph.opengl.GLGraphicsItem import GLOptions
from pyqtgraph.opengl.GLViewWidget import GLViewMixin
from PySide6.QtCore import QPointF, QRectF, QSize, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMatrix4x4,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTextDocument,
    QVector3D,
    QWheelEvent,
)
from PySide6.QtOpenGL import QOpenGLFramebufferObject, QOpenGLFramebufferObjectFormat
from PySide6.QtWidgets import QWidget

from gui.theme import LIGHT, Theme
from gui.views import opengl
from gui.views.axes import TICK_PX, font_px, log_ticks, round_ticks
from gui.views.contours import BRIGHT, DARK, Contour
from gui.views.scale import COUNT, Scale
from gui.views.section import Section
from gui.views.text import decade, rich, short

HEIGHT = 0.95  # of the box, whose floor reaches from -1 to 1
POINT = "#D55E00"
CAMERA = {"azimuth": -58.0, "elevation": 32.0, "distance": 4.0}
NEAREST, FARTHEST = 1.8, 14.0
ANGLE = 38.0  # of sight, across the smaller side, in degrees
NAMES_PX, MOST_ROOM = 44, 1.35  # points for ticks and names beside the box; in low panels at most so much farther
LIGHT_FROM = np.array([-0.35, -0.5, 0.79])
SAMPLES = 4
AT_FOOT = 0.06  # of the upward axis, in the box
MOVING = 0.3  # seconds between sections in which they follow each other so closely that edges need no samples
ABOVE = {  # the surface is pushed back a little, so that lines on it are seen whole
    GL.GL_DEPTH_TEST: True,
    GL.GL_BLEND: False,
    GL.GL_CULL_FACE: False,
    GL.GL_POLYGON_OFFSET_FILL: True,
    "glPolygonOffset": (1.5, 1.5),
}
ON = {**GLOptions["translucent"], "glDepthFunc": (GL.GL_LEQUAL,)}  # the way on its own rim
THROUGH = {  # also where the surface is in front
    GL.GL_DEPTH_TEST: False,
    GL.GL_BLEND: True,
    "glBlendFuncSeparate": (GL.GL_SRC_ALPHA, GL.GL_ONE_MINUS_SRC_ALPHA, GL.GL_ONE, GL.GL_ONE_MINUS_SRC_ALPHA),
}


class Surface(GLViewMixin, QWidget):
    """A surface that the mouse turns and the wheel brings nearer.

    OpenGL draws the surface and the lines on it into a picture without a ground; the painter draws what is behind
    (floor, walls, grid) and what is in front (ticks, names, the point).

    Args:
        labels: Names of the two directions and of the height.
    """

    double_clicked = Signal()
    menu_requested = Signal(QPointF)
    _image: QImage | None = None  # the picture while it holds

    def __init__(self, labels: tuple[str, str, str]) -> None:
        super().__init__()
        self.labels, self.theme = labels, LIGHT
        self.setMinimumSize(120, 80)
        self.setAccessibleName(f"Surface of {labels[2]}; drag turns it, the wheel zooms")
        self._buffers: dict[int, QOpenGLFramebufferObject] = {}  # by their samples
        self._shown_at = -math.inf
        self._samples = SAMPLES
        self.hurried = True  # edges may be rough while sections follow each other closely
        self._at_rest = QTimer(self, singleShot=True, interval=round(1000 * MOVING))
        self._at_rest.timeout.connect(self.sharpen)
        self._section: Section | None = None
        self._scale = Scale(0.0, 1.0)
        self._heights = np.zeros((2, 2))
        self._last: np.ndarray | None = None  # where the point is
        self._names: dict[str, QTextDocument] = {}
        self._ticks: list[tuple[list[float], list[str]]] = []  # of the three axes, as they are painted
        self._mesh = GLMeshItem(computeNormals=False, glOptions=ABOVE)
        self._levels = {
            dark: GLLinePlotItem(mode="lines", antialias=True, glOptions="translucent") for dark in (True, False)
        }
        self._behind = GLLinePlotItem(antialias=True, glOptions=THROUGH)
        self._rim = GLLinePlotItem(antialias=True, glOptions=ON)
        self._way = GLLinePlotItem(antialias=True, glOptions=ON)
        for order, item in enumerate((self._mesh, *self._levels.values(), self._behind, self._rim, self._way)):
            item.setDepthValue(order)
            self.addItem(item)
        self.reset_camera()

    # What is shown.

    def show_section(self, section: Section, scale: Scale, colours: np.ndarray, contours: list[Contour]) -> None:
        """Show a section.

        Args:
            section: What.
            scale: Turns values into heights and colours.
            colours: Colour table (COUNT + 1, 4).
            contours: Lines to be drawn on the surface.
        """
        now = time.monotonic()
        moving, self._shown_at = self.hurried and now - self._shown_at < MOVING, now
        self._samples = 0 if moving else SAMPLES
        if moving:
            self._at_rest.start()
        self._section, self._scale = section, scale
        place = scale.place(section.values)
        self._heights = place * HEIGHT
        box = self._in_box(*np.meshgrid(section.x, section.y), self._heights)
        shade = _shade(box)
        rgba = np.ones((*shade.shape, 4), np.float32)
        rgba[..., :3] = (
            colours[np.rint(np.nan_to_num(place) * (COUNT - 1)).astype(np.intp), :3] * (shade / 255)[..., None]
        )
        np.clip(rgba, 0, 1, out=rgba)
        faces, vertices = _faces(*place.shape), box.reshape(-1, 3).astype(np.float32)
        if not np.isfinite(vertices).all():  # no surface where there is no value
            faces = faces[np.isfinite(vertices[faces]).all(axis=(1, 2))]
        data = MeshData(np.nan_to_num(vertices), faces, vertexColors=rgba.reshape(-1, 4))
        self._mesh.setMeshData(meshdata=data)
        self._mesh.setVisible(len(faces) > 0)
        for dark, item in self._levels.items():
            shown = [contour for contour in contours if contour.dark == dark]
            pairs = self._pairs(shown)
            item.setData(pos=pairs if len(pairs) else np.zeros((2, 3), np.float32))
            item.setVisible(len(pairs) > 0)

    def show_way(self, way: np.ndarray) -> None:
        """Show the way (T, 2) at the height of the surface under it."""
        section = self._section
        assert section is not None  # the surface comes first
        height = section.at(self._heights, way)
        path = self._in_box(way[:, 0], way[:, 1], height + 0.006)
        finite = np.atleast_1d(np.isfinite(path).all(axis=1))
        self._last = path[-1] if len(path) and finite[-1] else None
        # pieces within the section: each pair of neighbours that both have a height
        both = np.flatnonzero(finite[1:] & finite[:-1])
        pairs = path[np.stack([both, both + 1], axis=1).reshape(-1)].astype(np.float32)
        for item in (self._behind, self._rim, self._way):
            item.setData(pos=pairs if len(pairs) else np.zeros((2, 3), np.float32), mode="lines")
            item.setVisible(len(pairs) > 0)
        self.update()

    @Slot()
    def sharpen(self) -> None:
        """The step rests: draw once more, with smooth edges."""
        self._samples = SAMPLES
        self.update()

    def _in_box(self, x: np.ndarray, y: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Places (..., 3) in the box of coordinates and a height."""
        section = self._section
        assert section is not None
        flat = [2 * (v - c[0]) / (c[-1] - c[0]) - 1 for v, c in ((x, section.x), (y, section.y))]
        return np.stack([*flat, height], axis=-1)

    def _pairs(self, contours: list[Contour]) -> np.ndarray:
        """Both ends (n, 3) of every piece of some contours, one after the other."""
        pieces = [np.repeat(line, 2, axis=0)[1:-1] for contour in contours for line in contour.lines]
        if not pieces:
            return np.empty((0, 3), np.float32)
        levels = np.repeat([c.level for c in contours for _ in c.lines], [len(piece) for piece in pieces])
        points = np.concatenate(pieces)
        return self._in_box(points[:, 0], points[:, 1], self._scale.place(levels) * HEIGHT + 0.003).astype(np.float32)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self._names.clear()
        self.setBackgroundColor(0, 0, 0, 0)
        for dark, item in self._levels.items():
            item.setData(color=_rgba(DARK if dark else BRIGHT, 0.55))
        self._behind.setData(color=_rgba(theme.text, 0.3))
        self._rim.setData(color=_rgba(DARK))
        self._way.setData(color=_rgba(BRIGHT))
        self.update()

    # The camera.

    def reset_camera(self) -> None:
        """Look from where one looks at first."""
        self.setCameraPosition(pos=QVector3D(0, 0, HEIGHT * 0.36), **CAMERA)

    def projectionMatrix(self, region, viewport) -> QMatrix4x4:
        """Sight of ``ANGLE`` across the smaller side, and more for what is written around the box: all is in sight."""
        _, _, width, height = viewport
        wide = width / max(height, 1)
        names = min(self.height() / max(self.height() - NAMES_PX, 1), MOST_ROOM)
        half = math.tan(math.radians(ANGLE / 2)) * max(1.0, 1.25 / wide) * names
        matrix = QMatrix4x4()
        matrix.perspective(2 * math.degrees(math.atan(half)), wide, 0.1, FARTHEST + 4)
        return matrix

    def wheelEvent(self, ev: QWheelEvent) -> None:
        nearer = 0.999 ** (ev.angleDelta().y() or ev.angleDelta().x())
        self.setCameraPosition(distance=min(max(float(self.opts["distance"]) * nearer, NEAREST), FARTHEST))

    def orbit(self, azim: float, elev: float) -> None:
        super().orbit(azim, elev)
        self.setCameraPosition(elevation=min(max(self.opts["elevation"], 4.0), 90.0))  # from above: the floor is behind

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.double_clicked.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_requested.emit(QPointF(event.globalPos()))

    def keyPressEvent(self, ev: QKeyEvent) -> None:
        ev.ignore()  # arrows move the slider

    def keyReleaseEvent(self, ev: QKeyEvent) -> None:
        ev.ignore()

    # Drawing.

    def isValid(self) -> bool:
        """Items wait for :meth:`_rendered` to be made ready."""
        return False

    def context(self):
        return opengl.shared().context

    def update(self, *args) -> None:
        self._image = None
        super().update(*args)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(self.theme.ground))
        if self._section is not None:
            self._project()
            self._ticks = [self.ticks(which) for which in range(3)]
            self._paint_walls(painter)
            rate = painter.deviceTransform().m11()
            size = QSize(max(round(self.width() * rate), 1), max(round(self.height() * rate), 1))
            painter.drawImage(QRectF(self.rect()), self._rendered(size, rate))
            self._paint_axes(painter)
            self._paint_point(painter)
        painter.end()

    def _rendered(self, size: QSize, rate: float) -> QImage:
        """The surface in a picture of so many pixels, ``rate`` of them a point."""
        if self._image is not None and self._image.size() == size:
            return self._image
        context = opengl.shared()
        if not context.begin():
            raise RuntimeError("OpenGL stopped working")
        try:
            self.initializeGL()
            buffer = self._buffers.get(self._samples)
            if buffer is None or buffer.size() != size:
                wanted = QOpenGLFramebufferObjectFormat()
                wanted.setAttachment(QOpenGLFramebufferObject.Attachment.CombinedDepthStencil)
                wanted.setSamples(self._samples)
                self._buffers[self._samples] = buffer = QOpenGLFramebufferObject(size, wanted)
            buffer.bind()
            for item, width in ((self._behind, 2.0), (self._rim, 4.5), (self._way, 2.2)):
                item.width, item.antialias = width * rate, self._samples > 0  # smooth edges need samples to lie beside
            GL.glViewport(0, 0, size.width(), size.height())
            area = (0, 0, size.width(), size.height())
            self.paint(region=area, viewport=area)
            self._image = image = buffer.toImage()
            buffer.release()
        finally:
            context.end()
        return image

    # Floor, walls, ticks.

    def _project(self) -> None:
        area = (0, 0, max(self.width(), 1), max(self.height(), 1))
        on_page = QMatrix4x4()  # from -1 to 1 into points of the widget
        on_page.scale(self.width() / 2, -self.height() / 2)
        on_page.translate(1.0, -1.0)
        self._to_screen = on_page * self.projectionMatrix(area, area) * self.viewMatrix()

    def on_screen(self, x: float, y: float, z: float) -> QPointF:
        """Where a place in the box is on the widget."""
        return self._to_screen.map(QVector3D(x, y, z)).toPointF()

    def ticks(self, which: int) -> tuple[list[float], list[str]]:
        """Places in the box and texts of the ticks of an axis: 0 and 1 on the floor, 2 upwards."""
        section, scale = self._section, self._scale
        assert section is not None
        if which < 2:
            along = (section.x, section.y)[which]
            spacing, values = round_ticks(float(along[0]), float(along[-1]), 6)
            places = 2 * (values - along[0]) / (along[-1] - along[0]) - 1
            return places.tolist(), [short(v) if abs(v) > spacing * 1e-6 else "0" for v in values.tolist()]
        if not scale.log:
            spacing, values = round_ticks(scale.low, scale.high, 5)
            texts = [short(v) if abs(v) > spacing * 1e-6 else "0" for v in values.tolist()]
            return (scale.place(values) * HEIGHT).tolist(), texts
        exponents, _ = log_ticks(math.log10(scale.low), math.log10(scale.high), 5)
        whole = [abs(e - round(e)) < 1e-9 for e in exponents]
        texts = [decade(round(e)) if w else short(10.0**e, 2) for e, w in zip(exponents.tolist(), whole, strict=True)]
        return (scale.place(10.0**exponents) * HEIGHT).tolist(), texts

    def _far(self) -> tuple[float, float]:
        """The corner of the floor that is farthest from the camera."""
        camera = self.cameraPosition()
        return (-1.0 if camera.x() > 0 else 1.0), (-1.0 if camera.y() > 0 else 1.0)

    def _paint_walls(self, painter: QPainter) -> None:
        far_x, far_y = self._far()
        top = HEIGHT
        painter.setPen(QPen(QColor(self.theme.edge), 1))
        painter.setBrush(QColor(self.theme.raised))
        floor = [(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]
        wall_x = [(far_x, -1, 0), (far_x, 1, 0), (far_x, 1, top), (far_x, -1, top)]
        wall_y = [(-1, far_y, 0), (1, far_y, 0), (1, far_y, top), (-1, far_y, top)]
        for corners in (floor, wall_x, wall_y):
            painter.drawPolygon([self.on_screen(*corner) for corner in corners])
        for x in self._ticks[0][0]:
            self._line(painter, [(x, -far_y, 0), (x, far_y, 0), (x, far_y, top)])
        for y in self._ticks[1][0]:
            self._line(painter, [(-far_x, y, 0), (far_x, y, 0), (far_x, y, top)])
        for z in self._ticks[2][0]:
            self._line(painter, [(-far_x, far_y, z), (far_x, far_y, z), (far_x, -far_y, z)])

    def _line(self, painter: QPainter, points: list[tuple[float, float, float]]) -> None:
        painter.drawPolyline([self.on_screen(*point) for point in points])

    def _paint_axes(self, painter: QPainter) -> None:
        far_x, far_y = self._far()
        painter.setPen(QPen(QColor(self.theme.field_edge), 1))
        self._line(painter, [(far_x, -far_y, 0), (-far_x, -far_y, 0), (-far_x, far_y, 0)])
        middle = self.on_screen(0, 0, 0)
        painter.setFont(font_px(TICK_PX))
        painter.setPen(QColor(self.theme.muted))
        # upwards at the wall's edge that stands farthest left; the number of the floor at its foot would be in its way
        x, y = min(((-far_x, far_y), (far_x, -far_y)), key=lambda corner: self.on_screen(*corner, 0).x())
        for place, text in zip(*self._ticks[0], strict=True):
            if y != -far_y or abs(place - x) > AT_FOOT:
                self._tick(painter, text, self.on_screen(place, -far_y, 0), middle, 10)
        for place, text in zip(*self._ticks[1], strict=True):
            if x != -far_x or abs(place - y) > AT_FOOT:
                self._tick(painter, text, self.on_screen(-far_x, place, 0), middle, 10)
        for place, text in zip(*self._ticks[2], strict=True):
            at = self.on_screen(x, y, place)
            self._tick(painter, text, at, at + QPointF(100, 0), 8)
        self._name(painter, self.labels[0], self.on_screen(0, -far_y, 0), middle, 34)
        self._name(painter, self.labels[1], self.on_screen(-far_x, 0, 0), middle, 34)
        top = self.on_screen(x, y, HEIGHT)
        self._name(painter, self.labels[2], top, top + QPointF(0, 100), 16)

    def _tick(self, painter: QPainter, text: str, at: QPointF, away: QPointF, gap: float) -> None:
        """A number beside a place, on the side that is away from another one."""
        metrics = QFontMetricsF(painter.font())
        width, height = metrics.horizontalAdvance(text), metrics.ascent()
        corner = _beside(at, away, gap, width, 0.5 * height)
        painter.drawText(corner + QPointF(0, 0.4 * height), text)

    def _name(self, painter: QPainter, text: str, at: QPointF, away: QPointF, gap: float) -> None:
        """A name beside a place, with its subscripts."""
        if text not in self._names:  # laying text out takes a while, and the section changes with every step
            self._names[text] = document = QTextDocument()
            document.setDocumentMargin(0)
            document.setDefaultFont(font_px(TICK_PX + 1))
            document.setHtml(f'<span style="color:{self.theme.text}">{rich(text)}</span>')
        document = self._names[text]
        painter.save()
        painter.translate(_beside(at, away, gap, document.idealWidth(), 0) - QPointF(0, document.size().height() / 2))
        document.drawContents(painter)
        painter.restore()

    def _paint_point(self, painter: QPainter) -> None:
        if self._last is not None:
            painter.setPen(QPen(QColor(BRIGHT), 2))
            painter.setBrush(QColor(POINT))
            painter.drawEllipse(self.on_screen(*self._last.tolist()), 5.5, 5.5)


def _beside(at: QPointF, away: QPointF, gap: float, width: float, height: float) -> QPointF:
    """Where a text begins that stands ``gap`` points from a place on the side away from another place."""
    dx, dy = at.x() - away.x(), at.y() - away.y()
    far = math.hypot(dx, dy) or 1.0
    return QPointF(at.x() + dx / far * gap - width * (0.5 - 0.5 * dx / far), at.y() + dy / far * (gap + height))


def _rgba(colour: str, opacity: float = 1.0) -> tuple[float, float, float, float]:
    ink = QColor(colour)
    return ink.redF(), ink.greenF(), ink.blueF(), opacity


@functools.lru_cache(maxsize=4)
def _faces(rows: int, columns: int) -> np.ndarray:
    """Triangles (2 (rows - 1)(columns - 1), 3) of a grid whose vertices are counted row by row."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1, 1)
    halves = np.array([[0, 1, columns], [1, columns + 1, columns]])
    return (corner + halves[:, None]).reshape(-1, 3).astype(np.uint32)


def _shade(places: np.ndarray) -> np.ndarray:
    """Brightness (n, m) of a surface through places (n, m, 3) in a light that stands still in the box."""
    x, y, height = places[0, :, 0], places[:, 0, 1], places[..., 2]
    with np.errstate(invalid="ignore"):
        up, across = np.gradient(height, y, x)
        towards = LIGHT_FROM[2] - LIGHT_FROM[0] * across - LIGHT_FROM[1] * up  # the normal is (-across, -up, 1)
        towards = np.abs(towards) / np.sqrt(across * across + up * up + 1)
    return 0.62 + 0.46 * np.nan_to_num(towards, nan=0.5)
