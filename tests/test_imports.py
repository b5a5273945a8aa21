"""Imports point one way: main -> gui -> lab, storage; only lab.hosts joins engine and run files."""

from pathlib import Path

import pytest
from importlinter.cli import lint_imports


def test_every_import_points_the_right_way(capsys: pytest.CaptureFixture[str]):
    code = lint_imports(config_filename=str(Path(__file__).parent.parent / "pyproject.toml"), no_cache=True)
    assert code == 0, capsys.readouterr().out
