"""Runs that choose their own file names never choose the same one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage import opening
from storage.errors import NameTaken
from storage.reader import RunReader
from storage.writer import RunWriter

BEGIN = """
import time

from lab.hosts.start import RunWriter, Start
from lab.request import Request
from tests.fakes import Tiny

time.strftime = lambda *_: "20260101-000000"  # both begin in the same second
create = RunWriter.create


def wait_then_create(path, *facts):
    print(path, flush=True)
    input()
    return create(path, *facts)


RunWriter.create = wait_then_create
Start.of(Request(experiment="tests.fakes:"), Tiny).writer(Tiny).close("finished")
"""


def test_two_processes_that_choose_the_same_name_at_once_write_two_files(tmp_path: Path):
    def begin() -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, "-c", BEGIN], env=os.environ | {"TDLAB_RUNS": str(tmp_path)}, **pipes)

    with begin() as one, begin() as other:
        assert one.stdout and other.stdout
        chosen = [process.stdout.readline() for process in (one, other)]
        assert chosen[0] == chosen[1] != ""  # neither has begun its file
        ended = [process.communicate("\n\n")[0] for process in (one, other)]
    assert one.returncode == other.returncode == 0, ended
    written = sorted(path.name for path in tmp_path.iterdir())
    assert len(written) == 2 and [name.endswith("-2.h5") for name in written] == [True, False]
    assert {RunReader(tmp_path / name).state for name in written} == {"finished"}


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_is_taken_while_a_file_is_filled_is_not_replaced(tmp_path: Path, monkeypatch, links: bool):
    path = tmp_path / "run.h5"

    def refuse(*_: object) -> None:
        raise PermissionError("no hard links here")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(NameTaken, match="exists already"), opening.appearing(path):
        path.write_bytes(b"precious")
    assert path.read_bytes() == b"precious" and [*tmp_path.iterdir()] == [path]
    path.unlink()
    RunWriter.create(path, {"seed": 1}, {}, {}).close("finished")
    assert RunReader(path).header["seed"] == 1 and [*tmp_path.iterdir()] == [path]
