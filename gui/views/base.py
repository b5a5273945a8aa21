"""What every view on screen does: pull, draw, follow the slider, say in place what is missing, hand out its picture."""

import functools
import logging
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QPoint, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QAction,
    QColor,
    QFont,
    QGuiApplication,
    QImage,
    QPainter,
    QPen,
    QResizeEvent,
    QShowEvent,
    QTextDocument,
)
from PySide6.QtWidgets import QLabel, QMenu, QVBoxLayout, QWidget

from gui.dialogs import ask_to_save
from gui.picture import save, view_picture
from gui.runs.open_run import OpenRun
from gui.selection import Selection
from gui.theme import LIGHT, Theme, contrast
from gui.views.axes import StepAxis
from gui.views.history import History
from lab.naming import label
from lab.views import View

Spec = TypeVar("Spec", bound=View)
HEAD_PX = 30
OUTSIDE_PX = 2.0  # from the cells of a picked row to the frame around them


class ViewWidget(QWidget, Generic[Spec]):
    """A view of a run.

    Args:
        spec: What to show.
        run: Where it comes from.
        theme: Colours.
        axis: The step axis shared with the run's other views; one of its own when absent.
    """

    maximise_requested = Signal()
    figure_requested = Signal()
    branch_requested = Signal(str, dict)  # that begins with an action of the experiment, and its arguments
    readout_changed = Signal(str)  # HTML: the values at the crosshair

    def __init__(self, spec: Spec, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__()
        self.spec, self.run, self.theme = spec, run, theme
        self.axis = axis or StepAxis(self)
        self.history = History(run)
        self.readout = ""
        self._stale = True
        self.drawn_at = 0.0  # time.perf_counter() of the last drawing
        self.cost = 0.0  # seconds of processor time of a drawing and its painting, where a page measures it
        self._unread = False  # the source failed at the last pull
        self._behind = False  # nothing was pulled since the view came on screen
        self.setAccessibleName(spec.title)
        self.setAccessibleDescription(spec.help)
        self.setMinimumSize(160, 48)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._message = QLabel(self)
        self._message.setWordWrap(True)
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._message.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        # many wheel and mouse events before the next redraw ask for one redraw
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.draw)
        self.selection = Selection(self)
        self.selection.changed.connect(self._selection_changed)
        self.axis.range_changed.connect(self._range_changed)
        self.axis.cursor_changed.connect(self._cursor_changed)

    @abstractmethod
    def _pull(self) -> bool:
        """Read what is new; whether anything was."""

    @abstractmethod
    def _draw(self) -> bool:
        """Draw the present state; whether there was anything to draw."""

    @abstractmethod
    def _paint(self) -> None:
        """Take the colours of ``self.theme``."""

    def share(self, selection: Selection) -> None:
        """Pick together with the other views of the run."""
        self.selection.changed.disconnect(self._selection_changed)
        self.selection = selection
        selection.changed.connect(self._selection_changed)

    @property
    def kind(self) -> str:
        """What a click on this view picks one of."""
        return self.spec.of or self.spec.id

    def _show_picked(self, kind: str) -> None:
        """Another thing of a kind is picked, or none."""

    @Slot(str)
    def _selection_changed(self, kind: str) -> None:
        try:
            self._show_picked(kind)
        except Exception as error:  # see pull()
            self._fail(error)

    def _move_cursor(self) -> None:
        """Show where the crosshair stands, and what it reads."""

    def refresh(self) -> None:
        """Pull what is new and draw it; does nothing when nothing is."""
        self.pull()
        if self._stale:
            self.draw()

    def pull(self) -> None:
        """Read what is new without drawing, so that all views of a page agree on the axis before any draws."""
        self._stale |= self._behind  # to say what is missing
        self._behind = False
        try:
            self._stale |= self._pull() or self._unread
            self._unread = False
        except Exception as error:  # a view that cannot draw says so in place; the window goes on
            self._unread = True
            self._fail(error)

    @Slot()
    def draw(self) -> None:
        """Draw now."""
        self.wait()
        self._stale, self.drawn_at = False, time.perf_counter()
        try:
            shown = self._draw()
            self._move_cursor()
        except Exception as error:  # see pull()
            self._fail(error)
        else:
            if not self._unread:
                self._say("" if shown else self.empty_text(), self.theme.muted)

    def wait(self) -> None:
        """Leave the next drawing to whoever refreshes the view, who has many of them to draw."""
        self._soon.stop()

    def invalidate(self) -> None:
        """Draw at the next refresh, although no row is new."""
        self._stale = True

    @property
    def stale(self) -> bool:
        """Whether something changed since the last drawing."""
        return self._stale

    def set_step(self, step: int | None) -> None:
        """Put the crosshair on a step; None follows the newest."""
        self.axis.pin(step)

    def set_theme(self, theme: Theme) -> None:
        self.theme = theme
        if self.message:
            self._message.setText("")  # said again by the next drawing, in the new colours
        self._paint()
        self._later()

    def empty_text(self) -> str:
        """What will appear here, and when."""
        missing = ", ".join(label(self.run.source, name) for name in self.spec.names) or self.spec.title
        if not self.run.live and self.run.state not in ("preparing", "running", "paused"):
            return "" if self._behind else f"This run recorded no {missing}."
        periods = [
            i.period(self.run.config)
            for i in (self.run.experiment.instruments() if self.run.experiment else ())
            if any(s.name in self.spec.names for s in i.series)
        ]
        verb = "appear" if len(self.spec.names) > 1 else "appears"
        if periods and min(periods) > 1:
            return f"{missing} {verb} with the first reading, then every {min(periods)} steps."
        return f"{missing} {verb} " + ("when first recorded." if self.run.reached else "with the first step.")

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._behind = True  # a busy page may take a while to come to it; till then it knows nothing of what is missing
        if self._stale:
            self._soon.start()

    @property
    def message(self) -> str:
        """The text over the view, empty while it shows data."""
        return self._message.text()

    def _fail(self, error: Exception) -> None:
        text = f"This view cannot be drawn: {type(error).__name__}: {error}"
        if text != self.message:
            logging.getLogger(__name__).warning("view %s cannot be drawn", self.spec.id, exc_info=error)
        self._say(text, self.theme.bad)

    def _say(self, text: str, colour: str) -> None:
        if text != self._message.text():
            self._message.setText(text)
            self._message.setStyleSheet(f"color: {colour}; background: {self.theme.ground}; padding: 16px;")
        self._message.setVisible(bool(text))
        if text:
            self._message.raise_()  # over whatever the view has put there since, such as a surface

    def _read_out(self, text: str) -> None:
        if text != self.readout:
            self.readout = text
            self.readout_changed.emit(text)

    def _later(self) -> None:
        self._stale = True
        if self.isVisible():
            self._soon.start()

    @Slot()
    def _range_changed(self) -> None:
        self._later()

    @Slot()
    def _cursor_changed(self) -> None:
        try:
            self._move_cursor()
        except Exception as error:  # see pull()
            self._fail(error)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._message.setGeometry(self.rect())
        self._later()

    def picture(self, scale: float = 2.0) -> QImage:
        """The view with its title and read-out, ``scale`` pixels per point."""
        width, height = self.width(), self.height() + HEAD_PX
        image = QImage(round(width * scale), round(height * scale), QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(scale)
        image.fill(QColor(self.theme.ground))
        for _ in range(2):  # names that need more room ask for a second drawing
            if self._stale:
                self.draw()
        painter = QPainter(image)
        font = QFont(self.font())
        font.setPixelSize(13)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QPen(QColor(self.theme.text)))
        painter.drawText(QRectF(12, 0, width, HEAD_PX), Qt.AlignmentFlag.AlignVCenter, self.spec.title)
        values = QTextDocument()
        values.setDefaultFont(QFont(self.font()))
        values.setHtml(self.readout)
        left = width - values.idealWidth() - 8
        if left > 24 + painter.fontMetrics().horizontalAdvance(self.spec.title):  # else it would run into the title
            painter.save()
            painter.translate(left, (HEAD_PX - values.size().height()) / 2)
            values.drawContents(painter)
            painter.restore()
        self.render(painter, QPoint(0, HEAD_PX))
        painter.end()
        return image

    def grab_png(self, path: str | Path | None = None, scale: float = 2.0) -> None:
        """Write the picture to a PNG file, or put it on the clipboard."""
        image = self.picture(scale)
        if path is None:
            QGuiApplication.clipboard().setImage(image)
        else:
            save(image, Path(path))

    def numbers(self) -> str:
        """What is shown, as tab-separated text with every digit."""
        return ""

    @Slot()
    def copy_picture(self) -> None:
        self.grab_png(None)

    @Slot()
    def copy_numbers(self) -> None:
        QGuiApplication.clipboard().setText(self.numbers())

    def save_png(self, scale: float = 2.0, *, light: bool = False) -> None:
        """Ask where to write a picture of ``scale`` pixels a point, on the light ground whatever the theme if asked."""

        def write(path: str) -> None:
            try:
                save(view_picture(self, scale, LIGHT if light else self.theme), Path(path))
            except OSError as error:
                self._fail(error)

        ask_to_save(self, "Save picture", f"{self.spec.id}.png", "PNG pictures (*.png)", write)

    def ask_film(self) -> None:
        """Ask for a film of this view over the slider."""
        from gui.video import VideoDialog

        dialog = VideoDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def menu(self) -> QMenu:
        """The menu of the right mouse button; the caller shows it."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, slot in (
            ("Copy picture", self.copy_picture),
            ("Copy numbers", self.copy_numbers),
        ):
            action = QAction(text, menu)
            action.triggered.connect(slot)
            menu.addAction(action)
        saves = menu.addMenu("Save picture")
        for ground in ("", ", light")[: 1 + self.theme.dark]:
            for scale in (1, 2, 3, 4):
                action = saves.addAction(f"{scale}x{ground} …")
                action.triggered.connect(lambda _=False, s=scale, light=bool(ground): self.save_png(s, light=light))
        film = QAction("Film over the slider …", menu)
        film.triggered.connect(self.ask_film)
        menu.addAction(film)
        send = QAction("Send to the figure", menu)
        send.setEnabled(bool(self.run.path))  # a figure is drawn from run files
        send.triggered.connect(self.figure_requested)
        menu.addAction(send)
        menu.addSeparator()
        action = QAction("Maximise", menu)
        action.triggered.connect(self.maximise_requested)
        menu.addAction(action)
        return menu

    def show_all(self) -> None:
        """Let go of whatever stretch the user zoomed to; views without axes have none."""

    def follow(self) -> None:
        """Show the newest steps as they come."""

    def settings(self) -> dict[str, Any]:
        """What the user chose for this view, as plain data."""
        return {}

    def restore(self, settings: dict[str, Any]) -> None:
        """Take back what :meth:`settings` gave."""


def mixed(colour: str, other: str, share: float) -> QColor:
    """``colour`` with a share of ``other``."""
    one, two = QColor(colour), QColor(other)
    pairs = ((one.redF(), two.redF()), (one.greenF(), two.greenF()), (one.blueF(), two.blueF()))
    return QColor.fromRgbF(*((1 - share) * a + share * b for a, b in pairs))


def stage_colour(theme: Theme, stage: int) -> QColor:
    """The line colour of a stage, counted from 1, calmed by the ground."""
    return mixed(theme.line(stage - 1)[0], theme.ground, 0.3 if theme.dark else 0.38)


@functools.lru_cache(maxsize=256)
def ink_on(colour: str) -> str:
    """Black or white, whichever is read better on ``colour``."""
    return max("#14171C", "#FFFFFF", key=lambda ink: contrast(ink, colour))


@functools.lru_cache(maxsize=256)
def readable(colour: str, theme: Theme) -> str:
    """``colour`` moved towards the text colour until text in it has a contrast of 4.5 on the ground."""
    shares = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8)
    names = (mixed(colour, theme.text, share).name() for share in shares)
    return next((name for name in names if contrast(name, theme.ground) >= 4.5), theme.text)
