"""The example that notebook users paste runs and shows what its text says."""

import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "information_flow.py"


def test_the_example_trains_a_circuit_and_finds_its_edges(capsys):
    names = runpy.run_path(str(EXAMPLE))
    printed = capsys.readouterr().out
    assert float(printed.split("held-out accuracy ")[1].split()[0]) > 0.9
    kept = dict(
        line.removeprefix("accuracy without ").rsplit(": ", 1)
        for line in printed.splitlines()
        if "<- " in line and "accuracy" in line
    )
    assert float(kept["layer 0, key <- anchor"]) < 0.5 and float(kept["layer 1, last <- key"]) < 0.2
    assert float(kept["layer 0, key <- key"]) > 0.9 and float(kept["layer 1, last <- anchor"]) > 0.9
    assert len(names["graph"].edges) >= 2
