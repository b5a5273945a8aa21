"""Tables of a comparison: what differs, and one row a run or group with its numbers. No Qt, so it runs headless."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gui.compare.members import Member, settings
from lab.differing import ABSENT, SEEDS, told_apart
from storage.numbers import Number, number_of

Row = Mapping[str, Any]
_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    sign: f"\\{sign}" for sign in "&%$#_{}"
}


def rows(members: Sequence[Member], groups: Sequence[Sequence[int]], numbers: Sequence[Number]) -> list[dict[str, Any]]:
    """One row a group: the knobs that differ, the numbers, the verdict.

    A group of several runs has the mean of each number, its standard deviation (n - 1) under the name ``± number``, and
    how many of its runs were reproduced.
    """
    configs = settings(members)
    apart = [name for name in told_apart(configs) if name not in SEEDS or len(groups) == len(members)]
    table = []
    for group in groups:
        row: dict[str, Any] = {name: configs[group[0]].get(name, ABSENT) for name in apart}
        for number in numbers:
            row |= _summed(number, [number_of(members[run].source, number) for run in group])
        row["verdict"] = _outcome([members[run].verdict.get("outcome") for run in group])
        row |= {"runs": len(group)} if len(groups) < len(members) else {"run": members[group[0]].header["run_id"]}
        table.append(row)
    return table


def _summed(number: Number, values: Sequence[float | None]) -> dict[str, Any]:
    there = [value for value in values if value is not None and math.isfinite(value)]
    if len(values) == 1:
        return {str(number): values[0]}
    mean = float(np.mean(there)) if there else math.nan
    spread = float(np.std(there, ddof=1)) if len(there) > 1 else math.nan
    return {str(number): mean, f"± {number}": spread}


def _outcome(outcomes: Sequence[Any]) -> str:
    if len(outcomes) == 1:
        return str(outcomes[0] or "")
    return f"{sum(outcome == 'reproduced' for outcome in outcomes)} of {len(outcomes)} reproduced"


def columns(table: Sequence[Row]) -> list[str]:
    """Of all rows, in order."""
    return list(dict.fromkeys(name for row in table for name in row))


def as_csv(table: Sequence[Row], delimiter: str = ",") -> str:
    """Every digit."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(table), restval="", delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def as_text(table: Sequence[Row]) -> str:
    """Aligned columns for a terminal, numbers with four digits."""
    names = columns(table)
    cells = [names, *([_plain(row.get(name, "")) for name in names] for row in table)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def as_latex(table: Sequence[Row]) -> str:
    """A booktabs table; a mean and its deviation share a cell."""
    names = [name for name in columns(table) if not name.startswith("± ")]
    aligned = ["l" if any(isinstance(row.get(name), str) for row in table) else "r" for name in names]
    lines = [
        f"\\begin{{tabular}}{{{''.join(aligned)}}}",
        r"\toprule",
        " & ".join(map(_tex, names)) + r" \\",
        r"\midrule",
        *(" & ".join(_cell(row, name) for name in names) + r" \\" for row in table),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _cell(row: Row, name: str) -> str:
    value, spread = row.get(name, ""), row.get(f"± {name}")
    text = _number(value) if isinstance(value, float) else _tex(str(value))
    if isinstance(spread, float) and math.isfinite(spread):
        return f"${text.strip('$')} \\pm {_number(spread).strip('$')}$"
    return text


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "--"
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return f"${mantissa} \\times 10^{{{int(exponent)}}}$" if exponent else f"${mantissa}$"


def _tex(text: str) -> str:
    return "".join(_TEX.get(sign, sign) for sign in text).replace("±", r"$\pm$").replace(ABSENT, "--")
