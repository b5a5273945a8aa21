"""Draws list rows of two lines: a title, and under it what is read second."""

from enum import IntEnum

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gui.icons import pixmap
from gui.style import font
from gui.theme import Theme


class Role(IntEnum):
    """What a row tells the delegate."""

    SECOND = Qt.ItemDataRole.UserRole + 1  # second line
    HEADING = Qt.ItemDataRole.UserRole + 2  # True: a heading, not a row
    DOT = Qt.ItemDataRole.UserRole + 3  # colour name of the dot in front, empty for none
    ASIDE = Qt.ItemDataRole.UserRole + 4  # right end of the first line
    KEY = Qt.ItemDataRole.UserRole + 5  # what the row stands for
    DONE = Qt.ItemDataRole.UserRole + 6  # share of the work that is done, drawn as a bar; None for no bar


LINE = 17  # height of a line of the second text


class TwoLines(QStyledItemDelegate):
    """Headings 32 px high, rows 44 px, and more where the second text may take ``lines`` of them."""

    def __init__(self, theme: Theme, lines: int = 1) -> None:
        super().__init__()
        self.theme, self._lines = theme, lines

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(80, 32 if index.data(Role.HEADING) else 44 + LINE * (self._lines - 1))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        painter.save()
        text = index.data(Qt.ItemDataRole.DisplayRole) or ""
        if index.data(Role.HEADING):
            self._heading(painter, option.rect, text)
        else:
            QApplication.style().drawPrimitive(
                QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget
            )
            self._row(painter, option.rect.adjusted(8, 4, -8, -4), index, text)
        painter.restore()

    def _heading(self, painter: QPainter, rect: QRect, text: str) -> None:
        painter.setFont(font(11, bold=True))
        painter.setPen(QColor(self.theme.muted))
        place = rect.adjusted(8, 8, -8, -2)
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        painter.drawText(
            place, flags, painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, place.width())
        )

    def _row(self, painter: QPainter, rect: QRect, index: QModelIndex | QPersistentModelIndex, text: str) -> None:
        top = QRect(rect.left(), rect.top(), rect.width(), 18)
        bottom = QRect(rect.left(), rect.top() + 18, rect.width(), LINE * self._lines)
        if dot := index.data(Role.DOT):
            scale = painter.device().devicePixelRatioF()
            mark = pixmap("cross" if dot == "bad" else "dot", getattr(self.theme, dot), 16, scale)
            painter.drawPixmap(top.left() - 4, top.top() + 1, mark)
            top.adjust(16, 0, 0, 0)
            bottom.adjust(16, 0, 0, 0)
        if aside := index.data(Role.ASIDE):
            painter.setFont(font(11))
            painter.setPen(QColor(self.theme.muted))
            painter.drawText(top, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, aside)
            top.adjust(0, 0, -QFontMetrics(painter.font()).horizontalAdvance(aside) - 8, 0)
        self._line(painter, top, text, 13, self.theme.text)
        self._second(painter, bottom, index.data(Role.SECOND) or "")
        if (done := index.data(Role.DONE)) is not None:
            track = QRect(bottom.left(), rect.bottom() - 1, bottom.width(), 2)
            painter.fillRect(track, QColor(self.theme.edge))
            painter.fillRect(track.adjusted(0, 0, round((done - 1) * track.width()), 0), QColor(self.theme.accent))

    def _second(self, painter: QPainter, rect: QRect, text: str) -> None:
        """As many lines as the text has where each has room for its own, else they break at words.

        The last says with dots that there is more.
        """
        metrics = QFontMetrics(font(11))
        line, lines = QRect(rect.left(), rect.top(), rect.width(), LINE), text.split("\n")
        if len(lines) == self._lines and all(metrics.horizontalAdvance(own) <= rect.width() for own in lines):
            for own in lines:
                self._line(painter, line, own.removesuffix(","), 11, self.theme.muted)
                line.translate(0, LINE)
            return
        rest = " ".join(lines).split(" ")
        for _ in range(self._lines - 1):
            taken = 1
            while taken < len(rest) and metrics.horizontalAdvance(" ".join(rest[: taken + 1])) <= rect.width():
                taken += 1
            self._line(painter, line, " ".join(rest[:taken]), 11, self.theme.muted)
            rest = rest[taken:]
            line.translate(0, LINE)
        self._line(painter, line, " ".join(rest), 11, self.theme.muted)

    def _line(self, painter: QPainter, rect: QRect, text: str, size: int, colour: str) -> None:
        painter.setFont(font(size))
        painter.setPen(QColor(colour))
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
