"""Draws information-flow graphs: nodes, edges as wide as their weight, masked edges crossed, marked tokens named."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFontMetricsF,
    QImage,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from gui.flow_edges import Edge, Edges, Frame, bent, distances
from gui.theme import LIGHT, Theme
from gui.views.axes import TICK_PX, font_px
from gui.views.base import mixed, readable
from gui.views.text import short

LEFT, RIGHT, TOP, BOTTOM = 60.0, 16.0, 30.0, 40.0  # points around the nodes of one graph
BARE = 14.0  # above a graph that stands alone, whose head needs no name
SHADES = 24  # widths and tints of edges
MARKS = (5, 4, 6, 3)  # lines' colours for marked tokens, away from those that the first heads take
NEAR_PX = 6.0
APART = 8.0  # points between two names
Mask = tuple[int, int | None, int, int]


@dataclass
class Graph:
    """What is drawn.

    Attributes:
        edges: Edges, the weakest first.
        layers, heads, tokens: Sizes of the graph.
        panels: Heads of each graph that is drawn: one with all, or one each.
        names: Texts under the tokens.
        marks: Position and name of marked tokens.
        masked: Masked edges.
        token, layer: The picked ones, or None.
    """

    edges: Edges
    layers: int
    heads: int
    tokens: int
    panels: list[tuple[int, ...]]
    names: list[str]
    marks: list[tuple[int, str]] = field(default_factory=list)
    masked: set[Mask] = field(default_factory=set)
    token: int | None = None
    layer: int | None = None

    def is_masked(self, edge: Edge) -> bool:
        return bool({(*edge[:1], head, *edge[2:]) for head in (edge.head, None)} & self.masked)


def side_by_side(centres: Sequence[float], wide: Sequence[float], low: float, high: float) -> list[float]:
    """Left edges of boxes that stand as near to their ``centres`` (rising) as they can without touching."""
    starts: list[float] = []
    end = low - APART
    for centre, width in zip(centres, wide, strict=True):
        starts.append(max(centre - width / 2, end + APART))
        end = starts[-1] + width
    for place in reversed(range(len(starts))):
        starts[place] = min(starts[place], high - wide[place])
        high = starts[place] - APART
    return starts


class FlowCanvas(QWidget):
    """The picture and the pointer on it. Wheel zooms along the tokens, drag pans, click asks to lock an edge."""

    hovered = Signal(object)  # Edge or None
    clicked = Signal(object)
    picked = Signal(str, int)  # "token" or "layer" and its number
    double_clicked = Signal()
    menu_requested = Signal(QPointF)
    moved = Signal()  # zoomed or panned

    def __init__(self) -> None:
        super().__init__()
        self.theme = LIGHT
        self.graph: Graph | None = None
        self.pointed: Edge | None = None
        self.locked: Edge | None = None
        self.sight: tuple[float, float] | None = None  # tokens in sight; None for all
        self._image: QImage | None = None
        self._pens: dict[tuple[int, float, bool, float], QPen] = {}
        self._press: tuple[QPointF, tuple[float, float]] | None = None
        self._dragged = False
        self.setMouseTracking(True)
        self.setMinimumSize(160, 100)

    def show_graph(self, graph: Graph | None) -> None:
        self.graph = graph
        self.redraw()

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        self._pens.clear()
        self.redraw()

    def redraw(self) -> None:
        """Draw everything anew at the next painting; ``update()`` alone draws what is pointed at."""
        self._image = None
        self.update()

    # Geometry.

    def frames(self) -> list[Frame]:
        """Where each panel's nodes stand."""
        graph = self.graph
        if graph is None:
            return []
        count = len(graph.panels)
        columns = max(1, min(count, round((count * self.width() / max(self.height(), 1) / 1.6) ** 0.5)))
        rows = -(-count // columns)
        columns = -(-count // rows)  # the last row as full as the others can spare
        width, height = self.width() / columns, self.height() / rows
        low, high = self.sight or (0.0, float(graph.tokens))
        frames = []
        for number in range(count):
            corner = QPointF(number % columns * width, number // columns * height)
            top = TOP if count > 1 else BARE
            area = QRectF(corner.x() + LEFT, corner.y() + top, width - LEFT - RIGHT, height - top - BOTTOM)
            area.setSize(area.size().expandedTo(QSizeF(20, 20)))
            frames.append(
                Frame(
                    (area.left(), area.top(), area.width(), area.height()),
                    graph.layers,
                    low,
                    high,
                    len(graph.panels[number]),
                )
            )
        return frames

    def curves(self, panel: int, places: np.ndarray) -> np.ndarray:
        """Curves (E, 4, 2) of edges (E, 4) in a panel."""
        assert self.graph is not None
        heads = np.array(self.graph.panels[panel])
        shifted = places.copy()
        shifted[:, 1] = np.searchsorted(heads, places[:, 1])
        return self.frames()[panel].curves(shifted)

    def edge_at(self, place: QPointF) -> Edge | None:
        """The edge under the pointer: the nearest, of equally near ones the strongest."""
        graph = self.graph
        for panel, frame in enumerate(self.frames() if graph else ()):
            if graph and _area(frame).adjusted(-NEAR_PX, -NEAR_PX, NEAR_PX, NEAR_PX).contains(place):
                places = graph.edges.places
                places = places[np.isin(places[:, 1], graph.panels[panel])]
                if not len(places):
                    return None
                far = distances(self.curves(panel, places), place.x(), place.y())
                best = int(np.flatnonzero(far <= max(far.min(), 1.0))[-1])
                return Edge(*map(int, places[best])) if far[best] <= NEAR_PX else None
        return None

    # Painting.

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self.theme.ground))
        if self.graph is not None:
            rate = painter.deviceTransform().m11()
            size = QSize(max(round(self.width() * rate), 1), max(round(self.height() * rate), 1))
            if self._image is None or self._image.size() != size:
                image = QImage(size, QImage.Format.Format_RGB32)
                image.setDevicePixelRatio(rate)
                image.fill(QColor(self.theme.ground))
                inner = QPainter(image)
                self._paint_graph(inner, self.graph)
                inner.end()
                self._image = image
            painter.drawImage(QRectF(self.rect()), self._image)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for edge in dict.fromkeys((self.locked, self.pointed)):
                if edge is not None:
                    self._paint_stressed(painter, self.graph, edge)
        painter.end()

    def _paint_graph(self, painter: QPainter, graph: Graph) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for panel, frame in enumerate(self.frames()):
            self._paint_marks(painter, graph, frame)
            self._paint_residual(painter, graph, frame)
            painter.save()
            painter.setClipRect(_area(frame).adjusted(-8, -8, 8, 8))
            self._paint_edges(painter, graph, panel, frame)
            self._paint_masked(painter, graph, panel)
            self._paint_nodes(painter, graph, frame)
            painter.restore()
            self._paint_texts(painter, graph, panel, frame)

    def colour(self, head: int) -> str:
        return self.theme.line(head)[0]

    def _paint_marks(self, painter: QPainter, graph: Graph, frame: Frame) -> None:
        half = min(frame.gap / 2, 14.0)
        for number, (token, _) in enumerate(graph.marks):
            colour = QColor(self.theme.lines[MARKS[number % len(MARKS)]])
            colour.setAlpha(60)
            x = float(frame.x(token))
            if _area(frame).left() <= x <= _area(frame).right():
                painter.fillRect(QRectF(x - half, _area(frame).top() - 8, 2 * half, _area(frame).height() + 16), colour)

    def _paint_residual(self, painter: QPainter, graph: Graph, frame: Frame) -> None:
        painter.setPen(QPen(QColor(self.theme.edge), 1))
        top, bottom = _area(frame).top(), _area(frame).bottom()
        painter.drawLines(
            [QLineF(x, top, x, bottom) for x in frame.x(np.array(self._tokens_in_sight(graph, frame))).tolist()]
        )

    def _tokens_in_sight(self, graph: Graph, frame: Frame) -> range:
        return range(max(int(np.ceil(frame.low - 0.5)), 0), min(int(np.floor(frame.high - 0.5)) + 1, graph.tokens))

    def _paint_edges(self, painter: QPainter, graph: Graph, panel: int, frame: Frame) -> None:
        edges = graph.edges
        mine = np.isin(edges.places[:, 1], graph.panels[panel])
        places, weights = edges.places[mine], edges.weights[mine]
        curves = self.curves(panel, places)
        share = np.ceil(np.abs(weights) / (edges.strongest or 1.0) * SHADES) / SHADES
        # one stroke for all that look the same, the weakest first: a stroke for each took twice as long
        paths: dict[tuple[float, int, bool], QPainterPath] = {}
        for look, curve in zip(
            zip(share.tolist(), places[:, 1].tolist(), (weights < 0).tolist(), strict=True),
            curves.tolist(),
            strict=True,
        ):
            begin, one, two, end = curve
            path = paths.get(look)
            if path is None:
                path = paths[look] = QPainterPath()
            path.moveTo(*begin)
            path.cubicTo(*one, *two, *end)
        for (strength, head, negative), path in sorted(paths.items(), key=lambda one: one[0]):
            painter.strokePath(path, self._pen(head, strength, negative, frame))

    def _pen(self, head: int, share: float, negative: bool, frame: Frame) -> QPen:
        key = head, share, negative, frame.gap
        if key not in self._pens:
            self._pens[key] = self._new_pen(*key)
        return self._pens[key]

    def _new_pen(self, head: int, share: float, negative: bool, gap: float) -> QPen:
        # mixed with the ground instead of transparent: four times faster, and crossing edges make no third colour
        colour = mixed(self.colour(head), self.theme.ground, 0.65 * (1 - share))
        widest = min(6.0, max(0.35 * gap, 1.5))
        pen = QPen(colour, max(widest * share, 1.0))
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        if negative:
            pen.setDashPattern([3.0, 2.0])
        return pen

    def _paint_masked(self, painter: QPainter, graph: Graph, panel: int) -> None:
        heads = graph.panels[panel]
        places = [
            (layer, each, target, source)
            for layer, head, target, source in graph.masked
            for each in (heads if head is None else (head,))
            if each in heads and layer < graph.layers and max(target, source) < graph.tokens
        ]
        if not places:
            return
        curves = self.curves(panel, np.array(places))
        for (_, head, _, _), curve, points in zip(places, curves.tolist(), bent(curves), strict=True):
            path = QPainterPath(QPointF(*curve[0]))
            path.cubicTo(*curve[1], *curve[2], *curve[3])
            painter.strokePath(path, QPen(QColor(self.theme.ground), 4))
            painter.strokePath(path, QPen(QColor(self.colour(head)), 1.2, Qt.PenStyle.DotLine))
            x, y = points[len(points) // 2]
            for colour, width in ((self.theme.ground, 5.0), (self.theme.bad, 2.2)):
                painter.setPen(QPen(QColor(colour), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
                painter.drawLine(QPointF(x - 5, y - 5), QPointF(x + 5, y + 5))
                painter.drawLine(QPointF(x - 5, y + 5), QPointF(x + 5, y - 5))

    def _paint_nodes(self, painter: QPainter, graph: Graph, frame: Frame) -> None:
        size = 2 * min(max(0.14 * frame.gap, 1.2), 4.5)
        marked = {token: self.theme.lines[MARKS[number % len(MARKS)]] for number, (token, _) in enumerate(graph.marks)}
        heights = frame.y(np.arange(graph.layers + 1)).tolist()
        columns: dict[str | None, list[QPointF]] = {}
        tokens = self._tokens_in_sight(graph, frame)
        for token, x in zip(tokens, frame.x(np.array(tokens)).tolist(), strict=True):
            columns.setdefault(marked.get(token), []).extend(QPointF(x, y) for y in heights)
        for colour, places in columns.items():
            wide = size if colour is None else 1.5 * size
            rim = [(self.theme.ground, wide + 2)] if wide > 4 else []
            for ink, width in (*rim, (colour or self.theme.muted, wide)):
                painter.setPen(QPen(QColor(ink), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
                painter.drawPoints(places)

    def _paint_texts(self, painter: QPainter, graph: Graph, panel: int, frame: Frame) -> None:
        painter.setFont(font_px(TICK_PX))
        metrics = QFontMetricsF(painter.font())
        painter.setPen(QColor(self.theme.muted))
        area, centre = _area(frame), Qt.AlignmentFlag.AlignCenter
        apart = area.height() / graph.layers
        every = max(1, int(np.ceil(16 / max(apart, 1))))
        for layer in range(0, graph.layers, every):
            box = QRectF(area.left() - LEFT, float(frame.y(layer + 0.5)) - 8, LEFT - 12, 16)
            painter.setPen(QColor(self.theme.bad if layer == graph.layer else self.theme.muted))
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"layer {layer}")
        painter.setPen(QColor(self.theme.muted))
        for row, text in ((0, "input"), (graph.layers, "output")) if apart >= 36 else ():
            box = QRectF(area.left() - LEFT, float(frame.y(row)) - 8, LEFT - 12, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        tokens = self._tokens_in_sight(graph, frame)
        widest = max((metrics.horizontalAdvance(graph.names[token]) for token in tokens), default=0.0)
        every = max(1, int(np.ceil((widest + 6) / frame.gap)))
        marked = {token: number for number, (token, _) in enumerate(graph.marks)}
        for token in tokens:
            near = any(0 < abs(token - other) < every for other in marked)
            if token in marked or token == graph.token or (token % every == 0 and not near):
                painter.setPen(QColor(self.theme.text if token in marked else self.theme.muted))
                if token == graph.token:
                    painter.setPen(QColor(self.theme.bad))
                x = float(frame.x(token))
                painter.drawText(QRectF(x - 40, area.bottom() + 8, 80, 15), centre, graph.names[token])
        self._name_marks(painter, graph, frame)
        if len(graph.panels) > 1:
            painter.setFont(font_px(12))
            painter.setPen(QColor(readable(self.colour(graph.panels[panel][0]), self.theme)))
            box = QRectF(area.left(), area.top() - TOP + 1, area.width(), 18)
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft, f"head {graph.panels[panel][0]}")

    def _name_marks(self, painter: QPainter, graph: Graph, frame: Frame) -> None:
        """The names of marked tokens in one row, in their order and colours, where they have no room beneath."""
        area, metrics = _area(frame), QFontMetricsF(painter.font())
        seen = [
            (x, name, MARKS[number % len(MARKS)])
            for number, (token, name) in enumerate(graph.marks)
            if name and area.left() <= (x := float(frame.x(token))) <= area.right()
        ]
        if not seen:
            return
        seen.sort()
        low, high = area.left() - LEFT + 8, area.right() + 8
        most = (high - low + APART) / len(seen) - APART
        wide = [metrics.horizontalAdvance(name) + 2 for _, name, _ in seen]
        if sum(wide) + APART * (len(seen) - 1) > high - low:
            wide = [min(width, most) for width in wide]
        starts = side_by_side([x for x, _, _ in seen], wide, low, high)
        for start, width, (_, name, line) in zip(starts, wide, seen, strict=True):
            painter.setPen(QColor(readable(self.theme.lines[line], self.theme)))
            text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, width)
            painter.drawText(QRectF(start, area.bottom() + 22, width, 15), Qt.AlignmentFlag.AlignCenter, text)

    def _paint_stressed(self, painter: QPainter, graph: Graph, edge: Edge) -> None:
        panel = next((n for n, heads in enumerate(graph.panels) if edge.head in heads), None)
        if panel is None or edge.layer >= graph.layers or max(edge.target, edge.source) >= graph.tokens:
            return
        curves = self.curves(panel, np.array([edge]))
        begin, one, two, end = curves[0].tolist()
        path = QPainterPath(QPointF(*begin))
        path.cubicTo(*one, *two, *end)
        painter.strokePath(path, QPen(QColor(self.theme.text), 7))
        painter.strokePath(path, QPen(QColor(self.colour(edge.head)), 4))
        painter.setPen(QPen(QColor(self.theme.text), 2))
        painter.setBrush(QColor(self.theme.ground))
        for place in (begin, end):
            painter.drawEllipse(QPointF(*place), 5, 5)
        if graph.is_masked(edge):
            self._chip(painter, QPointF(*bent(curves)[0][6]), "masked")
        else:
            found = (graph.edges.places == edge).all(axis=1)
            weight = short(float(graph.edges.weights[found][0])) if found.any() else "under the threshold"
            self._chip(painter, QPointF(*bent(curves)[0][6]), weight)

    def _chip(self, painter: QPainter, place: QPointF, text: str) -> None:
        painter.setFont(font_px(12))
        width = QFontMetricsF(painter.font()).horizontalAdvance(text) + 12
        box = QRectF(place.x() - width / 2, place.y() - 10, width, 20)
        box.moveLeft(min(max(box.left(), 2), self.width() - width - 2))
        painter.setPen(QPen(QColor(self.theme.field_edge), 1))
        painter.setBrush(QColor(self.theme.ground))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QColor(self.theme.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    # The pointer.

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._press is not None:
            begin, window = self._press
            moved = event.position() - begin
            self._dragged |= moved.manhattanLength() >= QApplication.startDragDistance()
            if self._dragged and self.sight is not None:
                self._look(window[0] - moved.x() / self.frames()[0].gap, window[1] - window[0])
            return
        named = self.named_at(event.position())
        self._point_at(None if named else self.edge_at(event.position()))
        if named:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        elif self.pointed is None:
            self.setCursor(Qt.CursorShape.ArrowCursor)

    def named_at(self, place: QPointF) -> tuple[str, int] | None:
        """The token whose node or name, or the layer whose name, is under the pointer."""
        graph = self.graph
        for frame in self.frames() if graph is not None else []:
            area = _area(frame)
            if area.left() - LEFT <= place.x() < area.left() - NEAR_PX and area.top() <= place.y() < area.bottom():
                return "layer", frame.layers - 1 - int((place.y() - area.top()) / area.height() * frame.layers)
            token = round(frame.low + (place.x() - area.left()) / frame.gap - 0.5)
            if not frame.low <= token < frame.high or not area.left() <= place.x() <= area.right():
                continue
            name = area.bottom() + NEAR_PX < place.y() <= area.bottom() + BOTTOM - 2
            rows = frame.y(np.arange(frame.layers + 1))
            node = np.hypot(float(frame.x(token)) - place.x(), rows - place.y()).min() <= NEAR_PX
            if name or node:
                return "token", token
        return None

    def _point_at(self, edge: Edge | None) -> None:
        if edge != self.pointed:
            self.pointed = edge
            self.setCursor(Qt.CursorShape.ArrowCursor if edge is None else Qt.CursorShape.PointingHandCursor)
            self.update()
            self.hovered.emit(edge)

    def leaveEvent(self, event: QEvent) -> None:
        self._point_at(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.graph is not None:
            self._press = (event.position(), self.sight or (0.0, float(self.graph.tokens)))
            self._dragged = False

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._press is not None:
            self._press = None
            if self._dragged:
                return
            if (named := self.named_at(event.position())) is not None:
                self.picked.emit(*named)
            else:
                self.clicked.emit(self.edge_at(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.edge_at(event.position()) is None and self.named_at(event.position()) is None:
            self.double_clicked.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_requested.emit(QPointF(event.globalPos()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        frame = next((f for f in self.frames() if _area(f).left() <= event.position().x() <= _area(f).right()), None)
        if frame is None:
            return
        share = (event.position().x() - _area(frame).left()) / _area(frame).width()
        at = frame.low + share * (frame.high - frame.low)
        width = (frame.high - frame.low) * 0.998 ** event.angleDelta().y()
        self._look(at - share * width, width)

    def _look(self, low: float, width: float) -> None:
        """Bring so many tokens into sight, within those that there are."""
        assert self.graph is not None
        tokens = float(self.graph.tokens)
        width = min(max(width, 3.0), tokens)
        low = min(max(low, 0.0), tokens - width)
        self.sight = None if width >= tokens else (low, low + width)
        self._pens.clear()  # their widths go with the distance of tokens
        self.redraw()
        self.moved.emit()


def _area(frame: Frame) -> QRectF:
    return QRectF(*frame.area)
