"""What is written is what is read, whatever its shape and kind."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from storage.errors import RunFileError
from storage.pages import PAGE
from storage.reader import RunReader
from storage.writer import RunWriter

HEADER = {"experiment": "adam-spikes", "preset": "quadratic", "arm": "spikes", "title": "Adam's spikes, β2", "seed": 3}
KINDS = (np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_, np.complex64)


def new(path, **more):
    return RunWriter.create(path, {**HEADER, **more}, {"lr": 0.1, "β2": 0.999}, {"python": "3.11"})


def test_header_config_and_environment_come_back(tmp_path):
    new(tmp_path / "run.h5", parent_step=None).close("finished")
    with RunReader(tmp_path / "run.h5") as run:
        assert {name: run.header[name] for name in HEADER} == HEADER
        assert run.header["parent_run"] is None and run.header["parent_step"] is None
        assert run.config == {"lr": 0.1, "β2": 0.999}
        assert run.environment == {"python": "3.11"}
        assert run.state == "finished"
        assert run.verdict == {}


@settings(deadline=None, max_examples=60)
@given(
    data=st.data(), kind=st.sampled_from(KINDS), row=arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
)
def test_rows_of_any_shape_and_kind_come_back(tmp_path_factory, data, kind, row):
    counts = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=6))
    blocks = [data.draw(arrays.arrays(kind, (count, *row))) for count in counts]
    path = tmp_path_factory.mktemp("run") / "run.h5"
    with new(path) as writer:
        step = 0
        for block in blocks:
            writer.append("weights", np.arange(step, step + len(block)), block)
            step += len(block)
            if data.draw(st.booleans()):
                writer.flush()
    with RunReader(path) as run:
        if not step:
            assert run.names() == []
            return
        steps, values = run.series("weights")
        np.testing.assert_array_equal(steps, np.arange(step))
        np.testing.assert_array_equal(values, np.concatenate(blocks))
        assert values.dtype == kind
        np.testing.assert_array_equal(run.series("weights", step - 1)[1], values[-1:])


@settings(deadline=None, max_examples=40)
@given(
    state=st.dictionaries(
        st.text("ab./0", min_size=1, max_size=5),
        st.sampled_from(KINDS).flatmap(
            lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
        ),
        max_size=5,
    )
)
def test_a_checkpoint_comes_back_or_is_refused_before_anything_is_written(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("run") / "run.h5"
    with new(path) as writer:
        try:
            writer.checkpoint(7, state)
        except ValueError:
            state = None
    with RunReader(path) as run:
        if state is None:
            assert run.checkpoints() == []
            return
        assert run.checkpoints() == [7]
        back = run.checkpoint(7)
        assert back.keys() == state.keys()
        for name, array in state.items():
            assert back[name].dtype == array.dtype and back[name].shape == array.shape
            np.testing.assert_array_equal(back[name], array)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=40)
@given(
    config=st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), JSON, max_size=4)
)
def test_any_json_comes_back_as_config_event_and_verdict(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("run") / "run.h5"
    with RunWriter.create(path, HEADER, config, {}) as writer:
        writer.event(3, "knob", config, at=12.5)
        writer.set_verdict(config)
    with RunReader(path) as run:
        assert run.config == run.verdict == config
        assert run.events() == [{"step": 3, "time": 12.5, "kind": "knob", "payload": config}]


def test_numbers_of_numpy_in_a_payload_become_plain(tmp_path):
    with new(tmp_path / "run.h5") as writer:
        writer.event(1, "spike", {"height": np.float32(0.5), "where": np.array([1, 2])})
    assert RunReader(tmp_path / "run.h5").events()[0]["payload"] == {"height": 0.5, "where": [1, 2]}


def test_nan_and_infinity_are_kept(tmp_path):
    with new(tmp_path / "run.h5") as writer:
        for step, value in enumerate([1.0, float("nan"), float("inf")]):
            writer.append("train_loss", step, value)
    np.testing.assert_array_equal(RunReader(tmp_path / "run.h5").series("train_loss")[1], [1.0, np.nan, np.inf])


def test_the_caller_may_reuse_its_array(tmp_path):
    buffer = np.zeros((1, 2))
    with new(tmp_path / "run.h5") as writer:
        for step in range(3):
            buffer[:] = step
            writer.append("weights", step, buffer)
    assert RunReader(tmp_path / "run.h5").series("weights")[1].tolist() == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize(
    ("step", "value", "message"),
    [
        (5, 1.5, "holds int64"),
        (5, [[1, 2]], "rows of shape"),
        (5, ["text"], "no number"),
        ([6, 5], [1, 2], "rise"),
        ([5, 6], [1], "steps for values"),
    ],
)
def test_rows_that_do_not_fit_the_first_one_are_refused(tmp_path, step, value, message):
    with new(tmp_path / "run.h5") as writer:
        writer.append("count", 0, 1)
        with pytest.raises(ValueError, match=message):
            writer.append("count", step, value)
    assert RunReader(tmp_path / "run.h5").series("count")[0].tolist() == [0]


def test_an_existing_file_is_kept_unless_told(tmp_path):
    path = tmp_path / "run.h5"
    new(path, seed=1).close("finished")
    with pytest.raises(RunFileError, match="exists already"):
        new(path)
    assert RunReader(path).header["seed"] == 1
    RunWriter.create(path, {**HEADER, "seed": 2}, {}, {}, overwrite=True).close("finished")
    assert RunReader(path).header["seed"] == 2
    assert [found.name for found in tmp_path.iterdir()] == ["run.h5"]


def test_a_file_being_written_is_never_replaced(tmp_path):
    with new(tmp_path / "run.h5"), pytest.raises(RunFileError, match="exists already"):
        RunWriter.create(tmp_path / "run.h5", HEADER, {}, {}, overwrite=True)


def test_run_ids_are_unique_and_sort_by_time(tmp_path):
    ids = []
    for number in range(3):
        with new(tmp_path / f"{number}.h5") as writer:
            ids.append(writer.run_id)
    assert len(set(ids)) == 3
    assert sorted(text[:15] for text in ids) == [text[:15] for text in ids]


def test_plain_h5py_reads_arrays_and_text_and_nothing_else(tmp_path):
    path = tmp_path / "run.h5"
    with new(path) as writer:
        writer.declare("train_loss", {"label": "Loss", "units": "MSE"})
        writer.append("train_loss", [0, 1], [3.0, 2.0])
        writer.append("maps", 0, np.ones((1, 2, 2), np.float32))
        writer.event(0, "spike", {"height": 1})
        writer.checkpoint(1, {"model/weight": np.ones(3)})
        writer.log("started")
    kinds = set()
    with h5py.File(path) as file:
        assert file.attrs["format"] == "training-dynamics-run" and file.attrs["state"] == "finished"
        assert file["series/train_loss"].attrs["units"] == "MSE"
        assert file["series/train_loss/step"].dtype == np.int64
        assert file["log"].asstr()[:].tolist() == ["started"]
        file.visititems(lambda _, item: kinds.add(item.dtype.kind) if isinstance(item, h5py.Dataset) else None)
        texts = [file[name] for name in ("config", "log", "events/payload")]
        assert all(h5py.check_string_dtype(text.dtype) for text in texts)
    assert kinds == {"i", "f", "O"}  # h5py's O is text here: checked above


def test_rows_are_copied_when_they_come_and_cast_to_what_the_series_holds(tmp_path):
    path = tmp_path / "run.h5"
    block = np.ones((2, 3), np.float32)
    with RunWriter.create(path, {}, {}, {}) as run:
        run.append("x", [0, 1], block)
        block[:] = 7
        run.append("x", [2], np.full((1, 3), 1e300))
        run.flush()
        run.append("x", [3], np.full((1, 3), 2.0))
    with RunReader(path) as reader:
        step, value = reader.series("x")
    assert step.tolist() == [0, 1, 2, 3]
    assert value.dtype == np.float32
    assert value[:, 0].tolist() == [1, 1, np.inf, 2]


def test_large_blocks_begin_with_a_page_and_go_to_the_file_without_a_copy_in_memory(tmp_path):
    path, rows = tmp_path / "run.h5", np.random.default_rng(0).normal(size=(500, 64, 16))
    with RunWriter.create(path, {}, {}, {}) as run:
        run.append("small", range(500), rows[:, 0, 0])
        run.append("wide", range(500), rows)
        run._write()
        assert run._pages.pending < rows.nbytes / 10
    with h5py.File(path) as file:
        wide = file["series/wide/value"].id
        starts = [wide.get_chunk_info(number).byte_offset for number in range(wide.get_num_chunks())]
    assert len(starts) > 50
    assert not any(start % PAGE for start in starts)
    assert path.stat().st_size < 1.05 * rows.nbytes
    with RunReader(path) as reader:
        np.testing.assert_array_equal(reader.series("wide")[1], rows)
