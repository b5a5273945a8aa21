"""The one colour table: widgets, plots and paper figures take their colours here. No Qt, so that figures can too."""

from dataclasses import dataclass, fields

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442")
"""Line colours that stay apart for colour-blind readers, in the order in which they are taken (Okabe and Ito, 2008)."""

DASHES: tuple[tuple[float, ...], ...] = ((), (6, 3), (2, 3), (8, 3, 2, 3))
"""Dash patterns in line widths, taken when the colours are used up."""


@dataclass(frozen=True)
class Theme:
    """Colours by what they are for, as ``#RRGGBB``.

    Attributes:
        ground: Behind plots, lists and fields.
        raised: Behind panels and bars.
        sunken: Hover and pressed fields, tracks of sliders.
        edge: Hairlines between areas.
        field_edge: Outline of a control, so that it is seen on every ground.
        text: What is read; ``muted`` is what is read second.
        accent: The one colour that asks for a click; ``on_accent`` is the text on it.
        selected: Behind a chosen row.
        good: A passed check. ``bad``: a failed one, an error. ``warn``: modified, paused.
        lines: Colours of plotted lines in order.
    """

    name: str
    dark: bool
    ground: str
    raised: str
    sunken: str
    edge: str
    field_edge: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    on_accent: str
    selected: str
    good: str
    bad: str
    bad_ground: str
    warn: str
    lines: tuple[str, ...]

    def line(self, index: int) -> tuple[str, tuple[float, ...]]:
        """Colour and dash pattern of the line number ``index``."""
        return self.lines[index % len(self.lines)], DASHES[index // len(self.lines) % len(DASHES)]

    def colours(self) -> dict[str, str]:
        """Single colours by name, as style sheets and icons take them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, str) and value.startswith("#")}


LIGHT = Theme(
    name="light",
    dark=False,
    ground="#FFFFFF",
    raised="#F6F7F9",
    sunken="#E9ECF1",
    edge="#DFE3EA",
    field_edge="#B9C0CC",
    text="#1A1E26",
    muted="#596170",
    accent="#2758C9",
    accent_hover="#1D489F",
    on_accent="#FFFFFF",
    selected="#DFE8FB",
    good="#17713F",
    bad="#B3261E",
    bad_ground="#FBE9E7",
    warn="#8A5200",
    lines=(*OKABE_ITO, "#1A1E26"),
)

DARK = Theme(
    name="dark",
    dark=True,
    ground="#16181D",
    raised="#1E2128",
    sunken="#2A2E38",
    edge="#2D323C",
    field_edge="#4A5160",
    text="#E8EAEE",
    muted="#A0A8B6",
    accent="#86AEFF",
    accent_hover="#A9C5FF",
    on_accent="#10131A",
    selected="#2B3A5C",
    good="#5FD08F",
    bad="#FF8F85",
    bad_ground="#3B2022",
    warn="#F0B955",
    lines=(*OKABE_ITO, "#E8EAEE"),
)

THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two ``#RRGGBB`` colours, 1 to 21, by WCAG 2.1."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
