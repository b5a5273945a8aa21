"""What README and docs tell people to do works as written."""

import re
import shlex
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gui.compare.recipe import Recipe, save
from lab import registry
from lab.engine import Engine
from lab.stream import MemoryRun
from storage.reader import RunReader
from storage.writer import RunWriter
from tests.storage.small_runs import small_run

ROOT = Path(__file__).parent.parent


def test_the_experiment_of_the_page_runs_and_is_judged(monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "new-experiment.md").read_text(), re.DOTALL)
    module = types.ModuleType("page_experiment")
    monkeypatch.setitem(sys.modules, "page_experiment", module)
    exec(compile(code, "new-experiment.md", "exec"), module.__dict__)
    cls = registry.load("page_experiment", "page")
    for arm, facts in cls.arms.items():
        experiment = cls(cls.configure(arm=arm))
        experiment.setup()
        run = MemoryRun()
        for _ in Engine(experiment, run):
            pass
        assert cls.verdict(experiment.config, run).outcome == facts.expect


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """The names that the notebook's blocks of the page leave, by whether those that need pandas are run, too."""
    for lr in (0.1, 0.2):
        for seed in (1, 2):
            small_run(tmp_path / "runs" / f"{lr}-{seed}.h5", knobs={"lr": lr, "seed": seed})
    monkeypatch.chdir(tmp_path)

    def run(*, pandas: bool) -> dict[str, Any]:
        names: dict[str, Any] = {}
        for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "comparing.md").read_text(), re.DOTALL):
            if pandas or "import pandas" not in code:
                exec(compile(code, "comparing.md", "exec"), names)
        return names

    return run


def test_the_notebook_examples_run_on_a_folder_of_runs(notebook):
    names = notebook(pandas=False)
    table = names["table"]
    assert [row["min(train_loss)"] for row in table] == [1.0] * 4
    assert {row["lr"] for row in table} == {0.1, 0.2}
    with RunReader(names["best"].path) as run:
        assert run.labels.note == "figure 2"


def test_pandas_makes_a_frame_of_the_runs(notebook):
    frame = notebook(pandas=True)["frame"]
    assert frame.groupby("lr")["min(train_loss)"].count().to_dict() == {0.1: 2, 0.2: 2}


def test_the_examples_of_the_run_file_read_one(tmp_path, monkeypatch, capsys):
    small_run(tmp_path / "run.h5")
    monkeypatch.chdir(tmp_path)
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "run-file.md").read_text(), re.DOTALL):
        names: dict[str, Any] = {}
        exec(compile(code, "run-file.md", "exec"), names)
        assert names["step"].tolist() == [0, 10, 20] and names["loss"].tolist() == [3.0, 1.0, 2.0]
    assert capsys.readouterr().out.split() == ["finished", "{}", "[10]"]


@pytest.fixture
def spiking(tmp_path, monkeypatch):
    """The folder that the pages of comparisons and figures speak of."""
    cls = registry.experiment("adam-spikes")
    for name, folder in (("a", "runs"), ("b", "runs"), ("a", "."), ("b", "."), ("c", "RUNS-FOLDER")):
        config = cls.configure(values={"seed": ord(name)}).model_dump(mode="json")
        path = tmp_path / folder / f"{name}.h5"
        with RunWriter.create(path, {"experiment": "adam-spikes", "seed": ord(name)}, config, {}) as writer:
            for series in ("train_loss", "decoupling", "decoupling_mean"):
                writer.append(series, np.arange(1600), 1.0 + np.cos(np.arange(1600) / 99))
    monkeypatch.chdir(tmp_path)
    save(Recipe(("runs/a.h5", "runs/b.h5"), views=("loss",)), "comparison.json")
    monkeypatch.setenv("TDLAB_RUNS", str(tmp_path / "none"))
    return tmp_path


def lines_of(page: str) -> list[list[str]]:
    """The commands of a page, as a shell hands them on."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [
        [part for word in line[2:] for part in (sorted(map(str, Path().glob(word))) or [word])]
        for line in lines
        if line
    ]


def test_the_commands_of_comparing_and_figures_do_what_their_pages_say(spiking):
    import typer

    import main

    command = typer.main.get_command(main.app)
    (recipe,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "figures.md").read_text(), re.DOTALL)
    (spiking / "figure.json").write_text(recipe)
    for line in [*lines_of("comparing.md"), *lines_of("figures.md")]:
        if line[0] == "show":  # opens the window: that it is a command with these files is all that is looked at
            command.make_context("main.py", line, resilient_parsing=True)
        else:
            assert not command(line, standalone_mode=False), line
    written = {path.name for path in spiking.iterdir()}
    assert written >= {"comparison.pdf", "comparison.csv", "figure.pdf", "figure-a.csv", "figure.tex", "again.svg"}


def test_every_link_of_the_readme_leads_somewhere():
    text = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert links and not [link for link in links if not (ROOT / link).exists()]


def test_every_command_of_the_readme_is_one_the_program_has():
    import typer

    import main

    known = set(typer.main.get_command(main.app).commands)  # type: ignore[attr-defined] - typer's stubs lack it
    used = set(re.findall(r"python main\.py (\w+)", (ROOT / "README.md").read_text()))
    assert used and used <= known
