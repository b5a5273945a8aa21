"""Draws a declared view of stored runs at journal width: PDF and SVG with real text, PNG; the numbers as CSV beside it.

The same input gives the same bytes. Run ids, view and app version go into the file's metadata.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gui.export.drawing import draw
from lab import environment, registry
from lab.config import ConfigError
from lab.views import View
from storage.errors import RunFileError
from storage.reader import RunReader

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

MM = 1 / 25.4  # inches

SIZES = {"single": (85.0, 60.0), "double": (178.0, 80.0), "slide": (254.0, 143.0)}
"""Width and height in mm: one column, two columns, a 16:9 slide."""

STYLE: dict[RcKeyType, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib, so that every machine draws the same
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.unicode_minus": True,
    "lines.linewidth": 0.9,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # TrueType: text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "training-dynamics-lab",
    "path.simplify": True,
    "path.simplify_threshold": 0.1,
}


class FigureError(ValueError):
    """A figure that cannot be drawn; one line that says why."""


@dataclass(frozen=True)
class Panel:
    """One run in a figure: where its rows come from and what they mean.

    Attributes:
        step: Where views of one moment stand; None for the newest rows.
    """

    source: RunReader
    config: Any
    label: str
    step: int | None = None


def write_figure(
    files: Sequence[Path], view: str, out: Path, *, size: str = "single", data: bool = False, dpi: int = 300
) -> list[Path]:
    """Draw ``view`` of the runs in ``files`` into ``out``; returns the files written.

    Args:
        files: Run files of one experiment.
        view: The view's id.
        out: Path ending in .pdf, .svg or .png.
        size: A key of SIZES.
        data: Also write the numbers as CSV beside the figure.
        dpi: Of a PNG.

    Raises:
        FigureError: Unknown view, size or ending, files of different experiments, nothing recorded for the view.
    """
    if size not in SIZES:
        raise FigureError(f"no size is called {size!r}; known: {', '.join(SIZES)}")
    if out.suffix.lower() not in (".pdf", ".svg", ".png"):
        raise FigureError(f"figures are .pdf, .svg or .png, not {out.suffix or 'without an ending'!r}")
    readers = [_open(path) for path in files]
    try:
        spec, panels = _panels(readers, view)
        figure = render(spec, panels, size)
        _save(figure, out, dpi, _metadata(spec, readers))
        return [out, _write_csv(spec, panels, out.with_suffix(".csv"))] if data else [out]
    except OSError as error:
        raise FigureError(f"cannot write {out}: {error.strerror}") from None
    finally:
        for reader in readers:
            reader.close()


def render(spec: View, panels: Sequence[Panel], size: str = "single") -> Figure:
    """A matplotlib figure of a view; several runs are overlaid."""
    import matplotlib
    from matplotlib.figure import Figure

    width, height = SIZES[size]
    text = 13.0 if size == "slide" else 7.0
    with matplotlib.rc_context({**STYLE, "font.size": text, "axes.titlesize": text + 1}):
        figure = Figure(figsize=(width * MM, height * MM), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(spec.title, loc="left")
        draw(axes, spec, panels)
        figure.draw_without_rendering()  # lay out while the style holds
    return figure


def _save(figure: Figure, out: Path, dpi: int, about: dict[str, str]) -> None:
    import matplotlib

    kind = out.suffix.lower()
    text = json.dumps(about, ensure_ascii=False)
    metadata: dict[str, Any] = {
        ".pdf": {"Title": about["title"], "Keywords": text, "Creator": about["app"], "CreationDate": None},
        ".svg": {"Title": about["title"], "Description": text, "Creator": about["app"], "Date": None},
        ".png": {"Title": about["title"], "Description": text, "Software": about["app"]},
    }[kind]
    with matplotlib.rc_context(STYLE):
        figure.savefig(out, dpi=dpi, metadata=metadata)


def _open(path: Path) -> RunReader:
    try:
        return RunReader(path)
    except RunFileError as error:
        raise FigureError(str(error)) from None


def _panels(readers: Sequence[RunReader], view: str) -> tuple[View, list[Panel]]:
    names = {str(reader.header["experiment"]) for reader in readers}
    if len(names) != 1:
        raise FigureError(f"a view belongs to one experiment; these runs are of {', '.join(sorted(names))}")
    try:
        cls = registry.experiment(names.pop())
        registry.pick("view", view, [spec.id for spec in cls.views])
        configs = [cls.Config.parse(reader.config) for reader in readers]
    except (registry.UnknownName, ConfigError) as error:
        raise FigureError(str(error)) from None
    spec = next(spec for spec in cls.views if spec.id == view)
    if not any(name in reader.names() for reader in readers for name in spec.names):
        raise FigureError(f"nothing is recorded for the view {view!r}: it needs {', '.join(spec.names)}")
    labels = _labels(configs)
    return spec, [Panel(r, c, label) for r, c, label in zip(readers, configs, labels, strict=True)]


def _labels(configs: Sequence[Any]) -> list[str]:
    """What tells the runs apart: the knobs that differ; nothing for a single run."""
    dumps = [config.model_dump() for config in configs]
    differing = [name for name in dumps[0] if any(d.get(name) != dumps[0][name] for d in dumps)]
    return [", ".join(f"{name} {_short(d.get(name))}" for name in differing[:3]) for d in dumps]


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _metadata(spec: View, readers: Sequence[RunReader]) -> dict[str, str]:
    runs = " ".join(str(reader.header["run_id"]) for reader in readers)
    app = f"Training Dynamics Lab {environment.app_version()}"
    return {"title": spec.title, "app": app, "view": spec.id, "runs": runs}


def _write_csv(spec: View, panels: Sequence[Panel], path: Path) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["run_id", "series", "step", "value"])
        for panel in panels:
            for name in spec.names:
                if name not in panel.source.names():
                    continue
                step, value = panel.source.series(name)
                columns = np.asarray(value).reshape(len(step), -1)
                for k in range(columns.shape[1]):
                    label = name if columns.shape[1] == 1 else f"{name}[{k}]"
                    run_id = panel.source.header["run_id"]
                    writer.writerows(
                        [run_id, label, int(s), repr(float(v))] for s, v in zip(step, columns[:, k], strict=True)
                    )
    return path
