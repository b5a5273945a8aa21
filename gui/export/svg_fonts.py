"""Puts the glyphs that an SVG's texts show into it, so that every browser draws what was laid out."""

from __future__ import annotations

import base64
import io
import re
from collections import defaultdict
from typing import Literal
from xml.etree import ElementTree

Slant = Literal["normal", "italic", "oblique"]
Face = tuple[str, str, Slant]  # family, weight, style


def with_fonts(svg: bytes) -> bytes:
    """The SVG with a font face for every family, weight and style that its texts ask for."""
    used: dict[Face, set[str]] = defaultdict(set)
    for element in ElementTree.fromstring(svg).iter():
        style = element.get("style", "")
        if family := re.search(r"font-family: '([^']+)'", style):
            weight = re.search(r"font-weight: (\d+)", style)
            slant: Slant = (
                "italic" if "style: italic" in style else "oblique" if "style: oblique" in style else "normal"
            )
            used[family[1], weight[1] if weight else "400", slant] |= set("".join(element.itertext()))
    rules = "".join(_rule(face, "".join(sorted(signs))) for face, signs in sorted(used.items()))
    return svg.replace(b"</style>", rules.encode() + b"</style>", 1)


def _rule(face: Face, signs: str) -> str:
    from fontTools import subset, ttLib
    from matplotlib.font_manager import FontProperties, findfont

    family, weight, style = face
    path = findfont(FontProperties(family=family, weight=int(weight), style=style))
    font = ttLib.TTFont(path, recalcTimestamp=False, fontNumber=0)  # the time would change the bytes
    cutter = subset.Subsetter(subset.Options(notdef_outline=True, hinting=False, layout_features=["kern"]))
    cutter.options.drop_tables += ["FFTM"]  # FontForge's own dates
    cutter.populate(text=signs)
    cutter.subset(font)
    font.flavor = "woff"
    packed = io.BytesIO()
    font.save(packed)
    data = base64.b64encode(packed.getvalue()).decode("ascii")
    where = f"src: url(data:font/woff;base64,{data}) format('woff')"
    return f"\n@font-face {{ font-family: '{family}'; font-weight: {weight}; font-style: {style}; {where}; }}"
