"""The bench's page: one section is measured again without losing the others; one that hangs is said and ended."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from tests.bench import __main__ as bench
from tests.bench import graphs
from tests.bench.table import Result, markdown, put

PAGE = "# Benchmarks\n\nWords.\n\n## One\n\nold one\n\n## Two\n\nold two\n"


def test_a_section_is_replaced_and_the_others_stay():
    assert put(PAGE, "One", "new") == "# Benchmarks\n\nWords.\n\n## One\n\nnew\n\n## Two\n\nold two\n"
    assert put(PAGE, "Two", "new") == "# Benchmarks\n\nWords.\n\n## One\n\nold one\n\n## Two\n\nnew\n"
    assert put(PAGE, "Three", "new") == PAGE + "\n## Three\n\nnew\n"


def test_a_missed_target_says_no_and_bars_stay_inside_their_cell():
    table = markdown([Result("speed |x|", "0.5", "≥ 1", False), Result("gap", "3 ms", "≤ 33 ms", True)])
    assert table.splitlines()[2:] == ["| speed \\|x\\| | 0.5 | ≥ 1 | NO |  |", "| gap | 3 ms | ≤ 33 ms | yes |  |"]


def test_a_section_that_does_not_end_keeps_its_rows_and_says_so(monkeypatch: pytest.MonkeyPatch):
    endless = [sys.executable, "-c", "import sys, time; print(sys.argv[1:], flush=True); time.sleep(600)"]
    run = bench.subprocess.run

    def started(command: list[str], **options: Any) -> types.SimpleNamespace:
        row = {"what": "first", "measured": "1", "target": "", "met": True, "note": ""}
        Path(command[-1]).write_text("\n".join(map(json.dumps, ({"note": "Why."}, row))) + "\n")
        return run(endless, **options)

    monkeypatch.setattr(bench.subprocess, "run", started)
    monkeypatch.setitem(bench.SECTIONS, "start", bench.Section("Start-up", 0.5))
    (first, rest), note = bench.measured("start")
    assert note == "Why."
    assert first.met and not rest.met
    assert rest.measured == "did not end within 0 s"


def test_what_a_module_says_of_its_numbers_comes_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    section = types.SimpleNamespace(NOTE="\nBecause.\n", measure=lambda: [Result("speed", "2", "≥ 1", True)])
    monkeypatch.setattr(bench.importlib, "import_module", lambda name: section)
    bench._measure_into("start", tmp_path / "results")
    note, row = map(json.loads, (tmp_path / "results").read_text().splitlines())
    assert note == {"note": "Because."} and row["what"] == "speed"


def test_without_a_gpu_its_section_has_no_rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert graphs.measure() == []


def test_one_net_is_timed_both_ways():
    assert graphs.played_against_launched("condensation (start)", "cpu", 20, 1).measured.endswith("x")
