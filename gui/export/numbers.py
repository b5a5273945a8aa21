"""The numbers behind the panels of a figure, beside it: as CSV, a file for each panel, or all in one HDF5 file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gui.export.sources import Content, Panel, pieces
from lab.stream import row_of, steps_of
from lab.views import Curves, Heatmap, Landscape, Ribbon, Scatter, Trace, View

LAID = (Curves, Ribbon)  # what can lie along something else than steps
OVER_STEPS = (Curves, Heatmap, Ribbon, Trace)  # the others show one moment


def write_numbers(kind: Literal["none", "csv", "hdf5"], contents: Sequence[Content], figure: Path) -> list[Path]:
    """Write what the panels show beside ``figure``; returns the files."""
    if kind == "csv":
        several = len(contents) > 1
        paths = [figure.with_name(f"{figure.stem}{f'-{_letter(i)}' * several}.csv") for i in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            _write_csv(content, path)
        return paths
    if kind == "hdf5":
        path = figure.with_suffix(".data.h5")
        _write_hdf5(contents, path)
        return [path]
    return []


def shown(content: Content) -> Iterator[tuple[Any, str, np.ndarray, np.ndarray]]:
    """Run file, series, places on the axis (T,) and values (T, ...) of everything that a panel shows."""
    for panel in content.panels:
        for reader, source in pieces(panel):
            for name in content.spec.names:
                if name in source.names():
                    yield reader, name, *_rows(content.spec, panel, source, name)


def _rows(spec: View, panel: Panel, source: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """All rows of a series shown over the steps; of others the one that holds, and the first where it is shown too."""
    way = (isinstance(spec, Landscape) and name == spec.trajectory) or (isinstance(spec, Scatter) and spec.trails)
    if isinstance(spec, OVER_STEPS) or way:
        return source.series(name)
    steps = steps_of(source, name)
    last = (len(steps) if panel.step is None else int(np.searchsorted(steps, panel.step, side="right"))) - 1
    rows = sorted({0, last} if getattr(spec, "initial", False) else {last})
    rows = [row for row in rows if row >= 0]
    values = [np.asarray(row_of(source, name, row)) for row in rows]
    return steps[rows], np.array(values)


def _write_csv(content: Content, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        laid = isinstance(content.spec, LAID)
        writer.writerow(["run_id", "series", content.recipe.along if laid else "step", "value"])
        for source, name, step, value in shown(content):
            columns = np.asarray(value).reshape(len(step), -1)
            indices = list(np.ndindex(*np.shape(value)[1:]))
            run_id = source.header["run_id"]
            for k, index in enumerate(indices):
                label = f"{name}[{','.join(map(str, index))}]" if index else name
                pairs = zip(step, columns[:, k], strict=True)
                writer.writerows([run_id, label, s.item(), repr(float(v))] for s, v in pairs)


def _write_hdf5(contents: Sequence[Content], path: Path) -> None:
    """``/PANEL/RUN_ID/SERIES/step`` and ``/value``, with the view in the panel's attributes."""
    import h5py

    with h5py.File(path, "w") as file:
        for number, content in enumerate(contents):
            group = file.create_group(_letter(number))
            group.attrs["view"], group.attrs["title"] = content.recipe.view, content.spec.title
            for source, name, step, value in shown(content):
                series = group.require_group(str(source.header["run_id"])).create_group(name)
                series.create_dataset("step", data=step)
                series.create_dataset("value", data=value)


def _letter(number: int) -> str:
    return chr(ord("a") + number % 26) * (number // 26 + 1)
