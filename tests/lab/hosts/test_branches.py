"""Branches read at the boundary at which they begin."""

from pathlib import Path

from lab.request import Request
from tests.lab.hosts.test_run import NAME, here, request, rows


def test_a_branch_from_the_last_step_reads_there_what_its_parent_had_read_already(tmp_path: Path):
    here(request(tmp_path, "parent.h5"))
    end = Request(experiment=NAME, parent=str(tmp_path / "parent.h5"), at=200, out=str(tmp_path / "end.h5"))
    assert here(end) == ("finished", "")
    assert rows(tmp_path / "end.h5", "norm") == ([200], rows(tmp_path / "parent.h5", "norm")[1][-1:])
