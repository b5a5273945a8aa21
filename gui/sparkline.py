"""A run's line in small: the area between the extremes of its stretches, so that no spike is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPolygonF

if TYPE_CHECKING:
    import numpy as np

LOG_FROM = 100.0  # a line over more than two decades is drawn on a logarithmic axis


def polygon(extremes: np.ndarray, rect: QRectF) -> QPolygonF:
    """The area between minima and maxima (2, K), as high as ``rect``; NaN and infinite values are left out."""
    import numpy as np  # the window is painted before its first line

    kept = np.isfinite(extremes).all(axis=0)
    low, high = extremes[:, kept].astype(float)
    if not len(low):
        return QPolygonF()
    if low.min() > 0 and high.max() > LOG_FROM * low.min():
        low, high = np.log(low), np.log(high)
    x = rect.left() + np.flatnonzero(kept) / max(extremes.shape[1] - 1, 1) * rect.width()
    bottom, span = low.min(), (high.max() - low.min()) or 1.0
    tops, lows = (rect.bottom() - (part - bottom) / span * rect.height() for part in (high, low))
    there = [QPointF(*point) for point in zip(x.tolist(), tops.tolist(), strict=True)]
    back = [QPointF(*point) for point in zip(x.tolist(), lows.tolist(), strict=True)]
    return QPolygonF([*there, *reversed(back)])
