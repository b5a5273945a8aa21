"""Small images at the slider's step: samples, filters."""

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor, QFontMetricsF

from gui.runs.open_run import OpenRun
from gui.theme import Theme
from gui.views.axes import TICK_PX, StepAxis, font_px
from gui.views.colour_bar import ColourBar
from gui.views.scale import COUNT, palette
from gui.views.snapshot import flat
from gui.views.text import short
from gui.views.tiles import TiledPlot
from lab.views import ImageGrid

MOST_LABELS = 400
TEXT_SHARE = 0.34  # of an image's height, for the number under it


class ImageGridView(TiledPlot[ImageGrid]):
    """Images in reading order, in as many columns as fill the view best, with a number under each."""

    def __init__(self, spec: ImageGrid, run: OpenRun, theme: Theme, axis: StepAxis | None = None) -> None:
        super().__init__(spec, run, theme, axis, _GreyBar(spec.z_range))
        self._texts: list[pg.TextItem] = []
        for plot_axis in (self.canvas.bottom_axis, self.canvas.left_axis):
            plot_axis.hide()
        self.canvas.left_axis.setWidth(8)
        self._count, self._named = 0, False
        self._paint()

    def images(self) -> np.ndarray | None:
        """The images (count, height, width) that hold at the slider's step."""
        value = self.moment.value(self.spec.series)
        if value is None or not value.size:
            return None
        if value.ndim != 3:
            raise ValueError(f"{self.spec.series} has rows of shape {value.shape}; (count, height, width) can be shown")
        return value if value.dtype.kind == "f" else value.astype(float)

    def labels(self) -> np.ndarray:
        """Numbers under the images; empty where there are none."""
        found = flat(self.moment.value(self.spec.labels), self.spec.labels or "") if self.spec.labels else None
        return np.empty(0) if found is None else found

    def _draw(self) -> bool:
        images = self.images()
        if images is None:
            self.clear()
            self._write(np.empty(0))
            return False
        count, height, width = images.shape
        labels = self.labels()[: min(count, MOST_LABELS)]
        self._named = bool(len(labels))
        columns = self._columns_for(count, height, width)
        rows = -(-count // columns)
        room = np.full((rows * columns, height, width), np.nan, images.dtype)
        room[:count] = images
        self._count = count
        margin = TEXT_SHARE * height if self._named else 0.0
        # missing images are left out below: their cells have the ground's colour
        self.paint_tiles(room.reshape(rows, columns, height, width), locked=True, margin=margin)
        self._write(labels)
        return True

    @property
    def gap(self) -> tuple[float, float]:
        down, across = super().gap
        # room for a line of text under each image
        return (max(down, round(self.tiles.shape[2] * TEXT_SHARE)), across) if self._named else (down, across)

    def _columns_for(self, count: int, height: int, width: int) -> int:
        area = self.box.geometry()
        columns = np.arange(1, count + 1)
        across = area.width() / (columns * width * 1.08)
        down = area.height() / (np.ceil(count / columns) * height * (1 + TEXT_SHARE * self._named))
        return int(columns[np.argmax(np.minimum(across, down))])

    def _write(self, labels: np.ndarray) -> None:
        while len(self._texts) < len(labels):
            item = pg.TextItem(anchor=(0.5, 0.0))
            item.setFont(font_px(TICK_PX))
            self.box.addItem(item, ignoreBounds=True)
            self._texts.append(item)
        for number, item in enumerate(self._texts):
            item.setVisible(number < len(labels))
        if not len(labels):
            return
        (down, across), height, columns = self.centres(), self.tiles.shape[2], self.tiles.shape[1]
        texts = [short(float(value), 2) for value in labels]
        widest = max(QFontMetricsF(font_px(TICK_PX)).horizontalAdvance(text) for text in texts)
        room = self.period[1] / self.box.viewPixelSize()[0]
        for number, text in enumerate(texts):
            row, column = divmod(number, columns)
            self._texts[number].setText(text, QColor(self.theme.muted))
            self._texts[number].setPos(across[column], down[row] + height / 2)
            self._texts[number].setVisible(widest <= room)  # else one would lie over the next; the read-out has them

    def _said(self) -> str:
        cell = self.cell_at(*self._pointer) if self._pointer else None
        number = cell[0] * self.tiles.shape[1] + cell[1] if cell else self._count
        if cell is None or number >= self._count:
            return ""
        labels = self.labels()
        label = f"&nbsp;{short(float(labels[number]))}" if number < len(labels) else ""
        place = f"({cell[2]}, {cell[3]})&nbsp;&nbsp; {short(float(self.tiles[cell]))}"
        return f"image&nbsp;{number}{label and ':'}{label}&nbsp;&nbsp; {place}"

    def numbers(self) -> str:
        images = self.images()
        if images is None:
            return ""
        lines = ["image\trow\tcolumn\tvalue"]
        for (number, i, j), value in np.ndenumerate(images):
            lines.append(f"{number}\t{i}\t{j}\t{float(value)!r}")
        return "\n".join(lines)


class _GreyBar(ColourBar):
    """Grey levels: images are not read as numbers."""

    def __init__(self, fixed: tuple[float, float] | None) -> None:
        super().__init__("", fixed=fixed)

    def _rescale(self) -> None:
        super()._rescale()
        self.colours = palette(self._theme, diverging=False)
        self.colours[:COUNT, :3] = np.arange(COUNT, dtype=np.uint8)[:, None]
        ground = QColor(self._theme.ground)
        self.colours[COUNT, :3] = (ground.red(), ground.green(), ground.blue())
