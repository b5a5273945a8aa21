"""Captions and tables say what the figure shows, in LaTeX that compiles."""

import re
from pathlib import Path

import pytest

from gui.export import words
from gui.export.figure import write_recipe
from gui.export.recipe import checked
from gui.export.sources import opened
from storage.writer import RunWriter
from tests.fakes import Tiny
from tests.gui.export.small import tiny_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        tiny_run(folder / f"a{seed}.h5", seed=seed)
        tiny_run(folder / f"b{seed}.h5", seed=seed, lr=2e-5)
    return folder


def page(*panels: dict, **values):
    return checked({"panels": [{"runs": ["*.h5"], **panel} for panel in panels], **values})


def test_a_caption_tells_panels_bands_and_reference_lines(runs: Path):
    made = page({"view": "loss", "band": "SE"}, {"view": "sharpness"})
    with opened(made, runs) as contents:
        text = words.caption(made, contents)
    assert text.startswith("(a) Loss.") and "(b) Sharpness." in text
    assert "geometric mean over 3 seeds" in text and "one standard error of the mean of the logarithms" in text
    assert "Dashed: 2/η." in text and "Marks on the top edge: spike." in text


def test_a_table_has_every_knob_once_and_a_column_for_each_setting(runs: Path):
    with opened(page({"view": "loss"}, {"view": "sharpness"}), runs) as contents:
        lines = words.table(contents).splitlines()
    assert lines[0] == r"\begin{tabular}{lrr}" and lines[-1] == r"\end{tabular}"
    (rate,) = [line for line in lines if line.startswith("Learning rate")]
    assert rate == r"Learning rate $\eta$ & 0.1 & $2 \times 10^{-5}$ \\"
    assert r"Width & \multicolumn{2}{c}{3} \\" in lines
    assert r"Seeds & \multicolumn{2}{c}{0, 1, 2} \\" in lines
    assert not any(line.startswith("CPU threads") for line in lines)  # how it was computed, not what


@pytest.mark.parametrize(
    "plain, tex",
    [
        ("50 % of A & B_c", r"50 \% of A \& $B_{\mathrm{c}}$"),
        ("λ_max(H) ≤ 2/η", r"$\lambda _{\mathrm{max}}$(H) $\le$ 2/$\eta$"),
        (r"5 % of $\lambda_{max}$", r"5 \% of $\lambda_{max}$"),
        ("J^{0,l}", r"$J^{\mathrm{0,l}}$"),
        ("{a}~\\b$", r"\{a\}\textasciitilde{}\textbackslash{}b\$"),
    ],
)
def test_plain_text_becomes_latex(plain: str, tex: str):
    assert words.latex(plain) == tex


def test_arms_head_the_columns_of_the_table_and_greek_letters_have_their_indices(tmp_path: Path):
    for arm in Tiny.arms:
        config = Tiny.configure(arm=arm, values={"steps": 3})
        with RunWriter.create(
            tmp_path / f"{arm}.h5", {"experiment": "tests.fakes:", "arm": arm}, config.model_dump(mode="json"), {}
        ) as writer:
            writer.append("train_loss", [0, 1, 2], [3.0, 2.0, 1.0])
    made = page({"view": "loss", "runs": [f"{arm}.h5" for arm in Tiny.arms]})
    with opened(made, tmp_path) as contents:
        assert "& stable & unstable" in words.table(contents)
    assert words._maths("β1") == r"\beta _{\mathrm{1}}"


def test_words_lie_beside_the_figure(runs: Path, tmp_path: Path):
    made = page({"view": "stages", "runs": ["a0.h5"]}, words=True)
    _, beside = write_recipe(made, tmp_path / "my figure.png", folder=runs)
    text = beside.read_text()
    assert beside.name == "my figure.tex" and r"\includegraphics[width=85mm]{my figure.png}" in text
    assert sorted(re.findall(r"\\begin\{(\w+)\}", text)) == sorted(re.findall(r"\\end\{(\w+)\}", text))
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
