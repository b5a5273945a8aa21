"""Ticks of logarithmic axes on paper that read well however short the axis is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_small_ranges(axes: Axes) -> None:
    """A logarithmic axis over little more than a decade gets plain numbers in place of crowded powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() != "log":
            continue
        low, high = sorted(axis.get_view_interval())
        axis.set_minor_formatter(NullFormatter())
        if high < 5 * low:
            axis.set_major_locator(MaxNLocator(5))
            axis.set_major_formatter(ScalarFormatter())
            axis.minorticks_off()
        elif high < 40 * low:
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(_plain))


def _plain(value: float, _: int) -> str:
    """A tick of a logarithmic axis: ``0.05``, 2·10⁻⁵."""
    if 1e-3 <= value < 1e5:
        return f"{value:g}"
    digits, exponent = f"{value:.0e}".split("e")
    return rf"${digits}\times10^{{{int(exponent)}}}$" if digits != "1" else rf"$10^{{{int(exponent)}}}$"
