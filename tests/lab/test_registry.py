"""Finding experiments: by being in the folder, and broken ones by name."""

import subprocess
import sys
from pathlib import Path

import pytest

import lab.experiments
from lab import registry


@pytest.fixture
def broken_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken_one.py").write_text("import no_such_module_anywhere\n")
    (tmp_path / "two_in_one.py").write_text("from tests.fakes import Tiny\n")
    monkeypatch.setattr(lab.experiments, "__path__", [*lab.experiments.__path__, str(tmp_path)])
    registry.discover.cache_clear()
    yield
    registry.discover.cache_clear()


def test_a_broken_file_is_named_and_takes_no_other_down(broken_folder: None):
    before = set(registry.discover()[0])
    broken = {item.name: item for item in registry.discover()[1]}
    assert "adam-spikes" in before
    assert "no_such_module_anywhere" in broken["broken-one"].error
    assert "exactly one complete Experiment, found 0" in broken["two-in-one"].error
    with pytest.raises(registry.UnknownName, match="its file fails"):
        registry.experiment("broken-one")


def test_an_unknown_experiment_comes_with_the_nearest_names():
    with pytest.raises(registry.UnknownName, match="did you mean adam-spikes"):
        registry.experiment("adam-spike")


def test_listing_experiments_loads_no_torch():
    code = (
        "import sys; from lab import registry; found, broken = registry.discover(); "
        "[registry.describe(cls) for cls in found.values()]; print(len(found) > 0, broken, 'torch._C' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "True () False", "an experiment file uses torch at module level"
