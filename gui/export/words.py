"""The words around a figure: a caption draft and a table of hyper-parameters, in LaTeX (booktabs), from the configs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gui.export.means import SEEDS, WORDS, Mean, without_seeds
from gui.export.numbers import OVER_STEPS
from gui.export.recipe import Recipe
from gui.export.sources import Content, members
from gui.views.text import INDEX, indices
from lab import registry
from lab.config import Config
from lab.views import Curves

BOOKKEEPING = {*Config.model_fields} - {"steps", *SEEDS}  # how a run is computed, not what


def _greek(letter: str) -> str:
    """LaTeX's name of a Greek letter: alpha, Delta."""
    word = unicodedata.name(letter).rsplit(" ", 1)[-1].replace("LAMDA", "LAMBDA")
    return word.lower() if letter.islower() else word.capitalize()


SIGNS = {
    "²": "^2",
    "³": "^3",
    "√": r"\surd ",
    "∇": r"\nabla ",
    "≤": r"\le ",
    "≥": r"\ge ",
    "∞": r"\infty ",
    "·": r"\cdot ",
}
SIGNS |= {"×": r"\times ", "←": r"\leftarrow ", "→": r"\rightarrow ", "⟨": r"\langle ", "⟩": r"\rangle ", "−": "-"}
SIGNS |= {letter: rf"\{_greek(letter)} " for letter in "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"}
PLAIN = {"&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "~": r"\textasciitilde{}", "\\": r"\textbackslash{}"}
PLAIN |= {"{": r"\{", "}": r"\}", "_": r"\_", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}"}


def caption(recipe: Recipe, contents: Sequence[Content]) -> str:
    """A caption to begin with: what each panel shows, of which runs, what bands and dashed lines are."""
    parts = []
    for number, content in enumerate(contents):
        letter = f"({chr(ord('a') + number % 26)}) " if len(contents) > 1 and recipe.letters else ""
        parts.append(letter + " ".join(_sentences(content)))
    return " ".join(parts)


def _sentences(content: Content) -> list[str]:
    spec, runs = content.spec, [source for panel in content.panels for source in members(panel)]
    said = [f"{spec.title or content.recipe.view}."]
    if spec.help:
        said.append(spec.help if spec.help.endswith(".") else f"{spec.help}.")
    if means := [panel.source for panel in content.panels if isinstance(panel.source, Mean)]:
        line, band = WORDS[content.recipe.band]
        line = f"geometric {line}" if means[0].log and line == "mean" else line
        band = f"{band} of the logarithms" if means[0].log and band.startswith("one") else band
        counts = sorted({len(mean.members) for mean in means})
        said.append(f"Lines: {line} over {' or '.join(map(str, counts))} seeds; bands: {band}.")
    if content.recipe.minus is not None:
        said.append("Differences from one run.")
    if content.recipe.step is not None and not isinstance(spec, OVER_STEPS):
        said.append(f"At step {content.recipe.step}.")
    if dashed := [line.label for line in getattr(spec, "lines", ())]:
        said.append(f"Dashed: {', '.join(dashed)}.")
    kinds = {event["kind"] for source in runs for event in source.events()} - {"schedule"}
    if isinstance(spec, Curves) and not means and kinds:
        shown = sorted(kinds if spec.events is None else kinds & {*spec.events})
        said += [f"Marks on the top edge: {', '.join(shown)}."] * bool(shown)
    return said


def table(contents: Sequence[Content]) -> str:
    """Every knob of the runs, one column for each setting, as a LaTeX table that needs booktabs."""
    blocks = []
    by_experiment: dict[str, dict[str, Any]] = {}
    for content in contents:
        for panel in content.panels:
            for source in members(panel):
                experiment = str(source.header["experiment"])
                config = registry.experiment(experiment).Config.parse(source.config)
                arm = str(source.header["arm"] or "")
                by_experiment.setdefault(experiment, {})[str(source.header["run_id"])] = config, arm
    for experiment, runs in by_experiment.items():
        blocks.append(_block(registry.experiment(experiment).title, list(runs.values())))
    return "\n\n".join(blocks)


def _block(title: str, runs: Sequence[tuple[Any, str]]) -> str:
    settings: dict[str, tuple[dict[str, Any], set[int]]] = {}
    arms: dict[str, str] = {}
    for config, arm in runs:
        values = without_seeds(config)
        key = repr(sorted(values.items()))
        settings.setdefault(key, (values, set()))[1].add(config.seed)
        arms[key] = arm if arms.get(key, arm) == arm else ""
    columns = list(settings.values())
    told = all(arms.values()) and len({*arms.values()}) == len(columns)  # by the claim's own words
    names = list(arms.values()) if told else [f"setting {n}" for n in range(1, len(columns) + 1)]
    knobs = type(runs[0][0]).knobs()
    rows = []
    for name, knob in knobs.items():
        if name in BOOKKEEPING or name in SEEDS:
            continue
        symbol = f" ${_maths(knob.symbol)}$" if knob.symbol else ""
        unit = f" ({latex(knob.unit)})" if knob.unit else ""
        rows.append([f"{latex(knob.label)}{'' if knob.symbol and knob.symbol in knob.label else symbol}{unit}"])
        rows[-1] += _cells([_value(values[name]) for values, _ in columns])
    rows.append(["Seeds", *_cells([", ".join(map(str, sorted(seeds))) for _, seeds in columns])])
    lines = [r"\begin{tabular}{l" + "r" * len(columns) + "}", r"\toprule"]
    heads = [latex(title), *(map(latex, names) if len(columns) > 1 else ["value"])]
    lines += [" & ".join(heads) + r" \\", r"\midrule"]
    lines += [" & ".join(row) + r" \\" for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _cells(values: Sequence[str]) -> list[str]:
    """One cell over all columns where they agree."""
    if len(values) > 1 and len(set(values)) == 1:
        return [rf"\multicolumn{{{len(values)}}}{{c}}{{{values[0]}}}"]
    return list(values)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "--"
    if isinstance(value, float) and value and not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.6e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        power = f"10^{{{int(exponent)}}}"
        return f"${power}$" if mantissa == "1" else rf"${mantissa} \times {power}$"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return latex(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def latex(text: str) -> str:
    """Plain text for LaTeX: its own signs escaped, Greek letters and symbols with indices as formulas.

    A formula between dollar signs stays as it is.
    """
    symbol = rf"\$[^$]+\$|[^\W\d_]?[{''.join(SIGNS)}]?{INDEX}|[{''.join(map(re.escape, SIGNS))}]"
    done, at = [], 0
    for found in re.finditer(symbol, text):
        formula = found[0] if found[0].startswith("$") else f"${_maths(found[0])}$"
        done += [_escaped(text[at : found.start()]), formula]
        at = found.end()
    return "".join([*done, _escaped(text[at:])])


def _maths(symbol: str) -> str:
    symbol = re.sub(r"([α-ωΑ-Ω])(\d+)", r"\1_\2", symbol)
    marked = re.sub(INDEX, _indexed, symbol)
    return "".join(SIGNS.get(sign, sign) for sign in marked).strip()


def _indexed(found: re.Match[str]) -> str:
    marks = zip("_^", indices(found[0]), strict=True)
    return "".join(rf"{sign}{{\mathrm{{{part}}}}}" for sign, part in marks if part)


def _escaped(text: str) -> str:
    return "".join(PLAIN.get(sign, sign) for sign in text)


def write_words(recipe: Recipe, contents: Sequence[Content], figure: Path) -> Path:
    """A LaTeX file beside the figure that shows it with its caption, and the table after it; returns its path."""
    width = f"{recipe.millimetres[0]:g}mm"
    name = re.sub(r"[^A-Za-z0-9]+", "-", figure.stem)
    text = f"""% needs \\usepackage{{graphicx, booktabs}}
\\begin{{figure}}
\\centering
\\includegraphics[width={width}]{{{figure.name}}}
\\caption{{{latex(caption(recipe, contents))}}}
\\label{{fig:{name}}}
\\end{{figure}}

\\begin{{table}}
\\centering
\\caption{{Hyper-parameters of the runs in Figure~\\ref{{fig:{name}}}.}}
{table(contents)}
\\end{{table}}
"""
    path = figure.with_suffix(".tex")
    path.write_text(text, encoding="utf-8")
    return path
