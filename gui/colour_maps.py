"""Colour maps of areas, for the screen and for paper. No Qt, so that figures can use them too."""

import numpy as np
from numpy.typing import NDArray

DIVERGING = ("#0B3C8C", "#3F83C8", "#A3CBE8", "#F7F7F7", "#F2B8A0", "#D55B45", "#8C0F1E")
"""Blue, white, red: the middle is the value that means nothing happens. For light grounds and paper."""

DIVERGING_DARK = ("#9CD0FF", "#4F9BE8", "#2A5C94", "#23262E", "#97423A", "#E8705C", "#FFC2AE")
"""The same on dark grounds: what is nothing stays dark."""


def steps_between(anchors: tuple[str, ...], count: int) -> NDArray[np.uint8]:
    """``count`` colours (count, 3) from the first to the last of ``#RRGGBB`` anchors at equal distances."""
    rgb = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in anchors], float)
    place = np.linspace(0, len(anchors) - 1, count)
    mixed = np.stack([np.interp(place, np.arange(len(anchors)), rgb[:, channel]) for channel in range(3)], axis=1)
    return np.round(mixed).astype(np.uint8)
