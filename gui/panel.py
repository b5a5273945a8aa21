"""A dock that holds one view: its head is the title, the values at the crosshair, and two small buttons."""

import math

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QTextDocument
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from gui.icons import put, recolour
from gui.style import font
from gui.theme import Theme
from gui.views.base import ViewWidget
from gui.views.text import tip

HEAD_PX = 30
READ_PX = 96  # for a read-out at least, of a head four times as wide
VALUES_APART = "&nbsp;&nbsp; "  # between the values of a read-out


class ReadOut(QWidget):
    """One line of rich text at the right edge; where room is short its last values give way to dots."""

    def __init__(self) -> None:
        super().__init__()
        self._html = self.text = ""  # everything, what there is no room for included
        self._document = QTextDocument(self)
        self._document.setDocumentMargin(0)
        self._document.setDefaultFont(font(12))
        self._small = False  # a smaller font, where a single value has no room
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    @Slot(str)
    def show_html(self, html: str) -> None:
        self._html = html
        self._fit()

    def _fit(self) -> None:
        """Keep as many values as there is room for."""
        values = self._html.split(VALUES_APART)
        if self._small:
            self._small = False
            self._document.setDefaultFont(font(12))
        self._document.setHtml(self._html)
        self.text = self._document.toPlainText()
        self.setAccessibleName(self.text)
        kept = len(values)
        while kept > 1 and (wide := self._document.idealWidth()) > self.width():
            # laying text out takes a while: few tries
            kept = max(1, min(kept - 1, math.ceil(kept * self.width() / wide)))
            for dots in (["…"] * (kept > 1), []):  # where their room is all that lacks, the value itself has it
                self._document.setHtml(VALUES_APART.join([*values[:kept], *dots]))
                if self._document.idealWidth() <= self.width():
                    break
        if self._document.idealWidth() > self.width():
            self._small = True
            self._document.setDefaultFont(font(11))
        if self._document.idealWidth() > self.width() and len(values) > 1:
            self._document.setHtml(values[-1])  # the step
        if self._document.idealWidth() > self.width():
            self._document.setHtml("…")  # a number that is cut off would read as another one
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setClipRect(self.rect())
        size = self._document.size()
        painter.translate(max(self.width() - self._document.idealWidth(), 0), (self.height() - size.height()) / 2)
        self._document.drawContents(painter)
        painter.end()


class Title(QLabel):
    """A title that takes a smaller font where room is short, then as many lines as it may have, and then leaves out
    its end, or its middle."""

    SIZES = (13, 12, 11)

    def __init__(
        self,
        text: str,
        help_text: str = "",
        sizes: tuple[int, ...] = SIZES,
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        *,
        two_lines: bool = False,
    ) -> None:
        super().__init__()
        self._help, self._sizes, self._elide, self._two_lines = help_text, sizes, elide, two_lines
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.show_text(text)

    def show_text(self, text: str) -> None:
        self.full = text
        self.setAccessibleName(text)
        self.updateGeometry()
        self._fit()

    def sizeHint(self) -> QSize:
        width = QFontMetricsF(font(self._sizes[0], bold=True)).horizontalAdvance(self.full)
        return QSize(math.ceil(width) + 2, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        fonts = [font(size, bold=True) for size in self._sizes]
        fits = [f for f in fonts if QFontMetricsF(f).horizontalAdvance(self.full) <= self.width()]
        chosen = (fits or fonts[-1:])[0]
        self.setFont(chosen)
        wide = QFontMetricsF(chosen).horizontalAdvance
        said = QFontMetricsF(chosen).elidedText(self.full, self._elide, self.width())
        if said != self.full and self._two_lines:
            halves = [(self.full[:at], self.full[at + 1 :]) for at, letter in enumerate(self.full) if letter == " "]
            first, second = min(halves, key=lambda pair: max(map(wide, pair)), default=(self.full, ""))
            said = f"{first}\n{second}" if max(wide(first), wide(second)) <= self.width() else said
        self.setText(said)
        told = [self.full if said.replace("\n", " ") != self.full else "", self._help]
        self.setToolTip(tip("\n".join(filter(None, told)), self._help))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, not any(told))


class Head(QWidget):
    """The head of a panel; dragging it moves the panel."""

    double_clicked = Signal()

    def __init__(self, view: ViewWidget) -> None:
        super().__init__()
        self.setObjectName("panel_head")
        self.setFixedHeight(HEAD_PX)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.title = Title(view.spec.title, view.spec.help, two_lines=True)
        self.readout = ReadOut()
        self.maximise = self._button(
            "fullscreen", f"Maximise {view.spec.title} (double click, Esc goes back)", view.theme
        )
        self.close_button = self._button(
            "close", f"Close {view.spec.title} (the Panels menu brings it back)", view.theme
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 0, 4, 0)
        layout.setSpacing(12)
        layout.addWidget(self.title)
        layout.addWidget(self.readout, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(0)
        buttons.addWidget(self.maximise)
        buttons.addWidget(self.close_button)
        layout.addLayout(buttons)
        view.readout_changed.connect(self._read_out)

    @Slot(str)
    def _read_out(self, html: str) -> None:
        self.readout.show_html(html)
        self._leave_room()
        self.setToolTip(self.readout.text)  # also what there is no room for

    def _leave_room(self) -> None:
        """Let a long title give way to one value, once there is any."""
        if self.readout.text or self.readout.minimumWidth():
            self.readout.setMinimumWidth(min(READ_PX, self.width() // 4))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._leave_room()

    def _button(self, name: str, tip: str, theme: Theme) -> QToolButton:
        button = QToolButton()
        button.setObjectName("tiny")
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves Space to the run
        button.setIconSize(QSize(14, 14))
        put(button, name, theme, "muted")
        return button

    def set_theme(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"#panel_head {{ background: {theme.ground}; }} QLabel {{ color: {theme.text}; background: transparent; }}"
        )
        recolour(self, theme)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.double_clicked.emit()

    def minimumSizeHint(self) -> QSize:
        return QSize(160, HEAD_PX)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), HEAD_PX)


class Panel(QDockWidget):
    """A view in a dock."""

    maximise_requested = Signal(QDockWidget)

    def __init__(self, view: ViewWidget, parent: QWidget) -> None:
        super().__init__(view.spec.title, parent)
        self.view = view
        self.setObjectName(view.spec.id)
        self.head = Head(view)
        self.setTitleBarWidget(self.head)
        self.setWidget(view)
        self.head.close_button.clicked.connect(self.close)
        self.head.maximise.clicked.connect(self._ask)
        self.head.double_clicked.connect(self._ask)
        view.maximise_requested.connect(self._ask)
        self.set_theme(view.theme)

    @Slot()
    def _ask(self) -> None:
        self.maximise_requested.emit(self)

    def set_theme(self, theme: Theme) -> None:
        self.head.set_theme(theme)
        if self.view.theme is not theme:
            self.view.set_theme(theme)
