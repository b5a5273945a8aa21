import os
import shutil
import sqlite3

import h5py
import numpy as np
import pytest

from storage.catalogue import entry
from storage.copying import copy_run
from storage.errors import RunFileError
from storage.index import RunIndex
from storage.labels import set_labels
from storage.numbers import Number
from storage.reader import RunReader
from storage.writer import RunWriter
from tests.storage.small_runs import small_run


@pytest.fixture
def index(tmp_path):
    index = RunIndex(tmp_path / "cache" / "runs.sqlite")
    yield index
    index.close()


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


def test_the_index_lists_what_the_files_say(index, runs):
    small_run(runs / "a.h5", knobs={"lr": 0.5, "seed": 4}, verdict="reproduced", preset="demo", arm="spikes")
    (runs / "bad.h5").write_bytes(b"nothing")
    seen = []
    changes = index.update([runs], progress=lambda done, total: seen.append((done, total)))
    assert set(changes.new) == {runs / "a.h5", runs / "bad.h5"}
    assert seen == [(1, 2), (2, 2)]
    good, bad = index.entries([runs])
    assert (good.preset, good.arm, good.seed, good.outcome, good.state) == (
        "demo",
        "spikes",
        4,
        "reproduced",
        "finished",
    )
    assert good.config["lr"] == 0.5
    assert good.fact("lr") == 0.5
    assert good.fact("verdict") == "reproduced"
    assert [good.number(Number("train_loss", s)) for s in ("last", "min", "max")] == [2.0, 1.0, 3.0]
    assert good.step == 20
    assert good.checkpoints == 1
    assert good.sparkline.tolist() == [[3.0, 1.0, 2.0]] * 2
    assert "not an HDF5 file" in bad.problem
    assert good == entry(runs / "a.h5")


def test_a_deleted_damaged_or_older_index_is_made_again(tmp_path, runs):
    small_run(runs / "a.h5")
    cache = tmp_path / "cache.sqlite"
    for spoil in (cache.unlink, lambda: cache.write_bytes(b"spoilt" * 1000), lambda: _set_version(cache, 99)):
        index = RunIndex(cache)
        index.update([runs])
        assert len(index.entries([runs])) == 1
        index.close()
        spoil()
        again = RunIndex(cache)
        assert again.entries([runs]) == []
        assert again.update([runs]).new == (runs / "a.h5",)
        again.close()


def _set_version(cache, version):
    database = sqlite3.connect(cache)
    database.execute(f"PRAGMA user_version = {version}")
    database.close()


def test_an_index_that_cannot_be_written_is_kept_in_memory(tmp_path, runs):
    small_run(runs / "a.h5")
    (tmp_path / "file").write_text("no folder")
    index = RunIndex(tmp_path / "file" / "cache.sqlite")
    index.update([runs])
    assert len(index.entries([runs])) == 1
    index.close()


def test_new_changed_moved_and_vanished_files_are_noticed(index, runs):
    paths = [small_run(runs / f"{name}.h5") for name in "abc"]
    assert len(index.update([runs]).new) == 3
    assert not index.update([runs])
    set_labels(paths[0], note="looks odd")
    (runs / "deeper").mkdir()
    paths[1].rename(runs / "deeper" / "b.h5")
    paths[2].unlink()
    small_run(runs / "d.h5")
    changes = index.update([runs])
    assert changes.new == (runs / "d.h5",)
    assert changes.changed == (paths[0],)
    assert changes.moved == (runs / "deeper" / "b.h5",)
    assert changes.gone == (paths[2],)
    assert {run.path.name: run.note for run in index.entries([runs])} == {"a.h5": "looks odd", "b.h5": "", "d.h5": ""}


def test_a_growing_run_is_followed_until_its_writer_is_gone(index, runs, monkeypatch):
    writer = RunWriter.create(runs / "a.h5", {"experiment": "made-up"}, {}, {})
    writer.append("train_loss", 0, 1.0)
    writer.flush()
    index.update([runs])
    assert [(run.state, run.step) for run in index.entries([runs])] == [("running", 0)]
    writer.append("train_loss", 7, 0.5)
    writer.flush()
    assert index.update([runs]).changed == (runs / "a.h5",)
    assert [(run.state, run.step) for run in index.entries([runs])] == [("running", 7)]
    monkeypatch.setattr("storage.lock.held", lambda descriptor: False)  # as after a kill: the file stays as it is
    assert index.update([runs]).changed == (runs / "a.h5",)
    assert index.entries([runs])[0].state == "interrupted"
    writer.close("stopped")


def test_runs_of_a_folder_that_is_away_are_kept(index, runs, tmp_path):
    small_run(runs / "a.h5")
    index.update([runs])
    runs.rename(tmp_path / "unplugged")
    assert not index.update([runs])
    assert len(index.entries([runs])) == 1


def test_only_runs_of_the_folders_asked_for_are_listed(index, runs, tmp_path):
    other = tmp_path / "runs-two"
    small_run(runs / "a.h5")
    small_run(other / "b.h5")
    index.update([runs, other])
    assert [run.path.name for run in index.entries([runs])] == ["a.h5"]
    assert {run.path.name for run in index.entries([other, runs / "a.h5"])} == {"a.h5", "b.h5"}
    assert index.entries([]) == []


def test_runs_of_a_study_know_their_study(index, runs):
    (runs / "study").mkdir()
    (runs / "study" / "study.toml").write_text("")
    small_run(runs / "study" / "seeds" / "a.h5")
    small_run(runs / "b.h5")
    index.update([runs])
    assert {run.path.name: run.study for run in index.entries([runs])} == {"a.h5": str(runs / "study"), "b.h5": ""}
    (runs / "study" / "study.toml").unlink()
    index.update([runs])
    assert {run.study for run in index.entries([runs])} == {""}


def test_numbers_that_were_not_kept_are_read_from_the_files_and_remembered(index, runs):
    small_run(runs / "a.h5", values=[5.0, 4.0, 3.0, 1.0])
    small_run(runs / "b.h5", series="test_loss")
    index.update([runs])
    wanted = [Number("train_loss", "mean", 2), Number("train_loss", "at", 15)]
    assert index.compute(wanted, index.entries([runs]))
    assert not index.compute(wanted, index.entries([runs]))
    found = {run.path.name: [run.number(n) for n in wanted] for run in index.entries([runs])}
    assert found == {"a.h5": [2.0, 4.0], "b.h5": [None, None]}


def test_a_cancelled_update_goes_on_where_it_stopped(index, runs, monkeypatch):
    monkeypatch.setattr("storage.index.BATCH", 2)
    for number in range(5):
        small_run(runs / f"{number}.h5")
    calls, told = iter([False] * 3 + [True]), []
    changes = index.update([runs], lambda *counts: told.append(counts), cancelled=lambda: next(calls))
    assert (len(index.entries([runs])), changes.left) == (3, 2)  # more than a batch, and what was begun of the next
    assert told == [(1, 5), (2, 5), (3, 5)]
    assert len(index.update([runs]).new) == 2


def test_labels_are_written_into_the_file_and_nothing_else_changes(runs):
    path = small_run(runs / "a.h5", preset="demo")
    with RunReader(path) as run:
        before = run.header, run.config, run.series("train_loss")[1].tolist(), run.checkpoints()
    set_labels(path, star=True, tags=["paper", " two  words ", "paper", ""], note="odd:\n\0 λ_max")
    set_labels(path, note="even")
    with RunReader(path) as run:
        assert (run.labels.star, run.labels.tags, run.labels.note) == (True, ("paper", "two words"), "even")
        assert before == (run.header, run.config, run.series("train_loss")[1].tolist(), run.checkpoints())
    with h5py.File(path) as file:
        assert (file.attrs["star"], file.attrs["note"]) == (1, "even")
    assert set_labels(path, star=False, tags=()).tags == ()


def test_labels_that_cannot_be_kept_say_why(runs):
    path = small_run(runs / "a.h5")
    with pytest.raises(RunFileError, match="longer than"):
        set_labels(path, note="x" * 40_000)
    writer = RunWriter.create(runs / "live.h5", {}, {}, {})
    with pytest.raises(RunFileError, match="being written"):
        set_labels(runs / "live.h5", star=True)
    writer.close("stopped")
    assert set_labels(path, note="y" * 29_000).note.startswith("y")


def test_a_copy_without_checkpoints_shows_the_same(runs):
    path = small_run(runs / "a.h5", verdict="reproduced")
    set_labels(path, tags=["paper"])
    copy_run(path, runs / "whole.h5")
    copy_run(path, runs / "light.h5", checkpoints=False)
    for name, checkpoints in (("whole", [10]), ("light", [])):
        with RunReader(path) as old, RunReader(runs / f"{name}.h5") as new:
            assert (new.header, new.config, new.verdict, new.labels) == (
                old.header,
                old.config,
                old.verdict,
                old.labels,
            )
            assert np.array_equal(new.series("train_loss"), old.series("train_loss"))
            assert new.checkpoints() == checkpoints
            assert new.events() == old.events()
    assert (runs / "light.h5").stat().st_size < (runs / "whole.h5").stat().st_size
    with pytest.raises(RunFileError, match="exists already"):
        copy_run(path, runs / "whole.h5")


def test_a_copy_of_a_growing_run_is_interrupted(runs):
    writer = RunWriter.create(runs / "live.h5", {"experiment": "made-up"}, {}, {})
    writer.append("train_loss", 3, 1.0)
    writer.flush()
    copy_run(runs / "live.h5", runs / "copy.h5")
    writer.close("finished")
    assert entry(runs / "copy.h5").state == "interrupted"
    assert entry(runs / "copy.h5").step == 3


def test_the_clock_leaves_out_the_time_between_sessions(runs, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("storage.writer.time.time", lambda: now[0])
    path = runs / "a.h5"
    writer = RunWriter.create(path, {"experiment": "made-up"}, {}, {})
    for step in (5, 10):
        now[0] += 2.0
        writer.append("train_loss", step, 1.0)
        writer.flush()
    writer.close("stopped")
    now[0] += 3600.0
    writer = RunWriter.append_to(path)
    now[0] += 4.0
    writer.append("train_loss", 20, 1.0)
    writer.close("finished")
    with RunReader(path) as run:
        step, at = run.clock()
    assert step.tolist() == [0, 5, 10, 10, 20]
    assert at[-1] == 1000 + 4 + 3600 + 4
    assert entry(path).duration == 8.0


def test_a_file_of_a_version_without_a_clock_has_no_duration(runs):
    path = small_run(runs / "a.h5")
    with h5py.File(path, "r+") as file:
        del file["clock"]
    os.utime(path)
    assert entry(path).duration is None
    shutil.copy(path, runs / "b.h5")
    assert entry(runs / "b.h5").problem is None
