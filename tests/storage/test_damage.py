"""Damaged, foreign and hostile files: one clear error, no crash, no hang, nothing followed."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from storage.catalogue import entry, scan
from storage.errors import RunFileError
from storage.reader import RunReader
from storage.writer import RunWriter
from tests.storage.damage import whole_run

ROOT = Path(__file__).parents[2]


def survive(folder: Path, first: int, count: int) -> None:
    whole_run(folder / "whole.h5")
    assert printed("tests.storage.damage", folder / "whole.h5", first, count)[-1] == str(first + count - 1)


def printed(module: str, path: Path, first: int, count: int) -> list[str]:
    """The lines that the module wrote in a process of its own, which did not die of it."""
    command = [sys.executable, "-m", module, str(path), str(first), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=3000)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"case {lines[-1:]}: {done.stderr[-2000:]}"
    return lines


def test_three_hundred_damaged_files_do_no_harm(tmp_path):
    survive(tmp_path, 0, 300)


@pytest.mark.torture
def test_ten_thousand_damaged_files_do_no_harm(tmp_path):
    survive(tmp_path, 1000, 10_000)


def test_pages_of_two_states_of_a_run_do_no_harm(tmp_path):
    """A count that belongs to one state and a list that belongs to the other once made HDF5 write beyond its memory."""
    said = printed("tests.storage.torn", tmp_path, 0, 300)[-1]
    assert int(said.removesuffix(" read")) > 50, "many mixes make sense, so the others were read far enough"


@pytest.mark.torture
def test_five_thousand_mixes_of_pages_do_no_harm(tmp_path):
    printed("tests.storage.torn", tmp_path, 1000, 5000)


def foreign(path, change):
    RunWriter.create(path, {"experiment": "made-up"}, {"lr": 1}, {}).close("finished")
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replace(name, make):
    def change(file):
        if name in file:
            del file[name]
        make(file)

    return change


HOSTILE = {
    "external link": replace("config", lambda file: file.__setitem__("config", h5py.ExternalLink("/etc/passwd", "/"))),
    "soft link": replace("config", lambda file: file.__setitem__("config", h5py.SoftLink("/environment"))),
    "external data": replace(
        "config", lambda file: file.create_dataset("config", (9,), "u1", external=[("/etc/passwd", 0, 9)])
    ),
    "no JSON": replace("config", lambda file: file.create_dataset("config", data="{")),
    "deep JSON": replace("config", lambda file: file.create_dataset("config", data="[" * 100_000)),
    "no UTF-8": replace("config", lambda file: file.create_dataset("config", data=np.bytes_(b"\xff"))),
    "numbers for text": replace("config", lambda file: file.create_dataset("config", data=3)),
    "a group for text": replace("config", lambda file: file.create_group("config")),
    "2**60 numbers": replace(
        "config", lambda file: file.create_dataset("config", (2**60,), "f8", chunks=(1024,), maxshape=(None,))
    ),
    "later version": lambda file: file.attrs.__setitem__("format_version", 99),
    "another format": lambda file: file.attrs.__setitem__("format", "photo"),
    "unknown state": lambda file: file.attrs.__setitem__("state", "dancing"),
    "a version of text": lambda file: file.attrs.__setitem__("format_version", "one"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_gives_one_clear_line(tmp_path, kind):
    path = foreign(tmp_path / "run.h5", HOSTILE[kind])
    with pytest.raises(RunFileError) as caught, RunReader(path) as run:
        _ = run.config
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(RunFileError):
        RunWriter.append_to(path)


def test_a_text_that_claims_gigabytes_is_refused_before_room_is_made_for_it(tmp_path):
    path = foreign(tmp_path / "run.h5", lambda file: None)
    with h5py.File(path) as file:
        at = file["config"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[at : at + 4] = (2**32 - 1).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(RunFileError, match=r"config claims more text than its file holds"), RunReader(path) as run:
        _ = run.config


def test_a_checkpoint_that_goes_round_in_circles_is_refused(tmp_path):
    def circle(file):
        group = file.create_group("checkpoints/3/model")
        group["again"] = file["checkpoints/3"]

    with pytest.raises(RunFileError, match="circles"):
        RunReader(foreign(tmp_path / "run.h5", circle)).checkpoint(3)


def test_a_series_in_another_file_is_not_listed(tmp_path):
    path = foreign(
        tmp_path / "run.h5", lambda file: file["series"].__setitem__("x", h5py.ExternalLink("other.h5", "/"))
    )
    assert RunReader(path).names() == []


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(5000)])
def test_what_is_no_hdf5_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "run.h5"
    path.write_bytes(content)
    with pytest.raises(RunFileError, match=r"run\.h5"):
        RunReader(path)
    assert entry(path).problem


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "missing.h5", tmp_path):
        with pytest.raises(RunFileError, match=str(path)):
            RunReader(path)


def test_a_scan_lists_whole_and_damaged_files(tmp_path):
    whole_run(tmp_path / "whole.h5")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "bad.h5").write_bytes(b"text")
    whole, bad = scan(tmp_path)
    assert (whole.experiment, whole.state, whole.outcome, whole.problem) == (
        "adam-spikes",
        "finished",
        "reproduced",
        None,
    )
    assert bad.problem and bad.path.name == "bad.h5"
    assert scan(tmp_path / "nowhere") == []


def test_a_series_whose_name_is_not_utf8_is_refused_in_one_line(tmp_path):
    path = tmp_path / "run.h5"
    RunWriter.create(path, {}, {}, {}).close("finished")
    with h5py.File(path, "a") as file:
        file["series"].create_group(b"\xff")
    with RunReader(path) as run, pytest.raises(RunFileError, match="not UTF-8"):
        run.names()


def test_a_file_that_cannot_be_continued_says_so_and_lets_go_of_it(tmp_path):
    path = foreign(tmp_path / "run.h5", replace("clock", lambda file: file.create_group("clock")))
    for _ in range(2):  # the second try would find the file held if the first had kept it
        with pytest.raises(RunFileError, match="is damaged") as caught:
            RunWriter.append_to(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
