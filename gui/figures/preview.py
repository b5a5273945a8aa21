"""The page in the centre: the picture that will be written, at true size; panels are chosen by a click and dragged."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from gui.export.page import boxes
from gui.export.recipe import Recipe
from gui.figures.work import Page
from gui.theme import Theme

MARGIN = 24  # pixels around the page
FRAME_PX = 3  # between what is drawn and the frame of the chosen panel
DRAG_PX = 8  # a press that moves less is a click


class Preview(QWidget):
    """Shows a rendered page. Left and right move a chosen panel, Delete takes it away."""

    chosen = Signal(int)
    moved = Signal(int, int)  # panel, and the place that it takes
    removed = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme, self.panel = theme, -1
        self._recipe: Recipe | None = None
        self._image = QImage()
        self._frames: Sequence[tuple[float, float, float, float]] = ()
        self._pressed: QPointF | None = None
        self._at: QPointF | None = None
        self.zoom = 1.0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Page")

    @property
    def pixels_per_mm(self) -> float:
        """Logical pixels of a millimetre on this screen at the present zoom."""
        return self.zoom * self.logicalDpiX() / 25.4

    @property
    def dpi(self) -> float:
        """Resolution at which a picture fills the page pixel by pixel."""
        return self.pixels_per_mm * 25.4 * self.devicePixelRatioF()

    @property
    def page(self) -> QRectF:
        across, down = self._recipe.millimetres if self._recipe else (0, 0)
        size = QSize(round(across * self.pixels_per_mm), round(down * self.pixels_per_mm))
        left, top = (max(room // 2, MARGIN) for room in (self.width() - size.width(), self.height() - size.height()))
        return QRectF(left, top, size.width(), size.height())

    def show_recipe(self, recipe: Recipe) -> None:
        """Take the size and the places of the panels; the picture comes later."""
        if self._recipe is None or (boxes(self._recipe) if self._recipe.panels else []) != (
            boxes(recipe) if recipe.panels else []
        ):
            self._frames = ()  # panels stand elsewhere until the page is drawn again
        self._recipe = recipe
        self.panel = min(self.panel, len(recipe.panels) - 1)
        across, down = recipe.millimetres
        scale = self.pixels_per_mm
        self.setMinimumSize(round(across * scale) + 2 * MARGIN, round(down * scale) + 2 * MARGIN)
        if not recipe.panels:
            self._image = QImage()
        self.update()

    def show_page(self, page: Page) -> None:
        self._image, self._frames = page
        self.update()

    def choose(self, panel: int) -> None:
        self.panel = panel
        self.update()

    @property
    def image(self) -> QImage:
        return self._image

    def panel_at(self, point: QPointF) -> int:
        """Which panel is under a point of this widget; -1 for none."""
        if self._recipe is None or not self._recipe.panels:
            return -1
        panels = range(len(self._recipe.panels))
        found = [
            *(i for i in panels if self.frame(i).contains(point)),
            *(i for i in panels if self.box(i).contains(point)),
        ]
        return next(iter(found), -1)

    def box(self, panel: int) -> QRectF:
        """The part of the page that a panel has, in this widget."""
        assert self._recipe is not None
        return self._placed(*boxes(self._recipe)[panel])

    def frame(self, panel: int) -> QRectF:
        """What a panel fills in this widget, as it is drawn; its part of the page until it is."""
        if panel >= len(self._frames):
            return self.box(panel)
        return self._placed(*self._frames[panel]).adjusted(-FRAME_PX, -FRAME_PX, FRAME_PX, FRAME_PX) & self.page

    def _placed(self, x: float, y: float, w: float, h: float) -> QRectF:
        page = self.page
        return QRectF(page.x() + x * page.width(), page.y() + y * page.height(), w * page.width(), h * page.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self.theme.sunken))
        if self._recipe is not None:
            painter.fillRect(self.page, QColor("#FFFFFF"))  # paper is white in every theme
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            if not self._image.isNull():
                page, ratio = self.page, self.devicePixelRatioF()
                size = QSizeF(self._image.size()) / ratio
                if abs(size.width() - page.width()) >= 2 or abs(size.height() - page.height()) >= 2:
                    # one of another resolution, or of the page before, until the next is drawn
                    size = size.scaled(page.size(), Qt.AspectRatioMode.KeepAspectRatio)
                painter.drawImage(QRectF(page.topLeft(), size), self._image)
            self._mark(painter, self._recipe)
        painter.end()

    def _mark(self, painter: QPainter, recipe: Recipe) -> None:
        painter.setPen(QPen(QColor(self.theme.accent), 1.5, Qt.PenStyle.DashLine))
        if not recipe.panels:
            painter.setPen(QColor("#596170"))
            text = "Choose runs and a view on the left, then Add panel"
            painter.drawText(self.page, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)
        elif self._image.isNull():
            painter.setPen(QColor("#596170"))
            painter.drawText(self.page, Qt.AlignmentFlag.AlignCenter, "Drawing \N{HORIZONTAL ELLIPSIS}")
        elif 0 <= self.panel < len(recipe.panels) and len(recipe.panels) > 1:
            painter.drawRect(self.frame(self.panel))
        if self._dragging and (target := self.panel_at(self._at or QPointF())) >= 0:
            painter.setBrush(QColor(self.theme.accent))
            painter.setOpacity(0.15)
            painter.drawRect(self.box(target))

    @property
    def _dragging(self) -> bool:
        if self._pressed is None or self._at is None or self.panel < 0:
            return False
        return (self._at - self._pressed).manhattanLength() > DRAG_PX

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and (panel := self.panel_at(event.position())) >= 0:
            self._pressed = event.position()
            self.choose(panel)
            self.chosen.emit(panel)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._at = event.position()
        self.setCursor(Qt.CursorShape.ClosedHandCursor if self._dragging else Qt.CursorShape.ArrowCursor)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._at = event.position()
        target = self.panel_at(event.position()) if self._dragging else -1
        self._pressed = self._at = None
        self.unsetCursor()
        self.update()
        if target >= 0 and target != self.panel:
            self.moved.emit(self.panel, target)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        count = len(self._recipe.panels) if self._recipe else 0
        if event.key() == Qt.Key.Key_Delete and self.panel >= 0:
            self.removed.emit(self.panel)
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self.panel >= 0:
            target = self.panel + (1 if event.key() == Qt.Key.Key_Right else -1)
            if 0 <= target < count:
                self.moved.emit(self.panel, target)
        else:
            super().keyPressEvent(event)
