"""What README and docs tell people to do works as written."""

import re
import sys
import types
from pathlib import Path
from typing import Any

from lab import registry
from lab.engine import Engine
from lab.stream import MemoryRun
from storage.reader import RunReader
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


def test_the_notebook_examples_run_on_a_folder_of_runs(tmp_path, monkeypatch):
    for lr in (0.1, 0.2):
        for seed in (1, 2):
            small_run(tmp_path / "runs" / f"{lr}-{seed}.h5", knobs={"lr": lr, "seed": seed})
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "comparing.md").read_text()
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(code, "comparing.md", "exec"), names)
    table = names["table"]
    assert [row["min(train_loss)"] for row in table] == [1.0] * 4
    assert {row["lr"] for row in table} == {0.1, 0.2}
    with RunReader(names["best"].path) as run:
        assert run.labels.note == "figure 2"


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
